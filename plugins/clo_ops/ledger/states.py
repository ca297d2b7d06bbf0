"""The state of something at a look, kept so that the next look can say what changed (WM-08, WM-09, WF-06)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert

from clo_ops.ledger import schema
from clo_ops.ledger.columns import aware
from clo_ops.ledger.records import Evidence, StateRow
from clo_ops.ledger.store import Store


class States(Store):
    def record_state(self, run: int, kind: str, system: str, taken_at: datetime, content: Mapping[str, str]) -> None:
        """Keep what was seen in this run; a repeat of the run replaces its own."""
        row = {"system": system, "taken_at": aware(taken_at), "content": dict(content)}
        statement = upsert(schema.states).values(run_id=run, kind=kind, **row)
        with self.transaction() as connection:
            connection.execute(statement.on_conflict_do_update(index_elements=["run_id", "kind"], set_=row))

    def earlier_state(self, kind: str, system: str, before: datetime, run: int) -> StateRow | None:
        """What the newest run before this business time saw of the same system; None where none ever looked."""
        table, runs = schema.states, schema.runs
        query = (
            select(table.c.taken_at, table.c.content)
            .join(runs, runs.c.id == table.c.run_id)
            .where(table.c.kind == kind, table.c.system == system, runs.c.at < aware(before), table.c.run_id != run)
            .order_by(runs.c.at.desc(), table.c.run_id.desc())
            .limit(1)
        )
        with self.transaction() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else StateRow(row.taken_at, row.content)

    def evidence_at(self, uri: str) -> list[Evidence]:
        """What is on record of the file at this place, newest first: a repeat of a run puts its own there."""
        table = schema.evidence
        names = ("uri", "sha256", "size", "media_type", "name")
        query = select(*(table.c[name] for name in names)).where(table.c.uri == uri).order_by(table.c.id.desc())
        with self.transaction() as connection:
            return [Evidence(**row) for row in connection.execute(query).mappings()]
