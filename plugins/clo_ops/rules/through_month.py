"""A month day by day, and its resources month by month: what the performance review draws (M2-03, M2-04; L184-L187)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from clo_ops.findings.roll_ups import RollUp
from clo_ops.policy.performance import Apdex
from clo_ops.rules.felt import felt
from clo_ops.rules.periods import DAY, Period, month_before

# A year, and the same month of the year before.
MONTHS = 13


@dataclass(frozen=True, slots=True)
class FeltDay:
    """What users felt on a day (UTC): the p95 of their requests in ms, and Apdex from 0 to 1."""

    day: datetime
    p95_ms: float
    apdex: float


@dataclass(frozen=True, slots=True)
class Course:
    """A series by days or months (UTC), oldest first; what is not there was not measured."""

    name: str
    figures: tuple[RollUp, ...]

    @property
    def highest(self) -> float:
        return max(one.p95 for one in self.figures)


def felt_days(days: Iterable[RollUp], terms: Apdex) -> list[FeltDay]:
    """From the days of ``felt.SUMS``; a day on which nobody asked is left out."""
    ordered = sorted(days, key=lambda one: one.starts_at)
    known = ((day, felt(found)) for day, found in groupby(ordered, key=lambda one: one.starts_at))
    return [
        FeltDay(day, one.quantile_ms(0.95), one.apdex(terms.satisfied, terms.tolerated)) for day, one in known if one
    ]


def slowest(days: Iterable[RollUp], label: str, most: int) -> list[Course]:
    """The series with the highest p95 of a day, by the value of this label; ``most`` of them, the slowest first."""
    ordered = sorted(days, key=lambda one: (one.labels.get(label, ""), one.starts_at))
    found = (Course(name, tuple(of)) for name, of in groupby(ordered, key=lambda one: one.labels.get(label, "")))
    return sorted(found, key=lambda one: -one.highest)[:most]


def year_to(period: Period) -> datetime:
    """Where the thirteen months begin that end with ``period``, a calendar month."""
    since = period.since
    for _ in range(MONTHS - 1):
        since = month_before(since).since
    return since


def months_of(since: datetime, until: datetime) -> list[datetime]:
    """The first day of each calendar month of this time (UTC), oldest first."""
    found, end = list[datetime](), until
    while end > since:
        found.append(month_before(end).since)
        end = found[-1]
    return found[::-1]


def days_of(period: Period) -> Iterator[tuple[datetime, datetime]]:
    """Each day of the period from its midnight to the next."""
    day = period.since
    while day < period.until:
        yield day, day + DAY
        day += DAY


def places(period: Period, days: Sequence[datetime]) -> list[float]:
    """How many days after the period's begin the middle of each of these days lies."""
    return [(day - period.since) / DAY + 0.5 for day in days]
