"""What left a live table for the archive: periods, receipts and where each one stands."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
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
