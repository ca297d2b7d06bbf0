"""What a review decided to do: ticked off by a person, and an incident of its own when it is not done in time (IR-08).

An overdue action is told once for each date it was promised for; moving the date gives it another.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from clo_ops.escalation.sighting import Sighting
from clo_ops.findings import Severity
from clo_ops.rules.figures import moment

if TYPE_CHECKING:
    from clo_ops.escalation.desk import Desk
    from clo_ops.ledger import IncidentAction
    from clo_ops.policy import Policy

PROCEDURE = "IR-08"
KIND = "action"


def cause(action: int) -> str:
    return f"{KIND}:{action}"


def escalate(desk: Desk, now: datetime) -> int:
    """Open the incident of each action whose date has passed strictly; how many were opened now."""
    late = [one for one in desk.ledger.actions(open_only=True) if now > one.due_at]
    return sum(_told_once(desk, one, now) for one in late)


def finish(desk: Desk, action: int, by: str, now: datetime) -> IncidentAction:
    """Done, the first time stays; the incident of its being overdue is over. Raises LedgerConflict: there is none."""
    with desk.ledger.transaction():
        known = next((one for one in desk.ledger.actions() if one.id == action), None)
        done = desk.ledger.finish_action(action, by, now)
        if known is not None and known.done_at is None:
            desk.note(done.incident_id, by, f"Action done: {done.title} ({done.owner})", now)
            desk.clear(cause(action), now, f"{by} says that it is done")
        return done


def promise(desk: Desk, incident: int, title: str, owner: str, due_at: datetime, *, by: str, now: datetime) -> int:
    """A new action, or another owner and date for the one of the same words; its number. Raises LedgerConflict."""
    with desk.ledger.transaction():
        action = desk.ledger.add_action(incident, title, owner, due_at, at=now, by=by)
        desk.clear(cause(action), now, f"{by} says it is done by {moment(due_at)}, by {owner}")
        return action


def _told_once(desk: Desk, late: IncidentAction, now: datetime) -> bool:
    step = f"action {late.id} overdue since {late.due_at.isoformat()}"
    with desk.ledger.transaction():
        words = f"overdue: {late.title} ({late.owner})"
        if not desk.ledger.mark_step_told(late.incident_id, step, now, words):
            return False
        desk.detect(_sighting(late, desk.policy, now))
        return True


def _sighting(late: IncidentAction, policy: Policy, now: datetime) -> Sighting:
    entry = policy.procedures[PROCEDURE]
    return Sighting(
        cause=cause(late.id),
        severity=Severity.P3,
        title=f"Overdue after incident {late.incident_id}: {late.title}",
        procedure=PROCEDURE,
        at=now,
        observed=f"{late.owner} has not said that it is done: {late.title}",
        allowed=f"done by {moment(late.due_at)}",
        manual=f"{' / '.join(entry.section)} ({entry.lines})",
        first_action=f"Tick it off on the page of incident {late.incident_id}, or give it another date there.",
    )
