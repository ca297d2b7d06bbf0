"""DM-15 (manual L36): the WebSocket opens, a ping comes back as it was sent, both in time (D49)."""

from __future__ import annotations

from datetime import datetime

from clo_ops.findings import Answer, Finding, Severity, unanswered_findings
from clo_ops.policy.limits import TimeLimits
from clo_ops.policy.morning import WebSocket
from clo_ops.rules.verdicts import Case, timed, within

PROCEDURE = "DM-15"
SEVERITY = Severity.P2
ASK_AGAIN = "Check from the worker that the API's host answers and that the synthetic account can log in (DM-10)."
BRING_UP = "See whether the API's process runs (DM-03) and whether a proxy in front of it still upgrades connections."
WRONG_ECHO = "Read the API's log of this connection; messages may be reaching somebody else's session."
NO_WELCOME = "Compare the API's version with the policy's welcome (morning.yaml): another program may be answering."
SLOW = "Look at the API's event loop (endpoint latency, DM-13) and the host's CPU (BH-01)."


def judge(answer: Answer, policy: WebSocket, *, at: datetime) -> list[Finding]:
    """Findings ``websocket up``, ``websocket welcome``, ``websocket echo``, ``handshake time``, ``round trip time``."""
    findings = unanswered_findings(PROCEDURE, answer, SEVERITY, ASK_AGAIN)
    up, case = answer.first("websocket.up"), _case(policy, "websocket up", "open, and a pong to a ping", BRING_UP)
    if up is None:
        return findings or [case.not_measured()]
    if up.value != 1:
        return [*findings, case.failed(up.detail, f"{policy.path} does not work: {up.detail}")]
    return [
        *findings,
        case.passed("open, and a pong", f"{policy.path} opened and answered a ping"),
        *_welcome(answer, policy),
        _echo(answer, policy),
        _time(answer, policy, "websocket.handshake.duration", "handshake time", policy.handshake),
        _time(answer, policy, "websocket.round_trip.duration", "round trip time", policy.round_trip),
    ]


def _case(policy: WebSocket, name: str, expected: str, first_action: str) -> Case:
    return Case(PROCEDURE, name, expected, SEVERITY, first_action, policy.manual or "L36", policy.path)


def _welcome(answer: Answer, policy: WebSocket) -> list[Finding]:
    """Not asked where the policy expects no greeting."""
    if not policy.welcome:
        return []
    said = ", ".join(f"{key} {value}" for key, value in policy.welcome.items())
    case, welcome = _case(policy, "websocket welcome", said, NO_WELCOME), answer.first("websocket.welcome.matches")
    if welcome is None:
        return [case.not_measured()]
    return [case.either(welcome, f"{policy.path} opened with {said}", f"{policy.path} did not open with {said}")]


def _echo(answer: Answer, policy: WebSocket) -> Finding:
    case, echo = _case(policy, "websocket echo", "the value sent", WRONG_ECHO), answer.first("websocket.echo.matches")
    if echo is None:
        return case.not_measured()
    return case.either(echo, f"{policy.path} returned the value sent", f"{policy.path} returned another value")


def _time(answer: Answer, policy: WebSocket, metric: str, name: str, limits: TimeLimits) -> Finding:
    case, taken = _case(policy, name, within(limits), SLOW), answer.first(metric)
    return (
        case.not_measured()
        if taken is None
        else timed(case, taken, limits, f"{policy.path}, {name.rsplit(' ', 1)[0]},")
    )
