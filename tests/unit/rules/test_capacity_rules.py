"""The Wednesday's rules at their thresholds, one step below and one above; and when nothing is said."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from clo_ops.findings import Answer, Finding, Measurement, Severity, Status, Unanswered
from clo_ops.findings.roll_ups import ForecastDay, RollUp
from clo_ops.findings.statements import StatementRow, StatementSnapshot
from clo_ops.policy import load_policy
from clo_ops.rules import (
    capacity,
    headroom,
    load,
    recommendations,
    response_weeks,
    scorecard,
    statement_weeks,
    table_use,
)

POLICY = load_policy(mode="demo")
CAPACITY = POLICY.capacity
NOW = datetime(2026, 11, 25, 10, tzinfo=UTC)
(CPU,) = CAPACITY.of("WW-01")


def watched(level: float, slope: float = 0.0, days: int = 91, ends: timedelta = timedelta(), resource=CPU):
    times = [NOW - ends - timedelta(hours=hour) for hour in range(days * 24 - 1, -1, -1)]
    points = [(at, level + slope * (at - NOW + ends) / timedelta(days=1)) for at in times]
    return capacity.Watched(resource, {"host": "app1"}, points)


def judged(*series, resource=CPU, wanted=("app1",)) -> list[Finding]:
    found = [one for one in (capacity.outlook(each, CAPACITY.forecasts) for each in series) if one]
    return capacity.judge(resource, found, CAPACITY.forecasts, at=NOW, wanted=wanted)


@pytest.mark.parametrize(
    ("level", "status", "severity"),
    [
        (70.0, Status.PASS, None),
        (70.1, Status.WARN, Severity.P3),
        (85.0, Status.WARN, Severity.P3),
        (85.1, Status.FAIL, Severity.P2),
    ],
)
def test_a_level_is_crossed_strictly_above_it(level, status, severity):
    (found,) = judged(watched(level))
    assert (found.status, found.severity) == (status, severity)


@pytest.mark.parametrize(
    ("slope", "status", "severity"),
    # From 60 today: 70 in 90.9 and in 89 days; 85 in 14.7 and in 13.9 days.
    [
        (0.110, Status.PASS, None),
        (0.1125, Status.WARN, Severity.P3),
        (1.70, Status.WARN, Severity.P3),
        (1.81, Status.WARN, Severity.P2),
    ],
)
def test_a_crossing_within_the_horizon_warns_and_one_soon_is_urgent(slope, status, severity):
    (found,) = judged(watched(60, slope))
    assert (found.status, found.severity) == (status, severity), found.message


def test_for_a_rate_lower_is_worse():
    redis, postgres = CAPACITY.of("WW-07")
    for level, status in ((95.0, Status.PASS), (94.9, Status.WARN), (89.9, Status.FAIL)):
        (found,) = judged(watched(level, resource=postgres), resource=postgres, wanted=())
        assert found.status is status
    assert redis.worse == "lower"


def test_silence_is_not_green_and_a_short_history_says_so():
    (late,) = judged(watched(50, ends=timedelta(days=3)))
    assert late.status is Status.PASS
    silent, unknown = judged(watched(50, ends=timedelta(days=3, hours=1)))
    assert (silent.status, unknown.status) == (Status.NOT_APPLICABLE, Status.UNKNOWN)
    (short,) = judged(watched(50, days=20))
    assert short.status is Status.NOT_APPLICABLE
    assert "20 days" in short.message
    assert [one.status for one in judged()] == [Status.UNKNOWN]
    assert [one.status for one in judged(wanted=())] == [Status.UNKNOWN]


def test_a_figure_not_every_system_has_may_be_missing():
    share, rate = CAPACITY.of("WW-04")
    assert [one.status for one in judged(resource=share, wanted=())] == [Status.NOT_APPLICABLE]
    assert [one.status for one in judged(resource=rate, wanted=())] == [Status.UNKNOWN]


def test_a_resource_without_levels_tells_its_growth():
    _, size = CAPACITY.of("WW-03")
    (found,) = judged(watched(2**30, 2**20, resource=size), resource=size, wanted=())
    assert found.status is Status.PASS
    assert "rising by +1 MiB a day" in found.message


def test_what_is_forecast_is_put_down_for_the_days_policy_names():
    outlook = capacity.outlook(watched(60, 0.1), CAPACITY.forecasts)
    assert outlook is not None
    seven, four_weeks = capacity.forecast_days(outlook, CAPACITY.forecasts, "WW-01")
    assert (seven.ahead, four_weeks.ahead) == (7, 28)
    assert four_weeks.expected - seven.expected == pytest.approx(2.1, abs=0.05)
    assert four_weeks.naive == pytest.approx(outlook.forecast.lately)
    short = capacity.outlook(watched(60, days=5), CAPACITY.forecasts)
    assert short is not None
    assert list(capacity.forecast_days(short, CAPACITY.forecasts, "WW-01")) == []
    named = {one.name for one in capacity.measured(outlook, NOW)}
    assert named == {"forecast.level", "forecast.slope"}


def day(ago: int, mean: float, p95: float, labels=(("endpoint", "deals"),)) -> RollUp:
    at = NOW.replace(hour=0) - timedelta(days=ago)
    return RollUp(
        metric="http.client.request.duration",
        labels=dict(labels),
        unit="ms",
        starts_at=at,
        count=288,
        mean=mean,
        p50=mean,
        p95=p95,
        p99=p95,
        lowest=1.0,
        highest=p95,
        last=mean,
        covered=timedelta(days=1),
        warning_level=None,
        above_warning=None,
        critical_level=None,
        above_critical=None,
        source="measured",
    )


def weeks(before: float, now: float, count: int = 7) -> list[RollUp]:
    return [day(ago, before / 2, before) for ago in range(8, 8 + count)] + [
        day(ago, now / 2, now) for ago in range(1, 1 + count)
    ]


@pytest.mark.parametrize(
    ("before", "now", "status"),
    [
        (200, 250, Status.PASS),  # 25 % and 50 ms exactly
        (200, 251, Status.WARN),
        (400, 451, Status.PASS),  # 50 ms, but not 25 %
        (100, 150, Status.PASS),  # 25 %, but not 50 ms
        (300, 100, Status.PASS),
    ],
)
def test_an_endpoint_is_slower_when_both_figures_say_so(before, now, status):
    (found,) = response_weeks.judge(weeks(before, now), CAPACITY.response_times, at=NOW)
    assert found.status is status, found.message


@pytest.mark.parametrize(("count", "status"), [(3, Status.NOT_APPLICABLE), (4, Status.WARN)])
def test_a_week_of_too_few_days_is_not_compared(count, status):
    (found,) = response_weeks.judge(weeks(100, 900, count), CAPACITY.response_times, at=NOW)
    assert found.status is status


def snapshots(before: float, now: float, *, calls: int = 100, queryid: int = 7, reset: int | None = None):
    """Each day ``calls`` of one statement, and a second one that takes 100 ms a day."""
    total, count, other, since = 0.0, 0, 0.0, NOW - timedelta(days=60)
    for ago in range(14, -1, -1):
        if ago == reset:
            total, count, other, since = 0.0, 0, 0.0, NOW - timedelta(days=ago, hours=2)
        mean = now if ago < 7 else before
        total, count, other = total + calls * mean, count + calls, other + 100.0
        number = queryid if ago < 7 else 7
        rows = (
            StatementRow(number, "clo_app", "clo", True, count, total, count, "SELECT  a FROM b"),
            StatementRow(1, "clo_app", "clo", True, count, other, count, "SELECT 1"),
        )
        yield StatementSnapshot(NOW - timedelta(days=ago), since, rows)


def slower(given) -> list[Finding]:
    return statement_weeks.judge(list(given), POLICY.statements, CAPACITY.statements, at=NOW)


@pytest.mark.parametrize(
    ("before", "now", "status"),
    [(10, 15, Status.PASS), (10, 15.2, Status.WARN), (1, 2, Status.PASS), (1, 2.1, Status.WARN), (10, 5, Status.PASS)],
)
def test_a_statement_is_slower_by_more_than_half_and_a_millisecond(before, now, status):
    assert slower(snapshots(before, now))[0].status is status


def test_a_statement_is_followed_across_a_reset_and_an_upgrade():
    (reset,) = slower(snapshots(10, 30, reset=4))
    assert reset.actual == "10 ms to 30 ms"
    (moved,) = slower(snapshots(10, 30, queryid=99))
    assert "queryid was 7" in moved.message
    assert moved.status is Status.WARN


def test_what_ran_seldom_or_costs_nothing_is_left_alone():
    assert slower(snapshots(10, 100, calls=1))[0].status is Status.PASS
    assert slower(list(snapshots(10, 30))[:8])[0].status is Status.NOT_APPLICABLE


def table(name: str, rows: float, scans: float, by_index: float) -> list[Measurement]:
    figures = {"rows": rows, "scans": scans, "index_scans": by_index, "rows_scanned": rows * scans}
    return [
        Measurement(f"postgresql.table.{key}", value, "count", NOW, {"table": name}) for key, value in figures.items()
    ]


@pytest.mark.parametrize(
    ("rows", "scans", "by_index", "status"),
    [
        (10_000, 10, 9, Status.WARN),
        (9_999, 10, 9, Status.PASS),
        (10_000, 9, 0, Status.PASS),
        (10_000, 10, 10, Status.PASS),  # half exactly
    ],
)
def test_a_table_is_named_when_it_is_large_and_mostly_scanned(rows, scans, by_index, status):
    answer = Answer(tuple(table("public.t", rows, scans, by_index)))
    (found,) = table_use.judge_scans(answer, CAPACITY.tables)
    assert found.status is status


@pytest.mark.parametrize(
    ("before", "now", "status", "since"),
    [
        (
            (10, 5000),
            (1020, 5100),
            Status.WARN,
            "2026-11-18",
        ),  # read by an index for years, and from end to end this week
        ((1000, 0), (1020, 500), Status.PASS, ""),  # it was so once, and has its index now
        ((2000, 0), (1020, 10), Status.WARN, "the statistics' last reset"),  # fewer than a week ago: reset in between
    ],
)
def test_scans_are_those_since_the_last_review(before, now, status, since):
    answer = Answer(tuple(table("public.t", 20_000, *now)))
    week_ago = [replace(one, at=NOW - timedelta(days=7)) for one in table("public.t", 20_000, *before)]
    (found,) = table_use.judge_scans(answer, CAPACITY.tables, week_ago)
    assert found.status is status
    assert since in found.message


def test_tables_grow_by_the_week_and_silence_is_unknown():
    size = Measurement(table_use.SIZE, 3 * 2**30, "bytes", NOW, {"table": "public.t"})
    before = Measurement(table_use.SIZE, 2**30, "bytes", NOW - timedelta(days=14), {"table": "public.t"})
    found, none = table_use.judge_growth(Answer((size,)), [before])
    assert "+1 GiB a week" in found.message
    assert none.status is Status.NOT_APPLICABLE
    assert "no earlier size" in table_use.judge_growth(Answer((size,)), [])[0].message
    index = Measurement(table_use.INDEX_SIZE, 2**30, "bytes", NOW, {"index": "public.t_pkey", "table": "public.t"})
    _, indexes = table_use.judge_growth(Answer((size, index)), [before, replace(index, value=0.0, at=before.at)])
    assert "public.t_pkey 1 GiB (+512 MiB a week" in indexes.message
    silent = Answer((), (Unanswered("the use of the tables", "db", "SQL", "refused", NOW),))
    assert {one.status for one in table_use.judge_growth(silent, [])} == {Status.UNKNOWN}
    assert {one.status for one in table_use.judge_scans(silent, CAPACITY.tables)} == {Status.UNKNOWN}


def test_the_busiest_hour_and_the_peak():
    hours = [day(ago, 10.0, 12.0) for ago in range(1, 15)]
    (one,) = load.heat_maps(hours)
    assert len(one.hours) == 7
    (found,) = load.judge(one.metric, [one], CAPACITY.load)
    assert found.status is Status.PASS
    assert "7 of 168 hours measured" in found.message
    assert load.judge("clo.user.active", [], CAPACITY.load)[0].status is Status.NOT_APPLICABLE


def test_nothing_is_recommended_where_nothing_calls_for_it():
    (none,) = recommendations.judge(judged(watched(50)), CAPACITY.owners)
    assert (none.status, none.name) == (Status.PASS, "no recommendation")
    _, blind = recommendations.judge(judged(), CAPACITY.owners)
    assert blind.status is Status.UNKNOWN


def test_what_was_not_looked_at_is_said_beside_a_recommendation_too():
    over = judged(watched(86), wanted=("app1", "app2"))
    *_, blind = recommendations.judge(over, CAPACITY.owners)
    assert (blind.status, blind.actual) == (Status.UNKNOWN, "WW-01")
    *_, never_began = recommendations.judge(judged(watched(50)), CAPACITY.owners, ("WW-01", "WW-02"))
    assert (never_began.status, never_began.actual) == (Status.UNKNOWN, "WW-02")


def test_headroom_of_a_host_without_figures_is_unknown():
    found = [one for one in (capacity.outlook(watched(50), CAPACITY.forecasts),) if one]
    told = headroom.judge(CPU, found, CAPACITY.forecasts, 10, "look", at=NOW, wanted=("app1", "app2"))
    assert {one.subject: one.status for one in told} == {
        "system.cpu.utilization host=app1": Status.PASS,
        "system.cpu.utilization host=app2": Status.UNKNOWN,
    }
    assert {one.procedure for one in told} == {"M2-04"}


def test_each_recommendation_has_its_rule_confidence_and_owner():
    (steady,) = recommendations.judge(judged(watched(86)), CAPACITY.owners)
    assert steady.labels["kind"] == "vertical"
    assert (steady.labels["confidence"], steady.severity) == ("high", Severity.P4)
    (rising,) = recommendations.judge(judged(watched(60, 0.4)), CAPACITY.owners)
    assert rising.labels["confidence"] == "medium"
    assert "WW-01 system.cpu.utilization" in rising.labels["evidence_1"]
    assert f"Owner: {CAPACITY.owners.vertical.replace('_', ' ')}" in rising.message


def scored(came: float, ahead: int = 7) -> ForecastDay:
    target = NOW.date()
    made = target - timedelta(days=ahead)
    key = ("WW-01", "system.cpu.utilization", {}, "percent", "mean", made, target, "steady")
    return ForecastDay(*key, 50.0, 45.0, 55.0, 40.0, came)


def test_the_score_counts_what_came_inside_with_the_edges():
    (score,) = scorecard.scores([scored(45.0), scored(55.0), scored(55.1), scored(50.0)])
    assert (score.made, score.inside, score.share) == (4, 3, 75.0)
    assert "3 of 4 inside the interval (75 %, meant: 90 %)" in scorecard.told(score, 90)
    assert [one.ahead for one in scorecard.scores([scored(50, 28), scored(50, 7)])] == [7, 28]
    assert scorecard.scores([scored(0.0)])[0].error is None
