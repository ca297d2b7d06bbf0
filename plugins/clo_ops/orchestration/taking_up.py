"""The first step of incident_response: whose incidents the run works on, by its events or by its form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, Param

from clo_ops.escalation.sighting import Sighting
from clo_ops.findings import ConfigurationError, Severity
from clo_ops.orchestration.incidents import desk
from clo_ops.orchestration.procedure import open_run
from clo_ops.orchestration.response import without_a_run

if TYPE_CHECKING:
    from clo_ops.escalation.desk import Desk
    from clo_ops.orchestration.run import Run

# Airflow maps a task to 1,024 at most; what is left over is announced again.
AT_ONCE = 500
TAKE_UP_PAGE = """### The incidents are taken up

Puts on record that this run works on them; one described in the form is opened. Whoever is due is told at once.
Red means: the form names no incident, or the ledger did not answer."""


def form() -> dict[str, Param]:
    """A run by hand: the number of an incident there is, or a new one."""
    severities = [one.value for one in Severity]
    return {
        "incident": Param(None, type=["null", "integer"], title="Number of an open incident", minimum=1),
        "title": Param("", type=["null", "string"], title="Or a new one: in one line, what is wrong", maxLength=150),
        "severity": Param("P2", type="string", title="Severity of the new one", enum=severities),
        "seen": Param("", type=["null", "string"], title="What was seen, where and since when", format="multiline"),
    }


class TakeUpOperator(BaseOperator):
    """The incidents of the events that started the run, or of its form, are this run's from now on.

    Raises ConfigurationError where there is none, LedgerConflict for a number the ledger does not know.
    """

    ui_color = "#f7efd6"

    def execute(self, context: Mapping[str, Any]) -> list[int]:
        from clo_ops.escalation.outbox import deliver

        now = datetime.now(UTC)
        with open_run(context, self.task_id) as run:
            at_desk = desk(run.ledger, run.policy)
            told_of = _of_events(context)
            numbers = _to_be_taken_up(run, told_of, now) if told_of else _of_form(run, at_desk, now)
            for number in numbers:
                run.ledger.set_incident_run(number, run.run_id)
            at_desk.cycle(now)
            self.log.info("incidents %s; %s", numbers, deliver(run.ledger, run.connections.smtp, now))
        return numbers


def _of_events(context: Mapping[str, Any]) -> list[int]:
    """Several incidents opened at once come as several events of one run."""
    events = context.get("triggering_asset_events") or {}
    payloads = [event.extra.get("payload", {}) for one in events.values() for event in one]
    return list(dict.fromkeys(int(one["incident"]) for one in payloads if "incident" in one))


def _to_be_taken_up(run: Run, told_of: Sequence[int], now: datetime) -> list[int]:
    """What no other run has: of the events, for one may come twice; of all that is open, for one may be lost."""
    waiting = [one.id for one in without_a_run(run.ledger, now)]
    numbers = dict.fromkeys([*told_of, *waiting])
    free = (one for one in numbers if run.ledger.incident(one).dag_run in ("", run.run_id))
    return list(islice(free, AT_ONCE))


def _of_form(run: Run, at_desk: Desk, now: datetime) -> list[int]:
    given, title = run.params.get("incident"), (run.params.get("title") or "").strip()
    if given:
        return [run.ledger.incident(int(given)).id]
    if not title:
        raise ConfigurationError(
            "the form names no incident and describes none",
            allowed="the number of an open incident, or a title for a new one",
            next_step="start the run again with one of the two",
        )
    seen = Sighting(
        cause=f"by hand:{run.run_id}",
        severity=Severity(run.params.get("severity") or "P2"),
        title=title,
        procedure="IR-05",
        at=now,
        observed=(run.params.get("seen") or "").strip() or title,
        allowed="",
        first_action=run.policy.procedures["IR-05"].first_action,
    )
    return [at_desk.detect(seen).id]
