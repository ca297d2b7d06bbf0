"""What came of audits: findings of penetration tests, gaps of controls, and actions, each until it is closed."""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

UP = """
CREATE TABLE clo_ops.audit_items (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL
        CHECK (kind IN ('penetration test', 'gap', 'recommendation', 'policy', 'monitoring', 'training')),
    key text NOT NULL CHECK (key <> ''),
    title text NOT NULL CHECK (title <> ''),
    rating text NOT NULL DEFAULT '',
    owner text NOT NULL CHECK (owner <> ''),
    detail text NOT NULL DEFAULT '',
    opened_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    told_due_at timestamptz,
    closed_at timestamptz,
    closed_by text NOT NULL DEFAULT '',
    close_reason text NOT NULL DEFAULT '',
    recorded_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((closed_at IS NULL) = (closed_by = '')),
    CHECK ((closed_at IS NULL) = (close_reason = ''))
);
-- What comes back after it was closed is a new one with an age of its own.
CREATE UNIQUE INDEX audit_items_one_open ON clo_ops.audit_items (kind, key) WHERE closed_at IS NULL;

CREATE TABLE clo_ops.audit_item_events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    item_id bigint NOT NULL REFERENCES clo_ops.audit_items (id),
    at timestamptz NOT NULL,
    actor text NOT NULL DEFAULT '',
    what text NOT NULL CHECK (what <> ''),
    recorded_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX audit_item_events_item_id_idx ON clo_ops.audit_item_events (item_id, id);
"""
DOWN = "DROP TABLE clo_ops.audit_item_events; DROP TABLE clo_ops.audit_items;"


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
