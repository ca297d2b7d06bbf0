"""AL-01 to AL-08: how the alerts stand, from what the watch last put on record (manual L46-L60, L319-L353).

The watch judges every few seconds; these findings say, for the record and for the page of the manual, what it saw,
and whether it looked at all. An alert that stands and has no incident is a failure of ours (AL-08).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from clo_ops.findings import Finding, Severity, Status
from clo_ops.rules.figures import age, figure, moment
from clo_ops.rules.verdicts import Case

if TYPE_CHECKING:
    from clo_ops.policy import Policy
    from clo_ops.policy.thresholds import Threshold

PRIORITY = "AL-08"
ANSWERED = "answered in time"
# Stands for a rule in the cause of a host's silence.
SILENCE = "silence"
DATABASE, SERVER = "database_connections", {"pool": "server"}
LOOK = "Look at the triggerer: the watch runs there, and its log says what it could not do."


class Alert(Protocol):
    """One alert as the ledger has it."""

    @property
    def rule(self) -> str: ...
    @property
    def labels(self) -> Mapping[str, str]: ...
    @property
    def state(self) -> Mapping[str, Any]: ...
    @property
    def level(self) -> str: ...
    @property
    def value(self) -> float | None: ...


class Incident(Protocol):
    """An open incident as the ledger has it."""

    @property
    def id(self) -> int: ...
    @property
    def cause(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def severity(self) -> Severity: ...
    @property
    def acknowledged_at(self) -> datetime | None: ...
    @property
    def response_due_at(self) -> datetime | None: ...


def cause_of(rule: str, labels: Mapping[str, str]) -> str:
    """An alert's cause: the same for the same rule and series, whatever its level."""
    return f"alert:{rule}:{','.join(f'{label}={labels[label]}' for label in sorted(labels))}"


def silence_of(rule: str, labels: Mapping[str, str], policy: Policy) -> str:
    """The cause of an alert's having no data: for all that is asked of one host the same, and for all pools."""
    if rule == DATABASE:
        return cause_of(DATABASE, SERVER)
    logs = {one.name: one.host for one in policy.alerting.error_logs}
    host = labels.get("host") or logs.get(labels.get("source", ""))
    return cause_of(SILENCE, {"host": host}) if host else cause_of(rule, labels)


def counted(rule: str, policy: Policy) -> bool:
    """Whether the rule's figure is counted in the database: when that is silent it has no data either."""
    known = policy.thresholds.get(rule)
    return known is not None and known.statistic == "sum"


def is_database(rule: str, labels: Mapping[str, str]) -> bool:
    """The alert whose silence is the database's own."""
    return rule == DATABASE and dict(labels) == SERVER


def cause_now(alert: Alert, policy: Policy) -> str:
    """The cause of the incident an alert must have as it was told last."""
    silent = alert.state.get("told") == "unknown"
    return silence_of(alert.rule, alert.labels, policy) if silent else cause_of(alert.rule, alert.labels)


def judge(
    procedure: str, alerts: Sequence[Alert], looked_at: datetime | None, policy: Policy, *, at: datetime
) -> list[Finding]:
    """One finding for each series of the procedure's rules: critical fails, warning warns, silence is unknown.

    ``looked_at`` is the watch's last sign of life. A watch silent for strictly longer than the policy's time has
    judged nothing, whatever stands on record.
    """
    silent = _silent(procedure, looked_at, policy, at)
    if silent is not None:
        return [silent]
    rules = [name for name, rule in policy.thresholds.items() if procedure in rule.procedures]
    return [finding for name in rules for finding in judge_rule(procedure, name, alerts, policy)]


def _silent(procedure: str, looked_at: datetime | None, policy: Policy, at: datetime) -> Finding | None:
    allowed = policy.alerting.watch.silent_for
    if looked_at is not None and at - looked_at <= allowed:
        return None
    said = "never" if looked_at is None else f"{age(at - looked_at)} ago, at {moment(looked_at)}"
    return Finding(
        procedure=procedure,
        name="the watch looks",
        status=Status.UNKNOWN,
        severity=Severity.P2,
        expected=f"a look within the last {age(allowed)}",
        actual=said,
        message=f"The watch last looked {said}: nobody knows how {procedure} stands.",
        first_action=LOOK,
    )


def judge_rule(procedure: str, name: str, alerts: Sequence[Alert], policy: Policy) -> Iterator[Finding]:
    """One finding for each series of one rule that is on record; where there is none, for the rule itself."""
    rule = policy.thresholds[name]
    series = [one for one in alerts if one.rule == name]
    for one in series:
        yield _stands(_case(procedure, rule, policy, ", ".join(one.labels.values())), one, rule, policy)
    if not series:
        case = _case(procedure, rule, policy, "")
        named_outside = bool(rule.per) and rule.statistic == "sum"
        yield (
            case.passed("none", f"{rule.title}: none has anything to remember")
            if named_outside
            else case.not_measured()
        )


