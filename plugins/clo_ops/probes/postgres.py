"""Ask PostgreSQL: is it up, who is connected, how large, how well cached.

Every session is opened by ``connect``: named, read-only, bounded on both sides. Statements are files of include/sql.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from time import perf_counter
from typing import TYPE_CHECKING, Any

from clo_ops.findings import Answer, Measurement
from clo_ops.findings.statements import StatementSnapshot
from clo_ops.probes.reaching import Reach, Unreachable
from clo_ops.probes.statements import statement
from clo_ops.probes.targets import PostgresTarget

if TYPE_CHECKING:
    import psycopg
    from psycopg.rows import DictRow

TRIED = "a read-only session"
STATES = (
    "active",
    "idle",
    "idle in transaction",
    "idle in transaction (aborted)",
    "fastpath function call",
    "disabled",
)


@contextmanager
def connect(target: PostgresTarget) -> Iterator[psycopg.Connection[DictRow]]:
    """A named, read-only, autocommit session with rows as dicts; closed on the way out.

    Bounded by the server (lock, statement and idle timeouts) and by this side: a server that stops in the middle of
    a statement is given up after ``statement_timeout`` + ``lock_timeout`` seconds. Raises Unreachable (a CouldNotAsk)
    whose ``reach`` tells refused, silent, not serving, timeout, name and authentication apart; the password is never
    in its text. A statement that runs out of time or lacks a privilege is Unreachable too; other database errors of
    the body pass through.
    """
    from clo_ops.probes.postgres_session import session

    with session(target) as connection:
        yield connection


def rows(connection: psycopg.Connection[DictRow], name: str, values: Mapping[str, Any] | None = None) -> list[DictRow]:
    """The rows of include/sql/<name>.sql. Values are bound, never written into the text."""
    return connection.execute(statement(name).text.encode(), values or {}).fetchall()


def asked(
    question: str,
    target: PostgresTarget,
    measure: Callable[[psycopg.Connection[DictRow]], Iterable[Measurement]],
) -> Answer:
    """What ``measure`` takes in one session, or the question unanswered with the reason."""
    try:
        with connect(target) as connection:
            return Answer.of(measure(connection))
    except Unreachable as error:
        return error.unanswered(question, target, TRIED)


def up(target: PostgresTarget) -> Answer:
    """DM-01: ``postgresql.up``, and how long connecting and one statement took (ms).

    A refused connection, a silent server and one that serves nobody are measured as 0: they answered. Everything
    else (name, route, password) leaves the question open.
    """
    started = perf_counter()
    try:
        with connect(target) as connection:
            (identity,) = rows(connection, "server_identity")
    except Unreachable as error:
        return error.liveness("postgresql.up", target, TRIED)
    taken, at = (perf_counter() - started) * 1000, datetime.now(UTC)
    role = "standby" if identity["in_recovery"] else "primary"
    since = identity["started_at"].astimezone(UTC).isoformat(timespec="seconds")
    detail = f"PostgreSQL {identity['server_version']}, {role}, started {since}"
    return Answer.of(
        [
            Measurement("postgresql.up", 1, "bool", at, detail=detail),
            Measurement("postgresql.connect.duration", taken, "ms", at),
        ]
    )


def connections(target: PostgresTarget) -> Answer:
    """DM-05: client connections by state and by client, the server's limit, idle transactions, blocked sessions.

    Our own session and the server's own processes are not counted. ``postgresql.connection.count`` is over all
    clients ({state}); ``postgresql.connection.by_client`` the same by {state, user, application, database}, for a
    rule to pick the application's pool from. ``postgresql.connection.max`` is what clients without a reserved slot
    may use. Ages are seconds. A server that refuses us because every slot is taken is measured, not unanswered:
    ``postgresql.connection.slot_free`` is 0.
    """
    try:
        with connect(target) as connection:
            return _connections(connection, target)
    except Unreachable as error:
        if error.reach is Reach.FULL:
            return error.liveness("postgresql.connection.slot_free", target, TRIED)
        return error.unanswered("connections", target, TRIED)


def _connections(connection: psycopg.Connection[DictRow], target: PostgresTarget) -> Answer:
    (identity,) = rows(connection, "server_identity")
    if not identity["sees_all_sessions"]:
        blind = f"role {target.user} sees only its own sessions"
        raise Unreachable(Reach.OTHER, blind, f"GRANT pg_monitor TO {target.user}")
    at = datetime.now(UTC)
    return Answer.of(
        [
            Measurement("postgresql.connection.slot_free", 1, "bool", at),
            *_limit(connection, at),
            *_by_state(connection, at),
            *_idle_in_transaction(connection, at),
            *_blocked(connection, at),
        ]
    )


def _limit(connection: psycopg.Connection[DictRow], at: datetime) -> Iterator[Measurement]:
    settings = {row["name"]: int(row["value"]) for row in rows(connection, "server_settings")}
    reserved = settings["superuser_reserved_connections"] + settings.get("reserved_connections", 0)
    detail = f"max_connections {settings['max_connections']}, of which {reserved} reserved"
    yield Measurement("postgresql.connection.max", settings["max_connections"] - reserved, "count", at, detail=detail)


def _by_state(connection: psycopg.Connection[DictRow], at: datetime) -> Iterator[Measurement]:
    total: Counter[str] = Counter(dict.fromkeys(STATES[:3], 0))
    for row in rows(connection, "connections_by_state"):
        total[row["state"]] += row["connections"]
        labels = {key: row[key] for key in ("state", "user", "application", "database")}
        yield Measurement("postgresql.connection.by_client", row["connections"], "count", at, labels)
    for state, count in sorted(total.items()):
        yield Measurement("postgresql.connection.count", count, "count", at, {"state": state})


def _who(row: Mapping[str, Any]) -> dict[str, str]:
    return {key: str(row[key]) for key in ("pid", "user", "application", "database")}


def _idle_in_transaction(connection: psycopg.Connection[DictRow], at: datetime) -> Iterator[Measurement]:
    for row in rows(connection, "idle_in_transaction"):
        detail = f"transaction open for {row['transaction_seconds']:.0f} s, last statement: {row['query']}"
        name = "postgresql.session.idle_in_transaction"
        yield Measurement(name, row["idle_seconds"], "s", at, _who(row), detail)


def _blocked(connection: psycopg.Connection[DictRow], at: datetime) -> Iterator[Measurement]:
    for row in rows(connection, "blocked_sessions"):
        blockers = ", ".join(str(pid) for pid in row["blocked_by"])
        labels = {**_who(row), "blocked_by": blockers}
        yield Measurement("postgresql.session.blocked", row["blocked_seconds"], "s", at, labels, row["query"])


def sizes(target: PostgresTarget) -> Answer:
    """DM-07: ``postgresql.database.size`` in bytes for each database we may look at ({database})."""

    def measure(connection: psycopg.Connection[DictRow]) -> Iterator[Measurement]:
        at = datetime.now(UTC)
        for row in rows(connection, "database_sizes"):
            labels = {"database": row["database"]}
            yield Measurement("postgresql.database.size", row["size_bytes"], "bytes", at, labels)

    return asked("database sizes", target, measure)


def cache_hit_ratio(target: PostgresTarget) -> Answer:
    """DM-07: ``postgresql.cache.hit_ratio`` in percent since the last statistics reset, per database that was read."""

    def measure(connection: psycopg.Connection[DictRow]) -> Iterator[Measurement]:
        at = datetime.now(UTC)
        for row in rows(connection, "cache_hit_ratio"):
            labels = {"database": row["database"]}
            detail = f"{row['blocks_hit']} hit, {row['blocks_read']} read"
            yield Measurement("postgresql.cache.hit_ratio", row["hit_percent"], "percent", at, labels, detail)

    return asked("cache hit ratio", target, measure)


def statements(target: PostgresTarget) -> tuple[StatementSnapshot | None, Answer]:
    """DM-06: every statement's counters now, for the ledger to subtract the last report's from.

    Without the extension, its preload or the privilege there is no snapshot: ``postgresql.statements.available`` is 0
    and its detail says which, and what to do. An unreachable server is unanswered.
    """
    from clo_ops.probes.postgres_statements import take

    try:
        with connect(target) as connection:
            return take(connection)
    except Unreachable as error:
        return None, error.unanswered("statement statistics", target, TRIED)
