"""Days on which a planned window needs an approval of its own (D33)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta

from clo_ops.findings import Answer
from clo_ops.policy.cadences import BusinessCalendar
from clo_ops.policy.maintenance import Freeze

DAY = timedelta(days=1)


def days_of(start: datetime, freeze: Freeze) -> list[date]:
    """The window's own day and those it must keep away from."""
    return [start.date() + number * DAY for number in range(freeze.days_ahead + 1)]


def collisions(start: datetime, answer: Answer, freeze: Freeze, calendar: BusinessCalendar) -> list[str]:
    """What the window starting then falls on, in words; empty where nothing. Silence is a collision: nobody knows."""
    found = [*_of_the_calendar(start, freeze, calendar)]
    if {"payment", "determination"} & set(freeze.on):
        found += _of_the_deals(days_of(start, freeze), answer, freeze)
    return found


def _of_the_deals(days: list[date], answer: Answer, freeze: Freeze) -> Iterator[str]:
    if answer.first("clo.schedule.asked") is None:
        yield "nobody could say which payment and determination dates are near"
    for one in answer.select("clo.schedule.deals"):
        if one.labels["kind"] in freeze.on and date.fromisoformat(one.labels["day"]) in days:
            yield f"{one.labels['kind']} date of {one.value:g} deals on {one.labels['day']}"


def _of_the_calendar(start: datetime, freeze: Freeze, calendar: BusinessCalendar) -> Iterator[str]:
    for day in days_of(start, freeze):
        if "month end" in freeze.on and (day + DAY).day == 1:
            yield f"month end on {day}"
        if "clock change" in freeze.on and _changes(day, calendar):
            yield f"the clocks change on {day} in {calendar.time_zone}"


def _changes(day: date, calendar: BusinessCalendar) -> bool:
    before, after = (datetime.combine(one, time(), calendar.zone) for one in (day, day + DAY))
    return before.utcoffset() != after.utcoffset()
