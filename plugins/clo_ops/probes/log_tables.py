"""How many rows of a log table are older than they are kept (LM-01), counted no further than may go in one run."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from clo_ops.findings import Answer
from clo_ops.findings.log_retention import TableState
from clo_ops.policy.logs import LogTable
from clo_ops.probes.contents import composed, identifier
from clo_ops.probes.postgres import TRIED, connect, rows
from clo_ops.probes.reaching import Reach, Unreachable, nobody_answered
from clo_ops.probes.targets import PostgresTarget

if TYPE_CHECKING:
    import psycopg
    from psycopg.rows import DictRow

    Connection = psycopg.Connection[DictRow]

Hold = tuple[datetime, datetime | None]
UTC_SESSION = "retention/session"


def state(
    target: PostgresTarget, table: LogTable, before: datetime, holds: Sequence[Hold], most: int
) -> tuple[TableState | None, Answer]:
    """What is due of the table, or the question nobody answered (no such table or column, no privilege, no server)."""
    import psycopg

    question = f"rows of {table.table} older than they are kept"
    try:
        with connect(target) as connection:
            rows(connection, UTC_SESSION, {"read_only": "on"})
            return _state(connection, table, before, holds, most), Answer()
    except Unreachable as error:
        return None, error.unanswered(question, target, TRIED)
    except psycopg.Error as error:
        return None, nobody_answered([question], target, "include/sql/logs/due.sql", " ".join(str(error).split()))


def values_of(before: datetime, holds: Sequence[Hold]) -> dict[str, Any]:
    return {"before": before, "begins": [one for one, _ in holds], "ends": [one for _, one in holds]}


def parts_of(table: LogTable) -> dict[str, Any]:
    from psycopg import sql

    return {"table": identifier(table.table), "at": sql.Identifier(table.at)}


def _state(connection: Connection, table: LogTable, before: datetime, holds: Sequence[Hold], most: int) -> TableState:
    found = rows(connection, "logs/column", {"table": table.table, "at": table.at})
    if not found:
        raise Unreachable(Reach.OTHER, f"there is no table {table.table} with a column {table.at}")
    (column,) = found
    parts = parts_of(table)
    due = composed(connection, "logs/due", values_of(before, holds) | {"most": most + 1}, **parts)
    # Statistics may be missing or of yesterday: a table that seems small is counted.
    counted = column["rows"]
    if counted < 2 * (due["due"] + due["held"]) + 1:
        ceiling = {"most": 20 * (most + 1)}
        counted = composed(connection, "logs/count", ceiling, table=parts["table"])["rows"]
    return TableState(table.table, table.at, column["type"], counted, due["due"], due["held"], due["oldest"], before)
