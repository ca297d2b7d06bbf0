"""What came of an audit and is not closed by its date: an incident of its own, told once for each date (M1-07, M1-09).

Between two audits as well: the desk looks every round. Closed, or given another date, its incident is over.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from clo_ops.escalation.sighting import Sighting
from clo_ops.findings import Severity
from clo_ops.findings.audit_items import PENETRATION_TEST, REVIEW, Item
from clo_ops.rules.audit_items import told

if TYPE_CHECKING:
    from clo_ops.escalation.desk import Desk
    from clo_ops.policy import Policy

KIND = "item"
PAGE = "monthly_week1_security_audit"


def cause(item: int) -> str:
    return f"{KIND}:{item}"


def escalate(desk: Desk, now: datetime) -> int:
    """Opens the incident of each item whose date has passed strictly; how many were opened now."""
    items = desk.ledger.audit_items(open_only=True)
    late = [one for one in items if one.overdue(now)]
    _over(desk, {cause(one.id) for one in late}, now)
    return sum(_told_once(desk, one, now) for one in late)


def _over(desk: Desk, still: set[str], now: datetime) -> None:
    for incident in desk.ledger.open_incidents(now):
        if incident.cause.startswith(f"{KIND}:") and incident.cause not in still:
            desk.clear(incident.cause, now, "closed, or given another date")


def _told_once(desk: Desk, late: Item, now: datetime) -> bool:
    if late.told_due_at == late.due_at:
        return False
    with desk.ledger.transaction():
        if not desk.ledger.tell_item_late(late, now):
            return False
        desk.detect(_sighting(late, desk.policy, now))
        return True


def _sighting(late: Item, policy: Policy, now: datetime) -> Sighting:
    entry = policy.procedures["M1-07" if late.kind == PENETRATION_TEST else "M1-09"]
    grave = late.rating == "critical" or now - late.due_at > policy.audit.programme.grave_after
    return Sighting(
        cause=cause(late.id),
        severity=Severity.P2 if grave else Severity.P3,
        title=f"Overdue {late.kind}: {late.title}",
        procedure=entry.id,
        at=now,
        observed=f"{late.owner} has not closed it: {told(late, now)}",
        allowed=f"closed by {late.due_at:%Y-%m-%d}",
        manual=f"{' / '.join(entry.section)} ({entry.lines})",
        first_action=f"{entry.first_action}. {_what_to_do(late)}",
    )


def _what_to_do(late: Item) -> str:
    if late.kind == REVIEW:
        return f"Start {PAGE} by hand with the cadence Access review: it asks again, with the list of today."
    return f"Close item {late.id}, or give it another date, in the audit's form."
