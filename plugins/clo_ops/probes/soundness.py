"""Ask a restored copy whether its indexes and tables are sound, with PostgreSQL's own amcheck.

Every B-tree index is read in order and every row of its table looked for in it (heapallindexed); unique ones and the
system's own are also checked from parent to child. Every table's pages are read with verify_heapam (PostgreSQL 14).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from clo_ops.findings import Answer, Measurement, Unanswered
from clo_ops.probes.postgres import TRIED, connect, rows
from clo_ops.probes.reaching import Unreachable
from clo_ops.probes.statements import statement
from clo_ops.probes.targets import PostgresTarget

if TYPE_CHECKING:
    import psycopg
    from psycopg.rows import DictRow

    Connection = psycopg.Connection[DictRow]

HEAP_FROM = 14


def ask(target: PostgresTarget, *, workers: int = 1) -> Answer:
    """``contents.index.sound`` (bool) by {index} or {table}; its detail is what amcheck said, never a value of a row.

    ``contents.index.checked`` is 0 with the reason where the server has no amcheck (it is then for nobody to say).
    ``target.statement_timeout`` bounds each index and table; one that takes longer is unanswered by itself.
    """
    try:
        with connect(target) as connection:
            facts = rows(connection, "soundness/amcheck")[0]
            todo = deque(rows(connection, "soundness/objects"))
        if facts["schema"] is None:
            return Answer.of([Measurement("contents.index.checked", 0, "bool", datetime.now(UTC), {}, _why(facts))])
        if facts["server_major"] < HEAP_FROM:
            todo = deque(one for one in todo if one["kind"] == "index")
        with ThreadPoolExecutor(workers) as pool:
            running = [pool.submit(_work, target, facts["schema"], todo) for _ in range(workers)]
            found = sum((one.result() for one in running), Answer())
    except Unreachable as error:
        return error.unanswered("the soundness of indexes and tables", target, TRIED)
    return found + Answer.of([Measurement("contents.index.checked", 1, "bool", datetime.now(UTC))])


def _why(facts: DictRow) -> str:
    if facts["available"] is None:
        return "this server comes without the extension amcheck"
    return f"the extension amcheck {facts['available']} is there but not created in this database"


def _work(target: PostgresTarget, schema: str, todo: deque[DictRow]) -> Answer:
    """Until nothing is left to do; with a new session after one that broke, since a bad page can end the server's
    process. Where no session can be had at all, what was taken is unanswered and the rest is for the others.
    """
    made, open_ = list[Measurement](), list[Unanswered]()
    while todo:
        taken: DictRow | None = None
        try:
            with connect(target) as connection:
                while todo:
                    taken = todo.popleft()
                    made.append(_measured(taken, _look(connection, schema, taken)))
        except IndexError:  # another session took the last one
            break
        except Unreachable as error:
            what = taken["name"] if taken else "indexes and tables"
            open_ += error.unanswered(f"the soundness of {what}", target, TRIED).unanswered
            if taken is None:
                break
    return Answer.of(made, open_)


def _look(connection: Connection, schema: str, one: DictRow) -> str:
    """What amcheck has against it; empty when nothing."""
    from psycopg import errors

    try:
        if one["kind"] == "table":
            return "; ".join(_heap(connection, schema, one))
        function = "bt_index_parent_check" if one["is_unique"] else "bt_index_check"
        _call(connection, "soundness/index", schema, function, one)
    except (errors.IndexCorrupted, errors.DataCorrupted, errors.InternalError_, errors.IoError) as error:
        return error.diag.message_primary or type(error).__name__
    return ""


def _heap(connection: Connection, schema: str, one: DictRow) -> Iterator[str]:
    for row in _call(connection, "soundness/table", schema, "verify_heapam", one):
        yield f"block {row['blkno']}, item {row['offnum']}: {row['msg']}"


def _call(connection: Connection, name: str, schema: str, function: str, one: DictRow) -> list[DictRow]:
    from psycopg import sql

    query = sql.SQL(statement(name).text).format(check=sql.Identifier(schema, function))
    return connection.execute(query, {"oid": one["oid"]}).fetchall()


def _measured(one: Any, said: str) -> Measurement:
    labels = {one["kind"]: one["name"]}
    return Measurement("contents.index.sound", not said, "bool", datetime.now(UTC), labels, said)
