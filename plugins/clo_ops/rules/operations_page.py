"""What the operations page shows, line by line, and whether there is anything behind it (RP-05; manual L308-L317).

A line is a figure with its time and its status. What the watch looks at is seconds old; what is measured in business
hours says when it was. A watch that is silent makes all it looked at unknown, whatever stands on record.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from clo_ops.findings import Answer, Finding, Measurement, Severity, Status, unanswered_findings
from clo_ops.findings.finding import RANK
from clo_ops.rules.clocks import time_left
from clo_ops.rules.figures import age, figure, moment
from clo_ops.rules.rota import Role, next_hand_over, on_call
from clo_ops.rules.verdicts import Case

if TYPE_CHECKING:
    from clo_ops.policy import Policy

PROCEDURE = "RP-05"
ROLES: tuple[Role, ...] = ("primary", "secondary")
LEVELS = {"ok": Status.PASS, "warning": Status.WARN, "critical": Status.FAIL}
# A figure of business hours is of now while it is younger than three of its rounds.
OF_NOW = timedelta(minutes=15)
# A restore is proven every week (ED-05), and a day is allowed for it.
PROVEN_WITHIN = timedelta(days=8)
ASKS_FOR_LOGIN, OPENED = (401, 403, 302, 303, 307), 200
GRAVE = {Severity.P1: Status.FAIL, Severity.P2: Status.WARN, Severity.P3: Status.WARN, Severity.P4: Status.WARN}
WATCHED: Mapping[str, tuple[str, ...]] = {
    "Performance": ("response_time",),
    "Resources": ("cpu", "memory", "disk", "database_connections"),
    "Users": ("failed_logins",),
    "Business": ("failed_calculations",),
}


class Alert(Protocol):
    """One alert as the ledger has it."""

    @property
    def rule(self) -> str: ...
    @property
    def labels(self) -> Mapping[str, str]: ...
    @property
    def level(self) -> str: ...
    @property
    def value(self) -> float | None: ...
    @property
    def looked_at(self) -> datetime: ...


class Incident(Protocol):
    """An open incident as the ledger has it."""

    @property
    def id(self) -> int: ...
    @property
    def title(self) -> str: ...
    @property
    def severity(self) -> Severity: ...
    @property
    def acknowledged_by(self) -> str | None: ...
    @property
    def acknowledged_at(self) -> datetime | None: ...
    @property
    def response_due_at(self) -> datetime | None: ...
    @property
    def mitigated_at(self) -> datetime | None: ...
    @property
    def resolution_due_at(self) -> datetime | None: ...


@dataclass(frozen=True, slots=True)
class Line:
    """``shown`` is the figure with its unit, ``at`` when it was taken (None: it never was)."""

    what: str
    shown: str
    status: Status
    at: datetime | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """A heading of the manual's dashboard with its lines."""

    name: str
    lines: tuple[Line, ...]

    @property
    def status(self) -> Status:
        """The worst of its lines; of figures nobody takes now nothing is said."""
        return gravest(one.status for one in self.lines)

    @property
    def empty(self) -> bool:
        """Whether not a single figure of it is on record."""
        return all(one.at is None for one in self.lines)


def gravest(statuses: Iterable[Status]) -> Status:
    """The worst of those that judge anything; not applicable where none does."""
    known = set(statuses)
    return next((one for one in RANK if one in known and one is not Status.NOT_APPLICABLE), Status.NOT_APPLICABLE)


def silent(looked_at: datetime | None, policy: Policy, now: datetime) -> bool:
    """Whether the watch has given no sign of life for strictly longer than policy allows."""
    return looked_at is None or now - looked_at > policy.alerting.watch.silent_for


def watch(looked_at: datetime | None, policy: Policy, now: datetime) -> Line:
    if looked_at is None:
        return Line("The watch", "never looked", Status.UNKNOWN)
    ago = f"last look {age(now - looked_at)} ago"
    quiet = silent(looked_at, policy, now)
    return Line("The watch", ago, Status.UNKNOWN if quiet else Status.PASS, looked_at, "silent" if quiet else "")


def watched(
    alerts: Sequence[Alert], rules: Iterable[str], policy: Policy, *, quiet: bool, now: datetime
) -> Iterator[Line]:
    """What the watch last saw of these rules of thresholds.yaml, each series for itself."""
    for name in rules:
        if name not in policy.thresholds:
            continue
        rule, mine = policy.thresholds[name], [one for one in alerts if one.rule == name]
        levels = " and ".join(figure(one.above, rule.unit) for one in (rule.warning, rule.critical))
        for one in mine:
            old = quiet or now - one.looked_at > OF_NOW
            status = Status.UNKNOWN if old else LEVELS.get(one.level, Status.UNKNOWN)
            shown = "no answer" if one.value is None else figure(one.value, rule.unit)
            yield Line(" ".join([rule.title, *one.labels.values()]), shown, status, one.looked_at, f"levels {levels}")
        if not mine:
            yield Line(rule.title, "not looked at", Status.UNKNOWN, None, f"levels {levels}")


