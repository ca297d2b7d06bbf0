"""Whoever waits for a lock of ours comes first: looked for many times a second, and our statement ended for them.

ANALYZE, VACUUM and REINDEX CONCURRENTLY keep no reader and no writer waiting. What does wait for them is a change of
the schema, and behind that one every reader and writer queues. PostgreSQL ends its own autovacuum for such a session
and nothing else; we end ours.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Self

from clo_ops.policy.upkeep import Manners
from clo_ops.probes.postgres import connect, rows
from clo_ops.probes.reaching import Unreachable
from clo_ops.probes.targets import PostgresTarget

if TYPE_CHECKING:
    import psycopg
    from psycopg.rows import DictRow

MILLISECOND = 1000.0


class Lookout:
    """Beside a working session of ours, in one of its own; ended with it.

    ``gave_way_to`` says who waited, once the statement was ended for somebody. ``blind`` is why nobody could look any
    more: then the statement is ended too, by ``end``.
    """

    def __init__(self, target: PostgresTarget, ours: int, manners: Manners, end: Callable[[], None]) -> None:
        self._target = replace(target, lock_timeout=1.0, statement_timeout=5.0)
        self._ours, self._manners, self._end = ours, manners, end
        self._over = threading.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="clo_ops-lookout", daemon=True)
        self.gave_way_to = ""
        self.blind = ""

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(2 * self._target.connect_timeout):
            self.blind = self.blind or "a second session was not had in time"
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        try:
            with connect(self._target) as connection:
                self._ready.set()
                while not self._over.wait(self._manners.look_every.total_seconds()):
                    self._look(connection)
        except Unreachable as error:
            self.blind = str(error)
            self._ready.set()
            if not self._over.is_set():
                self._end()

    def _look(self, connection: psycopg.Connection[DictRow]) -> None:
        longest = self._manners.give_way_after.total_seconds() * MILLISECOND
        for row in rows(connection, "upkeep/in_the_way", {"ours": self._ours}):
            if row["milliseconds"] > longest:
                self.gave_way_to = f"{row['who']}, who waited {row['milliseconds']:.0f} ms to run: {row['query']}"
                rows(connection, "upkeep/cancel", {"ours": self._ours})
                return
