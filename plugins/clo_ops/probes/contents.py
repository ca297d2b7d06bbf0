"""Ask PostgreSQL what a database holds. The same code describes the source, inside the snapshot a dump uses, and the
restored copy, so that the two can be compared whatever the servers' own settings are.

Partitioned tables are counted at their leaves. Not counted: foreign tables, temporary ones, materialized views (a
restore refreshes them) and what belongs to an extension; their definitions are compared all the same.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from clo_ops.findings import Answer, Measurement
from clo_ops.findings.contents import Contents, SequenceState, TableContents
from clo_ops.probes.fingerprints import Fingerprints
from clo_ops.probes.postgres import TRIED, connect, rows
from clo_ops.probes.reaching import Unreachable
from clo_ops.probes.statements import statement
from clo_ops.probes.targets import PostgresTarget

if TYPE_CHECKING:
    import psycopg
    from psycopg.rows import DictRow

    Connection = psycopg.Connection[DictRow]
    Opener = Callable[[], AbstractContextManager[Connection]]

# A list of varchar constants is written in one way when it is first parsed and in another after a dump and restore.
VARCHAR_LIST = re.compile(r"\(ARRAY\[((?:'(?:[^']|'')*'::character varying(?:, )?)+)\]\)::text\[\]")
VARCHAR = re.compile(r"('(?:[^']|'')*'::character varying)")


def describe(
    connection: Connection,
    *,
    freshness: Mapping[str, str] | None = None,
    opener: Opener | None = None,
    workers: int = 1,
    snapshot: str | None = None,
    recorded: Mapping[str, Any] | None = None,
) -> Contents:
    """Everything the database of ``connection`` (dict rows) holds, as one transaction sees it.

    Uses the transaction that is open, else one of its own (repeatable read, read-only). With ``opener`` and
    ``workers`` above 1 the tables are read over that many more connections in the same snapshot: ``snapshot``, or one
    exported here. ``freshness`` is time column by table (``audit_logs: created_at``). ``recorded`` are the tables of a
    manifest this is to be compared with: their fingerprints are made the same way. A role that may not read a table
    raises InsufficientPrivilege.
    """
    beside = opener if workers > 1 else None
    with _transaction(connection):
        shared = snapshot or (rows(connection, "contents/export_snapshot")[0]["snapshot"] if beside else "")
        with connection.transaction(force_rollback=True):  # the settings are the caller's again afterwards
            rows(connection, "contents/session")
            made = Fingerprints.of(connection, recorded)
            tables = _tables(connection, made, beside, workers, shared)
            return _described(connection, tables, freshness or {})


def _described(connection: Connection, tables: Mapping[str, TableContents], freshness: Mapping[str, str]) -> Contents:
    facts = rows(connection, "contents/database")[0]
    full = {table if "." in table else f"public.{table}": table for table in freshness}
    there = [full[row["name"]] for row in rows(connection, "backups/present", {"names": list(full)})]
    return Contents(
        at=facts.pop("at").astimezone(UTC),
        server_version=facts.pop("server_version"),
        server_major=facts.pop("server_major"),
        tables=tables,
        sequences=dict(_sequences(connection)),
        schema=dict(_schema(connection)),
        collation=facts,
        extensions={row["name"]: row["version"] for row in rows(connection, "contents/extensions")},
        newest={table: _newest(connection, table, freshness[table]) for table in there},
    )


def ask(
    target: PostgresTarget,
    *,
    freshness: Mapping[str, str] | None = None,
    canary: Mapping[str, Any] | None = None,
    recorded: Mapping[str, Any] | None = None,
    workers: int = 1,
) -> tuple[Contents | None, Answer]:
    """The contents of a restored copy, and ``contents.canary.matches`` (bool) where the manifest has a canary.

    ``recorded`` are the manifest's tables, as in ``describe``.
    """
    try:
        with connect(target) as connection:
            opener = partial(connect, target)
            found = describe(connection, freshness=freshness, opener=opener, workers=workers, recorded=recorded)
            return found, read_canary(connection, canary, found.at)
    except Unreachable as error:
        return None, error.unanswered("the contents of the database", target, TRIED)


@contextmanager
def _transaction(connection: Connection) -> Iterator[None]:
    """The transaction that is open, or a read-only one that sees one moment."""
    from psycopg import IsolationLevel
    from psycopg.pq import TransactionStatus

    if connection.info.transaction_status is not TransactionStatus.IDLE:
        yield
        return
    was = connection.isolation_level, connection.read_only
    connection.isolation_level, connection.read_only = IsolationLevel.REPEATABLE_READ, True
    try:
        with connection.transaction():
            yield
    finally:
        connection.isolation_level, connection.read_only = was


def composed(connection: Connection, name: str, values: Mapping[str, Any] | None = None, **parts: Any) -> DictRow:
    """The one row of a statement that has identifiers in it; psycopg quotes them."""
    from psycopg import sql

    query = sql.SQL(statement(name).text).format(**parts)
    row = connection.execute(query, values).fetchone()
    assert row is not None  # noqa: S101 - these statements are aggregates: they have one row
    return row


def identifier(name: str) -> Any:
    """``schema.table``, or ``table`` of public, quoted."""
    from psycopg import sql

    schema, _, table = name.rpartition(".")
    return sql.Identifier(schema or "public", table)


# ---------------------------------------------------------------- tables


def _tables(
    connection: Connection, made: Fingerprints, opener: Opener | None, workers: int, snapshot: str
) -> dict[str, TableContents]:
    """Largest first, each by whichever session is free."""
    todo = deque(rows(connection, "contents/tables"))
    if opener is None:
        return dict(_fingerprints(connection, made, todo))
    with ThreadPoolExecutor(workers - 1) as pool:
        others = [pool.submit(_beside, opener, snapshot, made, todo) for _ in range(workers - 1)]
        try:
            found = dict(_fingerprints(connection, made, todo))
        except BaseException:
            todo.clear()
            raise
        return {**found, **{name: one for other in others for name, one in other.result().items()}}


def _beside(opener: Opener, snapshot: str, made: Fingerprints, todo: deque[DictRow]) -> dict[str, TableContents]:
    from psycopg import sql

    with opener() as connection, _transaction(connection):
        connection.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(sql.Literal(snapshot)))
        rows(connection, "contents/session")
        return dict(_fingerprints(connection, made, todo))


def _fingerprints(
    connection: Connection, made: Fingerprints, todo: deque[DictRow]
) -> Iterator[tuple[str, TableContents]]:
    while todo:
        try:
            one = todo.popleft()
        except IndexError:  # another session took the last one
            return
        yield f"{one['schema']}.{one['name']}", made.one(connection, one["schema"], one["name"])


# ---------------------------------------------------------------- everything else


def _schema(connection: Connection) -> Iterator[tuple[str, str]]:
    for row in rows(connection, "contents/schema"):
        yield row["object"], VARCHAR_LIST.sub(_as_restored, row["definition"])


def _as_restored(found: re.Match[str]) -> str:
    return "ARRAY[" + VARCHAR.sub(r"(\1)::text", found[1]) + "]"


def _sequences(connection: Connection) -> Iterator[tuple[str, SequenceState]]:
    from psycopg import sql

    for row in rows(connection, "contents/sequences"):
        state = composed(connection, "contents/sequence_value", sequence=sql.Identifier(row["schema"], row["name"]))
        step, column, furthest = row["increment"], "", None
        if row["column_name"]:
            table = sql.Identifier(row["table_schema"], row["table_name"])
            column = f"{row['table_schema']}.{row['table_name']}.{row['column_name']}"
            ends = composed(connection, "contents/extremes", table=table, column=sql.Identifier(row["column_name"]))
            furthest = ends["largest"] if step > 0 else ends["smallest"]
        last = state["last_value"]
        following = last + step if state["is_called"] else last
        yield f"{row['schema']}.{row['name']}", SequenceState(last, following, step, column, furthest)


def _newest(connection: Connection, table: str, column: str) -> datetime | None:
    from psycopg import sql

    row = composed(connection, "contents/newest", table=identifier(table), column=sql.Identifier(column))
    found = row["newest"]
    return found.astimezone(UTC) if isinstance(found, datetime) else None


def read_canary(connection: Connection, canary: Mapping[str, Any] | None, at: datetime) -> Answer:
    """``contents.canary.matches`` (bool) {table}: a copy of another backup has another row, or none. Nothing is
    measured where the manifest names no canary.
    """
    from psycopg.errors import UndefinedTable

    if not canary:
        return Answer()
    table, nonce = str(canary["table"]), str(canary["nonce"])
    try:
        with connection.transaction():
            row = composed(connection, "contents/canary", {"nonce": nonce}, table=identifier(table))
        found, said = row["found"] == 1, f"not among {row['rows']} rows"
    except UndefinedTable:
        found, said = False, f"there is no table {table}"
    told = f"nonce {nonce[:8]}… {'found' if found else said}"
    return Answer.of([Measurement("contents.canary.matches", found, "bool", at, {"table": table}, told)])
