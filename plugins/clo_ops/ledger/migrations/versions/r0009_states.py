"""The state of something at a look, so that the next look can say what changed."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

UP = """
CREATE TABLE clo_ops.states (
    run_id bigint NOT NULL REFERENCES clo_ops.runs (id),
    kind text NOT NULL CHECK (kind <> ''),
    system text NOT NULL CHECK (system <> ''),
    taken_at timestamptz NOT NULL,
    content jsonb NOT NULL CHECK (jsonb_typeof(content) = 'object'),
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (run_id, kind)
);
CREATE INDEX states_kind_system_idx ON clo_ops.states (kind, system);
CREATE INDEX evidence_uri_idx ON clo_ops.evidence (uri);
"""
DOWN = "DROP TABLE clo_ops.states; DROP INDEX clo_ops.evidence_uri_idx;"


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
