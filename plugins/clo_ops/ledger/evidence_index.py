"""The ledger's index of evidence files by the time of their runs, and the ends of the audit trails it remembers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, cast

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import distinct_on

from clo_ops.findings.monthly import Entry
from clo_ops.ledger import archive_tables, schema
from clo_ops.ledger.columns import aware
from clo_ops.ledger.records import Evidence
from clo_ops.ledger.store import Store

AT_ONCE = 1000


class EvidenceIndex(Store):
    def evidence_between(self, since: datetime, until: datetime) -> Iterator[Entry]:
        """Every file on record of runs from ``since`` to before ``until``, each once, in the order of their places."""
        table, runs = schema.evidence, schema.runs
        same = (table.c.uri, table.c.sha256, table.c.size, table.c.media_type, table.c.name)
        whose = (runs.c.dag_id, runs.c.run_id, runs.c.at)
        query = (
            select(*same, *whose, func.array_agg(table.c.procedure.distinct()).label("procedures"))
            .join(runs, runs.c.id == table.c.run_id)
            .where(runs.c.at >= aware(since), runs.c.at < aware(until))
            .group_by(*same, *whose)
            .order_by(table.c.uri.collate("C"), table.c.sha256.collate("C"))
        )
        with self.transaction() as connection:
            for row in connection.execution_options(yield_per=AT_ONCE).execute(query).mappings():
                kept = Evidence(row["uri"], row["sha256"], row["size"], row["media_type"], row["name"])
                yield Entry(kept, row["dag_id"], row["run_id"], row["at"], tuple(sorted(row["procedures"])))

    def evidence_uris(self, since: datetime, until: datetime) -> Iterator[str]:
        """Every place on record of runs from ``since`` to before ``until``."""
        table, runs = schema.evidence, schema.runs
        within = (runs.c.at >= aware(since), runs.c.at < aware(until))
        query = select(table.c.uri).join(runs, runs.c.id == table.c.run_id).where(*within)
        with self.transaction() as connection:
            yield from connection.execution_options(yield_per=AT_ONCE).scalars(query)

    def evidence_since(self) -> datetime | None:
        """The time of the oldest run that has evidence on record; None where none has."""
        runs = schema.runs
        query = select(func.min(runs.c.at)).join(schema.evidence, schema.evidence.c.run_id == runs.c.id)
        with self.transaction() as connection:
            return cast("datetime | None", connection.scalar(query))

    def evidence_with(self, sha256: str) -> Evidence | None:
        """The newest file on record with this hash."""
        table = schema.evidence
        names = ("uri", "sha256", "size", "media_type", "name")
        query = select(*(table.c[name] for name in names)).where(table.c.sha256 == sha256)
        with self.transaction() as connection:
            row = connection.execute(query.order_by(table.c.id.desc()).limit(1)).mappings().first()
        return Evidence(**row) if row else None

    def trail_ends(self) -> dict[str, list[dict[str, Any]]]:
        """Of each audit trail the newest row that was seen while the trail was whole, and the newest receipt."""
        heads, receipts = archive_tables.chain_heads, archive_tables.archive_receipts
        seen = select(heads).ext(distinct_on(heads.c.system)).order_by(heads.c.system, heads.c.head_id.desc())
        left = (
            select(receipts).ext(distinct_on(receipts.c.system)).order_by(receipts.c.system, receipts.c.number.desc())
        )
        with self.transaction() as connection:
            return {
                "trails": [
                    {name: row[name] for name in ("system", "head_id", "row_hash", "seen_at")}
                    for row in connection.execute(seen).mappings()
                ],
                "receipts": [
                    {name: row[name] for name in ("system", "number", "hash")}
                    for row in connection.execute(left).mappings()
                ],
            }
