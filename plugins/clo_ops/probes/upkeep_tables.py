"""WM-01: ask PostgreSQL how stale its statistics are, how old its transaction numbers, how far its sequences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from clo_ops.findings import Answer, Measurement
from clo_ops.findings.upkeep import ServerState, TableSnapshot, TableState
from clo_ops.probes.postgres import TRIED, asked, connect, rows
from clo_ops.probes.reaching import Unreachable
from clo_ops.probes.targets import PostgresTarget

if TYPE_CHECKING:
    import psycopg
    from psycopg.rows import DictRow

    Connection = psycopg.Connection[DictRow]

# Figures of so many tables are kept; a rule sees all of them.
KEPT = 100
LARGEST = {"smallint": 2**15 - 1, "integer": 2**31 - 1, "bigint": 2**63 - 1}


def server(connection: Connection) -> ServerState:
    return ServerState(**rows(connection, "upkeep/server")[0])


def tables(target: PostgresTarget, *, maintainer: str) -> tuple[TableSnapshot | None, Answer]:
    """Every table with what was changed since it was analysed; whether the role ``maintainer`` may look after it.

    Kept: ``postgresql.table.changed`` and ``postgresql.table.dead`` (count, rows) by {table} for the most changed.
    """
    try:
        with connect(target) as connection:
            state = server(connection)
            found = tuple(TableState(**row) for row in rows(connection, "upkeep/tables", {"maintainer": maintainer}))
    except Unreachable as error:
        return None, error.unanswered("the state of the tables", target, TRIED)
    return TableSnapshot(state, found), Answer.of(_changed(found))


def _changed(found: tuple[TableState, ...]) -> Iterator[Measurement]:
    at = datetime.now(UTC)
    moved = [one for one in found if one.changed or one.dead]
    for one in sorted(moved, key=lambda one: -(one.changed + one.dead))[:KEPT]:
        labels = {"table": one.full_name}
        yield Measurement("postgresql.table.changed", one.changed, "count", at, labels, f"of {max(one.rows, 0):,.0f}")
        yield Measurement("postgresql.table.dead", one.dead, "count", at, labels)


def ages(target: PostgresTarget, *, oldest: int) -> Answer:
    """``postgresql.database.age`` (count) by {database, of, freeze_max_age}, ``postgresql.table.age`` of the ``oldest``
    tables of this database, and ``postgresql.horizon.age`` of what holds old rows back ({kind}).

    ``of`` is transaction or row lock (multixact); ``freeze_max_age`` is from where on autovacuum sees to it.
    """

    def measure(connection: Connection) -> Iterator[Measurement]:
        state, at = server(connection), datetime.now(UTC)
        limits = {"transaction": state.freeze_max_age, "row lock": state.multixact_freeze_max_age}
        for row in rows(connection, "upkeep/ages_databases"):
            yield from _two("postgresql.database.age", {"database": row["database"]}, row, limits, at)
        for row in rows(connection, "upkeep/ages_tables", {"tables": oldest}):
            own = {"transaction": row["freeze_max_age"], "row lock": row["multixact_freeze_max_age"]}
            yield from _two("postgresql.table.age", {"table": row["table"]}, row, own, at)
        for row in rows(connection, "upkeep/holders"):
            detail = f"{row['kind']} {row['name']}, {row['age']:,} transactions back"
            yield Measurement("postgresql.horizon.age", row["age"], "count", at, {"kind": row["kind"]}, detail)

    return asked("ages of transaction numbers", target, measure)


def _two(
    name: str, labels: dict[str, str], row: Mapping[str, Any], limits: Mapping[str, int], at: datetime
) -> Iterator[Measurement]:
    for of, column in (("transaction", "age"), ("row lock", "multixact_age")):
        yield Measurement(name, row[column], "count", at, {**labels, "of": of, "freeze_max_age": str(limits[of])})


def sequences(target: PostgresTarget) -> Answer:
    """``postgresql.sequence.used`` (percent) by {sequence, feeds}: of what it, or the column it feeds, can count to.

    ``postgresql.sequence.readable`` is 0 for those whose value our role may not see. One that starts again at its end
    has none, and is left out, unless its column is too small for it.
    """

    def measure(connection: Connection) -> Iterator[Measurement]:
        at = datetime.now(UTC)
        for row in rows(connection, "upkeep/sequences"):
            labels = {"sequence": f"{row['schema']}.{row['name']}", "feeds": row["feeds"]}
            yield Measurement("postgresql.sequence.readable", row["may_read"], "bool", at, labels)
            if row["may_read"] and (used := _used(row)) is not None:
                percent, detail = used
                yield Measurement("postgresql.sequence.used", percent, "percent", at, labels, detail)

    return asked("sequences", target, measure)


def _used(row: Mapping[str, Any]) -> tuple[float, str] | None:
    """How much of the way from its first value to the end is behind it, and the words for it."""
    room = LARGEST.get(row["column_type"], row["maximum"])
    down = row["increment"] < 0
    start, end = (row["maximum"], max(row["minimum"], -room)) if down else (row["minimum"], min(row["maximum"], room))
    if row["cycles"] and end == (row["minimum"] if down else row["maximum"]):
        return None
    last = start if row["last_value"] is None else row["last_value"]
    used = 100 * (last - start) / (end - start) if end != start else 100.0
    limit = f"column {row['feeds']} of type {row['column_type']}" if row["feeds"] else f"its type {row['type']}"
    return max(0.0, used), f"{last:,} of {end:,} ({limit})"
