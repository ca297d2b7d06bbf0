"""The ledger's first tables. SQL, because that is what is reviewed and what runs; never edited once released."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

STATUS = "('pass', 'warn', 'fail', 'unknown', 'not_applicable')"
SEVERITY = "('P1', 'P2', 'P3', 'P4')"
UNIT = "('percent', 'ms', 's', 'bytes', 'count', 'bool', 'ratio')"
MEASURED = f"""
    value double precision NOT NULL CHECK (value > '-Infinity' AND value < 'Infinity'),
    unit text NOT NULL CHECK (unit IN {UNIT}),
    labels jsonb NOT NULL DEFAULT '{{}}' CHECK (jsonb_typeof(labels) = 'object'),
    labels_digest bytea NOT NULL CHECK (octet_length(labels_digest) = 16),
    at timestamptz NOT NULL,
    detail text NOT NULL DEFAULT '',
    CHECK (unit <> 'bool' OR value IN (0, 1))
"""

TABLES = f"""
CREATE TABLE clo_ops.runs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dag_id text NOT NULL CHECK (dag_id <> ''),
    run_id text NOT NULL CHECK (run_id <> ''),
    at timestamptz NOT NULL,
    policy_digest text NOT NULL DEFAULT '',
    trigger text NOT NULL DEFAULT '',
    opened_at timestamptz NOT NULL DEFAULT now(),
    closed_at timestamptz,
    status text CHECK (status IN {STATUS}),
    counts jsonb NOT NULL DEFAULT '{{}}' CHECK (jsonb_typeof(counts) = 'object'),
    UNIQUE (dag_id, run_id),
    CHECK ((closed_at IS NULL) = (status IS NULL))
);
CREATE INDEX runs_dag_id_at_idx ON clo_ops.runs (dag_id, at);

CREATE TABLE clo_ops.recordings (
    run_id bigint NOT NULL REFERENCES clo_ops.runs,
    procedure text NOT NULL CHECK (procedure <> ''),
    try_number integer NOT NULL CHECK (try_number >= 0),
    policy_digest text NOT NULL DEFAULT '',
    unanswered jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(unanswered) = 'array'),
    measured integer NOT NULL CHECK (measured >= 0),
    first_at timestamptz,
    last_at timestamptz,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (run_id, procedure),
    CHECK (measured = 0 OR first_at <= last_at)
);

CREATE TABLE clo_ops.measurements (
    metric text NOT NULL CHECK (metric <> ''),
    {MEASURED},
    run_id bigint NOT NULL,
    procedure text NOT NULL
) PARTITION BY RANGE (at);
CREATE INDEX measurements_metric_at_idx ON clo_ops.measurements (metric, at);
CREATE INDEX measurements_run_id_procedure_idx ON clo_ops.measurements (run_id, procedure);

CREATE TABLE clo_ops.baselines (
    metric text NOT NULL CHECK (metric <> ''),
    day date NOT NULL,
    {MEASURED},
    run_id bigint NOT NULL REFERENCES clo_ops.runs,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (metric, day, labels_digest)
);
CREATE INDEX baselines_day_idx ON clo_ops.baselines (day);

CREATE TABLE clo_ops.findings (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id bigint NOT NULL REFERENCES clo_ops.runs,
    procedure text NOT NULL CHECK (procedure <> ''),
    name text NOT NULL CHECK (name <> ''),
    subject text NOT NULL DEFAULT '',
    status text NOT NULL CHECK (status IN {STATUS}),
    severity text CHECK (severity IN {SEVERITY}),
    expected text NOT NULL DEFAULT '',
    actual text NOT NULL DEFAULT '',
    message text NOT NULL DEFAULT '',
    first_action text NOT NULL DEFAULT '',
    labels jsonb NOT NULL DEFAULT '{{}}' CHECK (jsonb_typeof(labels) = 'object'),
    try_number integer NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (run_id, procedure, name, subject),
    CHECK (status IN ('pass', 'not_applicable') OR severity IS NOT NULL)
);
CREATE INDEX findings_procedure_recorded_at_idx ON clo_ops.findings (procedure, recorded_at);

CREATE TABLE clo_ops.evidence (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id bigint NOT NULL REFERENCES clo_ops.runs,
    procedure text NOT NULL,
    name text NOT NULL CHECK (name <> ''),
    uri text NOT NULL CHECK (uri <> ''),
    sha256 text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{{64}}$'),
    size bigint NOT NULL CHECK (size >= 0),
    media_type text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (run_id, procedure, name)
);

