"""BH-01, BH-02, BH-04 (manual L41, L42, L44): one look at hosts, users and jobs, every value against its level.

The alerts (AL-*) wait until a level has been held; a snapshot is for the record and says what it saw at one moment.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from clo_ops.findings import Answer, Finding, Measurement, Severity, unanswered_findings
from clo_ops.policy import Policy
from clo_ops.policy.thresholds import Threshold
from clo_ops.rules.figures import duration, figure, number
from clo_ops.rules.verdicts import Case

HOSTS = ("cpu", "memory", "disk")
# One second of full CPU is no fault by itself: AL-01 says whether it stays. A full disk is one at once.
MOMENTARY = ("cpu",)
SILENT = {
    "BH-01": "Check that the host is up and that the connection of hosts.yaml reaches it.",
    "BH-02": "Check the connections clo_postgres and clo_redis, and DM-01.",
    "BH-04": "Check the connection clo_postgres, and DM-01.",
}


def judge_hosts(answer: Answer, policy: Policy, *, at: datetime) -> list[Finding]:
    """CPU, memory and each mount of each host: strictly over warning warns, over critical fails, CPU only warns."""
    findings = unanswered_findings("BH-01", answer, Severity.P2, SILENT["BH-01"])
    for name in HOSTS:
        rule = policy.thresholds[name]
        seen = list(answer.select(rule.metric))
        findings += [_level("BH-01", one, rule, policy, momentary=name in MOMENTARY) for one in seen]
        if not seen and not answer.unanswered:
            findings.append(_case("BH-01", rule, policy, "").not_measured())
    return findings


def _case(procedure: str, rule: Threshold, policy: Policy, subject: str) -> Case:
    expected = f"at most {figure(rule.warning.above, rule.unit)}, never over {figure(rule.critical.above, rule.unit)}"
    severity = policy.severities.alert_classes[rule.critical.alert].severity
    entry = policy.procedures[procedure]
    return Case(procedure, rule.title, expected, severity, entry.first_action, rule.manual or entry.lines, subject)


def _level(procedure: str, one: Measurement, rule: Threshold, policy: Policy, *, momentary: bool) -> Finding:
    subject = ", ".join(one.labels.values())
    case, actual = _case(procedure, rule, policy, subject), figure(one.value, one.unit)
    said = f"{rule.title}{f' {subject}' if subject else ''} is {actual}"
    if one.value > rule.critical.above and not momentary:
        return case.failed(actual, said)
    if one.value > rule.warning.above:
        seen = f"{said} at this moment; AL-01 judges whether it stays" if momentary else said
        return case.warned(actual, seen, policy.severities.alert_classes[rule.warning.alert].severity)
    return case.passed(actual, said)


def judge_users(answer: Answer, policy: Policy, *, at: datetime) -> list[Finding]:
    """Active users and open sessions, for the record; sessions expired or orphaned warn above the policy's figure."""
    findings = unanswered_findings("BH-02", answer, Severity.P2, SILENT["BH-02"])
    entry, access = policy.procedures["BH-02"], policy.access
    for name, metric in (("active users", "clo.user.active"), ("failed logins", "clo.login.failed")):
        case = Case("BH-02", name, "a figure", Severity.P3, entry.first_action, entry.lines)
        one = answer.first(metric)
        if one is not None:
            findings.append(case.passed(number(one.value), f"{number(one.value)} {name} in the window"))
        elif not answer.unanswered:
            findings.append(case.not_measured())
    most = {"session.expired": access.expired_warning, "session.orphaned": access.orphaned_warning}
    for metric, allowed in most.items():
        findings += [_left_over(one, allowed, policy) for one in answer.select(metric)]
    findings += _open_sessions(answer, policy)
    return findings


def _open_sessions(answer: Answer, policy: Policy) -> Iterator[Finding]:
    entry = policy.procedures["BH-02"]
    for one in answer.select("session.open"):
        where = one.labels.get("where", "")
        case = Case("BH-02", "open sessions", "a figure", Severity.P3, entry.first_action, entry.lines, where)
        yield case.passed(number(one.value), f"{number(one.value)} sessions are open in the {where}")


def _left_over(one: Measurement, allowed: int, policy: Policy) -> Finding:
    entry, where = policy.procedures["BH-02"], one.labels.get("where", "")
    what = one.name.rpartition(".")[2]
    case = Case("BH-02", f"{what} sessions", f"at most {allowed}", Severity.P3, entry.first_action, entry.lines, where)
    said = f"{number(one.value)} sessions are {what} in the {where}"
    return case.warned(number(one.value), said) if one.value > allowed else case.passed(number(one.value), said)


def judge_jobs(answer: Answer, policy: Policy, *, at: datetime) -> list[Finding]:
    """Calculations and reports: running, finished, failed, and how long they took against the manual's KPIs."""
    findings = unanswered_findings("BH-04", answer, Severity.P2, SILENT["BH-04"])
    for kind, kpi in (("calculation", "calculation_time"), ("report", "report_time")):
        counts = {state: answer.value(f"clo.{kind}.{state}") for state in ("running", "completed", "failed")}
        if None in counts.values():
            findings += [] if answer.unanswered else [_jobs_case(kind, policy).not_measured()]
            continue
        findings.append(_counted(kind, {state: value or 0.0 for state, value in counts.items()}, policy))
        findings += _taken(answer, kind, kpi, policy)
    return findings


def _jobs_case(kind: str, policy: Policy) -> Case:
    rule, entry = policy.thresholds["failed_calculations"], policy.procedures["BH-04"]
    expected = f"at most {number(rule.warning.above)} failed, never over {number(rule.critical.above)}"
    return Case("BH-04", f"{kind}s", expected, Severity.P2, entry.first_action, f"{entry.lines}, {rule.manual}")


def _counted(kind: str, counts: dict[str, float], policy: Policy) -> Finding:
    rule, case = policy.thresholds["failed_calculations"], _jobs_case(kind, policy)
    said = ", ".join(f"{number(count)} {state}" for state, count in counts.items())
    message = f"{kind.capitalize()}s of the last hour: {said}"
    if counts["failed"] > rule.critical.above:
        return case.failed(said, message)
    return case.warned(said, message) if counts["failed"] > rule.warning.above else case.passed(said, message)


def _taken(answer: Answer, kind: str, kpi: str, policy: Policy) -> Iterator[Finding]:
    """Nothing completed has no time taken: no finding is made up for it."""
    taken, limit = answer.first(f"clo.{kind}.duration", statistic="mean"), policy.kpis[kpi].target
    if taken is None or limit is None:
        return
    entry = policy.procedures["BH-04"]
    case = Case(
        "BH-04", f"{kind} time", f"below {duration(limit)} on average", Severity.P3, entry.first_action, entry.lines
    )
    said = f"A {kind} took {duration(taken.value)} on average"
    yield case.warned(duration(taken.value), said) if taken.value >= limit else case.passed(duration(taken.value), said)
