"""DM-02: what happened to incidents since the last end-of-day run, and which of them nobody has taken yet.

Manual: Morning Startup Procedures, System Health Check (L14). Around the clock, not in business hours only (D34).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol

from clo_ops.findings import Answer, Finding, Severity, Status, Unanswered, unanswered_findings
from clo_ops.policy.morning import Night
from clo_ops.rules.figures import age, moment

PROCEDURE = "DM-02"
TAKE_IT = "Acknowledge it (CLO Ops page, Incidents), then follow its own first action."
LEDGER = "Check the PostgreSQL server of the connection clo_ledger; without it nobody knows what happened in the night."
# What the headline counts, in the order of the manual's own words.
HEADLINE = ("opened", "acknowledged", "escalated", "closed")
NAMED_AT_MOST = 8
NEVER = datetime.max.replace(tzinfo=UTC)


class Event(Protocol):
    """What happened to an incident: findings.incidents.IncidentEvent, or the ledger's own row."""

    @property
    def incident_id(self) -> int | str: ...
    @property
    def kind(self) -> str: ...
    @property
    def at(self) -> datetime: ...
    @property
    def severity(self) -> Severity: ...
    @property
    def title(self) -> str: ...


class Incident(Protocol):
    """An incident that is open: findings.incidents.OpenIncident, or the ledger's own row."""

    @property
    def id(self) -> int | str: ...
    @property
    def cause(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def procedure(self) -> str: ...
    @property
    def severity(self) -> Severity: ...
    @property
    def opened_at(self) -> datetime: ...
    @property
    def acknowledged_at(self) -> datetime | None: ...
    @property
    def response_due_at(self) -> datetime | None: ...
    @property
    def escalation_level(self) -> int: ...


def begins(policy: Night, at: datetime) -> datetime:
    """When the night began: the last end-of-day run, on the day before ``at`` (UTC)."""
    return policy.window(at)[0]


def judge(
    events: Sequence[Event] | Unanswered,
    open_incidents: Sequence[Incident] | Unanswered,
    policy: Night,
    *,
    at: datetime,
) -> list[Finding]:
    """One finding for the period, one for each incident nobody acknowledged.

    An unacknowledged incident warns, and fails once its response time is strictly over. What happened and was
    taken is no fault of this morning: it passes, told in numbers. A ledger that did not answer is unknown.
    """
    silent = tuple(one for one in (events, open_incidents) if isinstance(one, Unanswered))
    findings = unanswered_findings(PROCEDURE, Answer(unanswered=silent), Severity.P2, LEDGER)
    if not isinstance(events, Unanswered):
        begin, end = policy.window(at)
        findings.append(_period([one for one in events if begin <= one.at <= end], begin, end))
    if not isinstance(open_incidents, Unanswered):
        waiting = [one for one in open_incidents if one.acknowledged_at is None]
        findings += [_unacknowledged(one, at) for one in sorted(waiting, key=lambda one: one.response_due_at or NEVER)]
        findings += [] if waiting else [_all_taken(len(open_incidents))]
    return findings


def _period(events: Sequence[Event], begin: datetime, at: datetime) -> Finding:
    kinds: Counter[str] = Counter(one.kind for one in events)
    counts = ", ".join(f"{kinds[kind]} {kind}" for kind in HEADLINE) if events else "nothing"
    return Finding(
        procedure=PROCEDURE,
        name="incidents of the night",
        status=Status.PASS,
        expected="the period looked at, from the last end-of-day run to now",
        actual=counts,
        message=f"From {moment(begin)} to {moment(at)}: {counts}{_told(events)}.",
        labels={kind: str(kinds[kind]) for kind in HEADLINE} | {"since": begin.isoformat()},
    )


def _told(events: Sequence[Event]) -> str:
    """The incidents by name and what happened to each, the gravest first; a flood is cut and its rest counted."""
    by_incident: dict[int | str, list[Event]] = {}
    for one in sorted(events, key=lambda one: one.at):
        if one.kind in HEADLINE:
            by_incident.setdefault(one.incident_id, []).append(one)
    gravest = sorted(by_incident.values(), key=lambda happened: min(one.severity for one in happened))
    lines = [f"{happened[0].title} ({', '.join(one.kind for one in happened)})" for happened in gravest]
    rest = len(lines) - NAMED_AT_MOST
    more = f"; and {rest} more" if rest > 0 else ""
    return f": {'; '.join(lines[:NAMED_AT_MOST])}{more}" if lines else ""


def _all_taken(open_now: int) -> Finding:
    return Finding(
        procedure=PROCEDURE,
        name="open incidents",
        status=Status.PASS,
        expected="each open incident acknowledged within its response time",
        actual=f"{open_now} open, none unacknowledged",
        message=f"{open_now} open incidents, none of them unacknowledged.",
    )


def _against(due: datetime | None, opened: datetime, at: datetime) -> tuple[bool, str, str]:
    """Whether the response time is over, what it is, and how far over."""
    if due is None:
        return False, "the response time, of which none is set", "which has none set"
    over = f"overdue by {age(at - due)}" if at > due else "still in time"
    return at > due, age(due - opened), f"which is {age(due - opened)}, {over}"


def _unacknowledged(one: Incident, at: datetime) -> Finding:
    waited = age(at - one.opened_at)
    overdue, allowed, verdict = _against(one.response_due_at, one.opened_at, at)
    return Finding(
        procedure=PROCEDURE,
        name="unacknowledged incident",
        subject=f"{one.id} {one.title}",
        status=Status.FAIL if overdue else Status.WARN,
        severity=one.severity,
        expected=f"acknowledged within {allowed} ({one.severity})",
        actual=f"unacknowledged for {waited}",
        message=(
            f"{one.title} ({one.severity}, {one.procedure}) is unacknowledged for {waited}, against its response "
            f"time {verdict}; told up to rung {one.escalation_level} of its ladder."
        ),
        first_action=TAKE_IT,
        labels={"incident": str(one.id), "cause": one.cause},
    )
