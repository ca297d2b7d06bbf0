"""Ask PostgreSQL: is it up, who is connected, how large, how well cached, what it spent its time on.

Every session is opened by ``connect``: named, read-only, bounded on both sides. Statements are files of include/sql.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from clo_ops.probes.statements import statement
from clo_ops.probes.targets import PostgresTarget

if TYPE_CHECKING:
    import psycopg
    from psycopg.rows import DictRow


@contextmanager
def connect(target: PostgresTarget) -> Iterator[psycopg.Connection[DictRow]]:
    """A named, read-only, autocommit session with rows as dicts; closed on the way out.

    Bounded by the server (lock, statement and idle timeouts) and by this side: a server that stops in the middle of
    a statement is given up after ``statement_timeout`` + ``lock_timeout`` seconds. Raises Unreachable (a CouldNotAsk)
    whose ``reach`` tells refused, silent, not serving, timeout, name and authentication apart; the password is never
    in its text. A statement that runs out of time or lacks a privilege is Unreachable too; other database errors of
    the body pass through.
    """
    from clo_ops.probes.postgres_session import session  # noqa: PLC0415 - psycopg is heavy where DAGs are parsed

    with session(target) as connection:
        yield connection


def rows(connection: psycopg.Connection[DictRow], name: str, values: Mapping[str, Any] | None = None) -> list[DictRow]:
    """The rows of include/sql/<name>.sql. Values are bound, never written into the text."""
    return connection.execute(statement(name).text.encode(), values or {}).fetchall()
