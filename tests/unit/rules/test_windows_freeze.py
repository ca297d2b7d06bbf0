"""Days on which a window needs an approval: the day itself, the one before, one further away."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from clo_ops.findings import Answer, Measurement
from clo_ops.policy import load_policy
from clo_ops.rules.windows_freeze import collisions, days_of

POLICY = load_policy(mode="demo")
FREEZE, CALENDAR = POLICY.maintenance.freeze, POLICY.business_calendar
START = datetime(2026, 11, 22, 2, tzinfo=UTC)


def deals(day, kind="payment"):
    asked = Measurement("clo.schedule.asked", 1, "bool", START)
    return Answer((asked, Measurement("clo.schedule.deals", 3, "count", START, {"day": str(day), "kind": kind})))


@pytest.mark.parametrize(
    ("day", "collides"),
    [(date(2026, 11, 21), False), (date(2026, 11, 22), True), (date(2026, 11, 23), True), (date(2026, 11, 24), False)],
)
@pytest.mark.parametrize("kind", ["payment", "determination"])
def test_a_date_of_the_deals_on_the_day_or_the_next(day, collides, kind):
    found = collisions(START, deals(day, kind), FREEZE, CALENDAR)
    assert bool(found) is collides
    assert not collides or found == [f"{kind} date of 3 deals on {day}"]


def test_a_schedule_nobody_could_read_needs_an_approval():
    assert collisions(START, Answer(), FREEZE, CALENDAR) == [
        "nobody could say which payment and determination dates are near"
    ]


@pytest.mark.parametrize(
    ("day", "collides"), [("2027-01-30", True), ("2027-01-31", True), ("2027-01-29", False), ("2027-02-01", False)]
)
def test_month_end(day, collides):
    start = datetime.fromisoformat(f"{day}T02:00").replace(tzinfo=UTC)
    assert (
        any("month end on 2027-01-31" in one for one in collisions(start, deals(date(2020, 1, 1)), FREEZE, CALENDAR))
        is collides
    )


@pytest.mark.parametrize(
    ("day", "collides"), [("2026-03-08", True), ("2026-03-07", True), ("2026-03-15", False), ("2026-11-01", True)]
)
def test_the_days_the_clocks_change_in_the_business_calendars_zone(day, collides):
    assert CALENDAR.time_zone == "America/New_York"
    start = datetime.fromisoformat(f"{day}T02:00").replace(tzinfo=UTC)
    assert any("clocks" in one for one in collisions(start, deals(date(2020, 1, 1)), FREEZE, CALENDAR)) is collides


def test_what_the_policy_leaves_out_does_not_collide():
    none = FREEZE.model_copy(update={"on": ("month end",), "days_ahead": 0})
    assert collisions(START, Answer(), none, CALENDAR) == []
    assert days_of(START, none) == [date(2026, 11, 22)]
