"""DM-01 (manual L13): one status for each component, and one for the whole: the worst of them.

``healthy`` passes, ``degraded`` warns, ``down`` fails, and a component nobody could ask is ``unreachable``, which is
unknown and never green. CPU is not judged here: its threshold has a window (AL-01), one look has none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from clo_ops.findings import Answer, Finding, Measurement, Severity, Status, Unanswered, worst
from clo_ops.policy.thresholds import Threshold
from clo_ops.rules.figures import figure
from clo_ops.rules.verdicts import Case

if TYPE_CHECKING:
    from clo_ops.policy import Policy

PROCEDURE = "DM-01"
MANUAL = "L13"
WHOLE = "CLO Management System"
WORDS = {
    Status.PASS: "healthy",
    Status.WARN: "degraded",
    Status.FAIL: "down",
    Status.UNKNOWN: "unreachable",
    Status.NOT_APPLICABLE: "not looked at",
}
# What users cannot do without is P1 when it is down.
SEVERITY = {"websocket": Severity.P2, "backups": Severity.P2}
ACTIONS = {
    "api": "See whether the API's process runs (DM-03) and read its log.",
    "frontend": "See whether the frontend's process runs (DM-03) and read its log.",
    "websocket": "See whether the API's process runs (DM-03), and whether a proxy in front still upgrades connections.",
    "postgresql": "See whether PostgreSQL runs on its host and read its log; then look at DM-05.",
    "redis": "See whether Redis runs on its host and read its log; without it nobody can log in.",
    "host": "Log in to the host and look at memory, disk and its log; if it does not answer, at its console.",
    "backups": "Check that the worker reaches the backup repository (connection clo_backups) with its credentials.",
}


def judge(answer: Answer, policy: Policy, *, at: datetime) -> list[Finding]:
    """``component health`` for each component, then ``system health`` for the whole.

    Degraded is: up, but its own word is bad, its latency is over the critical response time, or a host's memory or
    disk is over its critical level (strictly each).
    """
    components = [_component(answer, name, kind, policy) for name, kind in expected(policy)]
    return [*components, _whole(components)]


def expected(policy: Policy) -> list[tuple[str, str]]:
    """Every component there must be a word on, as (name, kind)."""
    fixed = ["api", "frontend", "websocket", "postgresql", "redis"]
    hosts = [(one.name, "host") for one in policy.hosts]
    return [(one, one) for one in fixed] + hosts + [("backups", "backups")]


def _case(name: str, kind: str) -> Case:
    severity = SEVERITY.get(kind, Severity.P1)
    return Case(PROCEDURE, "component health", "healthy", severity, ACTIONS[kind], MANUAL, name)


def _component(answer: Answer, name: str, kind: str, policy: Policy) -> Finding:
    case = _case(name, kind)
    up = answer.first("component.up", component=name)
    if up is None:
        silent = next((one for one in answer.unanswered if one.question == f"health of {name}"), None)
        return case.not_measured() if silent is None else _unknown(case, "unreachable", _unreachable(name, silent))
    if up.value != 1:
        return case.failed("down", f"{name} is down: {up.detail}")
    faults = list(_faults(answer, name, kind, policy))
    missing = [*_missing(answer, name, kind)]
    if missing:
        return _unknown(case, "not known", f"{name} is up, but nobody knows {'; '.join(missing + faults)}")
    if faults:
        return case.warned("degraded", f"{name} is degraded: {'; '.join(faults)}")
    return case.passed("healthy", f"{name} is healthy: {up.detail}")


def _unreachable(name: str, silent: Unanswered) -> str:
    return f"{name} is unreachable: could not ask {silent.target}: {silent.reason} (tried: {silent.tried})"


def _missing(answer: Answer, name: str, kind: str) -> Iterator[str]:
    """What a component that is up did not tell: a mount that df cannot look at, a host without its memory."""
    said = f"health of {name}: "
    for one in answer.unanswered:
        if one.question.startswith(said):
            yield f"{one.question.removeprefix(said)} ({one.reason}; tried: {one.tried})"
    if kind == "host" and answer.first("system.memory.utilization", host=name) is None:
        yield "its memory (not measured)"
    if answer.first("component.sound", component=name) is None:
        yield "whether it is sound (not measured)"


def _faults(answer: Answer, name: str, kind: str, policy: Policy) -> Iterator[str]:
    sound = answer.first("component.sound", component=name)
    if sound is not None and sound.value != 1:
        yield sound.detail
    slowest = policy.thresholds["response_time"]
    yield from _over(answer.select("component.latency", component=name), slowest, "answer took")
    for host in policy.hosts:
        if kind == "host" and host.name == name:
            memory = answer.select("system.memory.utilization", host=name)
            yield from _over(memory, policy.thresholds[host.memory], "memory")
            disks = answer.select("system.filesystem.utilization", host=name)
            yield from _over(disks, policy.thresholds[host.disk], "disk")


def _over(measured: Iterable[Measurement], threshold: Threshold, what: str) -> Iterator[str]:
    for one in measured:
        if one.value > threshold.critical.above:
            subject = f"{what} {one.labels['mount']}" if "mount" in one.labels else what
            allowed = figure(threshold.critical.above, one.unit)
            yield f"{subject} {one.value:,.1f} {one.unit}, over the critical {allowed} (manual {threshold.manual})"


def _whole(components: Sequence[Finding]) -> Finding:
    """Red where any component is; its severity is that of the worst of them, and so is the first thing to do."""
    status = worst(components)
    guilty = [one for one in components if one.status is status and status is not Status.PASS]
    severity = min((one.severity for one in guilty if one.severity), default=Severity.P1)
    counts = ", ".join(f"{one.subject} {WORDS[one.status]}" for one in components if one.status is not Status.PASS)
    said = f"The {WHOLE} is {WORDS[status]}: {counts or f'all {len(components)} components are healthy'}"
    case = Case(
        PROCEDURE, "system health", "healthy", severity, guilty[0].first_action if guilty else "", MANUAL, WHOLE
    )
    if status is Status.PASS:
        return case.passed(WORDS[status], said)
    if status is Status.UNKNOWN:
        return _unknown(case, WORDS[status], said)
    return case.failed(WORDS[status], said) if status is Status.FAIL else case.warned(WORDS[status], said, severity)


def _unknown(case: Case, actual: str, message: str) -> Finding:
    return replace(
        case.not_measured(), actual=actual, message=f"{message}. Expected: {case.expected} (manual {MANUAL})."
    )
