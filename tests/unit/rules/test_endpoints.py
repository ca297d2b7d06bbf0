"""DM-13: up, status, body and latency per endpoint; latency at, below and above both thresholds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from clo_ops.findings import Answer, Finding, Measurement, Severity, Status, Unanswered
from clo_ops.policy.system import BodyCheck, Endpoint
from clo_ops.rules import endpoints

AT = datetime(2026, 11, 23, 8, tzinfo=UTC)
LABELS = {"endpoint": "portfolios"}


def endpoint(**changes) -> Endpoint:
    given = {
        "name": "portfolios",
        "path": "/api/v1/portfolios",
        "expect_status": 200,
        "body": BodyCheck(has=("items",)),
        "warning": timedelta(milliseconds=500),
        "critical": timedelta(milliseconds=1000),
        "severity": Severity.P2,
        "manual": "L34",
    }
    return Endpoint(**{**given, **changes})


def answer(ms: float = 20, status: int = 200, matches: float = 1, up: float = 1, detail: str = "") -> Answer:
    return Answer(
        (
            Measurement("http.up", up, "bool", AT, LABELS, detail),
            Measurement("http.client.request.duration", ms, "ms", AT, LABELS),
            Measurement("http.response.status_code", status, "count", AT, LABELS),
            Measurement("http.response.body_matches", matches, "bool", AT, LABELS, detail),
        )
    )


def judged(given: Answer, **changes) -> dict[str, Finding]:
    return {one.name: one for one in endpoints.judge(given, [endpoint(**changes)], at=AT)}


@pytest.mark.parametrize(
    ("ms", "status"),
    [
        (499.9, Status.PASS),
        (500.0, Status.PASS),
        (500.1, Status.WARN),
        (999.9, Status.WARN),
        (1000.0, Status.WARN),
        (1000.1, Status.FAIL),
    ],
)
def test_latency_is_judged_strictly(ms, status):
    found = judged(answer(ms))["endpoint latency"]
    assert found.status is status
    assert f"{ms:,.1f} ms" in found.message
    assert "500.0 ms" in found.expected
    assert "1,000.0 ms" in found.expected


def test_a_warning_is_p3_and_a_failure_the_endpoints_own():
    assert judged(answer(501))["endpoint latency"].severity is Severity.P3
    assert judged(answer(1001), severity=Severity.P1)["endpoint latency"].severity is Severity.P1


def test_down_is_a_failure_and_nothing_else_is_judged():
    found = judged(answer(up=0, detail="connection refused"))
    assert list(found) == ["endpoint up"]
    assert found["endpoint up"].status is Status.FAIL
    assert "connection refused" in found["endpoint up"].message


def test_wrong_status_fails_and_its_time_is_not_judged():
    found = judged(answer(status=500, matches=0, detail="key 'items' is missing"))
    assert found["endpoint status"].status is Status.FAIL
    assert found["endpoint status"].actual == "HTTP 500"
    assert found["endpoint body"].status is Status.FAIL
    assert "endpoint latency" not in found


def test_wrong_body_with_good_status_fails():
    found = judged(answer(matches=0, detail="key 'items' is missing"))
    assert found["endpoint body"].status is Status.FAIL
    assert found["endpoint body"].expected == "key items"
    assert "endpoint latency" not in found


def test_an_endpoint_without_body_check_has_no_body_finding():
    assert set(judged(answer(), body=None)) == {"endpoint up", "endpoint status", "endpoint latency"}


def test_unanswered_is_unknown_and_says_what_was_tried():
    silent = Unanswered("endpoint portfolios", "http://clo", "GET http://clo/x", "name does not resolve", AT)
    (found,) = endpoints.judge(Answer(unanswered=(silent,)), [endpoint()], at=AT)
    assert found.status is Status.UNKNOWN
    assert "GET http://clo/x" in found.message


def test_nothing_measured_is_unknown_for_each_endpoint():
    found = endpoints.judge(Answer(), [endpoint(), endpoint(name="health")], at=AT)
    assert [(one.subject, one.status) for one in found] == [
        ("portfolios", Status.UNKNOWN),
        ("health", Status.UNKNOWN),
    ]


def test_no_endpoints_at_all_is_unknown():
    (found,) = endpoints.judge(Answer(), [], at=AT)
    assert found.status is Status.UNKNOWN


def test_a_reply_without_its_parts_is_not_passed():
    up = Answer((Measurement("http.up", 1, "bool", AT, LABELS),))
    found = judged(up)
    assert found["endpoint status"].status is Status.UNKNOWN
    assert found["endpoint body"].status is Status.UNKNOWN
    assert found["endpoint latency"].status is Status.UNKNOWN
