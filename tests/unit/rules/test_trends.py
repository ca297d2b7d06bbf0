"""DM-08 under the policy as it is shipped."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from clo_ops.findings import Answer, Measurement, Severity, Status, Unanswered
from clo_ops.policy import load_policy
from clo_ops.policy.morning import TrendResource
from clo_ops.rules import trends

AT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
POLICY = load_policy(mode="demo").trend
DISK = ("system.filesystem.utilization", "percent", {"host": "app1", "mount": "/"})
SIZE = ("postgresql.database.size", "bytes", {"database": "clo"})
DAY = timedelta(days=1)


def of(metric, value, days_ago=0):
    name, unit, labels = metric
    return Measurement(name, value, unit, AT - days_ago * DAY, labels)


def mornings(metric, values, gaps=()):
    """``values`` end yesterday; days in ``gaps`` (days ago) were never recorded."""
    dated = ((len(values) - place, value) for place, value in enumerate(values))
    return [((AT - ago * DAY).date(), of(metric, value, ago)) for ago, value in dated if ago not in gaps]


def judged(metric, values, today, policy=POLICY, **more):
    findings = trends.judge(mornings(metric, values, **more), Answer((of(metric, today),)), policy, at=AT)
    (finding,) = [one for one in findings if one.subject.startswith(metric[0]) and one.name != "not measured"]
    return finding


def steps(start, slope, days=28, noise=0.2, seed=1):
    """Near a straight line, today its last point."""
    chance = random.Random(seed)  # noqa: S311 - noise, not a secret
    return [start + slope * day + chance.uniform(-noise, noise) for day in range(days + 1)]


def grown(metric, *args, **more):
    *past, today = steps(*args, **more)
    return judged(metric, past, today)


def test_growth_towards_the_threshold_warns_with_slope_and_change():
    finding = grown(DISK, 45.0, 0.8)
    assert finding.status is Status.WARN
    assert finding.severity is Severity.P3
    assert finding.expected == "at most 80 % in 28 days"
    assert "against the median" in finding.message
    assert "slope 0.798 % a day, significant" in finding.message
    assert float(finding.labels["slope_28"]) == pytest.approx(0.8, abs=0.05)
    assert finding.subject == "system.filesystem.utilization host=app1 mount=/"


@pytest.mark.parametrize(("start", "status"), [(30.5, Status.PASS), (31.5, Status.WARN)])
def test_the_projection_decides_at_the_threshold(start, status):
    # 28 mornings and today at 0.875 a day, then 28 days more: 49 above the start. 80 is the disk's warning level.
    assert grown(DISK, start, 0.875, noise=0.01).status is status


def test_a_week_is_not_carried_on_for_four():
    # A climb of 2 a day that began a week ago: 64 in a week passes, although 106 in four weeks would not.
    past = steps(50.0, 0, days=20, noise=0.01)[:21] + [50.0 + 0.9 * day for day in range(1, 8)]
    assert judged(DISK, past, 57.2).status is Status.PASS
    steep = steps(50.0, 0, days=20, noise=0.01)[:21] + [50.0 + 2.1 * day for day in range(1, 8)]
    assert judged(DISK, steep, 66.8).status is Status.WARN


@pytest.mark.parametrize(
    ("start", "status", "severity"), [(59.5, Status.WARN, Severity.P3), (60.5, Status.FAIL, Severity.P2)]
)
def test_over_the_critical_level_within_a_week_fails(start, status, severity):
    # 28 mornings and today at 0.875 a day, then 7 days more: 30.6 above the start. 90 is the disk's critical level.
    finding = grown(DISK, start, 0.8434, noise=0.01)
    assert (finding.status, finding.severity) == (status, severity)
    assert finding.expected == ("at most 90 % in 7 days" if status is Status.FAIL else "at most 80 % in 7 days")


def test_a_hit_ratio_fails_downwards():
    resource = TrendResource(
        metric="postgresql.cache.hit_ratio",
        unit="percent",
        warn_change_percent="25 %",
        warning_level=90,
        critical_level=80,
    )
    policy = POLICY.model_copy(update={"resources": (resource,)})
    hits = ("postgresql.cache.hit_ratio", "percent", {})
    for last, status in ((99.0, Status.PASS), (93.0, Status.WARN), (83.0, Status.FAIL)):
        *past, today = [last + 0.5 * (28 - day) for day in range(29)] if last < 99 else [last] * 29
        assert judged(hits, past, today, policy).status is status


def test_a_falling_line_and_a_level_one_pass_even_above_the_threshold():
    assert grown(DISK, 85.0, 0.0).status is Status.PASS
    assert grown(DISK, 95.0, -0.3).status is Status.PASS


def test_noise_that_chance_alone_makes_is_no_trend():
    noisy = [50, 75, 40, 60, 78, 45, 62, 55] * 4
    finding = judged(DISK, noisy[:28], 79.0)
    assert finding.status is Status.PASS
    assert "no significant trend" in finding.message


@pytest.mark.parametrize(
    ("slope", "status"), [(0.0, Status.PASS), (1.7, Status.PASS), (3.0, Status.WARN), (-1.6, Status.WARN)]
)
def test_without_a_threshold_the_change_in_percent_decides_either_way_for_a_size(slope, status):
    # 14 days from the middle of the window to today: 1.7 of 100 a day moves the line by 20 %, 3.0 by 30 %.
    assert grown(SIZE, 100.0, slope).status is status


def test_gaps_in_days_are_allowed_and_counted_by_the_calendar():
    *past, today = steps(55.0, 0.8)
    finding = judged(DISK, past, today, gaps=(3, 4, 9, 10, 17))
    assert finding.status is Status.WARN
    assert finding.labels["mornings_28"] == "23"
    assert float(finding.labels["slope_28"]) == pytest.approx(0.8, abs=0.05)


@pytest.mark.parametrize(
    ("there", "status"), [(0, Status.NOT_APPLICABLE), (4, Status.NOT_APPLICABLE), (5, Status.PASS)]
)
def test_too_few_mornings_are_said_not_passed(there, status):
    finding = judged(DISK, [50.0, 51.0, 49.0, 50.5, 50.2][:there], 50.0)
    assert finding.status is status
    if status is Status.NOT_APPLICABLE:
        assert f"there are {there} earlier mornings and it takes 5 of the last 7, 20 of the last 28" in finding.message


@pytest.mark.parametrize(("there", "windows"), [(19, {"7"}), (20, {"7", "28"})])
def test_each_window_is_judged_when_it_has_enough(there, windows):
    finding = judged(DISK, [50.0 + place % 3 for place in range(there)], 50.0)
    assert {label.removeprefix("slope_") for label in finding.labels if label.startswith("slope_")} == windows


def test_todays_own_record_is_not_compared_with_itself():
    history = [*mornings(DISK, [50.0, 51, 49, 50, 52, 51, 50]), (AT.date(), of(DISK, 99.0))]
    today = Answer((of(DISK, 99.0),))
    finding = next(one for one in trends.judge(history, today, POLICY, at=AT) if one.subject.startswith(DISK[0]))
    assert finding.labels["median_7"] == "50.0"


def test_a_median_of_nothing_has_no_percentage():
    failed = ("postgresql.connection.count", "count", {"state": "active"})
    assert "no percentage" in judged(failed, [0.0] * 7, 1.0).message


def test_connections_of_other_states_are_not_judged():
    idle = ("postgresql.connection.count", "count", {"state": "idle"})
    findings = trends.judge([], Answer((of(idle, 3.0),)), POLICY, at=AT)
    assert all(one.name == "not measured" for one in findings)


def test_what_was_not_measured_is_unknown_and_so_is_silence():
    silent = Unanswered("disk", "ssh://app1", "ssh", "no route to host", AT)
    findings = trends.judge([], Answer(unanswered=(silent,)), POLICY, at=AT)
    assert {one.status for one in findings} == {Status.UNKNOWN}
    assert len(findings) == 1 + len(POLICY.resources)
