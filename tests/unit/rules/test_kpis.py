"""KPIs at their targets and one step either side; three kinds of nothing; where each is going."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest

from clo_ops.findings import Status
from clo_ops.policy import load_policy
from clo_ops.rules import kpi_figures, kpis
from clo_ops.rules.availability import HOUR, Look, availability
from clo_ops.rules.kpis import Figure, Reading, Verdict
from clo_ops.rules.periods import Period

POLICY = load_policy(mode="demo")
STEADY = POLICY.performance.trend.steady


def reading(name: str, now: Figure, before: Figure = Figure(), quarter: Figure = Figure()) -> Reading:  # noqa: B008
    return Reading(name, POLICY.kpis[name], now, before, quarter)


def verdict(name: str, value: float) -> Verdict:
    return reading(name, Figure(value)).verdict


def up(value: float) -> float:
    return math.nextafter(value, math.inf)


def down(value: float) -> float:
    return math.nextafter(value, -math.inf)


@pytest.mark.parametrize(
    ("name", "met", "missed"),
    [
        ("availability", 99.9, down(99.9)),
        ("response_time", down(100.0), 100.0),
        ("error_rate", down(0.1), 0.1),
        ("user_satisfaction", up(4.5), 4.5),
        ("calculation_time", down(300.0), 300.0),
        ("report_time", down(120.0), 120.0),
    ],
)
def test_at_the_target_and_one_step_either_side(name, met, missed):
    assert verdict(name, met) in (Verdict.MET, Verdict.AT_RISK)
    assert verdict(name, missed) is Verdict.MISSED
    better = POLICY.kpis[name].better
    assert verdict(name, missed + (1 if better == "lower" else -1)) is Verdict.MISSED


@pytest.mark.parametrize(("name", "risky"), [("response_time", up(80.0)), ("availability", down(99.95))])
def test_at_risk_begins_strictly_beyond_its_level(name, risky):
    assert verdict(name, POLICY.kpis[name].at_risk) is Verdict.MET
    assert verdict(name, risky) is Verdict.AT_RISK


def judged(one: Reading, missed: Status = Status.FAIL):
    (finding,) = kpis.judge([one], "RP-04", STEADY, "Look.", missed=missed)
    return finding


def test_a_missed_target_is_red_where_it_is_judged_and_a_warning_elsewhere():
    slow = reading("calculation_time", Figure(301.0, of="12 calculations", source="a question"), Figure(280.0))
    assert judged(slow).status is Status.FAIL
    assert judged(slow, Status.WARN).status is Status.WARN
    assert judged(slow).actual == "301.0 s" and judged(slow).expected == "below 300.0 s"
    assert "worse" in judged(slow).message and judged(slow).labels["now"] == "301.0"
    assert judged(reading("calculation_time", Figure(90.0))).status is Status.PASS


@pytest.mark.parametrize(
    ("absent", "status"),
    [
        (Verdict.NO_SOURCE, Status.NOT_APPLICABLE),
        (Verdict.NO_DATA, Status.NOT_APPLICABLE),
        (Verdict.NOT_KNOWN, Status.UNKNOWN),
    ],
)
def test_three_kinds_of_nothing_and_none_is_a_number(absent, status):
    one = reading("user_satisfaction", Figure(absent=absent, why="because"))
    finding = judged(one)
    assert finding.status is status
    assert finding.actual == f"{absent}: because"
    assert "now" not in finding.labels
    assert kpis.row(one, STEADY)[2] == str(absent)
    assert kpis.source_row(one)[1] == "because"


def test_met_only_as_far_as_was_seen_is_never_green():
    one = reading("availability", Figure(99.99, partly="3 d 0 h of 30 d 0 h not observed"))
    assert one.verdict is Verdict.MET
    finding = judged(one)
    assert finding.status is Status.WARN and "not observed" in finding.message


def test_nobody_looked_is_no_green_either():
    month = Period(datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC))
    nobody = kpi_figures.availability(availability([], [], [], month.since, month.until), 99.9)
    assert judged(reading("availability", nobody)).status is Status.WARN
    uncounted = kpi_figures.mean_time(None, month, "22 of 22 business days without a snapshot")
    assert judged(reading("response_time", uncounted)).status is Status.WARN
    idle = kpi_figures.mean_time(None, month, "")
    assert judged(reading("response_time", idle)).status is Status.NOT_APPLICABLE


@pytest.mark.parametrize(("hours", "partly"), [(1, "not observed"), (720, "")])
def test_missed_in_the_hour_that_was_looked_at_says_how_little_that_is(hours, partly):
    month = Period(datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC))
    looks = [Look(month.since + HOUR * number, HOUR, 0.9) for number in range(hours)]
    figure = kpi_figures.availability(availability(looks, [], [], month.since, month.until), 99.9)
    one = reading("availability", figure)
    assert (one.verdict, judged(one).status) == (Verdict.MISSED, Status.FAIL)
    assert partly in figure.partly and bool(figure.partly) is bool(partly)


def test_a_figure_does_not_look_like_the_target_it_misses():
    assert kpis.shown(POLICY.kpis["availability"], 99.899) == "99.899 %"
    assert kpis.shown(POLICY.kpis["error_rate"], 0.1004) == "0.1004 %"
    assert kpis.shown(POLICY.kpis["response_time"], 100.1) == "100.1 ms"
    assert kpis.shown(POLICY.kpis["calculation_time"], 300.4) == "300.4 s"


@pytest.mark.parametrize(
    ("name", "before", "now", "going"),
    [
        ("response_time", 50.0, 52.0, "steady"),  # 2 % of the target's 100 ms
        ("response_time", 50.0, 52.1, "worse"),
        ("response_time", 50.0, 47.9, "better"),
        ("availability", 99.95, 99.9485, "steady"),  # 2 % of the 0.1 points of room
        ("availability", 99.95, 99.947, "worse"),
        ("availability", 99.9, 99.99, "better"),
        ("user_satisfaction", 4.6, 4.58, "worse"),
        ("peak_utilisation", 50.0, 52.0, "changed"),
        ("peak_utilisation", 50.0, 51.0, "steady"),
    ],
)
def test_where_it_is_going_is_measured_by_the_room_the_target_leaves(name, before, now, going):
    assert kpis.direction(reading(name, Figure(now), Figure(before)), STEADY) == going


def test_without_an_earlier_figure_there_is_no_trend():
    one = reading("response_time", Figure(50.0), Figure(absent=Verdict.NO_DATA))
    assert kpis.direction(one, STEADY) == "no trend" and one.change is None


def test_a_listed_kpi_names_its_parts():
    one = reading("user_productivity", Figure(parts={"analyst": 12.5, "manager": 3.0}))
    assert one.verdict is Verdict.LISTED
    assert kpis.told(one.kpi, one.now) == "analyst 12.5, manager 3"
    assert judged(one).status is Status.PASS
