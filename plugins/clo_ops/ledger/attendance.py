"""Which runs there were, and which procedures came to a finding of their own in them."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

from sqlalchemy import and_, or_, select

from clo_ops.ledger import schema
from clo_ops.ledger.columns import aware
from clo_ops.ledger.store import Store

NOT_FINISHED = "not finished"


class Attendance(Store):
    def attendance(
        self, since: datetime, until: datetime, *, at_work_since: datetime | None = None
    ) -> dict[tuple[str, datetime], set[str]]:
        """By DAG and business time, of runs with since <= at < until: the procedures that ended.

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
            .where(runs.c.at >= aware(since), runs.c.at < aware(until))
        )
        found: dict[tuple[str, datetime], set[str]] = defaultdict(set)
        with self.transaction() as connection:
            for row in connection.execute(query):
                found[row.dag_id, row.at] |= {row.procedure} if row.procedure else set()
        return dict(found)
