"""What a run may do and until when: its window, its form, its approval."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from clo_ops.rules.windows_planned import Occasion, occasion_of

if TYPE_CHECKING:
    from clo_ops.ledger import ApprovalRow
    from clo_ops.orchestration.run import Run
    from clo_ops.policy.maintenance import Kind

EMERGENCY = "maintenance_emergency"
# The field of a form that says whether a run by hand changes anything.
WORK = "work"
USUAL, PLAN, APPLY = "usual", "plan", "apply"


def is_emergency(run: Run) -> bool:
    return run.by_hand and EMERGENCY in run.cadences


def only_planned(run: Run, kind: Kind) -> str:
    """Why a plan of this kind is only shown in this run; empty where it is applied."""
    wanted = str(run.params.get(WORK) or USUAL)
    if wanted == PLAN:
        return "the run was asked for its plan"
    if wanted == APPLY or is_emergency(run):
        return ""
    if run.by_hand:
        return "a run by hand shows its plan unless its form says otherwise"
    return "" if run.policy.maintenance.duties[kind].apply else f"maintenance.yaml, duties.{kind}.apply: false"


def granted(run: Run) -> ApprovalRow | None:
    """The approval this run works under: given beforehand, or a critical change made at once (D53)."""
    decided = [one for one in run.ledger.approvals_of(run.ledger_run) if one.decision == "approved"]
    return decided[-1] if decided else None


def ran_out(run: Run, approval: ApprovalRow, now: datetime) -> bool:
    """Whether an emergency's approval holds no longer: it does for ``emergency_at_most`` from the click on."""
    if not is_emergency(run) or approval.decision != "approved" or approval.decided_at is None:
        return False
    return approval.decided_at + run.policy.maintenance.pace.emergency_at_most <= now


def occasion(run: Run) -> Occasion | None:
    """The stretch of time this run may work in; None where it has none. An emergency's begins with its approval."""
    if not is_emergency(run):
        return occasion_of(run.policy, run.cadences, run.at)
    approval = granted(run)
    starts = approval.decided_at if approval else None
    if starts is None and run.params.get(WORK) == PLAN:
        starts = run.at  # what is planned for approval is planned as if it were given
    if starts is None:
        return None
    return Occasion(
        "emergency", "Emergency maintenance", starts, starts + run.policy.maintenance.pace.emergency_at_most
    )


def allowance(run: Run, kind: Kind, now: datetime) -> tuple[timedelta, str]:
    """How long work of this kind may still go on, and by what; nothing left, and why, where it may not."""
    mine = occasion(run)
    if mine is None:
        return timedelta(), "nobody approved it" if is_emergency(run) else "this run belongs to no window of today"
    if mine.name != "emergency" and mine.name not in run.policy.maintenance.duties[kind].windows:
        return timedelta(), f"{kind} is no duty of {mine.title} (maintenance.yaml, duties)"
    if not mine.covers(now):
        return timedelta(), f"{mine} is not now ({now:%Y-%m-%d %H:%M} UTC)"
    return mine.ends - now, str(mine)
