"""The policy for a person: every figure with its unit and its place in the manual, and the calendar of a month."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from typing import Any

from pydantic import BaseModel

from clo_ops.policy.base import Cited
from clo_ops.policy.calendar import fire_times, holidays_of, planned
from clo_ops.policy.model import Policy
from clo_ops.policy.units import PERCENT_FORM, as_text

# More runs of one cadence in a day than this are shown as a count.
LISTED = 6


@dataclass(frozen=True, slots=True)
class Row:
    """One figure."""

    key: str
    figure: str
    manual: str
    resolution: str


@dataclass(frozen=True, slots=True)
class DayRuns:
    """The runs of one cadence on one day; ``times`` is empty where there are too many to list."""

    day: date
    dag: str
    cadence: str
    count: int
    first: datetime
    last: datetime
    times: tuple[datetime, ...]
    done_by: datetime


def rows(value: Any, key: str = "", source: Cited | None = None, unit: str = "") -> Iterator[Row]:
    """Every figure below ``value``, each with the nearest source round it."""
    if isinstance(value, BaseModel):
        source = value if isinstance(value, Cited) else source
        yield from _model_rows(value, key, source, getattr(value, "unit", None) or unit)
    elif isinstance(value, Mapping):
        for name, one in value.items():
            yield from rows(one, f"{key}.{name}" if key else str(name), source, unit)
    elif isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
        for index, one in enumerate(value):
            yield from rows(one, f"{key}[{_name(one) or index}]", source, unit)
    elif value not in (None, (), ""):
        place = ", ".join(source.resolution) if source else ""
        yield Row(key, f"{text(value)}{unit_of(value, unit)}", (source.manual or "") if source else "", place)


def _model_rows(model: BaseModel, key: str, source: Cited | None, unit: str) -> Iterator[Row]:
    for name, field in type(model).model_fields.items():
        if name in ("manual", "resolution", "unit"):
            continue
        own = "%" if field.description == PERCENT_FORM else unit
        yield from rows(getattr(model, name), f"{key}.{name}" if key else name, source, own)


def _name(model: BaseModel) -> str:
    """What a member of a list is called by people, where it has a name."""
    return next((str(getattr(model, key)) for key in ("name", "metric", "role", "group") if hasattr(model, key)), "")


def unit_of(value: Any, unit: str) -> str:
    """Only fractional figures carry the unit of their block; counts, texts and durations carry their own."""
    return f" {unit}" if unit and isinstance(value, float) else ""


def text(value: Any) -> str:
    """One figure as it would stand in the file."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, timedelta):
        return as_text(value)
    if isinstance(value, time):
        return f"{value:%H:%M}{' UTC' if value.tzinfo else ''}"
    if isinstance(value, float):
        return f"{value:g}"
    return ", ".join(text(one) for one in value) if isinstance(value, tuple) else str(value)


def month_bounds(year: int, month: int) -> tuple[datetime, datetime]:
    first = datetime(year, month, 1, tzinfo=UTC)
    return first, datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)


def month_runs(policy: Policy, year: int, month: int) -> list[DayRuns]:
    """Every run of a month, by day and cadence."""
    by_day = groupby(planned(policy, *month_bounds(year, month)), key=lambda run: run.at.date())
    found: list[DayRuns] = []
    for day, runs in by_day:
        by_cadence = groupby(sorted(runs, key=lambda run: run.cadence), key=lambda run: (run.dag, run.cadence))
        for (dag, cadence), group in by_cadence:
            own = list(group)
            times = tuple(run.at for run in own) if len(own) <= LISTED else ()
            found.append(DayRuns(day, dag, cadence, len(own), own[0].at, own[-1].at, times, own[-1].done_by))
    return sorted(found, key=lambda one: (one.day, one.first, one.cadence))


def month_notes(policy: Policy, year: int, month: int) -> dict[date, str]:
    """Holidays of the month, and the Sundays on which a window stands in for another."""
    notes = {
        day: f"holiday: {name}"
        for day, name in holidays_of(policy.business_calendar, year).items()
        if day.month == month
    }
    for name, cadence in policy.cadences.items():
        if cadence.superseded_by is None:
            continue
        stands_in = policy.cadences[cadence.superseded_by]
        for at in fire_times(stands_in, *month_bounds(year, month), policy.business_calendar):
            note = f"{cadence.superseded_by} stands in for {name}"
            notes[at.date()] = "; ".join(filter(None, (notes.get(at.date()), note)))
    return notes


def hours(one: DayRuns) -> str:
    """08:00, or "288 runs, 00:00 to 23:55"."""
    if one.times:
        return ", ".join(f"{at:%H:%M}" for at in one.times)
    return f"{one.count} runs, {one.first:%H:%M} to {one.last:%H:%M}"
