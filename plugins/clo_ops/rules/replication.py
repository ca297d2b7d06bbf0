"""M3-05 (manual L212, D63): production's own replication streams, keeps up, and fills no disk. It is only looked at."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from clo_ops.findings import Answer, Finding, Measurement, Severity, Status, unanswered_findings
from clo_ops.policy.failover import Replication, SizeLimits
from clo_ops.policy.limits import TimeLimits
from clo_ops.rules.figures import figure
from clo_ops.rules.verdicts import Case

PROCEDURE = "M3-05"
MANUAL = "L212"
ASK_AGAIN = "Check that the worker reaches production's PostgreSQL (DM-01), and that the probe's role has pg_monitor."
STREAM = "Read the standby's log: its connection to the primary, its slot, its disk. Do not fail over to it now."
KEEP_UP = "Look at the standby's disk and at long queries on it that hold replay up; fail over only knowing the loss."
SLOT = "Find out whose slot it is: bring that standby back, or drop the slot before the primary's disk is full."


def judge(answer: Answer, policy: Replication, *, at: datetime) -> list[Finding]:
    """``replication configured``; per standby ``streaming``, ``lag``, ``lag time``; per slot ``slot in use``, ``slot``.

    Without any standby, slot or sender it is not applicable, unless the policy names standbys: those must stream.
    """
    findings = unanswered_findings(PROCEDURE, answer, Severity.P2, ASK_AGAIN)
    count = answer.value("replication.peer.count")
    if count is None:
        return findings or [_case(policy, "replication configured", "an answer", "", STREAM).not_measured()]
    findings += _missing(answer, policy)
    if count == 0:
        return findings or [_none(policy)]
    for one in answer.select("replication.streaming"):
        findings += _standby(answer, policy, one)
    for one in answer.select("replication.slot.retained"):
        findings += _slot(answer, policy, one)
    return findings


def _case(policy: Replication, name: str, expected: str, subject: str, action: str) -> Case:
    return Case(PROCEDURE, name, expected, Severity.P2, action, policy.manual or MANUAL, subject)


def _none(policy: Replication) -> Finding:
    return Finding(
        procedure=PROCEDURE,
        name="replication configured",
        status=Status.NOT_APPLICABLE,
        expected="a standby that streams",
        actual="no standby, no slot, no sender",
        message="Production replicates nowhere and the policy names no standby: there is no lag to judge, and what is "
        f"lost with the server is what was written since the last backup (manual {policy.manual or MANUAL}).",
    )


def _missing(answer: Answer, policy: Replication) -> list[Finding]:
    there = {one.labels["standby"] for one in answer.select("replication.streaming")}
    return [
        _case(policy, "standby streaming", "streaming", name, STREAM).failed(
            "not connected", f"{name}, which the policy names, is not connected to production"
        )
        for name in policy.standbys
        if name not in there
    ]


def _standby(answer: Answer, policy: Replication, streaming: Measurement) -> Iterator[Finding]:
    labels, name = dict(streaming.labels), streaming.labels["standby"]
    case = _case(policy, "standby streaming", "streaming", _who(streaming), STREAM)
    yield case.either(streaming, f"{name} receives what is written", f"{name} does not receive what is written")
    for metric in ("replication.lag", "replication.lag.time"):
        one = answer.first(metric, **labels)
        if one is not None:
            yield _bytes_behind(policy, one) if metric == "replication.lag" else _time_behind(policy, one)
        elif streaming.value == 1:
            yield _case(policy, metric.replace(".", " "), "a lag", _who(streaming), KEEP_UP).not_measured()


def _who(one: Measurement) -> str:
    """Standbys of the same name on different hosts are not one."""
    address = one.labels.get("address", "")
    return f"{one.labels['standby']} ({address})" if address else one.labels["standby"]


def _bytes_behind(policy: Replication, one: Measurement) -> Finding:
    case = _case(policy, "replication lag", at_most(policy.lag), _who(one), KEEP_UP)
    return sized(case, one, policy.lag, f"{_who(one)} is behind by")


def _time_behind(policy: Replication, one: Measurement) -> Finding:
    limits, case = policy.lag_time, _case(policy, "replication lag time", _at_most(policy.lag_time), _who(one), KEEP_UP)
    behind, actual = timedelta(seconds=one.value), f"{one.value:,.3f} s"
    if behind > limits.critical:
        return case.failed(actual, f"{_who(one)} is behind by {actual}")
    if behind > limits.warning:
        return case.warned(actual, f"{_who(one)} is behind by {actual}")
    return case.passed(actual, f"{_who(one)} is behind by {actual}")


def _slot(answer: Answer, policy: Replication, kept: Measurement) -> Iterator[Finding]:
    name, limits = kept.labels["slot"], policy.slot_retained
    active = answer.first("replication.slot.active", slot=name)
    if active is not None and active.value != 1:
        case = _case(policy, "slot in use", "somebody reads from it", name, SLOT)
        yield case.warned("nobody reads from it", f"Nobody reads from slot {name}, and it keeps WAL ({active.detail})")
    yield sized(_case(policy, "slot", at_most(limits), name, SLOT), kept, limits, f"Slot {name} keeps")


def at_most(limits: SizeLimits) -> str:
    return f"at most {figure(limits.warning, 'bytes')}, never over {figure(limits.critical, 'bytes')}"


def _at_most(limits: TimeLimits) -> str:
    return f"at most {limits.warning.total_seconds():g} s, never over {limits.critical.total_seconds():g} s"


def sized(case: Case, one: Measurement, limits: SizeLimits, what: str) -> Finding:
    """Judge a number of bytes: at a limit is still within it."""
    actual = f"{one.value:,.0f} bytes"
    if one.value > limits.critical:
        return case.failed(actual, f"{what} {actual}, over the critical {limits.critical:,} bytes")
    if one.value > limits.warning:
        return case.warned(actual, f"{what} {actual}, over the warning {limits.warning:,} bytes")
    return case.passed(actual, f"{what} {actual}, within the warning {limits.warning:,} bytes")
