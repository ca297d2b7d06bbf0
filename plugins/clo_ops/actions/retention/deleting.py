"""The rows of one file leave the live table in small transactions, each batch held against the archive as it goes.

PostgreSQL never changes a row in place: a change is another version, of a later transaction. A file was read back and
proven to be the live rows of a moment its manifest names, so a row whose version is older than that moment is the one
in the file. Where that cannot be said (a legal hold, another timeline, rows that are gone or of another version, a file
from before manifests named the moment) the database gives back what it deletes, and it is compared column for column.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from clo_ops.actions.retention.archiving import NEXT_STEP, RetentionFailed, moment
from clo_ops.actions.retention.pacing import Pace
from clo_ops.findings import CheckFailed
from clo_ops.findings.audit import ArchiveFile
from clo_ops.policy.archive import AuditHold
from clo_ops.probes.audit_archive import AuditArchive
from clo_ops.probes.audit_stream import ahead, copied, ends
from clo_ops.probes.postgres import rows
from clo_ops.probes.statements import statement
from clo_ops.rules.audit_periods import held_in

if TYPE_CHECKING:
    import psycopg
    import pyarrow as pa  # type: ignore[import-untyped]
    from psycopg.rows import DictRow

    Connection = psycopg.Connection[DictRow]

TOLD_EVERY = 2.0  # seconds between two records of how far it is
TRIES = 5  # of a batch whose rows somebody holds a lock on
XID_BITS = 2**32
# The age of a row's version is a 32-bit number: of a moment further back nothing is concluded.
FURTHEST_BACK = 2**30


@dataclass(slots=True)
class Left:
    """How many rows went, and how many a legal hold keeps."""

    deleted: int = 0
    held: int = 0


class _Other(Exception):
    """Rows of the batch are not, or not all, the versions that were archived."""


@dataclass(slots=True)
class Deletion:
    """``before``: no younger row goes. ``told`` hears now and then how far it is; ``stop`` is asked between batches."""

    connection: Connection
    store: AuditArchive
    one: ArchiveFile
    pace: Pace
    before: datetime
    told: Callable[[Left], None]
    stop: Callable[[], str | None]
    last_told: float = field(default_factory=time.monotonic)

    def go(self) -> Left:
        """Raises CheckFailed and RetentionFailed; what was deleted before stays deleted, and is in the archive."""
        holds = held_in(self.pace.policy.holds, self.one.first_at, self.one.last_at)
        since = None if holds else self._since()
        left = self._as_archived(since) if since is not None else None
        return left or self._compared(holds)

    # --- by version

    def _since(self) -> int | None:
        """The transaction before which a version must have been written, None where that says nothing."""
        then, now = self.one.as_of, moment(self.connection)
        if then is None or now is None or then.timeline != now.timeline:
            return None
        return then.oldest % XID_BITS if 0 <= now.next - then.oldest < FURTHEST_BACK else None

    def _as_archived(self, since: int) -> Left | None:
        """None where the rows from some batch on are to be compared: nothing of that batch is gone then."""
        stretch = self.one.stretch
        first = max(stretch.first_id, ends(self.connection).first_id)
        self._commits(waited_for=False)
        while first <= stretch.last_id:
            last = min(first + self.pace.rows(self.pace.policy.rows_per_batch) - 1, stretch.last_id)
            if last == stretch.last_id:
                self._commits(waited_for=True)
            try:
                self._batch(first, last, lambda first=first, last=last: self._versions(first, last, since))  # type: ignore[misc]
            except _Other:
                self._commits(waited_for=True)
                return None
            self._paced(Left(last - stretch.first_id + 1))
            first = last + 1
        return Left(stretch.rows)

    def _commits(self, *, waited_for: bool) -> None:
        """A batch that a crash undoes is deleted again by the next run: only the last one is waited for."""
        rows(self.connection, "retention/commits", {"waited_for": waited_for})

    def _versions(self, first: int, last: int, since: int) -> None:
        values = {"first": first, "last": last, "before": self.before, "since": str(since)}
        done = self.connection.execute(statement("source/audit_leave_as_archived").text.encode(), values)
        if done.rowcount != last - first + 1:
            raise _Other

    # --- column for column

    def _compared(self, holds: Sequence[AuditHold]) -> Left:
        left, first_there = Left(), ends(self.connection).first_id
        for archived in self._portions():
            held = held_rows(archived, holds)
            first, last = int(archived["id"][0].as_py()), int(archived["id"][-1].as_py())
            if last >= first_there:
                self._batch(first, last, lambda archived=archived, held=held: self._columns(archived, held))  # type: ignore[misc]
            left.held += len(held)
            left.deleted += archived.num_rows - len(held)
            if last >= first_there:
                self._paced(left)
        return left

    def _portions(self) -> Iterator[pa.Table]:
        size = self.pace.policy.rows_per_batch
        for archived in ahead(lambda: self.store.tables(self.one.name, size)):
            at = 0
            while at < archived.num_rows:
                portion = archived.slice(at, self.pace.rows(size))
                yield portion
                at += portion.num_rows

    def _columns(self, archived: pa.Table, held: Sequence[int]) -> None:
        import pyarrow as pa

        first, last = archived["id"][0].as_py(), archived["id"][-1].as_py()
        values = {"first": first, "last": last, "before": self.before, "held": list(held)}
        gone = list(copied(self.connection, "source/audit_leave", values))
        if gone:
            self._compare(archived, pa.concat_tables(gone))

    def _compare(self, archived: pa.Table, gone: pa.Table) -> None:
        """Raised inside the transaction that deleted them: nothing is gone then."""
        import pyarrow.compute as pc  # type: ignore[import-untyped]

        copy = archived.combine_chunks()
        gone = gone.combine_chunks()
        if not pc.all(pc.less_equal(gone["id"][:-1], gone["id"][1:])).as_py():
            gone = gone.sort_by("id")
        if gone.num_rows != copy.num_rows:
            copy = copy.filter(pc.is_in(copy["id"], gone["id"].combine_chunks()))
        if not gone.equals(copy):
            first, last = gone["id"][0].as_py(), gone["id"][-1].as_py()
            raise CheckFailed(
                f"rows {first} to {last} of the live table are not those of {self.one.name}",
                allowed="only what the archive holds, column for column, is deleted",
                next_step=NEXT_STEP,
            )

    # --- a batch

    def _batch(self, first: int, last: int, delete: Callable[[], None]) -> None:
        from psycopg.errors import LockNotAvailable

        if why := self.stop():
            raise RetentionFailed(f"stopped before row {last}: {why}", next_step="the next run goes on from there")
        for attempt in range(1, TRIES + 1):
            try:
                with refusals(), self.connection.transaction():
                    delete()
            except LockNotAvailable as error:
                if attempt == TRIES:
                    raise RetentionFailed(
                        f"rows {first} to {last} are locked by somebody, waited {TRIES} times",
                        next_step="see pg_locks for who holds them; the next run goes on from there",
                    ) from error
                time.sleep(self.pace.policy.lock_wait.total_seconds())
            else:
                return

    def _paced(self, left: Left) -> None:
        if time.monotonic() - self.last_told > TOLD_EVERY:
            self.told(left)
            self.last_told = time.monotonic()
        self.pace.rest(self.connection, own=1)


@contextmanager
def refusals() -> Iterator[None]:
    """What the CLO database's own functions and triggers refuse, as RetentionFailed."""
    from psycopg.errors import RaiseException, UndefinedFunction

    try:
        yield
    except (RaiseException, UndefinedFunction) as error:
        raise RetentionFailed(
            f"the database refused: {str(error).partition(chr(10))[0]}",
            allowed="rows behind those that left before, older than 90 days, with the receipt audit_receipt writes",
            next_step=NEXT_STEP,
        ) from error


def held_rows(table: pa.Table, holds: Sequence[AuditHold]) -> list[int]:
    """The ids of the rows that a legal hold keeps."""
    if not holds:
        return []
    columns = (table[name].to_pylist() for name in ("id", "created_at", "actor", "object_type", "object_id"))
    return [
        number
        for number, at, actor, kind, what in zip(*columns, strict=True)
        if any(hold.covers(at.date(), actor, kind, what) for hold in holds)
    ]
