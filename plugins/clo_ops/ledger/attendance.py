"""Which runs there were, and which procedures came to a finding of their own in them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime

from sqlalchemy import and_, func, or_, select, tuple_
from sqlalchemy.dialects.postgresql import distinct_on

from clo_ops.findings import Status
from clo_ops.ledger import schema
from clo_ops.ledger.columns import aware
from clo_ops.ledger.records import ProcedureSeen
from clo_ops.ledger.store import Store

NOT_FINISHED, NOT_DUE = "not finished", "not due"


class Attendance(Store):
    def attendance(
        self, planned: Collection[tuple[str, datetime]], *, at_work_since: datetime | None = None
    ) -> dict[tuple[str, datetime], set[str]]:
        """By DAG and business time, of those runs that are on record: the procedures that ended.

        A procedure that was begun and never ended (its only finding says so) is not among them, unless it was begun
        after ``at_work_since``; a run that was opened and recorded nothing has an empty set.
        """
        runs, findings = schema.runs, schema.findings
        there = findings.c.name != NOT_FINISHED
        if at_work_since is not None:
            there = or_(there, findings.c.recorded_at > aware(at_work_since))
        ended = and_(findings.c.run_id == runs.c.id, there)
        query = (
            select(runs.c.dag_id, runs.c.at, findings.c.procedure)
            .distinct()
            .select_from(runs.outerjoin(findings, ended))
            .where(tuple_(runs.c.dag_id, runs.c.at).in_([(dag, aware(at)) for dag, at in planned]))
        )
        found: dict[tuple[str, datetime], set[str]] = defaultdict(set)
        if planned:
            with self.transaction() as connection:
                for row in connection.execute(query):
                    found[row.dag_id, row.at] |= {row.procedure} if row.procedure else set()
        return dict(found)

    def procedures_seen(self, since: datetime, until: datetime, at_work_since: datetime) -> list[ProcedureSeen]:
        """Each procedure by the newest run with since <= at < until in which it was due, by DAG and id.

        One begun after ``at_work_since`` and not ended is at work: the run before it speaks.
        """
        runs, findings = schema.runs, schema.findings
        keys = (runs.c.dag_id, findings.c.procedure, runs.c.at)
        ended = or_(findings.c.name != NOT_FINISHED, findings.c.recorded_at <= aware(at_work_since))
        query = (
            select(*keys, func.array_agg(findings.c.status.distinct()).label("statuses"))
            .ext(distinct_on(runs.c.dag_id, findings.c.procedure))
            .join_from(findings, runs, findings.c.run_id == runs.c.id)
            .where(runs.c.at >= aware(since), runs.c.at < aware(until), findings.c.name != NOT_DUE, ended)
            .group_by(*keys)
            .order_by(runs.c.dag_id, findings.c.procedure, runs.c.at.desc())
        )
        with self.transaction() as connection:
            return [
                ProcedureSeen(row.dag_id, row.procedure, row.at, frozenset(map(Status, row.statuses)))
                for row in connection.execute(query)
            ]
