"""The ledger's tables of plans, approvals and notices; their metadata is that of ``schema``."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, ForeignKey, Index, Integer, Table, UniqueConstraint, text

from clo_ops.ledger.columns import CleanJson, CleanText, CleanTexts, Instant, identity, of_run, recorded_at, words
from clo_ops.ledger.schema import metadata

plans = Table(
    "plans",
    metadata,
    identity(),
    of_run(),
    Column("kind", CleanText, nullable=False),
    Column("system", CleanText, nullable=False),
    Column("hash", CleanText, nullable=False),
    Column("state", CleanText, nullable=False, server_default=text("'planned'")),
    Column("planned_at", Instant, nullable=False),
    Column("ended_at", Instant),
    recorded_at(),
    UniqueConstraint("run_id", "kind", "hash", name="plans_run_id_kind_hash_key"),
    Index("plans_kind_system_idx", "kind", "system", "id"),
)

plan_steps = Table(
    "plan_steps",
    metadata,
    Column("plan_id", BigInteger, ForeignKey("clo_ops.plans.id"), primary_key=True),
    Column("number", Integer, nullable=False),
    Column("key", CleanText, primary_key=True),
    Column("action", CleanText, nullable=False),
    Column("target", CleanText, nullable=False),
    words("why"),
    words("statement"),
    Column("expected_seconds", Double),
    Column("expected_wal_bytes", BigInteger),
    Column("expected_disk_bytes", BigInteger),
    Column("before", CleanJson, nullable=False, server_default=text("'{}'")),
    Column("started_at", Instant),
    Column("ended_at", Instant),
    Column("outcome", CleanText),
    words("reason"),
    Column("seconds", Double),
    Column("after", CleanJson, nullable=False, server_default=text("'{}'")),
    Column("tries", Integer, nullable=False, server_default=text("0")),
    recorded_at(),
    Index("plan_steps_key_idx", "key", "ended_at", postgresql_where=text("outcome = 'applied'")),
)

approvals = Table(
    "approvals",
    metadata,
    identity(),
    of_run(),
    Column("hash", CleanText, nullable=False),
    Column("plans", CleanTexts, nullable=False, server_default=text("'{}'")),
    Column("kind", CleanText, nullable=False),
    Column("authority", CleanText, nullable=False),
    Column("requester", CleanText, nullable=False),
    Column("reason", CleanText, nullable=False),
    Column("asked_at", Instant, nullable=False),
    words("decision"),
    words("decided_by"),
    Column("decided_at", Instant),
    words("note"),
    Column("review_due_at", Instant),
    Column("reviewed_at", Instant),
    words("reviewed_by"),
    words("review_note"),
    recorded_at(),
    UniqueConstraint("run_id", "hash", name="approvals_run_id_hash_key"),
    Index("approvals_review_due_idx", "review_due_at", postgresql_where=text("reviewed_at IS NULL")),
)

# What users were told of a window: ahead of it, at its start, while it lasted, at its end. Each once.
notices = Table(
    "notices",
    metadata,
    identity(),
    Column("occasion", CleanText, nullable=False),
    Column("kind", CleanText, nullable=False),
    Column("starts_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False),
    Column("told_at", Instant, nullable=False),
    Column("message_id", BigInteger, ForeignKey("clo_ops.outbox.id")),
    recorded_at(),
    UniqueConstraint("occasion", "starts_at", "kind", name="notices_occasion_starts_at_kind_key"),
)
