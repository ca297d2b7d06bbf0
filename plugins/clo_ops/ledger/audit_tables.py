"""The ledger's tables of what came of audits: one row for each thing to be done, and its history."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Table, text

from clo_ops.ledger.columns import CleanText, Instant, identity, recorded_at, words
from clo_ops.ledger.schema import metadata

audit_items = Table(
    "audit_items",
    metadata,
    identity(),
    Column("kind", CleanText, nullable=False),
    Column("key", CleanText, nullable=False),
    Column("title", CleanText, nullable=False),
    words("rating"),
    Column("owner", CleanText, nullable=False),
    words("detail"),
    Column("opened_at", Instant, nullable=False),
    Column("last_seen_at", Instant, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("told_due_at", Instant),
    Column("closed_at", Instant),
    words("closed_by"),
    words("close_reason"),
    recorded_at(),
    Index("audit_items_one_open", "kind", "key", unique=True, postgresql_where=text("closed_at IS NULL")),
)

audit_item_events = Table(
    "audit_item_events",
    metadata,
    identity(),
    Column("item_id", BigInteger, ForeignKey("clo_ops.audit_items.id"), nullable=False),
    Column("at", Instant, nullable=False),
    words("actor"),
    Column("what", CleanText, nullable=False),
    recorded_at(),
    Index("audit_item_events_item_id_idx", "item_id", "id"),
)