def measured(found: Sequence[Measurement], titles: Mapping[str, str], now: datetime) -> Iterator[Line]:
    """The newest of each series of these metrics, by ``titles``; what nobody measured has no source."""
    for metric, title in titles.items():
        mine = [one for one in found if one.name == metric]
        for one in mine:
            what = " ".join([title, *one.labels.values()])
            of_now = now - one.at <= OF_NOW
            status = Status.PASS if of_now else Status.NOT_APPLICABLE
            note = "" if of_now else "measured in business hours"
            yield Line(what, figure(one.value, one.unit), status, one.at, note)
        if not mine:
            yield Line(title, "no source", Status.NOT_APPLICABLE)


def components(findings: Iterable[Finding], at: datetime) -> Iterator[Line]:
    """Each component as the morning found it (DM-01)."""
    for one in findings:
        if one.name == "component health":
            yield Line(one.subject, one.actual, one.status, at, "DM-01")


def restored(path: str, level: str, since: datetime | None, now: datetime) -> Line:
    """The last restore that was proven; none, or one that is too old, is told as such."""
    if since is None:
        return Line("Last proven restore", "none on record", Status.UNKNOWN)
    old = now - since > PROVEN_WITHIN
    note = f"{path}, {level}" + (f"; allowed is {age(PROVEN_WITHIN)}" if old else "")
    shown = f"{age(now - since)} ago ({moment(since)})"
    return Line("Last proven restore", shown, Status.WARN if old else Status.PASS, since, note)


def duty(policy: Policy, now: datetime) -> list[Line]:
    """Who is on call now, and until when."""
    rota, calendar = policy.alerting.rota, policy.business_calendar
    who = [(role, policy.contacts.people[on_call(role, now, rota, calendar)]) for role in ROLES]
    lines = [Line(f"On call, {role}", one.name, Status.PASS, now, one.phone or one.email or "") for role, one in who]
    return [*lines, Line("Next hand-over", moment(next_hand_over(now, rota, calendar)), Status.PASS, now)]


def clock(one: Incident, now: datetime) -> str:
    """The clock that matters next: the answer, then the resolution."""
    if one.acknowledged_at is None:
        return f"answer: {time_left(one.response_due_at, now)}"
    if one.mitigated_at is not None:
        return "service restored"
    return f"resolution: {time_left(one.resolution_due_at, now)}"


def overall(parts: Sequence[Part], incidents: Sequence[Incident]) -> Status:
    """The worst of all parts and of what is open: a P1 is red whatever the figures say. Nothing known is unknown."""
    found = gravest([*(part.status for part in parts), *(GRAVE[one.severity] for one in incidents)])
    return Status.UNKNOWN if found is Status.NOT_APPLICABLE else found


def judge(parts: Sequence[Part], policy: Policy, *, looked_back: timedelta) -> list[Finding]:
    """A finding for each part: whether any figure of it is on record."""
    entry = policy.procedures[PROCEDURE]
    findings = []
    for part in parts:
        case = Case(
            PROCEDURE, "on the page", "figures on record", Severity.P3, entry.first_action, entry.lines, part.name
        )
        there = sum(one.at is not None for one in part.lines)
        if part.empty:
            findings.append(case.not_measured())
        else:
            said = f"{part.name}: {there} of {len(part.lines)} lines have a figure of the last {age(looked_back)}"
            findings.append(case.passed(f"{there} of {len(part.lines)} lines", said))
    return findings


def judge_door(answer: Answer, policy: Policy) -> list[Finding]:
    """Whether the page is there and asks for a login: 401 or 403, or a redirect to where one logs in."""
    entry = policy.procedures[PROCEDURE]
    case = Case(PROCEDURE, "served", "there, for who is logged in", Severity.P3, entry.first_action, entry.lines)
    silent_ones = unanswered_findings(PROCEDURE, answer, Severity.P3, entry.first_action)
    found = answer.first("http.response.status_code")
    if found is None:
        return silent_ones or [case.not_measured()]
    code, path = int(found.value), found.labels.get("path", "")
    if not code:
        return [case.failed("nothing listens", f"The API server did not serve {path}: {found.detail}")]
    if code in ASKS_FOR_LOGIN:
        return [case.passed(str(code), f"{path} is there and asks for a login ({code})")]
    if code == OPENED:
        return [case.failed("open to all", f"{path} was shown without a login", Severity.P2)]
    return [case.failed(str(code), f"{path} answered {code}: the plugin's pages are not there, or broken")]
