"""How fast audit rows are read and deleted: in small bites while others write, at full speed while nobody does.

A commit waits until everything logged before it is on disk: a writer waits for what a large batch of ours has logged
(D07, D09). Each writing transaction takes the server's next number, so two looks at it tell how many others began.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from clo_ops.actions.retention.archiving import moment
from clo_ops.policy.archive import Archive

if TYPE_CHECKING:
    import psycopg
    from psycopg.rows import DictRow

    Connection = psycopg.Connection[DictRow]

LOOK_EVERY = 1.0  # seconds
# Writing transactions a second that are nobody at work: our own ledger may be on the same server.
FEW = 3.0


@dataclass(slots=True)
class Pace:
    """Until it has looked, and where the server does not say, somebody writes."""

    policy: Archive
    busy: bool = True
    _own: int = 0
    _looked: float = field(default_factory=time.monotonic)
    _next: int | None = None

    def rows(self, alone: int) -> int:
        """How many rows to take at once; ``alone`` where nobody else writes."""
        return min(alone, self.policy.rows_beside_writers) if self.busy else alone

    def rest(self, connection: Connection, *, own: int = 0) -> None:
        """Between two bites; ``own``: the writing transactions that were ours."""
        self._own += own
        if self._next is None or time.monotonic() - self._looked >= LOOK_EVERY:
            self._look(connection)
        if self.busy or own:
            time.sleep(self.policy.pause.total_seconds())

    def _look(self, connection: Connection) -> None:
        now, seen = time.monotonic(), moment(connection)
        if seen is None:
            self.busy = True
            return
        if self._next is not None:
            others = seen.next - self._next - self._own
            self.busy = others > FEW * (now - self._looked)
        self._next, self._looked, self._own = seen.next, now, 0
