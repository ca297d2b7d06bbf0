"""Incidents get their clocks, what was told of them, their actions; alerts and heartbeats get a place of their own."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

KINDS_BEFORE = "('opened', 'seen', 'severity_raised', 'acknowledged', 'escalated', 'closed')"
KINDS = """('opened', 'seen', 'severity_raised', 'severity_lowered', 'acknowledged', 'acknowledgement_expired',
    'escalated', 'told', 'updated', 'update_overdue', 'noted', 'diagnosed', 'mitigated', 'checked', 'action',
    'reviewed', 'closed')"""

UP = f"""
ALTER TABLE clo_ops.incidents
    ADD COLUMN resolution_due_at timestamptz,
    ADD COLUMN update_due_at timestamptz,
    ADD COLUMN acknowledgement_expired_at timestamptz,
    ADD COLUMN mitigated_at timestamptz,
    ADD COLUMN dag_run text NOT NULL DEFAULT '';

ALTER TABLE clo_ops.incident_events DROP CONSTRAINT incident_events_kind_check;
ALTER TABLE clo_ops.incident_events ADD CONSTRAINT incident_events_kind_check CHECK (kind IN {KINDS});
CREATE INDEX incident_events_incident_id_idx ON clo_ops.incident_events (incident_id, id);

CREATE TABLE clo_ops.incident_steps (
    incident_id bigint NOT NULL REFERENCES clo_ops.incidents,
    step text NOT NULL CHECK (step <> ''),
    told_at timestamptz NOT NULL,
    PRIMARY KEY (incident_id, step)
);

CREATE TABLE clo_ops.incident_actions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    incident_id bigint NOT NULL REFERENCES clo_ops.incidents,
    title text NOT NULL CHECK (title <> ''),
    owner text NOT NULL CHECK (owner <> ''),
    due_at timestamptz NOT NULL,
    done_at timestamptz,
    done_by text NOT NULL DEFAULT '',
    recorded_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (incident_id, title)
);

CREATE TABLE clo_ops.alerts (
    rule text NOT NULL CHECK (rule <> ''),
    labels_digest bytea NOT NULL CHECK (octet_length(labels_digest) = 16),
    labels jsonb NOT NULL DEFAULT '{{}}' CHECK (jsonb_typeof(labels) = 'object'),
    state jsonb NOT NULL CHECK (jsonb_typeof(state) = 'object'),
    level text NOT NULL,
    value double precision,
    looked_at timestamptz NOT NULL,
    PRIMARY KEY (rule, labels_digest)
);

CREATE TABLE clo_ops.heartbeats (
    name text PRIMARY KEY CHECK (name <> ''),
    at timestamptz NOT NULL,
    detail text NOT NULL DEFAULT ''
);
"""

DOWN = f"""
DROP TABLE clo_ops.heartbeats;
DROP TABLE clo_ops.alerts;
DROP TABLE clo_ops.incident_actions;
DROP TABLE clo_ops.incident_steps;
DROP INDEX clo_ops.incident_events_incident_id_idx;
DELETE FROM clo_ops.incident_events WHERE kind NOT IN {KINDS_BEFORE};
ALTER TABLE clo_ops.incident_events DROP CONSTRAINT incident_events_kind_check;
ALTER TABLE clo_ops.incident_events ADD CONSTRAINT incident_events_kind_check CHECK (kind IN {KINDS_BEFORE});
ALTER TABLE clo_ops.incidents
    DROP COLUMN resolution_due_at,
    DROP COLUMN update_due_at,
    DROP COLUMN acknowledgement_expired_at,
    DROP COLUMN mitigated_at,
    DROP COLUMN dag_run;
"""  # noqa: S608 - constants of this file


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
