"""A session that may write: on a throw-away server only. Every other session of this package is read-only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from clo_ops.actions.drill.place import PlaceFailed
from clo_ops.probes.postgres import connect, rows
from clo_ops.probes.statements import statement
from clo_ops.probes.targets import PostgresTarget

if TYPE_CHECKING:
    import psycopg
    from psycopg.rows import DictRow

    Connection = psycopg.Connection[DictRow]


@contextmanager
def writing(target: PostgresTarget, *, production: str, database: str = "") -> Iterator[Connection]:
    """A writing session on the throw-away server at ``target``, in ``database`` (``target``'s own when left out).

    ``production`` is the system identifier in the backup's manifest, empty where it has none. Raises PlaceFailed when
    the server that answers carries it: whatever a guard said before, nothing is written there. Raises Unreachable.
    """
    with connect(replace(target, database=database or target.database)) as connection:
        identifier = rows(connection, "server_identity")[0]["system_identifier"]
        if production and identifier == production:
            raise PlaceFailed(
                f"{target} has the system identifier {identifier}, which is that of the backup's source",
                allowed="a server made for this drill, with an identifier of its own",
                next_step="find out what answers at that address before anything else is run",
            )
        connection.read_only = False
        connection.execute("set default_transaction_read_only = off")
        yield connection


def execute(connection: Connection, name: str, **parts: Any) -> None:
    """The statement include/sql/<name>.sql with its identifiers and literals put in by psycopg."""
    from psycopg import sql

    connection.execute(sql.SQL(statement(name).text).format(**parts))
