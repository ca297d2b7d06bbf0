"""The ledger's tables as the queries see them. What makes them is in ``migrations``; a test holds the two together."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    Date,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    UniqueConstraint,
    text,
)

from clo_ops.ledger.columns import CleanJson, CleanText, CleanTexts, Instant

SCHEMA = "clo_ops"
metadata = MetaData(schema=SCHEMA)


def _id() -> Column[int]:
    return Column("id", BigInteger, Identity(always=True), primary_key=True)


def _run(*, nullable: bool = False) -> Column[int]:
    return Column("run_id", BigInteger, ForeignKey("clo_ops.runs.id"), nullable=nullable)


def _words(name: str) -> Column[str]:
    return Column(name, CleanText, nullable=False, server_default=text("''"))


def _recorded_at() -> Column[object]:
    return Column("recorded_at", Instant, nullable=False, server_default=text("now()"))


runs = Table(
    "runs",
    metadata,
    _id(),
    Column("dag_id", CleanText, nullable=False),
    Column("run_id", CleanText, nullable=False),
    Column("at", Instant, nullable=False),
    _words("policy_digest"),
    _words("trigger"),
    Column("opened_at", Instant, nullable=False, server_default=text("now()")),
    Column("closed_at", Instant),
    Column("status", CleanText),
    Column("counts", CleanJson, nullable=False, server_default=text("'{}'")),
    UniqueConstraint("dag_id", "run_id", name="runs_dag_id_run_id_key"),
    Index("runs_dag_id_at_idx", "dag_id", "at"),
)

recordings = Table(
    "recordings",
    metadata,
    Column("run_id", BigInteger, ForeignKey("clo_ops.runs.id"), primary_key=True),
    Column("procedure", CleanText, primary_key=True),
    Column("try_number", Integer, nullable=False),
    _words("policy_digest"),
    Column("unanswered", CleanJson, nullable=False, server_default=text("'[]'")),
    Column("measured", Integer, nullable=False),
    Column("first_at", Instant),
    Column("last_at", Instant),
    _recorded_at(),
)

# No primary key and no foreign key: at billions of rows each costs an index look-up per row, and `record` proves the
# run inside the same transaction.
measurements = Table(
    "measurements",
    metadata,
    Column("metric", CleanText, nullable=False),
    Column("at", Instant, nullable=False),
    Column("value", Double, nullable=False),
    Column("unit", CleanText, nullable=False),
    Column("labels", CleanJson, nullable=False, server_default=text("'{}'")),
    Column("labels_digest", LargeBinary, nullable=False),
    _words("detail"),
    Column("run_id", BigInteger, nullable=False),
    Column("procedure", CleanText, nullable=False),
    Index("measurements_metric_at_idx", "metric", "at"),
    Index("measurements_run_id_procedure_idx", "run_id", "procedure"),
    postgresql_partition_by="RANGE (at)",
)

baselines = Table(
    "baselines",
    metadata,
    Column("metric", CleanText, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("labels_digest", LargeBinary, primary_key=True),
    Column("labels", CleanJson, nullable=False, server_default=text("'{}'")),
    Column("value", Double, nullable=False),
    Column("unit", CleanText, nullable=False),
    Column("at", Instant, nullable=False),
    _words("detail"),
    _run(),
    _recorded_at(),
    Index("baselines_day_idx", "day"),
)

findings = Table(
    "findings",
    metadata,
    _id(),
    _run(),
    Column("procedure", CleanText, nullable=False),
    Column("name", CleanText, nullable=False),
    _words("subject"),
    Column("status", CleanText, nullable=False),
    Column("severity", CleanText),
    _words("expected"),
    _words("actual"),
    _words("message"),
    _words("first_action"),
    Column("labels", CleanJson, nullable=False, server_default=text("'{}'")),
    Column("try_number", Integer, nullable=False),
    _recorded_at(),
    UniqueConstraint("run_id", "procedure", "name", "subject", name="findings_run_id_procedure_name_subject_key"),
    Index("findings_procedure_recorded_at_idx", "procedure", "recorded_at"),
)

evidence = Table(
    "evidence",
    metadata,
    _id(),
    _run(),
    Column("procedure", CleanText, nullable=False),
    Column("name", CleanText, nullable=False),
    Column("uri", CleanText, nullable=False),
    Column("sha256", CleanText, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("media_type", CleanText, nullable=False),
    _recorded_at(),
    UniqueConstraint("run_id", "procedure", "name", name="evidence_run_id_procedure_name_key"),
    Index("evidence_uri_idx", "uri"),
)

# What was there at a look, so that the next one can say what changed.
states = Table(
    "states",
    metadata,
    Column("run_id", BigInteger, ForeignKey("clo_ops.runs.id"), primary_key=True),
    Column("kind", CleanText, primary_key=True),
    Column("system", CleanText, nullable=False),
    Column("taken_at", Instant, nullable=False),
    Column("content", CleanJson, nullable=False),
    _recorded_at(),
    Index("states_kind_system_idx", "kind", "system"),
)

statement_snapshots = Table(
    "statement_snapshots",
    metadata,
    Column("run_id", BigInteger, ForeignKey("clo_ops.runs.id"), primary_key=True),
    Column("taken_at", Instant, nullable=False),
    Column("stats_reset", Instant),
    Column("rows", CleanJson, nullable=False),
    _recorded_at(),
    Index("statement_snapshots_taken_at_idx", "taken_at"),
)

incidents = Table(
    "incidents",
    metadata,
    _id(),
    Column("cause", CleanText, nullable=False),
    Column("severity", CleanText, nullable=False),
    Column("title", CleanText, nullable=False),
    Column("procedure", CleanText, nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("last_seen_at", Instant, nullable=False),
    Column("seen_count", Integer, nullable=False, server_default=text("1")),
    _run(nullable=True),
    Column("response_due_at", Instant),
    Column("acknowledged_at", Instant),
    _words("acknowledged_by"),
    Column("escalation_level", Integer, nullable=False, server_default=text("0")),
    Column("escalated_at", Instant),
    _words("escalated_to"),
    Column("closed_at", Instant),
    _words("closed_by"),
    _words("close_reason"),
    Column("resolution_due_at", Instant),
    Column("update_due_at", Instant),
    Column("acknowledgement_expired_at", Instant),
    Column("mitigated_at", Instant),
    _words("dag_run"),
    Index("incidents_one_open_per_cause", "cause", unique=True, postgresql_where=text("closed_at IS NULL")),
    Index("incidents_opened_at_idx", "opened_at"),
)

incident_events = Table(
    "incident_events",
    metadata,
    _id(),
    Column("incident_id", BigInteger, ForeignKey("clo_ops.incidents.id"), nullable=False),
    Column("kind", CleanText, nullable=False),
    Column("at", Instant, nullable=False),
    _words("actor"),
    _words("detail"),
    _run(nullable=True),
    _recorded_at(),
    Index("incident_events_at_idx", "at"),
    Index("incident_events_incident_id_idx", "incident_id", "id"),
    Index(
        "incident_events_one_sighting",
        "incident_id",
        "at",
        unique=True,
        postgresql_where=text("kind IN ('opened', 'seen')"),
    ),
)

# Each step of a ladder and each notice is told once: its row says that it was, and when.
incident_steps = Table(
    "incident_steps",
    metadata,
    Column("incident_id", BigInteger, ForeignKey("clo_ops.incidents.id"), primary_key=True),
    Column("step", CleanText, primary_key=True),
    Column("told_at", Instant, nullable=False),
)

incident_actions = Table(
    "incident_actions",
    metadata,
    _id(),
    Column("incident_id", BigInteger, ForeignKey("clo_ops.incidents.id"), nullable=False),
    Column("title", CleanText, nullable=False),
    Column("owner", CleanText, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("done_at", Instant),
    _words("done_by"),
    _recorded_at(),
    UniqueConstraint("incident_id", "title", name="incident_actions_incident_id_title_key"),
)

alerts = Table(
    "alerts",
    metadata,
    Column("rule", CleanText, primary_key=True),
    Column("labels_digest", LargeBinary, primary_key=True),
    Column("labels", CleanJson, nullable=False, server_default=text("'{}'")),
    Column("state", CleanJson, nullable=False),
    Column("level", CleanText, nullable=False),
    Column("value", Double),
    Column("looked_at", Instant, nullable=False),
)

heartbeats = Table(
    "heartbeats",
    metadata,
    Column("name", CleanText, primary_key=True),
    Column("at", Instant, nullable=False),
    _words("detail"),
)

outbox = Table(
    "outbox",
    metadata,
    _id(),
    Column("dedup_key", CleanText, nullable=False),
    Column("recipients", CleanTexts, nullable=False),
    Column("subject", CleanText, nullable=False),
    Column("text", CleanText, nullable=False),
    _words("html"),
    Column("headers", CleanJson, nullable=False, server_default=text("'{}'")),
    Column("attachments", CleanJson, nullable=False, server_default=text("'[]'")),
    Column("severity", CleanText),
    _run(nullable=True),
    Column("state", CleanText, nullable=False, server_default=text("'waiting'")),
    Column("enqueued_at", Instant, nullable=False, server_default=text("now()")),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("next_attempt_at", Instant),
    Column("leased_until", Instant),
    Column("accepted", CleanTexts, nullable=False, server_default=text("'{}'")),
    Column("refused", CleanJson, nullable=False, server_default=text("'{}'")),
    Column("delivered_at", Instant),
    _words("last_error"),
    UniqueConstraint("dedup_key", name="outbox_dedup_key_key"),
    Index("outbox_waiting_idx", "next_attempt_at", postgresql_where=text("state = 'waiting'")),
)

backups = Table(
    "backups",
    metadata,
    _id(),
    Column("repository", CleanText, nullable=False),
    Column("path", CleanText, nullable=False),
    _words("database"),
    Column("status", CleanText, nullable=False),
    Column("snapshot_at", Instant),
    Column("ended_at", Instant),
    Column("size_bytes", BigInteger),
    _words("sha256"),
    Column("proven", CleanJson, nullable=False, server_default=text("'{}'")),
    Column("level", CleanText),
    Column("level_since", Instant),
    Column("failed_at", Instant),
    _words("failure"),
    Column("present", Boolean, nullable=False, server_default=text("true")),
    Column("modified_at", Instant),
    Column("read_at", Instant),
    _recorded_at(),
    UniqueConstraint("repository", "path", name="backups_repository_path_key"),
    Index("backups_repository_snapshot_at_idx", "repository", "snapshot_at"),
)

series = Table(
    "series",
    metadata,
    _id(),
    Column("metric", CleanText, nullable=False),
    Column("unit", CleanText, nullable=False),
    Column("labels", CleanJson, nullable=False, server_default=text("'{}'")),
    Column("labels_digest", LargeBinary, nullable=False),
    UniqueConstraint("metric", "unit", "labels_digest", name="series_metric_unit_labels_digest_key"),
)


def _figures() -> list[Column[Any]]:
    """What is kept of a series' hour or day; the seconds above a level are by the level of that time."""
    return [
        Column("series_id", BigInteger, ForeignKey("clo_ops.series.id"), primary_key=True),
        Column("starts_at", Instant, primary_key=True),
        Column("count", BigInteger, nullable=False),
        *(Column(name, Double, nullable=False) for name in ("mean", "p50", "p95", "p99", "lowest", "highest", "last")),
        Column("covered_s", Double, nullable=False),
        Column("warning_level", Double),
        Column("above_warning_s", Double),
        Column("critical_level", Double),
        Column("above_critical_s", Double),
        Column("source", CleanText, nullable=False),
    ]


