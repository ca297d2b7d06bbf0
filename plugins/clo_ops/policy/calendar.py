"""When things are due: fire times of cadences (UTC) and business time (local to the business calendar).

The libraries for cron expressions and public holidays are imported when first needed: loading a policy needs neither.
"""

from __future__ import annotations

import heapq
import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from clo_ops.findings import ConfigurationError
from clo_ops.policy.cadences import BusinessCalendar, Cadence
from clo_ops.policy.terms import Term

if TYPE_CHECKING:
    from clo_ops.policy.model import Policy

DAY = timedelta(days=1)
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True, slots=True, order=True)
class Run:
    """One planned run: when it is due to start, of which cadence and DAG, and by when it must be done."""

    at: datetime
    cadence: str
    dag: str
    done_by: datetime


def fire_times(
    cadence: Cadence, start: datetime, end: datetime, calendar: BusinessCalendar | None = None
) -> Iterator[datetime]:
    """Every moment from ``start`` (aware, included) to ``end`` (not included) at which ``cadence`` runs, in UTC.

    Days taken over by the cadence that supersedes this one are left out (D23). A cadence of business days needs
    ``calendar``; without it ValueError is raised rather than a holiday reported as a run.
    """
    if start.tzinfo is None or end.tzinfo is None:
        raise ValueError(f"fire times need aware datetimes, got {start!r} and {end!r}")
    if cadence.only_on == "business days" and calendar is None:
        raise ValueError(f"{cadence.title} runs on business days: which calendar's?")
    last = None
    for at in heapq.merge(*(_cron_times(cron, start, end) for cron in cadence.cron)):
        if at != last and _runs(cadence, at, calendar):
            yield at
        last = at


def _runs(cadence: Cadence, at: datetime, calendar: BusinessCalendar | None) -> bool:
    limited = calendar if cadence.only_on == "business days" else None
    if limited is not None and not is_business_day(local_day(at, limited), limited):
        return False
    midnight = _midnight(at)
    return not any(True for cron in cadence.superseding_cron for _ in _cron_times(cron, midnight, midnight + DAY))


def cron_fires(cadence: Cadence, at: datetime, within: timedelta = timedelta(minutes=1)) -> bool:
    """Whether a cron expression of ``cadence`` has a time from the minute of ``at`` (aware) on, before ``within``."""
    start = at.astimezone(UTC).replace(second=0, microsecond=0)
    return any(True for cron in cadence.cron for _ in _cron_times(cron, start, start + within))


def _cron_times(cron: str, start: datetime, end: datetime) -> Iterator[datetime]:
    """The days come from croniter one by one, their hours and minutes at once: a month of minutes in milliseconds."""
    from croniter import croniter  # a tenth of a second that most tasks need not pay

    expanded = croniter.expand(cron)[0]
    minutes, hours = _values(expanded[0], 60), _values(expanded[1], 24)
    days = croniter(f"0 0 {cron.split(maxsplit=2)[2]}", _midnight(start) - timedelta(seconds=1), ret_type=datetime)
    midnight: datetime = days.get_next()
    while midnight < end:
        of_day = (midnight + timedelta(hours=hour, minutes=minute) for hour in hours for minute in minutes)
        yield from (at for at in of_day if start <= at < end)
        midnight = days.get_next()


def _values(field: Sequence[int | str], length: int) -> list[int]:
    return list(range(length)) if field[0] == "*" else sorted(int(value) for value in field)


def _midnight(at: datetime) -> datetime:
    return datetime.combine(at.astimezone(UTC).date(), time(), UTC)


def planned(policy: Policy, start: datetime, end: datetime) -> Iterator[Run]:
    """Every run of every cadence from ``start`` to ``end`` (not included), in order."""
    calendar = policy.business_calendar
    streams = (_runs_of(name, cadence, start, end, calendar) for name, cadence in policy.cadences.items())
    return heapq.merge(*streams)


def _runs_of(name: str, cadence: Cadence, start: datetime, end: datetime, calendar: BusinessCalendar) -> Iterator[Run]:
    for at in fire_times(cadence, start, end, calendar):
        yield Run(at, name, cadence.dag, at + cadence.done_by)


