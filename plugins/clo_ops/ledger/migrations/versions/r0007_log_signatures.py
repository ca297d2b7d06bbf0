"""Signatures of log lines by day, so that a new or growing one is told from an old one."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

UP = """
CREATE TABLE clo_ops.log_positions (
    source text PRIMARY KEY CHECK (source <> ''),
    inode text NOT NULL,
    "offset" bigint NOT NULL CHECK ("offset" >= 0),
    seen integer NOT NULL CHECK (seen >= 0),
    checksum text NOT NULL,
    read_at timestamptz NOT NULL
);

CREATE TABLE clo_ops.log_days (
    source text NOT NULL CHECK (source <> ''),
    day date NOT NULL,
    lines bigint NOT NULL CHECK (lines >= 0),
    bytes bigint NOT NULL CHECK (bytes >= 0),
    figures jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(figures) = 'object'),
    PRIMARY KEY (source, day)
);
CREATE INDEX log_days_day_idx ON clo_ops.log_days (day);

-- No line is kept, only what is left of it when everything that is somebody's is taken out.
CREATE TABLE clo_ops.log_signatures (
    source text NOT NULL,
    digest bytea NOT NULL CHECK (octet_length(digest) = 16),
    level text NOT NULL,
    signature text NOT NULL,
    first_day date NOT NULL,
    last_day date NOT NULL,
    PRIMARY KEY (source, digest)
);

CREATE TABLE clo_ops.log_signature_days (
    source text NOT NULL,
    digest bytea NOT NULL,
    day date NOT NULL,
    count bigint NOT NULL CHECK (count > 0),
    PRIMARY KEY (source, digest, day),
    CONSTRAINT log_signature_days_source_digest_fkey
        FOREIGN KEY (source, digest) REFERENCES clo_ops.log_signatures ON DELETE CASCADE
);
CREATE INDEX log_signature_days_day_idx ON clo_ops.log_signature_days (day);
"""
DOWN = """
DROP TABLE clo_ops.log_signature_days;
DROP TABLE clo_ops.log_signatures;
DROP TABLE clo_ops.log_days;
DROP TABLE clo_ops.log_positions;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
