"""A month's plots: what was not measured is no point, what came from outside is text; the same bytes each time."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta

import pytest

from clo_ops.findings.roll_ups import RollUp
from clo_ops.reports import month_plots
from clo_ops.rules.availability import Availability
from clo_ops.rules.periods import DAY, Period
from clo_ops.rules.through_month import Course, FeltDay, days_of, months_of, slowest, year_to

OCTOBER = Period(datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC))
NOTHING = timedelta()
GREY = "#eaeef2"


def rolled(at: datetime, mean: float, **labels: str) -> RollUp:
    levels = (80.0, NOTHING, 95.0, NOTHING)
    figures = (144, mean, mean, mean + 5, mean + 8, mean - 5, mean + 9, mean)
    return RollUp("system.cpu.utilization", labels, "percent", at, *figures, DAY, *levels, "measured")


def seen(since: datetime, until: datetime, observed: timedelta, down: timedelta = NOTHING) -> Availability:
    return Availability(since, until, observed, down, NOTHING, NOTHING, NOTHING, ())


def test_a_month_without_figures_is_grey_and_the_months_before_the_first_are_left_out() -> None:
    months = months_of(year_to(OCTOBER), OCTOBER.until)
    assert (len(months), months[0], months[-1]) == (13, datetime(2025, 10, 1, tzinfo=UTC), OCTOBER.since)
    course = Course("CPU", tuple(rolled(months[place], 40.0 + place) for place in (9, 11, 12)))
    svg = month_plots.resource_months(course, months[0], OCTOBER.until, "x")
    assert svg.count(GREY) == 1
    assert [name for name in ("Jul", "Aug", "Sep", "Oct", "Jun") if f"<!-- {name} -->" in svg] == [
        "Jul", "Aug", "Sep", "Oct"
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["host=$\\nope$", "<script>alert(1)</script>", "a--><b>", "$5 & more"])
def test_names_from_outside_are_text(name: str) -> None:
    svg = month_plots.resource_months(Course(name, (rolled(OCTOBER.since, 40.0),)), OCTOBER.since, OCTOBER.until, "x")
    drawn = {one.tag.rpartition("}")[2] for one in ET.fromstring(svg).iter()}  # noqa: S314 - our own
    assert "script" not in drawn and "b" not in drawn


def test_a_day_nobody_looked_at_is_grey_and_one_half_seen_is_not() -> None:
    days = [seen(*day, DAY, timedelta(minutes=30) if day[0].day == 5 else NOTHING) for day in days_of(OCTOBER)]
    assert GREY not in month_plots.availability_days(days, 99.9, "x")
    days[12] = seen(days[12].since, days[12].until, NOTHING)
    days[13] = seen(days[13].since, days[13].until, DAY / 2)
    assert month_plots.availability_days(days, 99.9, "x").count(GREY) == 2  # in both of its parts


def test_a_single_day_is_a_point_and_the_same_bytes_again() -> None:
    felt = [FeltDay(OCTOBER.since, 300.0, 0.97)]
    first, second = (month_plots.felt_days(felt, OCTOBER, (500.0, 1000.0), 0.94, "x") for _ in range(2))
    assert first == second
    assert first.count(GREY) == 60


def test_the_slowest_endpoints_are_drawn_with_their_names() -> None:
    days = [
        rolled(OCTOBER.since + day * DAY, 10.0 * number, endpoint=f"e{number}") for number in range(6) for day in (0, 1)
    ]
    courses = slowest(days, "endpoint", 4)
    assert [one.name for one in courses] == ["e5", "e4", "e3", "e2"]
    svg = month_plots.endpoint_days(courses, OCTOBER, (500.0, 1000.0), "x")
    assert all(f"<!-- {one.name} -->" in svg for one in courses)


def test_jobs_nobody_did_before_have_no_bar_of_before() -> None:
    row = {"mean_s": 200.0, "p95_s": 400.0}
    with_before, without = (month_plots.job_bars([("all", row, before)], 300.0, "x") for before in (row, None))
    assert "3 min 20 s" in without
    assert with_before != without
