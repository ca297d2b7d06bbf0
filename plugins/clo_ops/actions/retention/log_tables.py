"""Rows of log tables that are older than they are kept leave in small batches (LM-01; D07)."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from clo_ops.actions.maintenance.plan import Effect, Outcome
from clo_ops.findings import CheckFailed
from clo_ops.findings.plans import Figure
from clo_ops.policy.logs import LogRemoval, LogTable
from clo_ops.probes.log_tables import UTC_SESSION, Hold, parts_of, values_of
from clo_ops.probes.postgres import connect, rows
from clo_ops.probes.reaching import Unreachable
from clo_ops.probes.statements import statement
from clo_ops.probes.targets import PostgresTarget

if TYPE_CHECKING:
    from psycopg.rows import DictRow

    Connection = psycopg.Connection[DictRow]


def delete(
    target: PostgresTarget,
    table: LogTable,
    before: datetime,
    holds: Sequence[Hold],
    terms: LogRemoval,
    *,
    may_go_on: Callable[[], str | None] = lambda: None,
) -> Effect:
    """Each batch a transaction of its own, with limits on its locks and its time, and a pause behind it.

    What the database says went is looked at before it is kept: a row that is not due undoes its batch. Killed at any
    instant, the next run finds what is left. Raises Unreachable where the database is lost on the way, and CheckFailed.
    """
    limits = replace(
        target,
        lock_timeout=terms.lock_timeout.total_seconds(),
        statement_timeout=terms.statement_timeout.total_seconds(),
    )
    begun, gone, batches, ended = time.monotonic(), 0, 0, ""
    try:
        with connect(limits) as connection:
            rows(connection, UTC_SESSION, {"read_only": "off"})
            while not ended:
                size = min(terms.batch, terms.most_rows - gone)
                went = _batch(connection, table, before, holds, size)
                gone, batches = gone + went, batches + (went > 0)
                ended = _ended(went, size, gone, terms) or may_go_on() or ""
                time.sleep(0 if ended else terms.pause.total_seconds())
    except Unreachable as error:
        raise Unreachable(error.reach, f"{error.observed}; {gone} rows of {table.table} had gone by then") from None
    figures: dict[str, Figure] = {"rows": gone, "batches": batches, "ended": ended, "before": before.isoformat()}
    return Effect(
        Outcome.APPLIED, f"{gone:,} rows of {table.table} deleted; {ended}", time.monotonic() - begun, figures
    )


def _ended(went: int, size: int, gone: int, terms: LogRemoval) -> str:
    if went < size:
        return "none is left that is due"
    return f"the cap of {terms.most_rows:,} rows was reached" if gone >= terms.most_rows else ""


def _batch(connection: Connection, table: LogTable, before: datetime, holds: Sequence[Hold], size: int) -> int:
    query = sql.SQL(statement("logs/delete_batch").text).format(**parts_of(table))
    with connection.transaction():
        went = [row["gone"] for row in connection.execute(query, values_of(before, holds) | {"batch": size})]
        wrong = [one for one in went if one >= before or any(_in(one, hold) for hold in holds)]
        if wrong:
            raise CheckFailed(
                f"{table.table}: {len(wrong)} rows that are not due would have gone, such as one of {wrong[0]}",
                allowed=f"rows before {before.isoformat()} that no legal hold covers",
                next_step="nothing of this batch was deleted; look at triggers and rules of the table",
            )
    return len(went)


def _in(at: datetime, hold: Hold) -> bool:
    return at >= hold[0] and (hold[1] is None or at < hold[1])
