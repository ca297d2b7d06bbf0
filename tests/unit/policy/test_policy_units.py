"""Figures as people write them, and the lengths of calendar periods."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from clo_ops.policy import Period, Step, Term, units
from clo_ops.policy.crons import cron
from clo_ops.policy.terms import step, term

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("500 ms", timedelta(milliseconds=500)),
        ("30 s", timedelta(seconds=30)),
        ("5 min", 5 * MINUTE),
        ("5min", 5 * MINUTE),
        ("1.5 h", 90 * MINUTE),
        ("26 hours", timedelta(hours=26)),
        ("90 days", timedelta(days=90)),
        ("1 week", timedelta(days=7)),
        ("0 min", timedelta()),
    ],
)
def test_durations(written: str, expected: timedelta) -> None:
    assert units.duration(written) == expected


@pytest.mark.parametrize(
    "written", ["5", 5, 5.0, "min", "five min", "-5 min", "5 mins", "1 month", "7 years", True, None, ""]
)
def test_what_is_no_duration(written: Any) -> None:
    with pytest.raises(PydanticCustomError, match="5 min"):
        units.duration(written)


@given(st.integers(min_value=0, max_value=10**9))
def test_a_duration_reads_back_as_it_was_written(milliseconds: int) -> None:
    span = timedelta(milliseconds=milliseconds)
    assert units.duration(units.as_text(span)) == span


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("90 days", Period(days=90)),
        ("2 weeks", Period(days=14)),
        ("18 months", Period(months=18)),
        ("7 years", Period(months=84)),
    ],
)
def test_periods(written: str, expected: Period) -> None:
    assert units.period(written) == expected


@pytest.mark.parametrize("written", [7, "7", "0 days", "1.5 years", "7 h", "seven years"])
def test_what_is_no_period(written: Any) -> None:
    with pytest.raises(PydanticCustomError, match="7 years"):
        units.period(written)


@pytest.mark.parametrize(
    ("figure", "floor", "expected"),
    [
        (Period(months=84), Period(months=84), True),
        (Period(months=83), Period(months=84), False),
        (Period(days=2557), Period(months=84), True),  # 7 years with two leap days
        (Period(days=2556), Period(months=84), False),
        (Period(days=366), Period(months=12), True),
        (Period(days=365), Period(months=12), False),  # a leap year is longer
        (Period(months=12), Period(days=365), True),
        (Period(months=12), Period(days=366), False),
        (Period(months=3), Period(days=90), False),  # February to April of a common year is 89 days
        (Period(months=3), Period(days=89), True),
        (Period(days=90), Period(days=90), True),
        (Period(days=89), Period(days=90), False),
    ],
)
def test_a_floor_is_never_shortened_by_the_calendar(figure: Period, floor: Period, expected: bool) -> None:
    assert figure.covers(floor) is expected


@given(
    st.integers(min_value=1, max_value=120),
    st.datetimes(min_value=datetime(1995, 1, 1), max_value=datetime(2115, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_real_lengths_lie_within_the_bounds(months: int, at: datetime) -> None:
    period = Period(months=months)
    # From the first of a month nothing has to be shortened: the length is the calendar's own.
    first = at.replace(day=1)
    assert period.shortest_days <= (first - period.before(first)).days <= period.longest_days


@pytest.mark.parametrize(
    ("at", "period", "expected"),
    [
        ("2026-11-23", Period(months=84), "2019-11-23"),
        ("2028-02-29", Period(months=12), "2027-02-28"),
        ("2026-03-31", Period(months=1), "2026-02-28"),
        ("2026-01-15", Period(months=1), "2025-12-15"),
        ("2026-03-01", Period(days=90), "2025-12-01"),
    ],
)
def test_the_moment_a_period_ago(at: str, period: Period, expected: str) -> None:
    moment = datetime.fromisoformat(at).replace(hour=8, tzinfo=UTC)
    assert period.before(moment) == datetime.fromisoformat(expected).replace(hour=8, tzinfo=UTC)


@pytest.mark.parametrize(("written", "expected"), [("75 %", 75), ("0 %", 0), ("100 %", 100), ("0.1%", 0.1)])
def test_percentages(written: str, expected: float) -> None:
    assert units.percent(written) == expected


@pytest.mark.parametrize("written", ["75", 75, "101 %", "-1 %", "75 percent", "0.75"])
def test_what_is_no_percentage(written: Any) -> None:
    with pytest.raises(PydanticCustomError, match="%"):
        units.percent(written)


def test_sizes() -> None:
    assert units.size("10 MB") == 10_000_000
    assert units.size("2 GiB") == 2 * 2**30
    with pytest.raises(PydanticCustomError, match="10 MB"):
        units.size("10 mb")


def test_times_of_day_carry_their_zone_or_have_none() -> None:
    assert units.utc_time("18:00 UTC") == time(18, tzinfo=UTC)
    assert units.local_time("08:00") == time(8)
    for read, written in ((units.utc_time, "18:00"), (units.utc_time, "24:00 UTC"), (units.local_time, "18:00 UTC")):
        with pytest.raises(PydanticCustomError, match="time of day"):
            read(written)


def test_terms_and_steps() -> None:
    assert term("15 min") == Term(15 * MINUTE)
    assert term("next business day") == Term(business_days=1)
    assert term("5 business days") == Term(business_days=5)
    assert step("at once") == Step(0, "response")
    assert step("50 % of resolution").after(15 * MINUTE, timedelta(hours=4)) == timedelta(hours=2)
    assert step("100 % of response").after(15 * MINUTE, timedelta(hours=4)) == 15 * MINUTE
    for read, written in (
        (term, "soon"),
        (term, "0 business days"),
        (step, "150 % of response"),
        (step, "0 % of response"),
    ):
        with pytest.raises(PydanticCustomError):
            read(written)


@pytest.mark.parametrize("text", ["next business day", "5 business days", "15 min", "4 h"])
def test_a_term_reads_back_as_it_was_written(text: str) -> None:
    assert str(term(text)) == text


@pytest.mark.parametrize(
    ("given_term", "floor", "longer"),
    [
        (Term(15 * MINUTE), Term(15 * MINUTE), False),
        (Term(16 * MINUTE), Term(15 * MINUTE), True),
        (Term(business_days=1), Term(15 * MINUTE), True),
        (Term(business_days=2), Term(business_days=1), True),
        (Term(business_days=1), Term(business_days=1), False),
        (Term(timedelta(hours=24)), Term(business_days=1), False),
        (Term(timedelta(hours=25)), Term(business_days=1), True),
    ],
)
def test_which_term_is_longer(given_term: Term, floor: Term, longer: bool) -> None:
    assert given_term.longer_than(floor) is longer


@pytest.mark.parametrize(
    "text", ["0 8 * * *", "*/5 8-17 * * 1-5", "0 10 * * MON#1", "0 2 * * SUN", "30 4 1,15 * *", "0 0 * JAN-MAR *"]
)
def test_crons(text: str) -> None:
    assert cron(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0 8 * *",
        "0 8 * * * *",
        "60 8 * * *",
        "0 24 * * *",
        "0 8 0 * *",
        "0 8 * 13 *",
        "0 8 * * 8",
        "0 8 * * MON#6",
        "0 8 * * FOO",
        "0 17-8 * * *",
        "*/0 * * * *",
        "@daily",
        "0 2 1-7 * 0",
    ],
)
def test_what_is_no_cron(text: str) -> None:
    with pytest.raises(PydanticCustomError):
        cron(text)


def test_the_trap_of_two_day_fields_says_what_to_write() -> None:
    with pytest.raises(PydanticCustomError) as refused:
        cron("0 2 1-7 * 0")
    assert refused.value.context is not None
    assert "SUN#1" in refused.value.context["do"]
