"""DM-09 under the policy as it is shipped."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest

from clo_ops.findings import Answer, Measurement, Severity, Status, Unanswered
from clo_ops.policy import load_policy
from clo_ops.rules import anomalies

AT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)  # a Monday
POLICY = load_policy(mode="demo").anomalies
BASELINE = load_policy(mode="demo").baseline
DISK = ("system.filesystem.utilization", "percent", {"host": "app1", "mount": "/"})
LOGINS = ("clo.login.count", "count", {})
HITS = ("postgresql.cache.hit_ratio", "percent", {})
NEVER_HEARD_OF = ("clo.queue.depth", "count", {})
DAY = timedelta(days=1)
# Median 50, MAD 5: k * 1.4826 * 5 = 29.652.
WIDE = [40.0, 45, 45, 50, 50, 50, 55, 55, 60, 50, 45, 55, 40, 60]


def of(metric, value, days_ago=0):
    name, unit, labels = metric
    return Measurement(name, value, unit, AT - days_ago * DAY, labels)


def mornings(metric, values):
    """``values`` end yesterday."""
    dated = ((len(values) - place, value) for place, value in enumerate(values))
    return [((AT - ago * DAY).date(), of(metric, value, ago)) for ago, value in dated]


def judge(metric, values, today):
    return anomalies.judge(mornings(metric, values), Answer((of(metric, today),)), POLICY, BASELINE, at=AT)[0]


@pytest.mark.parametrize(
    ("today", "status", "side"),
    [
        (50 + 29.651, Status.PASS, ""),
        (50 + 29.653, Status.WARN, "above"),
        (50 - 29.651, Status.PASS, ""),
        (50 - 29.653, Status.WARN, "below"),
    ],
)
def test_outside_k_deviations_warns_and_names_the_side(today, status, side):
    finding = judge(DISK, WIDE, today)
    assert finding.status is status
    if status is Status.WARN:
        assert finding.severity is Severity.P3
        assert finding.name == f"{side} its own band"
        assert finding.expected == "20.3 % to 79.7 %"
        assert "median 50 % of 14 days of history" in finding.message
    assert finding.labels["days"] == "14"


@pytest.mark.parametrize(
    ("today", "status"), [(60.0, Status.PASS), (math.nextafter(60.0, 99), Status.WARN), (40.0, Status.PASS)]
)
def test_a_flat_history_is_not_certainty(today, status):
    """MAD 0: the policy's 10 points for a disk hold, their edge included."""
    assert judge(DISK, [50.0] * 14, today).status is status


def test_a_band_in_percent_of_the_median():
    assert judge(("postgresql.database.size", "bytes", {}), [1000.0] * 14, 1200).status is Status.PASS
    assert judge(("postgresql.database.size", "bytes", {}), [1000.0] * 14, 1201).status is Status.WARN


@pytest.mark.parametrize(
    ("today", "status", "severity"),
    [
        (80.0, Status.WARN, Severity.P3),
        (math.nextafter(80.0, 99), Status.FAIL, Severity.P2),
    ],
)
def test_three_times_the_band_to_the_side_that_hurts_fails(today, status, severity):
    """A median of 50 and 10 points of band: 80 is three times as far out as its edge."""
    finding = judge(DISK, [50.0] * 14, today)
    assert (finding.status, finding.severity) == (status, severity)
    assert finding.name == ("above its own band" if status is Status.WARN else "far above its own band")


@pytest.mark.parametrize(
    ("metric", "today", "status"),
    [
        (DISK, 10.0, Status.WARN),
        (HITS, 98.0, Status.WARN),
        (HITS, 20.0, Status.FAIL),
        (LOGINS, 500.0, Status.FAIL),
    ],
)
def test_the_side_that_does_not_hurt_only_warns(metric, today, status):
    """Use that falls and a hit rate that rises are good news; of logins both sides are worth a look."""
    values = [50.0] * 14
    assert judge(metric, values, today).status is status


def test_half_of_the_mornings_may_have_been_wild():
    wild = [50.0, 9_000, 51, 8_000, 49, 7_000, 50, 52, 48, 6_000, 50, 51, 49, 5_000]
    finding = judge(DISK, wild, 70.0)
    assert finding.status is Status.WARN
    assert float(finding.labels["high"]) < 100


def test_ten_times_is_found():
    finding = judge(LOGINS, [200.0, 240, 180, 210, 190, 220, 205, 195], 2_000.0)
    assert finding.status is Status.FAIL
    assert "times the median" in finding.message


@pytest.mark.parametrize(
    ("there", "status"), [(0, Status.NOT_APPLICABLE), (6, Status.NOT_APPLICABLE), (7, Status.PASS)]
)
def test_too_little_history_is_said_not_passed(there, status):
    finding = judge(DISK, [50.0] * there, 50.0)
    assert finding.status is status
    if status is Status.NOT_APPLICABLE:
        assert f"there are {there} days of history and it takes 7" in finding.message


@pytest.mark.parametrize(("weeks", "days"), [(3, 21), (4, 4), (5, 5)])
def test_the_same_weekday_where_there_are_weeks_enough(weeks, days):
    """Mondays bring 500 logins, other days 100: a Monday of 500 is normal once four Mondays are known."""
    values = [500.0 if (AT - ago * DAY).weekday() == 0 else 100.0 for ago in range(7 * weeks, 0, -1)]
    finding = judge(LOGINS, values, 500.0)
    assert finding.labels["days"] == str(days)
    assert finding.status is (Status.FAIL if weeks == 3 else Status.PASS)
    assert ("Mondays" in finding.message) is (weeks > 3)


def test_history_older_than_the_lookback_is_forgotten():
    old = [((AT - timedelta(days=57 + ago)).date(), of(DISK, 50.0)) for ago in range(30)]
    finding = anomalies.judge(old, Answer((of(DISK, 50.0),)), POLICY, BASELINE, at=AT)[0]
    assert finding.status is Status.NOT_APPLICABLE


def test_todays_own_record_is_no_history():
    history = [*mornings(DISK, [50.0] * 6), (AT.date(), of(DISK, 50.0))]
    finding = anomalies.judge(history, Answer((of(DISK, 50.0),)), POLICY, BASELINE, at=AT)[0]
    assert finding.status is Status.NOT_APPLICABLE


def test_series_are_told_apart_by_their_labels():
    other = ("system.filesystem.utilization", "percent", {"host": "app1", "mount": "/data"})
    history = mornings(DISK, [20.0] * 14) + mornings(other, [80.0] * 14)
    today = Answer((of(DISK, 80.0), of(other, 80.0)))
    found = anomalies.judge(history, today, POLICY, BASELINE, at=AT)
    assert [one.status for one in found] == [Status.FAIL, Status.PASS]


def test_a_metric_without_a_least_band_is_judged_by_its_deviation_alone():
    assert judge(NEVER_HEARD_OF, [5.0] * 14, 5.0).status is Status.PASS
    assert judge(NEVER_HEARD_OF, [5.0] * 14, 6.0).status is Status.WARN


def test_nothing_measured_and_silence_are_unknown():
    silent = Unanswered("disk", "ssh://app1", "ssh", "no route to host", AT)
    for today in (Answer(), Answer(unanswered=(silent,))):
        assert [one.status for one in anomalies.judge([], today, POLICY, BASELINE, at=AT)] == [Status.UNKNOWN]


def test_a_band_is_shown_no_further_than_a_value_can_go():
    cpu = ("system.cpu.utilization", "percent", {"host": "app1"})
    assert judge(cpu, [10.0, 90, 20, 80, 30, 70, 50, 50], 100.0).expected == "0 % to 100 %"
