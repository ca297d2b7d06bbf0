"""Business hours and business days: week-ends, holidays, both clock changes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from clo_ops.findings import ConfigurationError
from clo_ops.policy import BusinessCalendar, Policy, Term
from clo_ops.policy.calendar import (
    add_business_time,
    business_hours,
    country_known,
    due,
    holidays_of,
    in_business_hours,
    is_business_day,
)


def calendar(**changes: Any) -> BusinessCalendar:
    figures: dict[str, Any] = {
        "name": "desk",
        "time_zone": "America/New_York",
        "opens": "08:00",
        "closes": "18:00",
        "weekend": ["Sat", "Sun"],
        "country": "US",
        "resolution": "D27",
    }
    return BusinessCalendar.model_validate(figures | changes)


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=calendar().zone)


@pytest.mark.parametrize(
    ("start", "days", "expected"),
    [
        ("2026-11-20T11:00", 1, "2026-11-23T18:00"),  # Friday: Monday is the next business day
        ("2026-11-21T11:00", 1, "2026-11-23T18:00"),  # Saturday
        ("2026-11-22T23:59", 1, "2026-11-23T18:00"),  # Sunday night
        ("2026-11-23T00:00", 1, "2026-11-24T18:00"),  # Monday, before opening: Tuesday all the same
        ("2026-11-25T17:59", 1, "2026-11-27T18:00"),  # the day before Thanksgiving
        ("2026-11-23T10:00", 5, "2026-12-01T18:00"),  # five days across Thanksgiving and a week-end
        ("2026-12-24T10:00", 1, "2026-12-28T18:00"),  # Christmas Eve: Christmas is a Friday
        ("2026-12-31T10:00", 1, "2027-01-04T18:00"),  # New Year is a Friday
        ("2027-03-12T10:00", 1, "2027-03-15T18:00"),  # over the change to summer time
        ("2027-11-05T10:00", 1, "2027-11-08T18:00"),  # over the change to winter time
    ],
)
def test_business_days_end_at_closing_time(start: str, days: int, expected: str) -> None:
    assert add_business_time(local(start), days, calendar()) == local(expected)


@pytest.mark.parametrize(
    ("start", "hours", "expected"),
    [
        ("2026-11-20T16:00", 2, "2026-11-20T18:00"),  # exactly until closing
        ("2026-11-20T16:00", 3, "2026-11-23T09:00"),  # over the week-end
        ("2026-11-20T19:00", 1, "2026-11-23T09:00"),  # begun after closing
        ("2026-11-23T05:00", 1, "2026-11-23T09:00"),  # begun before opening
        ("2026-11-25T17:00", 2, "2026-11-27T09:00"),  # over Thanksgiving
        ("2026-11-23T08:00", 10, "2026-11-23T18:00"),  # a whole day
        ("2026-11-23T08:00", 20, "2026-11-24T18:00"),
        ("2027-03-12T17:00", 2, "2027-03-15T09:00"),  # over the change to summer time
        ("2027-11-05T17:00", 2, "2027-11-08T09:00"),
        ("2026-11-21T12:00", 0, "2026-11-23T08:00"),  # nothing to wait for, but nobody there
    ],
)
def test_hours_pass_in_business_hours_only(start: str, hours: int, expected: str) -> None:
    assert add_business_time(local(start), timedelta(hours=hours), calendar()) == local(expected)


def test_the_answer_is_in_utc() -> None:
    assert add_business_time(local("2026-11-20T11:00"), 1, calendar()).isoformat() == "2026-11-23T23:00:00+00:00"
    assert add_business_time(local("2027-06-18T11:00"), 1, calendar()).isoformat() == "2027-06-21T22:00:00+00:00"


def test_a_business_day_is_counted_from_one() -> None:
    with pytest.raises(ValueError, match="counted from 1"):
        add_business_time(local("2026-11-20T11:00"), 0, calendar())


def test_opening_hours_follow_the_clock_of_the_place() -> None:
    winter, summer = business_hours(date(2027, 3, 12), calendar()), business_hours(date(2027, 3, 15), calendar())
    assert (winter[0].hour, summer[0].hour) == (13, 12)
    assert all(closes - opens == timedelta(hours=10) for opens, closes in (winter, summer))


def test_hours_that_span_a_clock_change_have_their_real_length() -> None:
    night = calendar(opens="00:00", closes="06:00", weekend=[])
    opens, closes = business_hours(date(2027, 3, 14), night)
    assert closes - opens == timedelta(hours=5)
    opens, closes = business_hours(date(2027, 11, 7), night)
    assert closes - opens == timedelta(hours=7)


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-11-23T07:59", False),
        ("2026-11-23T08:00", True),
        ("2026-11-23T17:59", True),
        ("2026-11-23T18:00", False),
        ("2026-11-22T12:00", False),
        ("2026-11-26T12:00", False),
    ],
)
def test_who_has_to_approve_depends_on_the_local_hour(at: str, expected: bool) -> None:
    assert in_business_hours(local(at), calendar()) is expected


def test_extra_days_off_and_days_worked_through() -> None:
    own = calendar(extra_holidays=[{"day": "2026-12-24", "name": "Christmas Eve"}], not_holidays=["2026-11-11"])
    assert not is_business_day(date(2026, 12, 24), own)
    assert is_business_day(date(2026, 11, 11), own)
    assert not is_business_day(date(2026, 11, 11), calendar())
    assert holidays_of(own, 2026)[date(2026, 12, 24)] == "Christmas Eve"
    assert is_business_day(date(2027, 12, 23), own)


def test_a_subdivision_brings_its_own_days() -> None:
    bavaria = calendar(time_zone="Europe/Berlin", country="DE", subdivision="BY")
    assert not is_business_day(date(2027, 1, 6), bavaria)
    assert is_business_day(date(2027, 1, 6), calendar(time_zone="Europe/Berlin", country="DE"))


def test_a_country_nobody_knows_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match="XX"):
        holidays_of(calendar(country="XX"), 2027)


def test_the_quick_look_up_of_countries_agrees_with_the_package() -> None:
    import holidays

    assert [code for code in holidays.list_supported_countries(include_aliases=False) if not country_known(code)] == []
    assert not country_known("XX")
    assert country_known("DE", "BY")
    assert not country_known("DE", "NY")


def test_terms_of_the_four_priorities(policy: Policy) -> None:
    friday = datetime(2026, 11, 20, 16, tzinfo=UTC)
    response = {
        level: due(policy.severities[level].response, friday, policy.business_calendar) for level in ("P1", "P4")
    }
    assert response["P1"] == friday + timedelta(minutes=15)
    assert response["P4"] == local("2026-11-23T18:00")
    assert due(policy.severities["P4"].resolution_target, friday, policy.business_calendar) == local("2026-11-30T18:00")
    assert due(Term(timedelta(hours=24)), friday, policy.business_calendar) == friday + timedelta(hours=24)
