"""A PostgreSQL session that is named, read-only and gives up waiting. Imported only where one is opened: psycopg is
heavy, and DAG files are parsed every half minute.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.errors import ConnectionTimeout, InsufficientPrivilege, LockNotAvailable, QueryCanceled
from psycopg.rows import DictRow, dict_row

from clo_ops.probes.reaching import Reach, Unreachable, accepts_tcp
from clo_ops.probes.targets import PostgresTarget

# What a server or libpq says when a connection does not come about carries no error code before PostgreSQL has sent
# one, so the words are read. First match wins; lower case.
SAID = (
    ("failed to resolve host", Reach.NAME),
    ("could not translate host name", Reach.NAME),
    ("connection refused", Reach.REFUSED),
    ("no route to host", Reach.ROUTE),
    ("network is unreachable", Reach.ROUTE),
    ("authentication failed", Reach.AUTHENTICATION),
    ("no password supplied", Reach.AUTHENTICATION),
    ("no pg_hba.conf entry", Reach.AUTHENTICATION),
    ("is not permitted to log in", Reach.AUTHENTICATION),
    ("permission denied for database", Reach.AUTHENTICATION),
    ('role "', Reach.AUTHENTICATION),
    ("too many clients", Reach.FULL),
    ("too many connections", Reach.FULL),
    ("remaining connection slots", Reach.FULL),
    ("the database system is", Reach.NOT_SERVING),
    ("is not currently accepting connections", Reach.NOT_SERVING),
    ("does not exist", Reach.NOT_SERVING),  # the database
    ("no such file or directory", Reach.REFUSED),  # a socket directory without its server
    ("server closed the connection unexpectedly", Reach.NOT_SERVING),
)


class PatientConnection(psycopg.Connection[DictRow]):
    """Raises psycopg.OperationalError when a reply takes longer than ``patience`` seconds; unusable afterwards.

    ``statement_timeout`` is kept by the server; a server that is stopped or swapped out keeps nothing, and its kernel
    still acknowledges our packets. So this side counts as well.
    """

    patience: float | None = None

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        return super().wait(gen, interval, self.patience if timeout is None else timeout)


def parameters(target: PostgresTarget) -> dict[str, Any]:
    """What libpq is given: name, bounds and read-only from the first byte on, not by a later SET."""
    limits = {
        "default_transaction_read_only": "on",
        "lock_timeout": round(target.lock_timeout * 1000),
        "statement_timeout": round(target.statement_timeout * 1000),
        "idle_in_transaction_session_timeout": round(target.statement_timeout * 1000),
    }
    return {
        "host": target.host,
        "port": target.port,
        "dbname": target.database,
        "user": target.user,
        "password": target.password or None,
        "sslmode": target.sslmode,
        "application_name": target.client_name[:63],  # the server's own limit
        "connect_timeout": max(2, round(target.connect_timeout)),  # libpq knows no less than 2 s
        "options": " ".join(f"-c {name}={value}" for name, value in limits.items()),
    }


def _words(error: Exception, target: PostgresTarget) -> str:
    said = " ".join(str(error).split())
    return said.replace(target.password, "***") if target.password else said


def _did_not_open(error: psycopg.Error, target: PostgresTarget) -> Unreachable:
    if isinstance(error, ConnectionTimeout):
        silent = accepts_tcp(target.host, target.port, target.connect_timeout)
        reach = Reach.SILENT if silent else Reach.TIMEOUT
        return Unreachable(reach, f"{target}: {reach.value}, waited {target.connect_timeout:g} s")
    said = _words(error, target)
    reach = next((reach for words, reach in SAID if words in said.lower()), Reach.OTHER)
    return Unreachable(reach, f"{target}: {reach.value}: {said}")


def _broke(error: psycopg.Error, target: PostgresTarget) -> Unreachable:
    said = _words(error, target)
    if isinstance(error, InsufficientPrivilege):
        return Unreachable(Reach.OTHER, f"{target}: no privilege: {said}", "Grant the probe's role pg_monitor")
    if isinstance(error, (QueryCanceled, LockNotAvailable)):
        return Unreachable(Reach.SILENT, f"{target}: no result within {target.statement_timeout:g} s: {said}")
    return Unreachable(Reach.SILENT, f"{target}: the session broke: {said}")


@contextmanager
def session(target: PostgresTarget) -> Iterator[psycopg.Connection[DictRow]]:
    """See ``clo_ops.probes.postgres.connect``, which is how to get one."""
    try:
        connection = PatientConnection.connect(autocommit=True, row_factory=dict_row, **parameters(target))
    except psycopg.Error as error:
        raise _did_not_open(error, target) from None
    connection.patience = target.statement_timeout + target.lock_timeout
    try:
        yield connection
    except (psycopg.OperationalError, InsufficientPrivilege) as error:
        raise _broke(error, target) from None
    finally:
        connection.close()
