"""Plans of changes to the CLO system: their steps, what became of each, approvals and notices."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

UP = """
CREATE TABLE clo_ops.plans (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id bigint NOT NULL REFERENCES clo_ops.runs (id),
    kind text NOT NULL CHECK (kind <> ''),
    system text NOT NULL CHECK (system <> ''),
    hash text NOT NULL CHECK (hash ~ '^[0-9a-f]{64}$'),
    state text NOT NULL DEFAULT 'planned' CHECK (state IN ('planned', 'applying', 'ended', 'stopped')),
    planned_at timestamptz NOT NULL,
    ended_at timestamptz,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT plans_run_id_kind_hash_key UNIQUE (run_id, kind, hash)
);
CREATE INDEX plans_kind_system_idx ON clo_ops.plans (kind, system, id);

CREATE TABLE clo_ops.plan_steps (
    plan_id bigint NOT NULL REFERENCES clo_ops.plans (id),
    number integer NOT NULL CHECK (number >= 1),
    key text NOT NULL CHECK (key <> ''),
    action text NOT NULL CHECK (action <> ''),
    target text NOT NULL,
    why text NOT NULL DEFAULT '',
    statement text NOT NULL DEFAULT '',
    expected_seconds double precision CHECK (expected_seconds >= 0),
    expected_wal_bytes bigint CHECK (expected_wal_bytes >= 0),
    expected_disk_bytes bigint CHECK (expected_disk_bytes >= 0),
    before jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(before) = 'object'),
    started_at timestamptz,
    ended_at timestamptz,
    outcome text CHECK (outcome IN ('applied', 'skipped', 'failed', 'left over')),
    reason text NOT NULL DEFAULT '',
    seconds double precision CHECK (seconds >= 0),
    after jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(after) = 'object'),
    tries integer NOT NULL DEFAULT 0 CHECK (tries >= 0),
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (plan_id, key),
    CHECK ((ended_at IS NULL) = (outcome IS NULL))
);
CREATE INDEX plan_steps_key_idx ON clo_ops.plan_steps (key, ended_at) WHERE outcome = 'applied';

-- Nobody approves or reviews their own change (D53): the database itself holds to it.
CREATE TABLE clo_ops.approvals (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id bigint NOT NULL REFERENCES clo_ops.runs (id),
    hash text NOT NULL CHECK (hash ~ '^[0-9a-f]{64}$'),
    plans text[] NOT NULL DEFAULT '{}',
    kind text NOT NULL CHECK (kind IN ('prior', 'break glass')),
    authority text NOT NULL CHECK (authority <> ''),
    requester text NOT NULL CHECK (requester <> ''),
    reason text NOT NULL CHECK (reason <> ''),
    asked_at timestamptz NOT NULL,
    decision text NOT NULL DEFAULT '' CHECK (decision IN ('', 'approved', 'refused')),
    decided_by text NOT NULL DEFAULT '',
    decided_at timestamptz,
    note text NOT NULL DEFAULT '',
    review_due_at timestamptz,
    reviewed_at timestamptz,
    reviewed_by text NOT NULL DEFAULT '',
    review_note text NOT NULL DEFAULT '',
    recorded_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT approvals_run_id_hash_key UNIQUE (run_id, hash),
    CHECK (decided_by <> requester OR kind = 'break glass'),
    CHECK (reviewed_by <> requester),
    CHECK ((decision = '') = (decided_at IS NULL)),
    CHECK ((decision = '') = (decided_by = '')),
    CHECK ((reviewed_by = '') = (reviewed_at IS NULL)),
    CHECK (kind <> 'break glass' OR review_due_at IS NOT NULL)
);
CREATE INDEX approvals_review_due_idx ON clo_ops.approvals (review_due_at) WHERE reviewed_at IS NULL;

CREATE TABLE clo_ops.notices (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    occasion text NOT NULL CHECK (occasion <> ''),
    kind text NOT NULL CHECK (kind IN ('ahead', 'start', 'progress', 'end')),
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL CHECK (ends_at > starts_at),
    told_at timestamptz NOT NULL,
    message_id bigint REFERENCES clo_ops.outbox (id),
    recorded_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT notices_occasion_starts_at_kind_key UNIQUE (occasion, starts_at, kind)
);
"""
DOWN = """
DROP TABLE clo_ops.notices;
DROP TABLE clo_ops.approvals;
DROP TABLE clo_ops.plan_steps;
DROP TABLE clo_ops.plans;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
