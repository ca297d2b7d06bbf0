"""Audit rows in the archive: where each file stands, the receipts of rows that left, the newest rows that were seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import RowMapping, func, or_, select
from sqlalchemy.dialects.postgresql import insert as upsert

from clo_ops.findings.audit import GENESIS, ArchiveRow, Head, Receipt, Remembered, Stretch
from clo_ops.ledger import archive_tables, plan_tables
from clo_ops.ledger.errors import LedgerConflict
from clo_ops.ledger.store import Store, lock

FILES, RECEIPTS, HEADS = archive_tables.archive_files, archive_tables.archive_receipts, archive_tables.chain_heads
HEADS_KEPT_IN_MIND = 60
OUT_OF_THE_ARCHIVE = ("expiring", "expired")


class Archives(Store):
    def record_archive(self, row: ArchiveRow) -> None:
        """Put down where a file stands."""
        values = {name: getattr(row, name) for name in ArchiveRow.__slots__}
        values |= {"approved_by": list(row.approved_by), "changed_at": row.changed_at or datetime.now(UTC)}
        values |= {"recorded_at": func.now()}
        statement = upsert(FILES).values(values).on_conflict_do_update(index_elements=["system", "name"], set_=values)
        with self.transaction() as connection:
            connection.execute(statement)

    def archive_rows(self, system: str) -> list[ArchiveRow]:
        """Every file on record, in the order of its rows."""
        query = select(FILES).where(FILES.c.system == system).order_by(FILES.c.first_id, FILES.c.name)
        with self.transaction() as connection:
            return [_row(one) for one in connection.execute(query).mappings()]

    def archive_systems(self) -> list[str]:
        """The databases whose rows are in an archive."""
        with self.transaction() as connection:
            return list(connection.scalars(select(FILES.c.system).distinct().order_by(FILES.c.system)))

    def record_receipt(self, system: str, receipt: Receipt) -> None:
        """Once and for all. Raises LedgerConflict where another one of its number is on record."""
        values = {"system": system, **_of_receipt(receipt)}
        with self.transaction() as connection:
            lock(connection, f"receipts:{system}")
            statement = upsert(RECEIPTS).values(values).on_conflict_do_nothing(index_elements=["system", "number"])
            connection.execute(statement)
            query = select(RECEIPTS).where(RECEIPTS.c.system == system, RECEIPTS.c.number == receipt.number)
            kept = _receipt(connection.execute(query).mappings().one())
        if kept != receipt:
            raise LedgerConflict(
                f"receipt {receipt.number} of {system} is on record as {kept.hash[:12]}…, not {receipt.hash[:12]}…",
                next_step="verify the audit trail: python -m clo_ops.archive verify",
            )

    def remember_head(self, system: str, head: Head) -> None:
        """The newest row somebody saw of a trail that was whole; what was seen first stays."""
        values = {"system": system, "head_id": head.id, "row_hash": head.row_hash, "seen_at": head.seen_at}
        with self.transaction() as connection:
            connection.execute(upsert(HEADS).values(values).on_conflict_do_nothing())

    def approved_plan(self, plan: str) -> list[tuple[str, str]]:
        """Who agreed to the plan of this hash, each with who had asked for it."""
        table = plan_tables.approvals
        agreed = (table.c.decision == "approved", or_(table.c.hash == plan, table.c.plans.any(plan)))
        query = select(table.c.decided_by, table.c.requester).where(*agreed).order_by(table.c.decided_at)
        with self.transaction() as connection:
            return [(by, requester) for by, requester in connection.execute(query)]

    def remembered(self, system: str) -> Remembered:
        """All that is known of the trail of this database, for whoever verifies it."""
        with self.transaction() as connection:
            receipts = connection.execute(select(RECEIPTS).where(RECEIPTS.c.system == system)).mappings()
            known = {row["number"]: _receipt(row) for row in receipts}
            newest = select(HEADS).where(HEADS.c.system == system).order_by(HEADS.c.head_id.desc())
            seen = connection.execute(newest.limit(HEADS_KEPT_IN_MIND)).mappings()
            heads = tuple(Head(row["head_id"], row["row_hash"], row["seen_at"]) for row in seen)
        files = self.archive_rows(system)
        gone = [one for one in files if one.state in OUT_OF_THE_ARCHIVE]
        return Remembered(
            receipts=known,
            leaving={one.name: one.manifest_sha256 for one in files if one.manifest_sha256},
            heads=heads,
            expired_to=max((one.last_id for one in gone), default=0),
            expired_hash=max(gone, key=lambda one: one.last_id).last_hash if gone else GENESIS,
        )


def _row(row: RowMapping) -> ArchiveRow:
    values = {name: row[name] for name in ArchiveRow.__slots__}
    return replace(ArchiveRow(**values), approved_by=tuple(row["approved_by"]))


def _of_receipt(receipt: Receipt) -> Mapping[str, Any]:
    one = receipt.stretch
    return {
        "number": receipt.number,
        "first_id": one.first_id,
        "last_id": one.last_id,
        "prev_hash": one.prev_hash,
        "last_hash": one.last_hash,
        "archive": receipt.archive,
        "manifest_sha256": receipt.manifest_sha256,
        "previous": receipt.previous,
        "hash": receipt.hash,
        "audit_id": receipt.audit_id,
    }


def _receipt(row: RowMapping) -> Receipt:
    return Receipt(
        number=row["number"],
        stretch=Stretch(row["first_id"], row["last_id"], row["prev_hash"], row["last_hash"]),
        archive=row["archive"],
        manifest_sha256=row["manifest_sha256"],
        previous=row["previous"],
        hash=row["hash"],
        audit_id=row["audit_id"],
    )
