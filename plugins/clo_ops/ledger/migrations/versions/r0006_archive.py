"""What left a live table for the archive: periods, receipts and where each one stands."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

UP = """
CREATE TABLE clo_ops.archive_files (
    system text NOT NULL CHECK (system <> ''),
    name text NOT NULL CHECK (name <> ''),
    period text NOT NULL DEFAULT '',
    first_id bigint NOT NULL CHECK (first_id >= 1),
    last_id bigint NOT NULL,
    state text NOT NULL
        CHECK (state IN ('planned', 'written', 'verified', 'leaving', 'done', 'expiring', 'expired')),
    deleted bigint NOT NULL DEFAULT 0 CHECK (deleted >= 0),
    held bigint NOT NULL DEFAULT 0 CHECK (held >= 0),
    prev_hash text NOT NULL DEFAULT '',
    last_hash text NOT NULL DEFAULT '',
    sha256 text NOT NULL DEFAULT '',
    manifest_sha256 text NOT NULL DEFAULT '',
    size_bytes bigint CHECK (size_bytes >= 0),
    failure text NOT NULL DEFAULT '',
    approved_by text[] NOT NULL DEFAULT '{}',
    changed_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (system, name),
    CHECK (last_id >= first_id),
    CHECK (state IN ('planned', 'written') OR manifest_sha256 ~ '^[0-9a-f]{64}$'),
    CHECK (state NOT IN ('expiring', 'expired') OR cardinality(approved_by) >= 2)
);
CREATE INDEX archive_files_system_first_id_idx ON clo_ops.archive_files (system, first_id);

-- Receipts follow each other by hash; they are written once and never changed, nor are the heads that were seen.
CREATE TABLE clo_ops.archive_receipts (
    system text NOT NULL CHECK (system <> ''),
    number bigint NOT NULL CHECK (number >= 1),
    first_id bigint NOT NULL,
    last_id bigint NOT NULL,
    prev_hash text NOT NULL CHECK (prev_hash ~ '^[0-9a-f]{64}$'),
    last_hash text NOT NULL CHECK (last_hash ~ '^[0-9a-f]{64}$'),
    archive text NOT NULL CHECK (archive <> ''),
    manifest_sha256 text NOT NULL CHECK (manifest_sha256 ~ '^[0-9a-f]{64}$'),
    previous text NOT NULL CHECK (previous ~ '^[0-9a-f]{64}$'),
    hash text NOT NULL CHECK (hash ~ '^[0-9a-f]{64}$'),
    audit_id bigint NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (system, number),
    CHECK (last_id >= first_id)
);

CREATE TABLE clo_ops.chain_heads (
    system text NOT NULL CHECK (system <> ''),
    head_id bigint NOT NULL CHECK (head_id >= 1),
    row_hash text NOT NULL CHECK (row_hash ~ '^[0-9a-f]{64}$'),
    seen_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (system, head_id)
);
"""
DOWN = """
DROP TABLE clo_ops.chain_heads;
DROP TABLE clo_ops.archive_receipts;
DROP TABLE clo_ops.archive_files;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
