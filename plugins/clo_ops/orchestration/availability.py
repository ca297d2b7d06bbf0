"""How available the service was over any time, from what the ledger has: looks, outages, windows announced in time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from clo_ops.rules import looks
from clo_ops.rules.availability import Availability, Outage, availability
from clo_ops.rules.spans import Span

if TYPE_CHECKING:
    from clo_ops.ledger import IncidentRow, Ledger
    from clo_ops.policy import Policy

RAISED_TO = " to P1"


def availability_of(ledger: Ledger, policy: Policy, since: datetime, until: datetime) -> Availability:
    """Of since to until (aware; bring the roll-ups up to date first: it reads the hours)."""
    (found,) = availability_in(ledger, policy, [(since, until)])
    return found


def availability_in(ledger: Ledger, policy: Policy, spans: Sequence[Span]) -> list[Availability]:
    """The same of each of these spans, oldest first; what is known of them all is read once."""
    since, until = spans[0][0], spans[-1][1]
    begin = since.replace(minute=0, second=0, microsecond=0)
    hours = looks.hourly(one for one in ledger.hours(looks.METRIC, begin, until) if not one.labels)
    found = [outage_of(ledger, one, until) for one in ledger.incidents_of(since, until) if looks.is_outage(one, policy)]
    grain, planned = policy.capacity.roll_ups.sample_holds, announced(ledger, policy, since, until)
    return [availability(hours, found, planned, *span, grain) for span in spans]


def outage_of(ledger: Ledger, incident: IncidentRow, until: datetime) -> Outage:
    """An incident may begin as a slow answer and become an outage later, and stay open after service is back."""
    raised = (one for one in ledger.timeline(incident.id, ["severity_raised"]) if RAISED_TO in one.detail)
    worst = next((one.at for one in raised), incident.opened_at)
    end = incident.mitigated_at or incident.closed_at or until
    seen = ledger.measurements(looks.METRIC, worst, max(worst, end))
    answered = next((one.at for one in seen if not one.labels and one.value > looks.DOWN), None)
    return looks.outage(incident, worst, answered)


def announced(ledger: Ledger, policy: Policy, since: datetime, until: datetime) -> list[Span]:
    """The windows users were told of in time (D45): at least the policy's notice before they began."""
    told = ledger.windows_told(since, until)
    return [(one.starts_at, one.ends_at) for one in told if one.told_at + policy.windows.notice <= one.starts_at]
