"""M3-04 and M3-05 (manual L210-L212, D63, D64): the standby takes over in time, and nothing acknowledged is lost."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from clo_ops.findings import Answer, Finding, Severity, Status, unanswered_findings
from clo_ops.policy.failover import Failover
from clo_ops.rules.replication import at_most, sized
from clo_ops.rules.verdicts import Case

ACTIVATION, SYNCHRONISATION = "M3-04", "M3-05"
MANUAL = {ACTIVATION: "L210-L211", SYNCHRONISATION: "L212"}
ASK_AGAIN = "Read the drill's log: the container engine, the memory and the disk of the worker; then run it again."
BUILD = "Read the log of pg_basebackup and of the standby; without a standby there is nothing to fail over to."
PROMOTE = "Read the standby's log: a standby that cannot be promoted here cannot be promoted in an emergency either."
FENCE = "Find out why the old primary still took a write: two primaries at once lose data for good."
CATCH_UP = "Read how far the standby had caught up when the primary was cut off: network, disk, replay."
MISSING = "Look for the marker that is missing, and the lag at that moment: a commit the client was told of is gone."
SLOW = "Compare with the drills before: WAL left to replay, the checkpoint at promotion, the memory of the worker."


def judge_activation(answer: Answer, policy: Failover, *, at: datetime) -> list[Finding]:
    """M3-04: ``standby built``, ``standby promoted``, ``takes writes``, ``time to promote``, ``new timeline``, ``same
    cluster``, ``old primary fenced``. Where a step failed, the ones after it were not taken, and only it is said."""
    findings = unanswered_findings(ACTIVATION, answer, Severity.P2, ASK_AGAIN)
    for name, metric, expected, action, yes, no in STEPS:
        one, case = answer.first(metric), _case(policy, ACTIVATION, name, expected, action)
        if one is None:
            # A step nobody made must not hide behind the ones before it that went well.
            return findings if answer.unanswered else [*findings, case.not_measured()]
        findings.append(case.either(one, yes, no))
        if one.value != 1:
            return findings
    return [*findings, _time(answer, policy), _timeline(answer, policy), *_after(answer, policy)]


STEPS = (
    ("standby built", "failover.standby.built", "a standby that streams", BUILD,
     "A standby was built from the restored primary", "No standby could be built from the restored primary"),
    ("standby promoted", "failover.promoted", "a primary", PROMOTE,
     "The standby was promoted", "The standby was not promoted"),
    ("takes writes", "failover.writable", "a commit", PROMOTE,
     "The promoted server takes writes", "The promoted server takes no writes"),
)  # fmt: skip


def _case(policy: Failover, procedure: str, name: str, expected: str, action: str) -> Case:
    return Case(procedure, name, expected, Severity.P2, action, policy.manual or MANUAL[procedure])


def _time(answer: Answer, policy: Failover) -> Finding:
    """From the cut to the first write taken; at a limit is within it (D46)."""
    limits, taken = policy.promotion, answer.value("failover.promote.duration")
    expected = f"at most {limits.warning.total_seconds():g} s, never over {limits.critical.total_seconds():g} s"
    case = _case(policy, ACTIVATION, "time to promote", expected, SLOW)
    if taken is None:
        return case.not_measured()
    actual, length = f"{taken:,.3f} s", timedelta(seconds=taken)
    message = f"From the cut to the first write taken {actual} passed"
    if length > limits.critical:
        return case.failed(actual, message)
    return case.warned(actual, message) if length > limits.warning else case.passed(actual, message)


def _timeline(answer: Answer, policy: Failover) -> Finding:
    case = _case(policy, ACTIVATION, "new timeline", "a higher timeline than before", PROMOTE)
    before, after = (answer.value("failover.timeline", when=when) for when in ("before", "after"))
    if before is None or after is None:
        return case.not_measured()
    actual = f"timeline {before:.0f} before, {after:.0f} after"
    if after > before:
        return case.passed(actual, f"The promoted server writes a history of its own ({actual})")
    return case.failed(actual, f"The promoted server writes on the old one's history ({actual})")


def _after(answer: Answer, policy: Failover) -> Iterator[Finding]:
    same = _case(policy, ACTIVATION, "same cluster", "the system identifier of the primary", BUILD)
    fenced = _case(policy, ACTIVATION, "old primary fenced", "no write taken", FENCE)
    one, two = answer.first("failover.identity.matches"), answer.first("failover.old_primary.fenced")
    yield same.not_measured() if one is None else same.either(one, "It is the same cluster", "It is another cluster")
    if two is None:
        yield fenced.not_measured()
    else:
        yield fenced.either(two, "The old primary takes nothing any more", "The old primary can still be written")


def judge_synchronisation(answer: Answer, policy: Failover, *, at: datetime) -> list[Finding]:
    """M3-05: ``caught up``, ``lag built`` and ``lag at the cut``, ``commits wait for the standby``, ``markers
    written``, ``acknowledged markers``."""
    findings = unanswered_findings(SYNCHRONISATION, answer, Severity.P2, ASK_AGAIN)
    caught = _case(policy, SYNCHRONISATION, "caught up", "everything replayed", CATCH_UP)
    one = answer.first("failover.caught_up")
    if one is None:
        return findings or [caught.not_measured()]
    findings.append(caught.either(one, "The standby had replayed all there was", "The standby did not catch up"))
    if one.value != 1:
        return findings
    return [*findings, _waits(answer, policy), _lag(answer, policy), *_markers(answer, policy)]


def _waits(answer: Answer, policy: Failover) -> Finding:
    """A drill that was to be asynchronous has not failed for that alone; it can promise nothing, so it warns."""
    case = _case(policy, SYNCHRONISATION, "commits wait for the standby", "synchronous", CATCH_UP)
    one = answer.first("failover.synchronous")
    if one is None:
        return case.not_measured()
    if one.value == 1:
        return case.passed("synchronous", "A commit is acknowledged once the standby has it")
    said = f"A commit is acknowledged without the standby ({one.detail})"
    wished = one.labels.get("wished") == "asynchronous"
    return case.warned(one.detail, said) if wished else case.failed(one.detail, said)


def _lag(answer: Answer, policy: Failover) -> Finding:
    case = _case(policy, SYNCHRONISATION, "lag at the cut", at_most(policy.lag), CATCH_UP)
    one = answer.first("failover.lag", when="cut")
    return case.not_measured() if one is None else sized(case, one, policy.lag, "The standby had not received")


def _markers(answer: Answer, policy: Failover) -> Iterator[Finding]:
    least = f"at least {policy.minimum_markers} acknowledged"
    enough = _case(policy, SYNCHRONISATION, "markers written", least, ASK_AGAIN)
    kept = _case(policy, SYNCHRONISATION, "acknowledged markers", "every one of them there", MISSING)
    committed, found = answer.first("failover.marker.committed"), answer.first("failover.marker.found")
    if committed is None or found is None:
        yield kept.not_measured()
        return
    yield _enough(enough, committed.value, policy)
    yield _kept(kept, committed.value, found.value, found.detail)


def _enough(case: Case, committed: float, policy: Failover) -> Finding:
    """Too few markers prove too little: not a pass, and not a loss either."""
    actual = f"{committed:.0f} acknowledged"
    if committed >= policy.minimum_markers:
        return case.passed(actual, f"{actual.capitalize()} before the cut")
    return Finding(
        procedure=SYNCHRONISATION,
        name=case.name,
        status=Status.UNKNOWN,
        severity=case.severity,
        expected=case.expected,
        actual=actual,
        message=f"Only {actual} before the cut: too few to prove anything (manual {case.manual}).",
        first_action=case.first_action,
    )


def _kept(case: Case, committed: float, found: float, detail: str) -> Finding:
    actual = f"{found:.0f} of {committed:.0f}"
    if found < committed:
        return case.failed(actual, f"The promoted server has {actual} acknowledged markers ({detail})")
    return case.passed(actual, f"The promoted server has {actual} acknowledged markers")
