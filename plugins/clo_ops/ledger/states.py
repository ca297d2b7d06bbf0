"""The state of something at a look, kept so that the next look can say what changed (WM-08, WM-09, WF-06)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import ColumnElement, exists, func, select
from sqlalchemy.dialects.postgresql import insert as upsert

from clo_ops.findings import Status
from clo_ops.ledger import schema
from clo_ops.ledger.columns import aware
from clo_ops.ledger.records import Evidence, StateRow
from clo_ops.ledger.store import Store


def _answered(procedure: str, subject: str) -> tuple[ColumnElement[bool], ...]:
    """Findings of the procedure about the subject that say something; "could not ask" says nothing."""
    table = schema.findings
    return (
        table.c.procedure == procedure,
        table.c.subject == subject,
        table.c.status != Status.UNKNOWN.value,
    )


class States(Store):
    def record_state(self, run: int, kind: str, system: str, taken_at: datetime, content: Mapping[str, str]) -> None:
        """Keep what was seen in this run; a repeat of the run replaces its own."""
        row = {"system": system, "taken_at": aware(taken_at), "content": dict(content)}
        statement = upsert(schema.states).values(run_id=run, kind=kind, **row)
        with self.transaction() as connection:
            connection.execute(statement.on_conflict_do_update(index_elements=["run_id", "kind"], set_=row))

    def earlier_state(
        self, kind: str, system: str | None, before: datetime, run: int, told: tuple[str, str] | None = None
    ) -> StateRow | None:
        """What the newest run before this business time saw of the same system, or of any; None where none looked.

        ``told``: procedure and subject whose finding has to be on record in that run. What was seen by a worker that
        was killed before it told anybody is no look to compare with: the change between would be lost.
        """
        table, runs = schema.states, schema.runs
        query = (
            select(table.c.taken_at, table.c.content)
            .join(runs, runs.c.id == table.c.run_id)
            .where(table.c.kind == kind, runs.c.at < aware(before), table.c.run_id != run)
            .order_by(runs.c.at.desc(), table.c.run_id.desc())
            .limit(1)
        )
        if system is not None:
            query = query.where(table.c.system == system)
        if told is not None:
            query = query.where(exists().where(schema.findings.c.run_id == table.c.run_id, *_answered(*told)))
        with self.transaction() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else StateRow(row.taken_at, row.content)

    def last_answered(self, dag_id: str, procedure: str, subject: str, before: datetime) -> datetime | None:
        """Business time of the newest run of the page before ``before`` in which this was asked and answered."""
        table, runs = schema.findings, schema.runs
        query = (
            select(func.max(runs.c.at))
            .join(table, table.c.run_id == runs.c.id)
            .where(runs.c.dag_id == dag_id, runs.c.at < aware(before), *_answered(procedure, subject))
        )
        with self.transaction() as connection:
            found: datetime | None = connection.execute(query).scalar_one()
        return found

    def evidence_at(self, uri: str) -> list[Evidence]:
        """What is on record of the file at this place, newest first: a repeat of a run puts its own there."""
        table = schema.evidence
        names = ("uri", "sha256", "size", "media_type", "name")
        query = select(*(table.c[name] for name in names)).where(table.c.uri == uri).order_by(table.c.id.desc())
        with self.transaction() as connection:
            return [Evidence(**row) for row in connection.execute(query).mappings()]
