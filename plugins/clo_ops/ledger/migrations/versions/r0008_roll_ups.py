"""Hourly and daily figures of each series, from which reports over months are made."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
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
