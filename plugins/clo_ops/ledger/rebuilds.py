"""Rebuilds of indexes by us, as the steps of our plans have them on record: what is ours, and what a rebuild won."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import RowMapping, select

from clo_ops.findings.plans import Outcome
from clo_ops.findings.upkeep import Attempt
from clo_ops.ledger import plan_tables
from clo_ops.ledger.columns import aware
from clo_ops.ledger.store import Store

PLANS, STEPS = plan_tables.plans, plan_tables.plan_steps
READ = [STEPS.c[name] for name in ("target", "before", "after", "started_at", "ended_at", "outcome")]


def _attempt(row: RowMapping) -> Attempt:
    made = Attempt.of(row["target"], row["before"], row["started_at"])
    if row["ended_at"] is None:  # what an earlier try of the same step noted says nothing about this one
        return made
    after = row["after"] or {}
    return Attempt(
        **{name: getattr(made, name) for name in ("index", "table", "oid", "xid", "others", "started", "before")},
        ended=row["ended_at"],
        xid_after=after.get("xid"),
        applied=row["outcome"] == Outcome.APPLIED.value,
        after=after.get("bytes"),
    )


class Rebuilds(Store):
    def rebuilds(self, system: str, since: datetime) -> list[Attempt]:
        """Rebuilds of indexes of ``system`` that were begun since then, oldest first; killed ones never ended."""
        begun = (STEPS.c.action == "reindex", STEPS.c.started_at >= aware(since), PLANS.c.system == system)
        query = select(*READ).join_from(STEPS, PLANS, STEPS.c.plan_id == PLANS.c.id).where(*begun)
        with self.transaction() as connection:
            return [_attempt(row) for row in connection.execute(query.order_by(STEPS.c.started_at)).mappings()]
