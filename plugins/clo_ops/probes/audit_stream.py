"""The live audit trail as a stream of tables in the order of its ids: bounded memory, and no snapshot held for long."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from clo_ops.findings import ConfigurationError
from clo_ops.probes.audit_copy import blocks
from clo_ops.probes.audit_rows import TYPES, parsed
from clo_ops.probes.postgres import connect, rows
from clo_ops.probes.statements import statement
from clo_ops.probes.targets import PostgresTarget

if TYPE_CHECKING:
    import psycopg
    import pyarrow as pa  # type: ignore[import-untyped]
    from psycopg.rows import DictRow

    Connection = psycopg.Connection[DictRow]

T = TypeVar("T")
LOWEST, FURTHEST = 1 - 2**63, 2**63 - 1
ROWS_AT_ONCE = 200_000


@dataclass(frozen=True, slots=True)
class Ends:
    """Whose trail it is and from where to where it goes; ids are 0 where it has no rows. ``at`` is its own clock."""

    system: str
    server_version: str
    at: datetime
    first_id: int
    first_at: datetime | None
    first_prev_hash: str
    last_id: int
    last_hash: str


@contextmanager
def trail(target: PostgresTarget, *, writing: bool = False) -> Iterator[Connection]:
    """A session in which COPY writes times in UTC. Raises Unreachable, as ``connect`` does."""
    with connect(target) as connection:
        rows(connection, "retention/session", {"read_only": "off" if writing else "on"})
        yield connection


def ends(connection: Connection) -> Ends:
    """The ends of the live table."""
    (row,) = rows(connection, "source/audit_ends")
    return Ends(
        system=f"{row['system_identifier']}/{row['database']}",
        server_version=row["server_version"],
        at=row["at"],
        first_id=row["first_id"] or 0,
        first_at=row["first_at"],
        first_prev_hash=row["first_prev_hash"] or "",
        last_id=row["last_id"] or 0,
        last_hash=row["last_hash"] or "",
    )


def check_shape(connection: Connection) -> None:
    """D06: the columns are those that are carried, no more and no other. Raises ConfigurationError."""
    found = {row["name"]: row["type"] for row in rows(connection, "source/audit_shape")}
    if found == TYPES:
        return
    differing = sorted(
        f"{name} is {found.get(name, 'not there')}, carried is {TYPES.get(name, 'no such column')}"
        for name in found.keys() | TYPES.keys()
        if found.get(name) != TYPES.get(name)
    )
    raise ConfigurationError(
        f"audit_logs has columns the archive does not carry as they are: {'; '.join(differing)}",
        allowed=", ".join(f"{name} {kind}" for name, kind in TYPES.items()),
        next_step="nothing is archived or deleted until include/sql/source/audit_*.sql and clo_ops carry them",
    )


def copied(connection: Connection, name: str, values: Mapping[str, Any]) -> Iterator[pa.Table]:
    """What a COPY statement of include/sql sends, some megabytes at a time."""
    from psycopg import ClientCursor

    query = ClientCursor(connection).mogrify(statement(name).text.encode(), values)
    for block in blocks(connection, query.encode()):
        yield parsed(block)


class Pacing(Protocol):
    """How many rows to take at once, and a rest between."""

    def rows(self, alone: int) -> int: ...

    def rest(self, connection: Connection) -> None: ...


def live(
    connection: Connection, *, after: int = LOWEST, last: int = FURTHEST, pace: Pacing | None = None
) -> Iterator[pa.Table]:
    """Rows with ids in (after, last], as they are when they are reached: each statement sees its own moment.

    A statement takes a range of ids and not a number of rows: an id that stands there twice is never cut in two.
    """
    reached = after
    while reached < last:
        newest, upto = None, min(reached + (pace.rows(ROWS_AT_ONCE) if pace else ROWS_AT_ONCE), last)
        for table in copied(connection, "source/audit_read", {"after": reached, "last": upto}):
            newest = int(table["id"][-1].as_py())
            yield table
        if newest is None:
            (row,) = rows(connection, "source/audit_next", {"after": reached, "last": last})
            if row["id"] is None:
                return
            newest = row["id"] - 1
        reached = newest
        if pace:
            pace.rest(connection)


def ahead(source: Callable[[], Iterator[T]], depth: int = 2) -> Iterator[T]:
    """The same, fetched by a thread of its own while the last one is worked on; at most ``depth`` wait."""
    waiting: queue.Queue[tuple[str, Any]] = queue.Queue(depth)
    ended = threading.Event()

    def put(kind: str, value: Any) -> bool:
        while not ended.is_set():
            with suppress(queue.Full):
                waiting.put((kind, value), timeout=0.2)
                return True
        return False

    def fetch() -> None:
        try:
            for one in source():
                if not put("one", one):
                    return
            put("end", None)
        except BaseException as error:  # noqa: BLE001 - raised again by whoever waits for it
            put("error", error)

    thread = threading.Thread(target=fetch, name="clo_ops-ahead", daemon=True)
    thread.start()
    try:
        while (got := waiting.get())[0] == "one":
            yield got[1]
        if got[0] == "error":
            raise got[1]
    finally:
        ended.set()
        thread.join()
