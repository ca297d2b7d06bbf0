"""Audit rows that the archive holds leave the live table, with a receipt of it in the trail and in the ledger.

D05, D07. Before the first row goes, the ledger knows what is about to leave, the audit trail itself has the receipt,
and the ledger has the same. Killed in between, the next run finds the receipt there is and goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from clo_ops.actions.retention.archiving import NEXT_STEP
from clo_ops.actions.retention.deleting import Deletion, Left, refusals
from clo_ops.actions.retention.pacing import Pace
from clo_ops.findings import CheckFailed
from clo_ops.findings.audit import ArchiveFile, ArchiveRow, ArchiveState, Receipt, Remembered
from clo_ops.probes.audit_archive import AuditArchive
from clo_ops.probes.postgres import rows

if TYPE_CHECKING:
    import psycopg
    from psycopg.rows import DictRow

    Connection = psycopg.Connection[DictRow]


class ArchiveRecord(Protocol):
    """Where files, receipts and heads are put down; the ledger is one."""

    def record_archive(self, row: ArchiveRow) -> None: ...

    def record_receipt(self, system: str, receipt: Receipt) -> None: ...

    def archive_rows(self, system: str) -> list[ArchiveRow]: ...

    def remembered(self, system: str) -> Remembered: ...


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
    pace: Pace,
    record: ArchiveRecord,
    *,
    before: datetime,
    stop: Callable[[], str | None] = lambda: None,
) -> Left:
    """The rows of one file leave the live table, but for those that are held.

    The file's bytes are hashed first; then the receipt, on disk in the CLO database and in the ledger; then the rows,
    each batch held against the file: one row that differs undoes its batch. ``before``: no younger row goes. ``stop``
    is asked between batches. Raises CheckFailed and RetentionFailed.
    """
    store.check_bytes(one)
    rows(connection, "retention/commits", {"waited_for": True})
    record.record_archive(record_of(one, "leaving"))
    receipt = _receipt(connection, one)
    record.record_receipt(one.system, receipt)

    def told(so_far: Left) -> None:
        record.record_archive(record_of(one, "leaving", so_far))

    left = Deletion(connection, store, one, pace, before, told, stop).go()
    record.record_archive(record_of(one, "done", left))
    return left


def _receipt(connection: Connection, one: ArchiveFile) -> Receipt:
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
    with refusals(), connection.transaction():
        (row,) = rows(connection, "source/audit_write_receipt", values)
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