hourly = Table("hourly", metadata, *_figures())

# How a day's values were spread, so that days add up to the percentiles of a month (ledger.distribution).
daily = Table(
    "daily",
    metadata,
    *_figures(),
    Column("buckets", ARRAY(Integer), nullable=False),
    Column("bucket_counts", ARRAY(Integer), nullable=False),
    Index("daily_starts_at_idx", "starts_at"),
)

# Written with the measurements, in the same transaction: days whose figures no longer fit what was measured.
roll_ups_due = Table(
    "roll_ups_due",
    metadata,
    _id(),
    Column("metric", CleanText, nullable=False),
    Column("day", Date, nullable=False),
    Index("roll_ups_due_day_metric_idx", "day", "metric"),
)

forecasts = Table(
    "forecasts",
    metadata,
    _id(),
    _run(),
    Column("procedure", CleanText, nullable=False),
    Column("series_id", BigInteger, ForeignKey("clo_ops.series.id"), nullable=False),
    Column("statistic", CleanText, nullable=False),
    Column("made_for", Date, nullable=False),
    Column("target", Date, nullable=False),
    Column("verdict", CleanText, nullable=False),
    Column("expected", Double, nullable=False),
    Column("low", Double, nullable=False),
    Column("high", Double, nullable=False),
    Column("naive", Double, nullable=False),
    Column("came", Double),
    Column("scored_at", Instant),
    _recorded_at(),
    UniqueConstraint(
        "run_id", "series_id", "statistic", "target", name="forecasts_run_id_series_id_statistic_target_key"
    ),
    Index("forecasts_open_idx", "target", postgresql_where=text("scored_at IS NULL")),
)

