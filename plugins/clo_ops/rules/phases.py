"""The phases of an incident and their minutes (manual L259-L283): investigated, restored and written up in time.

What must be done at once (0 to 15 min) is judged in rules.response. Strictly later than a time is late.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from clo_ops.findings import Finding
from clo_ops.rules.figures import age, moment
from clo_ops.rules.response import Event, case_of

if TYPE_CHECKING:
    from clo_ops.ledger import IncidentRow
    from clo_ops.policy import Policy

GATHERED = "Diagnostics gathered"


def judge_investigated(incident: IncidentRow, events: Sequence[Event], policy: Policy, *, at: datetime) -> Finding:
    """IR-06: what can be seen was first gathered within the policy's time from detection."""
    within = policy.alerting.response.investigated_within
    case = case_of("IR-06", "in time", f"within {age(within)} of {moment(incident.opened_at)}", incident, policy)
    first = next((one.at for one in events if one.kind == "diagnosed" and one.detail.startswith(GATHERED)), at)
    taken = first - incident.opened_at
    sentence = f"Gathered {age(taken)} after incident {incident.id} was detected"
    return case.failed(age(taken), sentence) if taken > within else case.passed(age(taken), sentence)


def judge_restored(incident: IncidentRow, policy: Policy) -> Finding:
    """IR-07: service was restored before the resolution clock ran out (D42)."""
    due, restored = incident.resolution_due_at, incident.mitigated_at or incident.closed_at
    expected = f"by {moment(due)}" if due else "restored"
    case = case_of("IR-07", "restored in time", expected, incident, policy)
    if due is None or restored is None:
        return case.not_applicable("-", f"No resolution clock runs for incident {incident.id}")
    sentence = f"Service was restored at {moment(restored)} for incident {incident.id}"
    late = f"{sentence}, {age(restored - due)} late"
    return case.failed(moment(restored), late) if restored > due else case.passed(moment(restored), sentence)


def judge_drafted(incident: IncidentRow, policy: Policy, *, at: datetime) -> Finding:
    """IR-08: the draft of the review, which is the record of the incident, is there in time after its end (D42)."""
    within = policy.alerting.response.draft_within
    closed = incident.closed_at or at
    case = case_of("IR-08", "drafted in time", f"within {age(within)} of the end", incident, policy)
    sentence = f"The record of incident {incident.id} was kept {age(at - closed)} after its end"
    return case.failed(age(at - closed), sentence) if at - closed > within else case.passed(age(at - closed), sentence)
