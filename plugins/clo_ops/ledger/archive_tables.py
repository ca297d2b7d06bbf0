"""The ledger's tables of what left for the archive; their metadata is that of ``schema``."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Table, text

from clo_ops.ledger.columns import CleanText, CleanTexts, Instant, recorded_at, words
from clo_ops.ledger.schema import metadata

archive_files = Table(
    "archive_files",
    metadata,
    Column("system", CleanText, primary_key=True),
    Column("name", CleanText, primary_key=True),
    words("period"),
    Column("first_id", BigInteger, nullable=False),
    Column("last_id", BigInteger, nullable=False),
    Column("state", CleanText, nullable=False),
    Column("deleted", BigInteger, nullable=False, server_default=text("0")),
    Column("held", BigInteger, nullable=False, server_default=text("0")),
    words("prev_hash"),
    words("last_hash"),
    words("sha256"),
    words("manifest_sha256"),
    Column("size_bytes", BigInteger),
    words("failure"),
    Column("approved_by", CleanTexts, nullable=False, server_default=text("'{}'")),
    Column("changed_at", Instant, nullable=False),
    recorded_at(),
    Index("archive_files_system_first_id_idx", "system", "first_id"),
)

# Receipts follow each other by hash; they, and the heads that were seen, are written once.
archive_receipts = Table(
    "archive_receipts",
    metadata,
    Column("system", CleanText, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("first_id", BigInteger, nullable=False),
    Column("last_id", BigInteger, nullable=False),
    Column("prev_hash", CleanText, nullable=False),
    Column("last_hash", CleanText, nullable=False),
    Column("archive", CleanText, nullable=False),
    Column("manifest_sha256", CleanText, nullable=False),
    Column("previous", CleanText, nullable=False),
    Column("hash", CleanText, nullable=False),
    Column("audit_id", BigInteger, nullable=False),
    recorded_at(),
)

chain_heads = Table(
    "chain_heads",
    metadata,
    Column("system", CleanText, primary_key=True),
    Column("head_id", BigInteger, primary_key=True),
    Column("row_hash", CleanText, nullable=False),
    Column("seen_at", Instant, nullable=False),
    recorded_at(),
)
