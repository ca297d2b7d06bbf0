"""BH-03: mean, p95 and errors between two snapshots; at each level, over it, after a restart, without requests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from clo_ops.findings import Answer, Measurement, Status, Unanswered, worst
from clo_ops.policy import load_policy
from clo_ops.rules.requests import between, judge, quantile

POLICY = load_policy()
AT = datetime(2026, 11, 23, 8, 5, tzinfo=UTC)
BEFORE = AT - timedelta(minutes=5)


def counters(at, requests, failed=0.0, seconds=0.0, buckets=None):
    """``buckets``: requests by their bound; those of a smaller bound count in the larger ones."""
    plain = {"app.request.count": requests, "app.request.failed": failed}
    found = [Measurement(name, value, "count", at) for name, value in plain.items()]
    found.append(Measurement("app.request.seconds", seconds, "s", at))
    sizes = buckets if buckets is not None else {"0.1": requests, "+Inf": requests}
    return found + [Measurement("app.request.bucket", n, "count", at, {"le": le}) for le, n in sizes.items()]


def judged(now, before=None):
    before = counters(BEFORE, 0, buckets={}) if before is None else before
    return {one.name: one for one in judge(Answer.of(now), before, POLICY, at=AT)}


@pytest.mark.parametrize(
    ("failed", "expected"),
    [(0, Status.PASS), (10, Status.PASS), (11, Status.WARN), (100, Status.WARN), (101, Status.FAIL)],
)
def test_error_rate_at_each_level_and_one_step_over(failed, expected):
    found = judged(counters(AT, 10_000, failed))
    assert found["error rate"].status is expected
    assert f"{failed} of 10,000 requests failed" in found["error rate"].message


@pytest.mark.parametrize(
    ("bound", "expected"), [("0.5", Status.PASS), ("0.6", Status.WARN), ("1.0", Status.WARN), ("1.2", Status.FAIL)]
)
def test_p95_at_each_level_and_over_it(bound, expected):
    # All requests in the upper end of one bucket: 95 % lie within it, the rest above.
    buckets = {"0.0": 0, bound: 95, "+Inf": 100}
    assert judged(counters(AT, 100, buckets=buckets))["p95 response time"].status is expected


def test_the_quantile_is_prometheus_own():
    buckets = {0.1: 50.0, 0.5: 90.0, 1.0: 100.0, float("inf"): 100.0}
    assert quantile(0.95, buckets) == pytest.approx(0.75)
    assert quantile(0.5, buckets) == pytest.approx(0.1)
    assert quantile(0.99, {0.1: 10.0, float("inf"): 100.0}) == 0.1


def test_only_what_was_counted_since_the_last_snapshot_counts():
    before = counters(BEFORE, 1000, failed=500, seconds=900.0)
    window = between(before, Answer.of(counters(AT, 1100, failed=500, seconds=905.0)))
    assert (window.requests, window.failed, window.length) == (100, 0, timedelta(minutes=5))
    assert window.mean_ms == pytest.approx(50.0)


def test_an_application_started_anew_is_counted_from_its_start():
    before = counters(BEFORE, 1000, failed=500)
    assert between(before, Answer.of(counters(AT, 40, failed=1))).failed == 1


def test_without_enough_requests_or_an_earlier_snapshot_nothing_is_claimed():
    assert judged(counters(AT, 19))["requests of the window"].status is Status.NOT_APPLICABLE
    assert worst(judged(counters(AT, 20)).values()) is Status.PASS
    assert judged(counters(AT, 100), before=[])["requests of the window"].status is Status.NOT_APPLICABLE


def test_silence_is_unknown():
    silent = Answer(unanswered=(Unanswered("requests", "http://api", "GET /metrics", "refused", AT),))
    assert worst(judge(silent, [], POLICY, at=AT)) is Status.UNKNOWN
