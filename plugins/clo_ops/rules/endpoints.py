"""DM-13 (manual L34): each endpoint of the policy is up, answers with its status and body, and in time.

Times are those of the response-time thresholds, 500 and 1,000 ms (L335-L337), strictly greater (D46).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from clo_ops.findings import Answer, Finding, Measurement, Severity, unanswered_findings
from clo_ops.policy.system import Endpoint
from clo_ops.rules.verdicts import Case, timed, within

PROCEDURE = "DM-13"
MANUAL = "L34"
ASK_AGAIN = "Check from the worker that the API's host answers and that the synthetic account can log in (DM-10)."
BRING_UP = "See whether the API's process runs (DM-03) and read its log; restart it if it hangs."
WRONG = "Read the API's log of this request, then the components of /api/v1/monitoring/health."
SLOW = "Look at slow statements (DM-06), connections (DM-05) and CPU (BH-01) before restarting anything."


def judge(answer: Answer, policy: Sequence[Endpoint], *, at: datetime) -> list[Finding]:
    """Findings ``endpoint up``, ``status``, ``body`` and ``latency`` per endpoint.

    A wrong reply's time says nothing, so it is not judged.
    """
    findings = unanswered_findings(PROCEDURE, answer, Severity.P2, ASK_AGAIN)
    open_questions = {one.question for one in answer.unanswered}
    for endpoint in policy:
        up = answer.first("http.up", endpoint=endpoint.name)
        if up is not None:
            findings += _endpoint(answer, endpoint, up)
        elif f"endpoint {endpoint.name}" not in open_questions:
            findings.append(_case(endpoint, "endpoint up", "a reply", ASK_AGAIN).not_measured())
    return findings or [_nothing_to_ask()]


def _nothing_to_ask() -> Finding:
    expected = "endpoints in endpoints.yaml"
    return Case(
        PROCEDURE, "endpoint up", expected, Severity.P3, "Name the endpoints in the policy.", MANUAL
    ).not_measured()


def _case(endpoint: Endpoint, name: str, expected: str, first_action: str) -> Case:
    manual = endpoint.manual or MANUAL
    return Case(PROCEDURE, name, expected, endpoint.severity, first_action, manual, subject=endpoint.name)


def _endpoint(answer: Answer, endpoint: Endpoint, up: Measurement) -> list[Finding]:
    case = _case(endpoint, "endpoint up", "a reply", BRING_UP)
    where = f"{endpoint.method} {endpoint.path}"
    if up.value != 1:
        return [case.failed(up.detail, f"{where} is down: {up.detail}")]
    found = [case.passed("a reply", f"{where} answered")]
    wrong = _wrong(answer, endpoint, where)
    return found + wrong if wrong else found + _right(answer, endpoint, where)


def _wrong(answer: Answer, endpoint: Endpoint, where: str) -> list[Finding]:
    found = []
    status = answer.first("http.response.status_code", endpoint=endpoint.name)
    if status is not None and status.value != endpoint.expect_status:
        case, seen = _status(endpoint), f"HTTP {status.value:.0f}"
        found.append(case.failed(seen, f"{where} answered {seen}{f', {status.detail}' if status.detail else ''}"))
    body = answer.first("http.response.body_matches", endpoint=endpoint.name)
    if body is not None and body.value != 1:
        found.append(_body(endpoint).failed(body.detail, f"{where} answered with the wrong body: {body.detail}"))
    return found


def _right(answer: Answer, endpoint: Endpoint, where: str) -> list[Finding]:
    status = answer.first("http.response.status_code", endpoint=endpoint.name)
    seen = f"HTTP {endpoint.expect_status}"
    found = [_status(endpoint).passed(seen, f"{where} answered {seen}") if status else _status(endpoint).not_measured()]
    if endpoint.body is not None:
        body = answer.first("http.response.body_matches", endpoint=endpoint.name)
        case = _body(endpoint)
        found.append(case.passed("as expected", f"{where} has the expected body") if body else case.not_measured())
    return [*found, _latency(answer, endpoint, where)]


def _status(endpoint: Endpoint) -> Case:
    return _case(endpoint, "endpoint status", f"HTTP {endpoint.expect_status}", WRONG)


def _body(endpoint: Endpoint) -> Case:
    body = endpoint.body
    parts = [] if body is None else [f"{key} = {value}" for key, value in body.equals.items()]
    parts += [] if body is None else [f"key {key}" for key in body.has]
    parts += [f"text {body.contains!r}"] if body is not None and body.contains else []
    return _case(endpoint, "endpoint body", ", ".join(parts), WRONG)


def _latency(answer: Answer, endpoint: Endpoint, where: str) -> Finding:
    taken = answer.first("http.client.request.duration", endpoint=endpoint.name)
    case = _case(endpoint, "endpoint latency", within(endpoint), SLOW)
    return case.not_measured() if taken is None else timed(case, taken, endpoint, where)
