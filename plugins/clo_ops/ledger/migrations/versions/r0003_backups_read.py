"""Backups: when the file was last changed and last read whole, so that it is not read again without need."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

UP = "ALTER TABLE clo_ops.backups ADD COLUMN modified_at timestamptz, ADD COLUMN read_at timestamptz"
DOWN = "ALTER TABLE clo_ops.backups DROP COLUMN modified_at, DROP COLUMN read_at"


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
