"""What a report looks back on, pinned to literal times."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, timezone

import pytest

from clo_ops.rules.periods import day_before, month_before, week_before

ENDS = time(18, tzinfo=UTC)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("at", "until"),
    [
        ("2026-11-20T18:00", "2026-11-20T18:00"),
        ("2026-11-20T17:59", "2026-11-19T18:00"),
        ("2026-11-20T19:00", "2026-11-20T18:00"),
        ("2026-11-21T00:30", "2026-11-20T18:00"),
        ("2027-01-01T03:00", "2026-12-31T18:00"),
    ],
)
def test_a_day_ends_when_the_end_of_day_begins(at: str, until: str) -> None:
    period = day_before(utc(at), ENDS)
    assert (period.until, period.length) == (utc(until), timedelta(days=1))
    assert period.last_day == utc(until).date()


def test_another_time_zone_is_the_same_moment() -> None:
    at = datetime(2026, 11, 20, 13, tzinfo=timezone(timedelta(hours=-5)))
    assert day_before(at, ENDS).until == utc("2026-11-20T18:00")


def test_a_week_is_of_whole_days_before_its_friday() -> None:
    period = week_before(utc("2026-11-20T10:00"))
    assert (period.since, period.until) == (utc("2026-11-13T00:00"), utc("2026-11-20T00:00"))
    assert str(period.last_day) == "2026-11-19"


@pytest.mark.parametrize(
    ("at", "since", "until"),
    [
        ("2026-12-14T16:00", "2026-11-01T00:00", "2026-12-01T00:00"),
        ("2027-01-11T16:00", "2026-12-01T00:00", "2027-01-01T00:00"),
        ("2028-03-13T16:00", "2028-02-01T00:00", "2028-03-01T00:00"),
    ],
)
def test_a_month_is_the_calendars(at: str, since: str, until: str) -> None:
    period = month_before(utc(at))
    assert (period.since, period.until) == (utc(since), utc(until))
    assert period.before().until == period.since
