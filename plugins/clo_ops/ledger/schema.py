"""The ledger's tables as the queries see them. What makes them is in ``migrations``; a test holds the two together."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    UniqueConstraint,
    text,
)

from clo_ops.ledger.columns import CleanJson, CleanText, CleanTexts, Instant, identity, of_run, recorded_at, words

SCHEMA = "clo_ops"
metadata = MetaData(schema=SCHEMA)


runs = Table(
    "runs",
    metadata,
    identity(),
    Column("dag_id", CleanText, nullable=False),
    Column("run_id", CleanText, nullable=False),
    Column("at", Instant, nullable=False),
    words("policy_digest"),
    words("trigger"),
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
    words("policy_digest"),
    Column("unanswered", CleanJson, nullable=False, server_default=text("'[]'")),
    Column("measured", Integer, nullable=False),
    Column("first_at", Instant),
    Column("last_at", Instant),
    recorded_at(),
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
    words("detail"),
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
    words("detail"),
    of_run(),
    recorded_at(),
    Index("baselines_day_idx", "day"),
)

findings = Table(
    "findings",
    metadata,
    identity(),
    of_run(),
    Column("procedure", CleanText, nullable=False),
    Column("name", CleanText, nullable=False),
    words("subject"),
    Column("status", CleanText, nullable=False),
    Column("severity", CleanText),
    words("expected"),
    words("actual"),
    words("message"),
    words("first_action"),
    Column("labels", CleanJson, nullable=False, server_default=text("'{}'")),
    Column("try_number", Integer, nullable=False),
    recorded_at(),
    UniqueConstraint("run_id", "procedure", "name", "subject", name="findings_run_id_procedure_name_subject_key"),
    Index("findings_procedure_recorded_at_idx", "procedure", "recorded_at"),
)

evidence = Table(
    "evidence",
    metadata,
    identity(),
    of_run(),
    Column("procedure", CleanText, nullable=False),
    Column("name", CleanText, nullable=False),
    Column("uri", CleanText, nullable=False),
    Column("sha256", CleanText, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("media_type", CleanText, nullable=False),
    recorded_at(),
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
    recorded_at(),
    Index("states_kind_system_idx", "kind", "system"),
)

statement_snapshots = Table(
    "statement_snapshots",
    metadata,
    Column("run_id", BigInteger, ForeignKey("clo_ops.runs.id"), primary_key=True),
    Column("taken_at", Instant, nullable=False),
    Column("stats_reset", Instant),
    Column("rows", CleanJson, nullable=False),
    recorded_at(),
    Index("statement_snapshots_taken_at_idx", "taken_at"),
)

incidents = Table(
    "incidents",
    metadata,
    identity(),
    Column("cause", CleanText, nullable=False),
    Column("severity", CleanText, nullable=False),
    Column("title", CleanText, nullable=False),
    Column("procedure", CleanText, nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("last_seen_at", Instant, nullable=False),
    Column("seen_count", Integer, nullable=False, server_default=text("1")),
    of_run(nullable=True),
    Column("response_due_at", Instant),
    Column("acknowledged_at", Instant),
    words("acknowledged_by"),
    Column("escalation_level", Integer, nullable=False, server_default=text("0")),
    Column("escalated_at", Instant),
    words("escalated_to"),
    Column("closed_at", Instant),
    words("closed_by"),
    words("close_reason"),
    Column("resolution_due_at", Instant),
    Column("update_due_at", Instant),
    Column("acknowledgement_expired_at", Instant),
    Column("mitigated_at", Instant),
    words("dag_run"),
    Index("incidents_one_open_per_cause", "cause", unique=True, postgresql_where=text("closed_at IS NULL")),
    Index("incidents_opened_at_idx", "opened_at"),
)

incident_events = Table(
    "incident_events",
    metadata,
    identity(),
    Column("incident_id", BigInteger, ForeignKey("clo_ops.incidents.id"), nullable=False),
    Column("kind", CleanText, nullable=False),
    Column("at", Instant, nullable=False),
    words("actor"),
    words("detail"),
    of_run(nullable=True),
    recorded_at(),
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
    identity(),
    Column("incident_id", BigInteger, ForeignKey("clo_ops.incidents.id"), nullable=False),
    Column("title", CleanText, nullable=False),
    Column("owner", CleanText, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("done_at", Instant),
    words("done_by"),
    recorded_at(),
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
    words("detail"),
)

outbox = Table(
    "outbox",
    metadata,
    identity(),
    Column("dedup_key", CleanText, nullable=False),
    Column("recipients", CleanTexts, nullable=False),
    Column("subject", CleanText, nullable=False),
    Column("text", CleanText, nullable=False),
    words("html"),
    Column("headers", CleanJson, nullable=False, server_default=text("'{}'")),
    Column("attachments", CleanJson, nullable=False, server_default=text("'[]'")),
    Column("severity", CleanText),
    of_run(nullable=True),
    Column("state", CleanText, nullable=False, server_default=text("'waiting'")),
    Column("enqueued_at", Instant, nullable=False, server_default=text("now()")),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("next_attempt_at", Instant),
    Column("leased_until", Instant),
    Column("accepted", CleanTexts, nullable=False, server_default=text("'{}'")),
    Column("refused", CleanJson, nullable=False, server_default=text("'{}'")),
    Column("delivered_at", Instant),
    words("last_error"),
    UniqueConstraint("dedup_key", name="outbox_dedup_key_key"),
    Index("outbox_waiting_idx", "next_attempt_at", postgresql_where=text("state = 'waiting'")),
)

backups = Table(
    "backups",
    metadata,
    identity(),
    Column("repository", CleanText, nullable=False),
    Column("path", CleanText, nullable=False),
    words("database"),
    Column("status", CleanText, nullable=False),
    Column("snapshot_at", Instant),
    Column("ended_at", Instant),
    Column("size_bytes", BigInteger),
    words("sha256"),
    Column("proven", CleanJson, nullable=False, server_default=text("'{}'")),
    Column("level", CleanText),
    Column("level_since", Instant),
    Column("failed_at", Instant),
    words("failure"),
    Column("present", Boolean, nullable=False, server_default=text("true")),
    Column("modified_at", Instant),
    Column("read_at", Instant),
    recorded_at(),
    UniqueConstraint("repository", "path", name="backups_repository_path_key"),
    Index("backups_repository_snapshot_at_idx", "repository", "snapshot_at"),
)
