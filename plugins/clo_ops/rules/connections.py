"""DM-05 (manual L19, L350-L352): connections against the pool and the server, idle transactions, blocked sessions.

15 and 18 are the manual's figures for a pool of 20; the policy holds shares, so that the same hold for the server's
own limit (D47). A connection is in use when it is not idle: one that idles inside a transaction is taken as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from clo_ops.findings import Answer, Finding, Measurement, Severity, unanswered_findings
from clo_ops.policy.limits import TimeLimits
from clo_ops.policy.morning import Connections
from clo_ops.rules.figures import number
from clo_ops.rules.verdicts import Case

PROCEDURE = "DM-05"
MANUAL = "L19, L350-L352"
REACH = "Check that PostgreSQL runs (DM-03) and that the role of clo_postgres may log in and has pg_monitor."
FREE = "See who holds the connections (pg_stat_activity by application), and restart the process that leaks them."
END_IDLE = "Ask the owner of this session; end it with pg_terminate_backend(pid) when nobody needs its transaction."
END_BLOCKER = "Look at the session it waits for; end that one with pg_terminate_backend(pid) when it hangs."
# What a list may hold before it hides the rest of the morning; the rest is counted.
NAMED = 10


def judge(answer: Answer, policy: Connections, *, at: datetime) -> list[Finding]:
    """``pool in use``, ``server connections``, ``idle in transaction`` and ``blocked sessions``.

    A server that refused us because every slot is taken fails: that is the answer. Over a share or an age is
    strictly greater: 15 of 20 is still good, 16 warns, 19 fails.
    """
    findings = unanswered_findings(PROCEDURE, answer, Severity.P2, REACH)
    slot = answer.first("postgresql.connection.slot_free")
    if slot is not None and slot.value != 1:
        said = f"PostgreSQL refused one more connection: {slot.detail}"
        return [*findings, _server_case(policy).failed("no slot free", said, Severity.P1)]
    if answer.first("postgresql.connection.count") is None:
        return findings or [_pool_case(policy).not_measured()]
    return [
        *findings,
        _pool(answer, policy),
        _server(answer, policy),
        *_aged(answer, "idle_in_transaction", policy.idle_in_transaction, _idle_case(policy)),
        *_aged(answer, "blocked", policy.blocked, _blocked_case(policy)),
    ]


def _case(policy: Connections, name: str, expected: str, action: str, subject: str = "") -> Case:
    return Case(PROCEDURE, name, expected, Severity.P2, action, policy.manual or MANUAL, subject)


def _share(policy: Connections, of: float) -> str:
    warning, critical = (of * percent / 100 for percent in (policy.warning_percent, policy.critical_percent))
    return f"at most {number(warning)}, never over {number(critical)} of {number(of)}"


def _pool_case(policy: Connections) -> Case:
    whose = ", ".join([*policy.pool_users, *policy.pool_applications]) or "all clients"
    return _case(policy, "pool in use", _share(policy, policy.pool_size), FREE, whose)


def _server_case(policy: Connections, limit: float | None = None) -> Case:
    expected = "a free slot" if limit is None else _share(policy, limit)
    return _case(policy, "server connections", expected, FREE, "max_connections")


def _pool(answer: Answer, policy: Connections) -> Finding:
    ours = [one for one in answer.select("postgresql.connection.by_client") if _of_pool(one, policy)]
    states: dict[str, int] = {}
    for one in ours:
        states[one.labels["state"]] = states.get(one.labels["state"], 0) + int(one.value)
    used = sum(count for state, count in states.items() if state != "idle")
    said = ", ".join(f"{count} {state}" for state, count in sorted(states.items())) or "none open"
    return _judged(_pool_case(policy), used, policy.pool_size, policy, f"The pool has {used} in use ({said})")


def _of_pool(one: Measurement, policy: Connections) -> bool:
    """The policy's users and applications; naming neither means every client."""
    user = not policy.pool_users or one.labels["user"] in policy.pool_users
    application = not policy.pool_applications or one.labels["application"] in policy.pool_applications
    return user and application


def _server(answer: Answer, policy: Connections) -> Finding:
    limit = answer.first("postgresql.connection.max")
    if limit is None or limit.value <= 0:
        return _server_case(policy).not_measured()
    counts = {one.labels["state"]: int(one.value) for one in answer.select("postgresql.connection.count")}
    said = ", ".join(f"{count} {state}" for state, count in counts.items())
    total, case = sum(counts.values()), _server_case(policy, limit.value)
    return _judged(case, total, limit.value, policy, f"{total} connections are open ({said}; {limit.detail})")


def _judged(case: Case, used: int, of: float, policy: Connections, said: str) -> Finding:
    """Compared as counts times a hundred: 75 % of 20 is 15 to the digit, whatever floating point thinks."""
    actual = f"{used} of {number(of)}"
    if used * 100 > of * policy.critical_percent:
        return case.failed(
            actual, f"{said}, over the critical {number(of * policy.critical_percent / 100)} of {number(of)}"
        )
    if used * 100 > of * policy.warning_percent:
        return case.warned(
            actual, f"{said}, over the warning {number(of * policy.warning_percent / 100)} of {number(of)}"
        )
    return case.passed(actual, f"{said}, of {number(of)}")


def _idle_case(policy: Connections) -> Case:
    return _case(policy, "idle in transaction", _ages(policy.idle_in_transaction), END_IDLE)


def _blocked_case(policy: Connections) -> Case:
    return _case(policy, "blocked sessions", _ages(policy.blocked), END_BLOCKER)


def _ages(limits: TimeLimits) -> str:
    return f"at most {_seconds(limits.warning)}, never over {_seconds(limits.critical)}"


def _seconds(length: timedelta) -> str:
    return f"{number(length.total_seconds())} s"


def _aged(answer: Answer, kind: str, limits: TimeLimits, case: Case) -> Iterator[Finding]:
    """One finding per session that is over a limit, oldest first; one that says so when none is."""
    sessions = sorted(answer.select(f"postgresql.session.{kind}"), key=lambda one: -one.value)
    over = [one for one in sessions if one.value > limits.warning.total_seconds()]
    for one in over[:NAMED]:
        yield _session(_of_session(case, one), one, limits)
    if len(over) > NAMED:
        rest = f"{len(over) - NAMED} more sessions"
        yield case.warned(rest, f"{rest} are over {_seconds(limits.warning)}")
    if not over:
        oldest = f"the oldest for {sessions[0].value:.0f} s" if sessions else "none at all"
        yield case.passed(f"{len(sessions)} sessions, {oldest}", f"{case.name}: {len(sessions)} sessions, {oldest}")


def _of_session(case: Case, one: Measurement) -> Case:
    return Case(
        case.procedure,
        case.name,
        case.expected,
        case.severity,
        case.first_action,
        case.manual,
        f"pid {one.labels['pid']}",
    )


def _session(case: Case, one: Measurement, limits: TimeLimits) -> Finding:
    who = f"{case.subject} ({one.labels['user']}, {one.labels['application'] or 'unnamed'})"
    waits = f", waits for pid {one.labels['blocked_by']}" if "blocked_by" in one.labels else ""
    actual = f"{one.value:,.1f} s"
    said = f"{who} {case.name.removesuffix(' sessions')} for {actual}{waits}: {one.detail}"
    if one.value > limits.critical.total_seconds():
        return case.failed(actual, f"{said}; over the critical {_seconds(limits.critical)}")
    return case.warned(actual, f"{said}; over the warning {_seconds(limits.warning)}")
