"""What came of audits, each thing from the day it was seen to the day somebody closed it (M1-07, M1-08, M1-09)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, RowMapping, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from clo_ops.findings.audit_items import Found, Item
from clo_ops.ledger import audit_tables
from clo_ops.ledger.columns import aware
from clo_ops.ledger.errors import LedgerConflict
from clo_ops.ledger.store import Store

TABLE, EVENTS = audit_tables.audit_items, audit_tables.audit_item_events
OURSELVES = "clo_ops"


def _item(row: RowMapping) -> Item:
    return Item(**{name: row[name] for name in Item.__slots__})


def _event(connection: Connection, item: int, at: datetime, actor: str, what: str) -> None:
    connection.execute(insert(EVENTS).values(item_id=item, at=aware(at), actor=actor, what=what))


class AuditItems(Store):
    def see_item(self, found: Found, owner: str, due_at: datetime, at: datetime, by: str = OURSELVES) -> Item:
        """Opened where none of this kind and key is open; else seen again: its owner, date and age stay."""
        seen = {"title": found.title, "rating": found.rating, "detail": found.detail, "last_seen_at": aware(at)}
        new = {"kind": found.kind, "key": found.key, "owner": owner, "opened_at": aware(at), "due_at": aware(due_at)}
        open_one = (TABLE.c.kind == found.kind, TABLE.c.key == found.key, TABLE.c.closed_at.is_(None))
        with self.transaction() as connection:
            made = upsert(TABLE).values(**new, **seen).on_conflict_do_nothing().returning(TABLE)
            row = connection.execute(made).mappings().one_or_none()
            if row is not None:
                _event(connection, row["id"], at, by, f"opened: {owner}, due {due_at:%Y-%m-%d}")
                return _item(row)
            changed = update(TABLE).where(*open_one).values(**seen).returning(TABLE)
            return _item(connection.execute(changed).mappings().one())

    def close_item(self, item: int, by: str, at: datetime, reason: str) -> Item:
        """Closed, once. Raises LedgerConflict where there is none, or it is closed; ValueError without a reason."""
        if not reason.strip() or not by.strip():
            raise ValueError("an item is closed by somebody, with a reason")
        values = {"closed_at": aware(at), "closed_by": by, "close_reason": reason}
        return self._changed(item, values, at, by, f"closed: {reason}")

    def move_item(self, item: int, owner: str, due_at: datetime, *, by: str, at: datetime) -> Item:
        """Another owner or date. Raises LedgerConflict where there is none, or it is closed."""
        values = {"owner": owner, "due_at": aware(due_at)}
        return self._changed(item, values, at, by, f"moved: {owner}, due {due_at:%Y-%m-%d}")

    def _changed(self, item: int, values: dict[str, object], at: datetime, by: str, what: str) -> Item:
        statement = update(TABLE).where(TABLE.c.id == item, TABLE.c.closed_at.is_(None)).values(**values)
        with self.transaction() as connection:
            row = connection.execute(statement.returning(TABLE)).mappings().one_or_none()
            if row is None:
                raise LedgerConflict(f"audit item {item} is not there, or closed already")
            _event(connection, item, at, by, what)
            return _item(row)

    def tell_item_late(self, item: Item, at: datetime) -> bool:
        """That its date has passed is told now; False where that was told of this date before."""
        free = TABLE.c.told_due_at.is_distinct_from(item.due_at)
        statement = update(TABLE).where(TABLE.c.id == item.id, TABLE.c.closed_at.is_(None), free)
        with self.transaction() as connection:
            if not connection.execute(statement.values(told_due_at=item.due_at)).rowcount:
                return False
            _event(connection, item.id, at, OURSELVES, f"overdue: told of {item.due_at:%Y-%m-%d}")
            return True

    def audit_items(
        self, kinds: Collection[str] = (), *, open_only: bool = False, closed_since: datetime | None = None
    ) -> list[Item]:
        """By date due. ``closed_since``: the open ones and those closed from then on."""
        query = select(TABLE).order_by(TABLE.c.due_at, TABLE.c.id)
        if kinds:
            query = query.where(TABLE.c.kind.in_(list(kinds)))
        if open_only:
            query = query.where(TABLE.c.closed_at.is_(None))
        if closed_since is not None:
            query = query.where(TABLE.c.closed_at.is_(None) | (TABLE.c.closed_at >= aware(closed_since)))
        with self.transaction() as connection:
            return [_item(row) for row in connection.execute(query).mappings()]

    def item_history(self, item: int) -> list[tuple[datetime, str, str]]:
        """When, who, what."""
        query = select(EVENTS.c.at, EVENTS.c.actor, EVENTS.c.what).where(EVENTS.c.item_id == item).order_by(EVENTS.c.id)
        with self.transaction() as connection:
            return [(row.at, row.actor, row.what) for row in connection.execute(query)]
