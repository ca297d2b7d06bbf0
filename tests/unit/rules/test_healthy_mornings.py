"""On the demo's history, under the shipped policy: no healthy morning is warned about, and real trouble is found.

Healthy is wide: two busy cores at anything from 0 to 100 %, replies between 5 and 300 ms, on any day of the week.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clo_ops.findings import Answer, Measurement, Status
from clo_ops.policy import load_policy
from clo_ops.rules import anomalies, trends
from demo import mornings

POLICY = load_policy(mode="demo")
FIRST = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)


def floats(low, high):
    return st.floats(low, high, allow_nan=False)


def near(low, high, least, most):
    """Drawn once for the day the history is made and again, so many times that, for the morning judged."""
    return floats(low, high), lambda first: floats(max(0.0, first * least), first * most)


def anything(low, high):
    return floats(low, high), lambda _: floats(low, high)


def points(low, high, down, up, most=100.0):
    return floats(low, high), lambda first: floats(max(0.0, first - down), min(most, first + up))


# metric, unit, labels, and what it may be when the history is made and on the healthy morning after.
HEALTHY = [
    ("system.cpu.utilization", "percent", {"host": "app1"}, anything(0, 100)),
    ("system.memory.utilization", "percent", {"host": "app1"}, points(5, 95, 20, 20)),
    ("system.filesystem.utilization", "percent", {"host": "app1", "mount": "/"}, points(1, 97, 3, 3)),
    ("postgresql.connection.count", "count", {"state": "active"}, anything(0, 12)),
    ("postgresql.database.size", "bytes", {"database": "clo"}, near(7e6, 5e9, 0.9, 1.12)),
    ("postgresql.cache.hit_ratio", "percent", {"database": "clo"}, points(80, 100, 8, 8)),
    ("redis.memory.used", "bytes", {}, near(9e5, 5e7, 0.6, 1.6)),
    ("redis.cache.hit_ratio", "percent", {}, anything(0, 100)),
    ("redis.clients.connected", "count", {}, anything(1, 20)),
    ("http.client.request.duration", "ms", {"endpoint": "health"}, anything(5, 300)),
    ("http.client.request.duration", "ms", {"endpoint": "portfolios"}, anything(5, 300)),
    ("clo.calculation.duration", "s", {"statistic": "mean"}, near(0.2, 200, 0.3, 2)),
    ("clo.calculation.duration", "s", {"statistic": "max"}, near(0.2, 900, 0.3, 2)),
    ("clo.report.duration", "s", {"statistic": "p95"}, near(0.2, 200, 0.3, 2)),
    ("clo.calculation.failed", "count", {}, points(0, 5, 5, 4)),
    ("clo.login.count", "count", {}, near(0, 900, 0, 1.8)),
    ("clo.login.failed", "count", {}, near(0, 90, 0, 1.8)),
    ("clo.user.active", "count", {}, near(0, 200, 0, 1.8)),
]


@st.composite
def healthy(draw):
    """What was measured when the history was made, and what is measured on the morning after it."""
    at = FIRST + timedelta(days=draw(st.integers(0, 400)))
    first, later = [], []
    for name, unit, labels, (begins, goes_on) in HEALTHY:
        value = draw(begins)
        first.append(Measurement(name, value, unit, at, labels))
        later.append(Measurement(name, draw(goes_on(value)), unit, at, labels))
    return at, Answer.of(first), Answer.of(later), draw(st.integers(0, 50))


def looking_back(first, at, seed=7):
    return [(past.day, one) for past in mornings.history(first, at=at, seed=seed) for one in past.measurements]


def not_green(history, today, at):
    findings = anomalies.judge(history, today, POLICY.anomalies, POLICY.baseline, at=at)
    findings += trends.judge(history, today, POLICY.trend, at=at)
    assert len(findings) > len(HEALTHY)
    return [one.message for one in findings if one.status is not Status.PASS]


@settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(healthy())
def test_a_healthy_morning_is_never_warned_about(drawn):
    at, first, later, seed = drawn
    assert not_green(looking_back(first, at, seed), later, at) == []


def ordinary(at=FIRST):
    usual = {"percent": 40.0, "count": 30.0, "bytes": 5e7, "ms": 40.0, "s": 20.0}
    return Answer.of(Measurement(name, usual[unit], unit, at, labels) for name, unit, labels, _ in HEALTHY)


@pytest.mark.parametrize(
    "metric",
    [
        "postgresql.connection.count",
        "postgresql.database.size",
        "redis.memory.used",
        "redis.clients.connected",
        "clo.calculation.duration",
        "clo.calculation.failed",
        "clo.report.duration",
        "clo.login.count",
        "clo.login.failed",
        "clo.user.active",
    ],
)
@pytest.mark.parametrize("days", range(7))
def test_ten_times_as_much_is_found_on_every_weekday(metric, days):
    at = FIRST + timedelta(days=days)
    today = [one for one in ordinary(at).measurements if one.name == metric]
    tenfold = Answer.of(Measurement(one.name, 10 * one.value, one.unit, at, one.labels) for one in today)
    findings = anomalies.judge(looking_back(ordinary(at), at), tenfold, POLICY.anomalies, POLICY.baseline, at=at)
    assert findings
    assert {one.status for one in findings} <= {Status.WARN, Status.FAIL}


@pytest.mark.parametrize(("usual", "slow"), [(40.0, 3_000.0), (100.0, 1_000.0), (200.0, 2_000.0)])
def test_an_endpoint_that_became_very_slow_is_found(usual, slow):
    one = Measurement("http.client.request.duration", usual, "ms", FIRST, {"endpoint": "health"})
    today = Answer((Measurement(one.name, slow, one.unit, FIRST, one.labels),))
    (finding,) = anomalies.judge(
        looking_back(Answer((one,)), FIRST), today, POLICY.anomalies, POLICY.baseline, at=FIRST
    )
    assert finding.status is Status.FAIL


def growing(metric, a_day):
    """The demo's history with a real growth laid over one of its series: so much of today's value a day."""
    history = []
    for day, one in looking_back(ordinary(), FIRST):
        ago = (FIRST.date() - day).days
        value = one.value * (1 - a_day * ago) if one.name == metric else one.value
        history.append((day, Measurement(one.name, value, one.unit, one.at, one.labels)))
    return history


@pytest.mark.parametrize(
    ("metric", "today", "a_day"),
    [
        ("system.filesystem.utilization", 70.0, 0.015),
        ("system.memory.utilization", 72.0, 0.02),
        ("postgresql.database.size", 5e7, 0.02),
        ("redis.memory.used", 5e7, 0.025),
    ],
)
def test_a_real_growth_is_found(metric, today, a_day):
    was = ordinary()
    scaled = Answer.of(
        Measurement(one.name, today if one.name == metric else one.value, one.unit, one.at, one.labels)
        for one in was.measurements
    )
    factor = today / next(one.value for one in was.measurements if one.name == metric)
    history = [
        (day, Measurement(one.name, one.value * factor, one.unit, one.at, one.labels) if one.name == metric else one)
        for day, one in growing(metric, a_day)
    ]
    findings = trends.judge(history, scaled, POLICY.trend, at=FIRST)
    assert [one.subject.split()[0] for one in findings if one.status is Status.WARN] == [metric]


def test_the_history_is_the_same_every_time_and_wears_no_series_twice():
    once, again = looking_back(ordinary(), FIRST), looking_back(ordinary(), FIRST)
    assert once == again
    assert len({(day, one.name, tuple(one.labels.items())) for day, one in once}) == len(once) == 35 * len(HEALTHY)
    assert looking_back(ordinary(), FIRST, seed=8) != once


def test_week_ends_are_quiet_in_the_business_figures():
    by_weekday = {}
    for day, one in looking_back(ordinary(), FIRST - timedelta(days=4)):
        if one.name == "clo.login.count":
            by_weekday.setdefault(day.weekday(), []).append(one.value)
    mean = {weekday: sum(values) / len(values) for weekday, values in by_weekday.items()}
    assert mean[6] < 0.6 * mean[3]
    assert mean[0] < 0.7 * mean[3]
