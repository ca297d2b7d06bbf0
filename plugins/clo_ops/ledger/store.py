"""The way to our database: named, bounded, and with errors an operator can act on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Connection, Engine, MappingResult, Select, create_engine, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError, ProgrammingError

from clo_ops.findings import ConfigurationError
from clo_ops.ledger.errors import LedgerUnavailable

CONNECT_TIMEOUT_SECONDS = 5
LOCK_TIMEOUT_SECONDS = 5
STATEMENT_TIMEOUT_SECONDS = 30
# A worker that hangs between two statements must not hold its locks, nor vacuum back, for ever.
IDLE_TIMEOUT_SECONDS = 600
ROWS_AT_ONCE = 1000
POSTGRES_DIALECTS = ("postgres", "postgresql", "postgresql+psycopg", "postgresql+psycopg2", "postgresql+asyncpg")


def ledger_url(url: str | URL) -> URL:
    """The URL for psycopg 3, whatever PostgreSQL flavour it was written for. Raises ConfigurationError otherwise."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigurationError(
            "the ledger's URL cannot be read", allowed="postgresql://user:password@host:port/database"
        ) from error
    if parsed.drivername not in POSTGRES_DIALECTS:
        raise ConfigurationError(
            f"the ledger's URL is {parsed.render_as_string(hide_password=True)}",
            allowed="PostgreSQL 14 or newer, postgresql://user:password@host:port/database",
        )
    return parsed.set(drivername="postgresql+psycopg")


def connect_engine(url: str | URL, client_name: str) -> Engine:
    settings = {
        "lock_timeout": f"{LOCK_TIMEOUT_SECONDS}s",
        "statement_timeout": f"{STATEMENT_TIMEOUT_SECONDS}s",
        "idle_in_transaction_session_timeout": f"{IDLE_TIMEOUT_SECONDS}s",
        "timezone": "UTC",
    }
    return create_engine(
        ledger_url(url),
        pool_size=2,
        max_overflow=2,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT_SECONDS,
            "application_name": client_name[:63],
            "options": " ".join(f"-c {name}={value}" for name, value in settings.items()),
        },
    )


def lock(connection: Connection, name: str) -> None:
    """Wait, at most the lock timeout, until nobody else works on ``name``; held until the transaction ends."""
    connection.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": f"clo_ops.ledger:{name}"}
    )


def first_line(error: DBAPIError) -> str:
    return str(error.orig).strip().partition("\n")[0]


class Store:
    """One pool of connections to the ledger; the parts of Ledger stand on it."""

    def __init__(self, url_or_engine: str | URL | Engine, client_name: str = "clo_ops") -> None:
        self._owns_engine = not isinstance(url_or_engine, Engine)
        self.engine = url_or_engine if isinstance(url_or_engine, Engine) else connect_engine(url_or_engine, client_name)
        self._joined = threading.local()

    def __str__(self) -> str:
        return self.engine.url.render_as_string(hide_password=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back. An engine that was handed in stays its owner's."""
        if self._owns_engine:
            self.engine.dispose()

    @contextmanager
    def errors_in_words(self) -> Iterator[None]:
        try:
            yield
        except OperationalError as error:
            raise LedgerUnavailable(
                f"ledger {self}: {first_line(error)}", next_step="see that its PostgreSQL runs and answers, then retry"
            ) from error
        except ProgrammingError as error:
            if getattr(error.orig, "sqlstate", "") not in ("42P01", "3F000", "42703"):
                raise
            raise ConfigurationError(
                f"ledger {self}: {first_line(error)}", next_step="run: python -m clo_ops.ledger migrate"
            ) from error

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction; inside another of the same thread, that one: what belongs together is kept or lost together.

        Raises LedgerUnavailable (worth a retry) or ConfigurationError (schema missing or old).
        """
        outer: Connection | None = getattr(self._joined, "connection", None)
        if outer is not None:
            yield outer
            return
        with self.errors_in_words(), self.engine.begin() as connection:
            self._joined.connection = connection
            try:
                yield connection
            finally:
                self._joined.connection = None

    @contextmanager
    def alone(self, work: str) -> Iterator[bool]:
        """One transaction in which nobody else does this work; False, at once, where somebody is at it."""
        query = text("SELECT pg_try_advisory_xact_lock(hashtextextended(:name, 0))")
        with self.transaction() as connection:
            yield bool(connection.execute(query, {"name": f"clo_ops.ledger:{work}"}).scalar_one())

    @contextmanager
    def streamed(self, query: Select[Any]) -> Iterator[MappingResult]:
        """The query's rows through a cursor on the server, closed with this context however far one has read."""
        with (
            self.errors_in_words(),
            self.engine.connect() as connection,
            connection.execution_options(yield_per=ROWS_AT_ONCE).execute(query) as result,
        ):
            yield result.mappings()
