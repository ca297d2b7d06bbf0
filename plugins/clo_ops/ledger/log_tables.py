"""The ledger's tables of what logs said; beside those of ``schema``, whose metadata they belong to."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Date, ForeignKeyConstraint, Index, Integer, LargeBinary, Table, text

from clo_ops.ledger.columns import CleanJson, CleanText, Instant
from clo_ops.ledger.schema import metadata

positions = Table(
    "log_positions",
    metadata,
    Column("source", CleanText, primary_key=True),
    Column("inode", CleanText, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("seen", Integer, nullable=False),
    Column("checksum", CleanText, nullable=False),
    Column("read_at", Instant, nullable=False),
)

days = Table(
    "log_days",
    metadata,
    Column("source", CleanText, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("lines", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("figures", CleanJson, nullable=False, server_default=text("'{}'")),
    Index("log_days_day_idx", "day"),
)

signatures = Table(
    "log_signatures",
    metadata,
    Column("source", CleanText, primary_key=True),
    Column("digest", LargeBinary, primary_key=True),
    Column("level", CleanText, nullable=False),
    Column("signature", CleanText, nullable=False),
    Column("first_day", Date, nullable=False),
    Column("last_day", Date, nullable=False),
)

signature_days = Table(
    "log_signature_days",
    metadata,
    Column("source", CleanText, primary_key=True),
    Column("digest", LargeBinary, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("count", BigInteger, nullable=False),
    ForeignKeyConstraint(
        ["source", "digest"],
        ["clo_ops.log_signatures.source", "clo_ops.log_signatures.digest"],
        name="log_signature_days_source_digest_fkey",
        ondelete="CASCADE",
    ),
    Index("log_signature_days_day_idx", "day"),
)