def local_day(at: datetime, calendar: BusinessCalendar) -> date:
    """The calendar's date at the moment ``at`` (aware)."""
    return at.astimezone(calendar.zone).date()


@lru_cache(maxsize=64)
def holidays_of(calendar: BusinessCalendar, year: int) -> Mapping[date, str]:
    """The days off of one year with their names: the country's, plus the house's own, minus those worked through.

    Raises:
        ConfigurationError: the holidays package does not know the country or its subdivision.
    """
    import holidays  # a quarter of a second that most tasks need not pay

    try:
        public = holidays.country_holidays(calendar.country, subdiv=calendar.subdivision, years=year)
    except NotImplementedError as error:
        given = " ".join(filter(None, (calendar.country, calendar.subdivision)))
        raise ConfigurationError(
            f"business_calendar.yaml: no public holidays are known for {given}",
            "a country and subdivision of the holidays package",
            "correct country or subdivision",
        ) from error
    days = {day: name for day, name in public.items() if day not in calendar.not_holidays}
    days |= {extra.day: extra.name for extra in calendar.extra_holidays if extra.day.year == year}
    return MappingProxyType(dict(sorted(days.items())))


def country_known(country: str, subdivision: str | None = None) -> bool:
    """Whether public holidays are known for a place. A country alone is looked up without importing the package."""
    found = importlib.util.find_spec("holidays")
    if subdivision is None and found is not None and found.origin is not None:
        registry = Path(found.origin).with_name("registry.py")
        if registry.is_file() and f'"{country}"' in registry.read_text(encoding="utf-8"):
            return True
    import holidays  # only for what the registry's text does not settle

    known = holidays.list_supported_countries()
    return country in known and (subdivision is None or subdivision in known[country])


def is_business_day(day: date, calendar: BusinessCalendar) -> bool:
    return WEEKDAYS[day.weekday()] not in calendar.weekend and day not in holidays_of(calendar, day.year)


def business_hours(day: date, calendar: BusinessCalendar) -> tuple[datetime, datetime]:
    """Opening and closing of ``day``, in UTC; right on the days the clocks change."""
    opens = datetime.combine(day, calendar.opens, calendar.zone)
    closes = datetime.combine(day, calendar.closes, calendar.zone)
    return opens.astimezone(UTC), closes.astimezone(UTC)


def in_business_hours(at: datetime, calendar: BusinessCalendar) -> bool:
    """Whether a manager has to approve (D53): from opening, up to but not at closing, of a business day."""
    day = local_day(at, calendar)
    opens, closes = business_hours(day, calendar)
    return is_business_day(day, calendar) and opens <= at < closes


def add_business_time(start: datetime, span: timedelta | int, calendar: BusinessCalendar) -> datetime:
    """``start`` (aware) plus business time, in UTC.

    A timedelta passes in business hours only. A whole number n of days ends at closing time of the n-th business day
    after the day of ``start``: "next business day" (1) for a Friday is Monday's closing.
    """
    if isinstance(span, int):
        return _closing(start, span, calendar)
    left = span
    for day in _business_days(local_day(start, calendar), calendar):
        opens, closes = business_hours(day, calendar)
        begins = max(opens, start)
        if begins < closes and left <= closes - begins:
            return (begins + left).astimezone(UTC)
        left -= max(closes - begins, timedelta())
    raise AssertionError("business days never end")


def _closing(start: datetime, days: int, calendar: BusinessCalendar) -> datetime:
    if days < 1:
        raise ValueError(f"business days are counted from 1, got {days}")
    coming = _business_days(local_day(start, calendar) + DAY, calendar)
    day = next(day for index, day in enumerate(coming, start=1) if index == days)
    return business_hours(day, calendar)[1]


def _business_days(first: date, calendar: BusinessCalendar) -> Iterator[date]:
    day = first
    while True:
        if is_business_day(day, calendar):
            yield day
        day += DAY


def due(term: Term, start: datetime, calendar: BusinessCalendar) -> datetime:
    """When ``term`` from ``start`` (aware) is over, in UTC: elapsed time round the clock, or business days (IR-01)."""
    if term.elapsed is not None:
        return (start + term.elapsed).astimezone(UTC)
    return add_business_time(start, term.business_days or 1, calendar)
