"""An access review is an item of the register too: open until its reviewer has answered."""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

UP = """
ALTER TABLE clo_ops.audit_items DROP CONSTRAINT audit_items_kind_check;
ALTER TABLE clo_ops.audit_items ADD CONSTRAINT audit_items_kind_check CHECK (kind IN
    ('penetration test', 'gap', 'recommendation', 'policy', 'monitoring', 'training', 'access review'));
"""
DOWN = """
DELETE FROM clo_ops.audit_item_events e USING clo_ops.audit_items i WHERE i.id = e.item_id AND i.kind = 'access review';
DELETE FROM clo_ops.audit_items WHERE kind = 'access review';
ALTER TABLE clo_ops.audit_items DROP CONSTRAINT audit_items_kind_check;
ALTER TABLE clo_ops.audit_items ADD CONSTRAINT audit_items_kind_check CHECK (kind IN
    ('penetration test', 'gap', 'recommendation', 'policy', 'monitoring', 'training'));
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
