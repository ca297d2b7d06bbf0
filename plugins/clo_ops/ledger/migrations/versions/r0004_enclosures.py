"""Messages of the outbox may carry files: where each is kept as evidence, with its SHA-256."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

UP = """
ALTER TABLE clo_ops.outbox
    ADD COLUMN attachments jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(attachments) = 'array');
"""
DOWN = "ALTER TABLE clo_ops.outbox DROP COLUMN attachments;"


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
