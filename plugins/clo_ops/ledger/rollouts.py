"""Rollouts across runs: planned and approved in the fourth week, carried out in a window's run (M4-05, M4-06)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import any_, literal, select

from clo_ops.findings.plans import Outcome
from clo_ops.ledger import plan_tables
from clo_ops.ledger.approvals import Approvals, _approval
from clo_ops.ledger.columns import aware
from clo_ops.ledger.plans import Plans
from clo_ops.ledger.records import ApprovalRow, PlanRow

PLANS, STEPS, APPROVALS = plan_tables.plans, plan_tables.plan_steps, plan_tables.approvals


class Rollouts(Plans, Approvals):
    def approvals_for(self, plan: str) -> list[ApprovalRow]:
        """Every approval that was decided for the plan of this hash, of whatever run, oldest first."""
        query = select(APPROVALS).where(literal(plan) == any_(APPROVALS.c.plans), APPROVALS.c.decision != "")
        with self.transaction() as connection:
            return [_approval(row) for row in connection.execute(query.order_by(APPROVALS.c.decided_at)).mappings()]

    def waiting_rollout(self, kind: str, system: str, since: datetime) -> tuple[PlanRow, ApprovalRow] | None:
        """The newest plan of this kind that somebody else approved after ``since`` and that is still to be done.

        None once it was carried out, and once a step of it failed: what was rolled back needs a new approval.
        """
        for approval in self._approved(since):
            plan = self._planned(kind, system, approval)
            if plan is not None:
                return None if self._settled(plan) else (plan, approval)
        return None

    def _approved(self, since: datetime) -> list[ApprovalRow]:
        query = select(APPROVALS).where(
            APPROVALS.c.decision == "approved",
            APPROVALS.c.kind == "prior",
            APPROVALS.c.decided_by != APPROVALS.c.requester,
            APPROVALS.c.decided_at >= aware(since),
        )
        with self.transaction() as connection:
            return [_approval(row) for row in connection.execute(query.order_by(APPROVALS.c.id.desc())).mappings()]

    def _planned(self, kind: str, system: str, approval: ApprovalRow) -> PlanRow | None:
        for plan in self.plans_of(approval.run_id):
            if plan.kind == kind and plan.system == system and plan.hash in approval.plans and plan.steps:
                return plan
        return None

    def _settled(self, plan: PlanRow) -> bool:
        """Whether the plan of this hash failed somewhere, or every step of it is applied."""
        query = (
            select(STEPS.c.key, STEPS.c.outcome)
            .join(PLANS, PLANS.c.id == STEPS.c.plan_id)
            .where(PLANS.c.hash == plan.hash, PLANS.c.kind == plan.kind, PLANS.c.planned_at >= plan.planned_at)
        )
        with self.transaction() as connection:
            outcomes = [(row.key, row.outcome) for row in connection.execute(query)]
        applied = {key for key, outcome in outcomes if outcome == Outcome.APPLIED.value}
        failed = any(outcome == Outcome.FAILED.value for _, outcome in outcomes)
        return failed or applied == {one.step.key for one in plan.steps}

    def begun_plans(self, actions: Collection[str], since: datetime, until: datetime) -> list[PlanRow]:
        """Plans with a step of one of these kinds that began in that time, in their order."""
        query = (
            select(PLANS.c.run_id, PLANS.c.id)
            .join(STEPS, STEPS.c.plan_id == PLANS.c.id)
            .where(STEPS.c.action.in_(list(actions)))
            .where(STEPS.c.started_at >= aware(since), STEPS.c.started_at < aware(until))
            .distinct()
            .order_by(PLANS.c.id)
        )
        with self.transaction() as connection:
            found = connection.execute(query).all()
        return [plan for run, number in found for plan in self.plans_of(run) if plan.id == number]
