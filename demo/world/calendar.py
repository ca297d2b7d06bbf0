"""Business days of the demo world: US bank holidays by rule, so that the calendar reaches as far as the deals do."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta
from functools import cache

COUNTRY = "US"
ONE_DAY = timedelta(days=1)
FIXED = {(1, 1): "New Year's Day", (6, 19): "Juneteenth", (7, 4): "Independence Day", (11, 11): "Veterans Day"} | {
    (12, 25): "Christmas Day"
}
# month, weekday (Monday is 0), which one (-1 is the last)
FLOATING = {
    "Martin Luther King Day": (1, 0, 3),
    "Presidents Day": (2, 0, 3),
    "Memorial Day": (5, 0, -1),
    "Labor Day": (9, 0, 1),
    "Columbus Day": (10, 0, 2),
    "Thanksgiving Day": (11, 3, 4),
}


def nth_weekday(year: int, month: int, weekday: int, which: int) -> date:
    last = monthrange(year, month)[1]
    days = [date(year, month, day) for day in range(1, last + 1) if date(year, month, day).weekday() == weekday]
    return days[which - 1] if which > 0 else days[which]


@cache
def holidays(year: int) -> dict[date, str]:
    """A holiday on a Sunday is kept on Monday; one on a Saturday is not kept on another day (Federal Reserve)."""
    days = {nth_weekday(year, *rule): name for name, rule in FLOATING.items()}
    for (month, day), name in FIXED.items():
        at = date(year, month, day)
        days[at + ONE_DAY if at.weekday() == 6 else at] = name
    return days


@cache
def is_business(day: date) -> bool:
    return day.weekday() < 5 and day not in holidays(day.year)


@cache
def following(day: date) -> date:
    while not is_business(day):
        day += ONE_DAY
    return day


@cache
def preceding(day: date) -> date:
    while not is_business(day):
        day -= ONE_DAY
    return day


@cache
def modified_following(day: date) -> date:
    later = following(day)
    return later if later.month == day.month else preceding(day)


def business_days(first: date, last: date) -> list[date]:
    days = (first + timedelta(days=n) for n in range((last - first).days + 1))
    return [day for day in days if is_business(day)]


def business_days_back(last: date, count: int) -> list[date]:
    """The ``count`` business days that end with ``last``."""
    return business_days(last - timedelta(days=count * 2 + 20), last)[-count:]


def add_months(day: date, months: int, *, anchor: int | None = None) -> date:
    """Same day of another month, or its last; ``anchor`` is the day of the month wanted (31 for month ends)."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(anchor or day.day, monthrange(year, month + 1)[1]))


def day_fraction(convention: str, start: date, end: date) -> tuple[int, int]:
    """(days, days of the year) of an accrual period. Raises KeyError for a convention the world does not use."""
    if convention == "30/360":
        days = 360 * (end.year - start.year) + 30 * (end.month - start.month) + min(end.day, 30) - min(start.day, 30)
        return days, 360
    return (end - start).days, {"ACT/360": 360, "ACT/365": 365}[convention]
