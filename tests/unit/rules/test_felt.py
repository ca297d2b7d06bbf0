"""Requests added up: mean, percentile, Apdex and errors from sums, at the bounds and between them."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from math import inf

import pytest

from clo_ops.findings.roll_ups import RollUp
from clo_ops.policy import load_policy
from clo_ops.rules import experience, felt
from clo_ops.rules.felt import Felt
from clo_ops.rules.requests import Window

AT = datetime(2026, 10, 20, 10, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
POLICY = load_policy(mode="demo")
APDEX = POLICY.performance.apdex


def rolled(metric: str, mean: float, count: int, **labels: str) -> RollUp:
    hour = timedelta(hours=1)
    return RollUp(
        metric, labels, "count", AT, count, mean, *[mean] * 6, hour, None, None, None, None, "measured"
    )  # fmt: skip


def test_sums_come_back_from_means_and_counts():
    window = Window(timedelta(minutes=5), 20.0, 1.0, 4.0, {0.5: 15.0, inf: 20.0})
    measured = list(felt.counted(window, AT))
    found = felt.felt([rolled(one.name, one.value, 3, **dict(one.labels)) for one in measured])
    assert found == Felt(60.0, 3.0, 12.0, {0.5: 45.0, inf: 60.0})
    assert (found.mean_ms, found.failed_percent) == (200.0, 5.0)


def test_series_of_two_sites_add_up():
    both = [
        rolled(felt.COUNT, 10, 2),
        rolled(felt.COUNT, 5, 4),
        rolled(felt.SECONDS, 1, 6),
        rolled(felt.BUCKET, 9, 2, le="+Inf"),
    ]
    found = felt.felt(both)
    assert found is not None and found.requests == 40 and found.buckets == {inf: 18}


def test_no_request_is_no_figure():
    assert felt.felt([]) is None
    assert felt.felt([rolled(felt.COUNT, 0, 100)]) is None
    none_asked = list(felt.counted(Window(SECOND, 0.0, 0.0, 0.0, {inf: 0.0}), AT))
    assert felt.SHARE not in {one.name for one in none_asked}
    assert set(experience.figures(None, POLICY)[1:]) == {"no data"}
    assert [one.actual for one in experience.judge(None, POLICY)] == ["no data", "no data"]


@pytest.mark.parametrize(
    ("bound", "within"), [(0.25, 25.0), (0.5, 50.0), (0.75, 75.0), (1.0, 100.0), (2.0, 100.0), (0.1, 10.0)]
)
def test_how_many_stayed_within_a_bound(bound, within):
    """100 requests spread evenly over a second."""
    even = Felt(100.0, 0.0, 50.0, {0.5: 50.0, 1.0: 100.0, inf: 100.0})
    assert even.within(SECOND * bound) == pytest.approx(within)


def test_requests_beyond_the_last_bound_are_within_none():
    assert Felt(10.0, 0.0, 99.0, {1.0: 4.0, inf: 10.0}).within(5 * SECOND) == 4.0


def spread(satisfied: float, tolerated: float, failed: float = 0.0) -> Felt:
    """Of 100 requests so many within 500 ms, and within 2 s."""
    return Felt(100.0, failed, 50.0, {0.5: satisfied, 2.0: tolerated, inf: 100.0})


def test_apdex_is_the_satisfied_and_half_of_the_tolerating():
    assert spread(80, 90).apdex(APDEX.satisfied, APDEX.tolerated) == pytest.approx(0.85)
    assert spread(80, 90, failed=10).apdex(APDEX.satisfied, APDEX.tolerated) == pytest.approx(0.75)
    assert spread(0, 0, failed=50).apdex(APDEX.satisfied, APDEX.tolerated) == 0.0


@pytest.mark.parametrize(("satisfied", "status"), [(94.0, "pass"), (math.nextafter(94.0, 0), "warn"), (95.0, "pass")])
def test_apdex_at_what_is_good_and_one_step_below(satisfied, status):
    index = [one for one in experience.judge(spread(satisfied, satisfied), POLICY) if one.name == "Apdex"]
    assert [one.status.value for one in index] == [status]


@pytest.mark.parametrize(("bound", "status"), [(500.0, "pass"), (500.2, "warn"), (1000.0, "warn"), (1000.2, "fail")])
def test_p95_at_its_levels_and_one_step_beyond(bound, status):
    slow = Felt(100.0, 0.0, 9.0, {bound / 1000: 95.0, inf: 100.0})
    (p95,) = [one for one in experience.judge(slow, POLICY) if one.name == "p95 users felt"]
    assert p95.status.value == status
