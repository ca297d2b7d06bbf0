"""Who let a change through, and what users were told of a window."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from clo_ops.ledger import plan_tables, schema
from clo_ops.ledger.columns import aware
from clo_ops.ledger.errors import LedgerConflict
from clo_ops.ledger.records import ApprovalRow, NoticeRow
from clo_ops.ledger.store import Store

TABLE, NOTICES, OUTBOX = plan_tables.approvals, plan_tables.notices, schema.outbox
NAMES = tuple(ApprovalRow.__slots__)


def _approval(row: RowMapping) -> ApprovalRow:
    return ApprovalRow(**{**{name: row[name] for name in NAMES}, "plans": tuple(row["plans"])})


class Approvals(Store):
    def ask_approval(
        self,
        run: int,
        work: str,
        plans: Sequence[str],
        *,
        kind: str,
        authority: str,
        requester: str,
        reason: str,
        at: datetime,
        review_due_at: datetime | None = None,
    ) -> ApprovalRow:
        """Asked once for each run and hash of the work; asked again it is what it was."""
        row = {
            "run_id": run,
            "hash": work,
            "plans": list(plans),
            "kind": kind,
            "authority": authority,
            "requester": requester,
            "reason": reason,
            "asked_at": aware(at),
            "review_due_at": review_due_at and aware(review_due_at),
        }
        this = (TABLE.c.run_id == run, TABLE.c.hash == work)
        with self.transaction() as connection:
            connection.execute(upsert(TABLE).values(row).on_conflict_do_nothing(constraint="approvals_run_id_hash_key"))
            return _approval(connection.execute(select(TABLE).where(*this)).mappings().one())

    def decide(self, approval: int, decision: str, by: str, at: datetime, note: str = "") -> ApprovalRow:
        """ "approved" or "refused", once. Raises LedgerConflict where the requester decides, or it is decided."""
        values = {"decision": decision, "decided_by": by, "decided_at": aware(at), "note": note}
        return self._once(approval, by, values, TABLE.c.decided_at, "decided")

    def review(self, approval: int, by: str, at: datetime, note: str) -> ApprovalRow:
        """A change made without prior approval was looked at afterwards, by somebody else (D53)."""
        values = {"reviewed_at": aware(at), "reviewed_by": by, "review_note": note}
        return self._once(approval, by, values, TABLE.c.reviewed_at, "reviewed")

    def _once(self, approval: int, by: str, values: dict[str, Any], when: Any, word: str) -> ApprovalRow:
        with self.transaction() as connection:
            found = connection.execute(select(TABLE).where(TABLE.c.id == approval).with_for_update()).mappings().first()
            if found is None or found[when.name] is not None:
                raise LedgerConflict(f"approval {approval} is not there, or {word} already")
            if by == found["requester"] and not (word == "decided" and found["kind"] == "break glass"):
                raise LedgerConflict(f"{by} asked for this change: somebody else has it {word}")
            changed = update(TABLE).where(TABLE.c.id == approval).values(**values).returning(TABLE)
            return _approval(connection.execute(changed).mappings().one())

    def approvals_of(self, run: int) -> list[ApprovalRow]:
        query = select(TABLE).where(TABLE.c.run_id == run).order_by(TABLE.c.id)
        with self.transaction() as connection:
            return [_approval(row) for row in connection.execute(query).mappings()]

    def unreviewed(self) -> list[ApprovalRow]:
        """Changes made without prior approval that nobody has reviewed yet, the longest due first."""
        open_ones = (TABLE.c.kind == "break glass", TABLE.c.reviewed_at.is_(None))
        with self.transaction() as connection:
            query = select(TABLE).where(*open_ones).order_by(TABLE.c.review_due_at)
            return [_approval(row) for row in connection.execute(query).mappings()]

    def reviewed_by(self, approval: int) -> list[str]:
        """Who reviewed it; empty where nobody did."""
        query = select(TABLE.c.reviewed_by).where(TABLE.c.id == approval, TABLE.c.reviewed_by != "")
        with self.transaction() as connection:
            return list(connection.scalars(query))

    def record_notice(self, notice: NoticeRow) -> NoticeRow:
        """Users were told, once for each occasion, start and kind; what was recorded first stays."""
        row = {name: getattr(notice, name) for name in NoticeRow.__slots__}
        this = (
            NOTICES.c.occasion == notice.occasion,
            NOTICES.c.starts_at == aware(notice.starts_at),
            NOTICES.c.kind == notice.kind,
        )
        made = upsert(NOTICES).values(row).on_conflict_do_nothing(constraint="notices_occasion_starts_at_kind_key")
        with self.transaction() as connection:
            connection.execute(made)
            kept = connection.execute(select(NOTICES).where(*this)).mappings().one()
            return NoticeRow(**{name: kept[name] for name in NoticeRow.__slots__})

    def windows_told(self, since: datetime, until: datetime) -> list[NoticeRow]:
        """Notices given ahead of windows that have any time with since <= at < until, in the order of the windows.

        ``told_at`` is when the message was delivered; one that still waits has told nobody.
        """
        this = (NOTICES.c.kind == "ahead", NOTICES.c.starts_at < aware(until), NOTICES.c.ends_at > aware(since))
        reached = or_(NOTICES.c.message_id.is_(None), OUTBOX.c.state == "delivered")
        query = select(NOTICES, OUTBOX.c.delivered_at).outerjoin(OUTBOX, OUTBOX.c.id == NOTICES.c.message_id)
        with self.transaction() as connection:
            rows = connection.execute(query.where(*this, reached).order_by(NOTICES.c.starts_at)).mappings()
            told = [({name: row[name] for name in NoticeRow.__slots__}, row["delivered_at"]) for row in rows]
        return [NoticeRow(**{**one, "told_at": delivered or one["told_at"]}) for one, delivered in told]

    def notices(self, occasion: str, starts_at: datetime) -> dict[str, NoticeRow]:
        """What users were told of this occasion, by kind."""
        this = (NOTICES.c.occasion == occasion, NOTICES.c.starts_at == aware(starts_at))
        with self.transaction() as connection:
            rows = connection.execute(select(NOTICES).where(*this)).mappings()
            return {row["kind"]: NoticeRow(**{name: row[name] for name in NoticeRow.__slots__}) for row in rows}
