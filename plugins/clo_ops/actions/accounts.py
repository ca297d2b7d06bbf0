"""Disable one account, through a role that may do nothing else (M1-02, manual L164, D60)."""

from __future__ import annotations

import json
import time

from clo_ops.findings.plans import Effect, Outcome, Step
from clo_ops.probes.postgres import connect, rows
from clo_ops.probes.reaching import Reach, Unreachable
from clo_ops.probes.targets import PostgresTarget

TERMS = {"default_transaction_read_only": "off", "client_connection_check_interval": "1000"}


def disable(target: PostgresTarget, step: Step, *, approved_by: str, work: str, begun: bool) -> Effect:
    """The account of the step, on ``approved_by``'s word for the list ``work``; its audit row goes with it.

    ``begun``: an earlier try may have done it. Safe to repeat and to kill. Raises Unreachable (a CouldNotAsk), also
    where the database refuses: the last administrator, a service account, an account that is not there.
    """
    started = time.monotonic()
    said = _disabled(target, step.target, approved_by, work)
    seconds = time.monotonic() - started
    after = {"disabled": str(said["is_disabled"]).lower()}
    if said["was_disabled"] and not begun:
        return Effect(Outcome.SKIPPED, "was disabled already, not by this run", seconds, after)
    return Effect(Outcome.APPLIED, f"disabled on the approval of {approved_by}", seconds, after)


def _disabled(target: PostgresTarget, username: str, approved_by: str, work: str) -> dict[str, bool]:
    import psycopg

    values = {"username": username, "approved_by": approved_by, "work": work}
    with connect(target) as connection:
        rows(connection, "upkeep/session_terms", {"terms": json.dumps(TERMS)})
        try:
            (found,) = rows(connection, "source/account_disable", values)
        except psycopg.errors.RaiseException as error:
            raise Unreachable(Reach.OTHER, f"{target}: {' '.join(str(error.diag.message_primary).split())}") from None
    return dict(found)
