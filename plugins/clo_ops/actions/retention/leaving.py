"""Delete audit rows that the archive holds: in small transactions, each row held against its copy as it goes.

D05, D07. Before the first row goes, the ledger knows what is about to leave, the audit trail itself has the receipt,
and the ledger has the same. Killed in between, the next run finds the receipt there is and goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from clo_ops.actions.retention.archiving import NEXT_STEP, RetentionFailed
from clo_ops.findings import CheckFailed
from clo_ops.findings.audit import ArchiveFile, ArchiveRow, ArchiveState, Receipt, Remembered
from clo_ops.policy.archive import Archive, AuditHold
from clo_ops.probes.audit_archive import AuditArchive
from clo_ops.probes.audit_stream import copied
from clo_ops.probes.postgres import rows
from clo_ops.rules.audit_periods import held_in

if TYPE_CHECKING:
    import psycopg
    import pyarrow as pa  # type: ignore[import-untyped]
    from psycopg.rows import DictRow

    Connection = psycopg.Connection[DictRow]

TOLD_EVERY = 2.0  # seconds between two records of how far it is
TRIES = 5  # of a batch whose rows somebody holds a lock on


class ArchiveRecord(Protocol):
    """Where files, receipts and heads are put down; the ledger is one."""

    def record_archive(self, row: ArchiveRow) -> None: ...

    def record_receipt(self, system: str, receipt: Receipt) -> None: ...

    def archive_rows(self, system: str) -> list[ArchiveRow]: ...

    def remembered(self, system: str) -> Remembered: ...


@dataclass(slots=True)
class Left:
    """How many rows went, and how many a legal hold keeps."""

    deleted: int = 0
    held: int = 0


def record_of(one: ArchiveFile, state: ArchiveState, left: Left | None = None, failure: str = "") -> ArchiveRow:
    """What the ledger keeps of a file."""
    return ArchiveRow(
        system=one.system,
        name=one.name,
        period=one.period,
        first_id=one.stretch.first_id,
        last_id=one.stretch.last_id,
        state=state,
        deleted=left.deleted if left else 0,
        held=left.held if left else 0,
        prev_hash=one.stretch.prev_hash,
        last_hash=one.stretch.last_hash,
        sha256=one.sha256,
        manifest_sha256=one.manifest_sha256,
        size_bytes=one.size_bytes,
        failure=failure,
        changed_at=datetime.now(UTC),
    )


def leave(
    connection: Connection,
    store: AuditArchive,
    one: ArchiveFile,
    policy: Archive,
    record: ArchiveRecord,
    *,
    before: datetime,
    stop: Callable[[], str | None] = lambda: None,
) -> Left:
    """The rows of one file leave the live table, but for those that are held.

    The file's bytes are hashed first; then each batch is deleted, given back by the database and compared, column for
    column, with the rows of the file: one that differs undoes its batch. ``before``: no younger row goes. ``stop`` is
    asked between batches. Raises CheckFailed and RetentionFailed.
    """
    store.check_bytes(one)
    record.record_archive(record_of(one, "leaving"))
    receipt = _receipt(connection, one)
    record.record_receipt(one.system, receipt)
    left = _Leaving(connection, store, one, policy, before).go(
        told=lambda left: record.record_archive(record_of(one, "leaving", left)), stop=stop
    )
    record.record_archive(record_of(one, "done", left))
    return left


def _refused(error: Exception) -> RetentionFailed:
    return RetentionFailed(
        f"the database refused: {str(error).partition(chr(10))[0]}",
        allowed="rows that follow those that left before, older than 90 days, with the receipt audit_receipt writes",
        next_step=NEXT_STEP,
    )


def _receipt(connection: Connection, one: ArchiveFile) -> Receipt:
    from psycopg.errors import RaiseException, UndefinedFunction

    stretch = one.stretch
    values = {
        "first_id": stretch.first_id,
        "last_id": stretch.last_id,
        "rows": stretch.rows,
        "prev_hash": stretch.prev_hash,
        "last_hash": stretch.last_hash,
        "archive": one.name,
        "manifest_sha256": one.manifest_sha256,
    }
    try:
        with connection.transaction():
            (row,) = rows(connection, "source/audit_write_receipt", values)
    except (RaiseException, UndefinedFunction) as error:
        raise _refused(error) from error
    receipt = Receipt(
        number=row["number"],
        stretch=stretch,
        archive=one.name,
        manifest_sha256=one.manifest_sha256,
        previous=row["previous"],
        hash=row["receipt_hash"],
        audit_id=row["audit_id"],
    )
    if receipt.computed() != receipt.hash:
        raise CheckFailed(f"the receipt the database wrote for {one.name} is not what was asked", next_step=NEXT_STEP)
    return receipt


@dataclass(slots=True)
class _Leaving:
    connection: Connection
    store: AuditArchive
    one: ArchiveFile
    policy: Archive
    before: datetime

    def go(self, *, told: Callable[[Left], None], stop: Callable[[], str | None]) -> Left:
        from clo_ops.probes.audit_stream import ahead, ends

        left, last_told = Left(), time.monotonic()
        first_there = ends(self.connection).first_id
        holds = held_in(self.policy.holds, self.one.first_at, self.one.last_at)
        for archived in ahead(lambda: self.store.tables(self.one.name, self.policy.rows_per_batch)):
            held = held_rows(archived, holds)
            left.held += len(held)
            last = int(archived["id"][-1].as_py())
            if last < first_there:
                left.deleted += archived.num_rows - len(held)
                continue
            if why := stop():
                raise RetentionFailed(f"stopped before row {last}: {why}", next_step="the next run goes on from there")
            self._batch(archived, held)
            left.deleted += archived.num_rows - len(held)
            if time.monotonic() - last_told > TOLD_EVERY:
                told(left)
                last_told = time.monotonic()
            time.sleep(self.policy.pause.total_seconds())
        return left

    def _batch(self, archived: pa.Table, held: Sequence[int]) -> None:
        from psycopg.errors import LockNotAvailable, RaiseException

        for attempt in range(1, TRIES + 1):
            try:
                with self.connection.transaction():
                    self._delete(archived, held)
            except LockNotAvailable as error:
                if attempt == TRIES:
                    first, last = archived["id"][0].as_py(), archived["id"][-1].as_py()
                    raise RetentionFailed(
                        f"rows {first} to {last} are locked by somebody, waited {TRIES} times",
                        next_step="see pg_locks for who holds them; the next run goes on from there",
                    ) from error
                time.sleep(self.policy.lock_wait.total_seconds())
            except RaiseException as error:
                raise _refused(error) from error
            else:
                return

    def _delete(self, archived: pa.Table, held: Sequence[int]) -> None:
        import pyarrow as pa

        values = {
            "first": archived["id"][0].as_py(),
            "last": archived["id"][-1].as_py(),
            "before": self.before,
            "held": list(held),
        }
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