plans = Table(
    "plans",
    metadata,
    _id(),
    _run(),
    Column("kind", CleanText, nullable=False),
    Column("system", CleanText, nullable=False),
    Column("hash", CleanText, nullable=False),
    Column("state", CleanText, nullable=False, server_default=text("'planned'")),
    Column("planned_at", Instant, nullable=False),
    Column("ended_at", Instant),
    _recorded_at(),
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
    _words("why"),
    _words("statement"),
    Column("expected_seconds", Double),
    Column("expected_wal_bytes", BigInteger),
    Column("expected_disk_bytes", BigInteger),
    Column("before", CleanJson, nullable=False, server_default=text("'{}'")),
    Column("started_at", Instant),
    Column("ended_at", Instant),
    Column("outcome", CleanText),
    _words("reason"),
    Column("seconds", Double),
    Column("after", CleanJson, nullable=False, server_default=text("'{}'")),
    Column("tries", Integer, nullable=False, server_default=text("0")),
    _recorded_at(),
    Index("plan_steps_key_idx", "key", "ended_at", postgresql_where=text("outcome = 'applied'")),
)

approvals = Table(
    "approvals",
    metadata,
    _id(),
    _run(),
    Column("hash", CleanText, nullable=False),
    Column("plans", CleanTexts, nullable=False, server_default=text("'{}'")),
    Column("kind", CleanText, nullable=False),
    Column("authority", CleanText, nullable=False),
    Column("requester", CleanText, nullable=False),
    Column("reason", CleanText, nullable=False),
    Column("asked_at", Instant, nullable=False),
    _words("decision"),
    _words("decided_by"),
    Column("decided_at", Instant),
    _words("note"),
    Column("review_due_at", Instant),
    Column("reviewed_at", Instant),
    _words("reviewed_by"),
    _words("review_note"),
    _recorded_at(),
    UniqueConstraint("run_id", "hash", name="approvals_run_id_hash_key"),
    Index("approvals_review_due_idx", "review_due_at", postgresql_where=text("reviewed_at IS NULL")),
)

