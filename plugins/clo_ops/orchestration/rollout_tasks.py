"""The step of the fourth week that is no procedure: plan the rollout, and ask for its approval (M4-05, M4-06)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from clo_ops.findings.plans import hash_of
from clo_ops.orchestration import rollout
from clo_ops.orchestration.procedure import open_run

if TYPE_CHECKING:
    from clo_ops.ledger import ApprovalRow
    from clo_ops.orchestration.run import Run

SCHEDULE = "the schedule"
PLANNED_PAGE = """### What is planned

Makes the plans of the rollout from what the hosts and the applications have pending now, with exact versions, and asks
for their approval; nothing is changed. Red means: nobody could be asked what is pending."""


class RolloutPlanOperator(BaseOperator):
    """Plans the rollout and asks for its approval. A repeat makes the plans anew: what was approved stays approved."""

    ui_color = "#f7efd6"

    def execute(self, context: Mapping[str, Any]) -> str:
        with open_run(context, self.task_id) as run:
            asked = ask(run, datetime.now(UTC))
        if asked is None:
            return "there is nothing to roll out"
        self.log.info("change %s: %s", asked.id, asked.hash)
        return f"change {asked.id}: {asked.authority}, work {asked.hash}"


def ask(run: Run, now: datetime) -> ApprovalRow | None:
    """The approval of both plans by their hashes, asked for; None where nothing is to be rolled out."""
    plans = [plan for plan, _ in (rollout.plan_hosts(run), rollout.plan_applications(run)) if plan.steps]
    for plan in plans:
        run.ledger.keep_plan(run.ledger_run, plan)
    if not plans:
        return None
    return run.ledger.ask_approval(
        run.ledger_run,
        hash_of(plan.hash for plan in plans),
        [plan.hash for plan in plans],
        kind="prior",
        authority=run.policy.updates.rollout.approver,
        requester=run.asked_by if run.by_hand else SCHEDULE,
        reason=f"Updates of {run.at:%Y-%m}: {', '.join(step.key for plan in plans for step in plan.steps)}"[:400],
        at=now,
    )
