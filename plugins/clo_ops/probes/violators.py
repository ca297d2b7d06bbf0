"""The invariants' queries, each asked once, by whichever of some sessions is free.

Great Expectations validates one expectation after the other and takes seconds to import; the database waits for
neither. What is asked is the same as in a backup's own snapshot (``integrity.verdicts``).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from clo_ops.probes.postgres import connect, rows
from clo_ops.probes.reaching import Unreachable
from clo_ops.probes.statements import statement
from clo_ops.probes.targets import PostgresTarget

if TYPE_CHECKING:
    import psycopg
    from psycopg.rows import DictRow

COUNTED = 100_000
SHOWN = 20


@dataclass(frozen=True, slots=True)
class Said:
    """How many rows break one invariant and the first keys of them; or ``reason``, why it could not be asked."""

    violations: int | None
    keys: tuple[str, ...] = ()
    reason: str = ""


def wrapped(query: str) -> str:
    """An invariant's query as the one that answers with keys and their number."""
    return statement("violations").text.replace("{invariant}", statement(query).text)


class Violators:
    """``queries`` (names of include/sql) of the copy at ``target``, as of ``at``, over ``workers`` sessions.

    Begins at once. Leaving the block by an error ends what is still asked.
    """

    def __init__(self, target: PostgresTarget, queries: Iterable[str], at: str, workers: int = 1) -> None:
        self.target, self.at = target, at
        self._said: dict[str, Future[Said]] = {query: Future() for query in queries}
        self._todo = deque(self._said)
        self._running: set[psycopg.Connection[DictRow]] = set()
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="invariants")
        for _ in range(workers):
            self._pool.submit(self._work)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            self._todo.clear()
            for connection in list(self._running):
                connection.cancel()
        self._pool.shutdown(wait=True)

    def answer(self, query: str) -> Said:
        """Waits until it has been asked."""
        return self._said[query].result()

    def _next(self) -> str | None:
        with suppress(IndexError):
            return self._todo.popleft()
        return None

    def _work(self) -> None:
        query = self._next()
        while query is not None:
            query = self._session(query)

    def _session(self, query: str | None) -> str | None:
        """One session for ``query`` and those after it; what is to be asked next where the session broke.

        Whatever happens, what was taken has an answer: somebody waits for it.
        """
        try:
            with connect(self.target) as connection, self._cancellable(connection):
                rows(connection, "integrity_session")
                while query is not None:
                    self._said[query].set_result(_asked(connection, query, self.at))
                    query = self._next()
        except Unreachable as error:
            return self._instead(query, Said(None, (), error.reason))
        except Exception as error:  # noqa: BLE001 - raised where the answer is read
            return self._instead(query, error)
        return None

    def _instead(self, query: str | None, said: Said | Exception) -> str | None:
        if query is not None and isinstance(said, Said):
            self._said[query].set_result(said)
        elif query is not None:
            self._said[query].set_exception(said)  # type: ignore[arg-type]
        return self._next()

    @contextmanager
    def _cancellable(self, connection: psycopg.Connection[DictRow]) -> Iterator[None]:
        """In one transaction, whose settings are all a session has."""
        self._running.add(connection)
        try:
            with connection.transaction(force_rollback=True):
                yield
        finally:
            self._running.discard(connection)


def _asked(connection: psycopg.Connection[DictRow], query: str, at: str) -> Said:
    """What the server refuses becomes the reason: its first line, which names objects, not values."""
    import psycopg
    from psycopg.pq import TransactionStatus

    values = {"limit": COUNTED, "at": at, "shown": SHOWN}
    try:
        with connection.transaction():
            row = connection.execute(wrapped(query).encode(), values).fetchone()
    except psycopg.Error as error:
        if connection.info.transaction_status is not TransactionStatus.INTRANS:
            raise  # the session broke with it
        return Said(None, (), error.diag.message_primary or str(error).splitlines()[0])
    assert row is not None  # noqa: S101 - an aggregate has one row
    return Said(int(row["violations"]), tuple(row["keys"]))