# What users were told of a window: ahead of it, at its start, while it lasted, at its end. Each once.
notices = Table(
    "notices",
    metadata,
    _id(),
    Column("occasion", CleanText, nullable=False),
    Column("kind", CleanText, nullable=False),
    Column("starts_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False),
    Column("told_at", Instant, nullable=False),
    Column("message_id", BigInteger, ForeignKey("clo_ops.outbox.id")),
    _recorded_at(),
    UniqueConstraint("occasion", "starts_at", "kind", name="notices_occasion_starts_at_kind_key"),
)

archive_files = Table(
    "archive_files",
    metadata,
    Column("system", CleanText, primary_key=True),
    Column("name", CleanText, primary_key=True),
    _words("period"),
    Column("first_id", BigInteger, nullable=False),
    Column("last_id", BigInteger, nullable=False),
    Column("state", CleanText, nullable=False),
    Column("deleted", BigInteger, nullable=False, server_default=text("0")),
    Column("held", BigInteger, nullable=False, server_default=text("0")),
    _words("prev_hash"),
    _words("last_hash"),
    _words("sha256"),
    _words("manifest_sha256"),
    Column("size_bytes", BigInteger),
    _words("failure"),
    Column("approved_by", CleanTexts, nullable=False, server_default=text("'{}'")),
    Column("changed_at", Instant, nullable=False),
    _recorded_at(),
    Index("archive_files_system_first_id_idx", "system", "first_id"),
)

# Receipts follow each other by hash; they, and the heads that were seen, are written once.
archive_receipts = Table(
    "archive_receipts",
    metadata,
    Column("system", CleanText, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("first_id", BigInteger, nullable=False),
    Column("last_id", BigInteger, nullable=False),
    Column("prev_hash", CleanText, nullable=False),
    Column("last_hash", CleanText, nullable=False),
    Column("archive", CleanText, nullable=False),
    Column("manifest_sha256", CleanText, nullable=False),
    Column("previous", CleanText, nullable=False),
    Column("hash", CleanText, nullable=False),
    Column("audit_id", BigInteger, nullable=False),
    _recorded_at(),
)

chain_heads = Table(
    "chain_heads",
    metadata,
    Column("system", CleanText, primary_key=True),
    Column("head_id", BigInteger, primary_key=True),
    Column("row_hash", CleanText, nullable=False),
    Column("seen_at", Instant, nullable=False),
    _recorded_at(),
)