def _case(procedure: str, rule: Threshold, policy: Policy, subject: str) -> Case:
    expected = (
        f"at most {figure(rule.warning.above, rule.unit)}, never over {figure(rule.critical.above, rule.unit)} "
        f"({rule.statistic} over {age(rule.window)})"
    )
    entry = policy.procedures[procedure]
    severity = policy.severities.alert_classes[rule.critical.alert].severity
    return Case(procedure, rule.title, expected, severity, entry.first_action, rule.manual or entry.lines, subject)


def _stands(case: Case, alert: Alert, rule: Threshold, policy: Policy) -> Finding:
    since = f" since {alert.state['since'][:16].replace('T', ' ')} UTC" if alert.state.get("since") else ""
    of = f" of {case.subject}" if case.subject else ""
    if alert.level == "ok":
        return case.passed("within its levels", f"{rule.title}{of} is within its levels{since}")
    if alert.level == "unknown":
        return case.not_measured()
    actual = "not known" if alert.value is None else figure(alert.value, rule.unit)
    if alert.level == "critical":
        return case.failed(actual, f"{rule.title}{of} is critical{since}: {actual} when it was raised")
    severity = policy.severities.alert_classes[rule.warning.alert].severity
    return case.warned(actual, f"{rule.title}{of} is over its warning level{since}: {actual} when raised", severity)


def has_incident(finding: Finding, policy: Policy) -> bool:
    """Whether a red finding is an alert's own, for which the watch has opened an incident.

    A watch that does not look, a task that broke off, an alert without an incident: nobody has been told of those.
    """
    return finding.name == ANSWERED or finding.name in {rule.title for rule in policy.thresholds.values()}


def judge_priorities(
    alerts: Sequence[Alert], incidents: Sequence[Incident], looked_at: datetime | None, policy: Policy, *, at: datetime
) -> list[Finding]:
    """AL-08: each alert that was told has exactly one open incident, and each incident of an alert is answered in time.

    A response time is missed strictly after it; an alert that flaps keeps its one incident.
    """
    silent = _silent(PRIORITY, looked_at, policy, at)
    if silent is not None:
        return [silent]
    told = {cause_now(one, policy): cause_of(one.rule, {}) for one in _to_be_told(alerts, policy)}
    open_now = {one.cause: one for one in incidents if one.cause.startswith("alert:")}
    findings = [
        _has_incident(cause, cause in open_now or storm in open_now, policy) for cause, storm in sorted(told.items())
    ]
    findings += [_answered(one, policy, at) for one in open_now.values()]
    return findings or [_nothing_stands(policy)]


def _to_be_told(alerts: Sequence[Alert], policy: Policy) -> Iterator[Alert]:
    """What stands and is not said by the silence of the database already."""
    silent = [one for one in alerts if one.state.get("told") == "unknown"]
    no_database = any(is_database(one.rule, one.labels) for one in silent)
    for one in alerts:
        if one.state.get("told", "ok") != "ok" and not (no_database and one in silent and counted(one.rule, policy)):
            yield one


def _has_incident(cause: str, found: bool, policy: Policy) -> Finding:
    entry = policy.procedures[PRIORITY]
    case = Case(PRIORITY, "one incident for one cause", "1 open incident", Severity.P1, LOOK, entry.lines, cause)
    if found:
        return case.passed("1", f"{cause} has its incident")
    return case.failed("none", f"{cause} was raised and has no open incident: nobody is being told")


def _answered(one: Incident, policy: Policy, at: datetime) -> Finding:
    entry = policy.procedures[PRIORITY]
    due = one.response_due_at
    expected = f"acknowledged by {moment(due)}" if due else "acknowledged"
    case = Case(PRIORITY, ANSWERED, expected, one.severity, entry.first_action, entry.lines, one.title)
    if one.acknowledged_at is not None:
        return case.passed("acknowledged", f"Incident {one.id}, {one.title}, is acknowledged")
    if due is not None and at > due:
        return case.failed(f"not after {age(at - due)} more", f"Incident {one.id}, {one.title}, is not acknowledged")
    return case.warned("not yet", f"Incident {one.id}, {one.title}, waits to be acknowledged", one.severity)


def _nothing_stands(policy: Policy) -> Finding:
    entry = policy.procedures[PRIORITY]
    case = Case(PRIORITY, "alerts", "each alert told once and answered in time", Severity.P2, LOOK, entry.lines)
    return case.passed("no alert stands", "No alert stands and none waits for an answer")
