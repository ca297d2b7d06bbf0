"""Ask a CLO database whether it means what it should: the invariants of include/checks, one query each."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

from clo_ops.probes.checks import Check, checks
from clo_ops.probes.postgres import rows

if TYPE_CHECKING:
    import psycopg
    from psycopg.rows import DictRow

COUNTED = 100_000


def verdicts(connection: psycopg.Connection[DictRow], at: datetime) -> dict[str, int]:
    """Violations by invariant, counted up to 100,000, at the moment ``at``.

    Runs in whatever transaction is open on ``connection`` (dict rows). An invariant whose tables or columns this
    database does not have, or may not be read, has no verdict: it is not in the mapping.
    """
    from psycopg.errors import InsufficientPrivilege, UndefinedColumn, UndefinedObject, UndefinedTable

    found = {}
    with connection.transaction(force_rollback=True):  # the settings are the caller's again afterwards
        rows(connection, "integrity_session")
        for one in checks():
            with suppress(UndefinedTable, UndefinedColumn, UndefinedObject, InsufficientPrivilege):
                found[one.invariant] = _count(connection, one, at)
    return found


def _count(connection: psycopg.Connection[DictRow], check: Check, at: datetime) -> int:
    with connection.transaction():
        return len(rows(connection, check.sql, {"limit": COUNTED, "at": at}))