CREATE TABLE clo_ops.statement_snapshots (
    run_id bigint PRIMARY KEY REFERENCES clo_ops.runs,
    taken_at timestamptz NOT NULL,
    stats_reset timestamptz,
    rows jsonb NOT NULL CHECK (jsonb_typeof(rows) = 'array'),
    recorded_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX statement_snapshots_taken_at_idx ON clo_ops.statement_snapshots (taken_at);

CREATE TABLE clo_ops.incidents (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    cause text NOT NULL CHECK (cause <> ''),
    severity text NOT NULL CHECK (severity IN {SEVERITY}),
    title text NOT NULL,
    procedure text NOT NULL,
    opened_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    seen_count integer NOT NULL DEFAULT 1 CHECK (seen_count > 0),
    run_id bigint REFERENCES clo_ops.runs,
    response_due_at timestamptz,
    acknowledged_at timestamptz,
    acknowledged_by text NOT NULL DEFAULT '',
    escalation_level integer NOT NULL DEFAULT 0 CHECK (escalation_level >= 0),
    escalated_at timestamptz,
    escalated_to text NOT NULL DEFAULT '',
    closed_at timestamptz,
    closed_by text NOT NULL DEFAULT '',
    close_reason text NOT NULL DEFAULT '',
    CHECK (closed_at IS NULL OR close_reason <> '')
);
CREATE UNIQUE INDEX incidents_one_open_per_cause ON clo_ops.incidents (cause) WHERE closed_at IS NULL;
CREATE INDEX incidents_opened_at_idx ON clo_ops.incidents (opened_at);

CREATE TABLE clo_ops.incident_events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    incident_id bigint NOT NULL REFERENCES clo_ops.incidents,
    kind text NOT NULL CHECK (kind IN ('opened', 'seen', 'severity_raised', 'acknowledged', 'escalated', 'closed')),
    at timestamptz NOT NULL,
    actor text NOT NULL DEFAULT '',
    detail text NOT NULL DEFAULT '',
    run_id bigint REFERENCES clo_ops.runs,
    recorded_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX incident_events_at_idx ON clo_ops.incident_events (at);
CREATE UNIQUE INDEX incident_events_one_sighting ON clo_ops.incident_events (incident_id, at)
    WHERE kind IN ('opened', 'seen');

CREATE TABLE clo_ops.outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dedup_key text NOT NULL UNIQUE CHECK (dedup_key <> ''),
    recipients text[] NOT NULL CHECK (cardinality(recipients) > 0),
    subject text NOT NULL,
    text text NOT NULL,
    html text NOT NULL DEFAULT '',
    headers jsonb NOT NULL DEFAULT '{{}}' CHECK (jsonb_typeof(headers) = 'object'),
    severity text CHECK (severity IN {SEVERITY}),
    run_id bigint REFERENCES clo_ops.runs,
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'refused')),
    enqueued_at timestamptz NOT NULL DEFAULT now(),
    attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    next_attempt_at timestamptz,
    leased_until timestamptz,
    accepted text[] NOT NULL DEFAULT '{{}}',
    refused jsonb NOT NULL DEFAULT '{{}}' CHECK (jsonb_typeof(refused) = 'object'),
    delivered_at timestamptz,
    last_error text NOT NULL DEFAULT '',
    CHECK (state <> 'delivered' OR delivered_at IS NOT NULL)
);
CREATE INDEX outbox_waiting_idx ON clo_ops.outbox (next_attempt_at) WHERE state = 'waiting';

CREATE TABLE clo_ops.backups (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    repository text NOT NULL CHECK (repository <> ''),
    path text NOT NULL CHECK (path <> ''),
    database text NOT NULL DEFAULT '',
    status text NOT NULL CHECK (status IN ('success', 'failed')),
    snapshot_at timestamptz,
    ended_at timestamptz,
    size_bytes bigint CHECK (size_bytes >= 0),
    sha256 text NOT NULL DEFAULT '' CHECK (sha256 = '' OR sha256 ~ '^[0-9a-f]{{64}}$'),
    proven jsonb NOT NULL DEFAULT '{{}}' CHECK (jsonb_typeof(proven) = 'object'),
    level text CHECK (level IN ('L0', 'L1', 'L2', 'L3', 'L4')),
    level_since timestamptz,
    failed_at timestamptz,
    failure text NOT NULL DEFAULT '',
    present boolean NOT NULL DEFAULT true,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (repository, path),
    CHECK ((level IS NULL) = (level_since IS NULL))
);
CREATE INDEX backups_repository_snapshot_at_idx ON clo_ops.backups (repository, snapshot_at);
"""

NAMES = (
    "backups",
    "outbox",
    "incident_events",
    "incidents",
    "statement_snapshots",
    "evidence",
    "findings",
    "baselines",
    "measurements",
    "recordings",
    "runs",
)


def upgrade() -> None:
    op.execute(TABLES)


def downgrade() -> None:
    for name in NAMES:
        op.execute(f"DROP TABLE clo_ops.{name}")
