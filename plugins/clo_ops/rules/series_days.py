"""A series over a period and the days before it, from its hourly figures: what a day's or a week's report shows of it.

Hours add up to a mean, a highest value and the time above a level; they do not add up to a percentile, so that the
percentile shown is that of the worst hour, and said to be.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from statistics import fmean

from clo_ops.findings.roll_ups import RollUp
from clo_ops.rules.periods import Period

HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class SeriesDays:
    """``hours`` are those of the period, oldest first, at least one; ``before`` those of the days compared with."""

    metric: str
    labels: Mapping[str, str]
    unit: str
    hours: Sequence[RollUp]
    before: Sequence[RollUp]

    @property
    def title(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in self.labels.items()) or self.metric

    @property
    def mean(self) -> float:
        return _mean(self.hours)

    @property
    def usual(self) -> float | None:
        """The mean of the days compared with; None where nothing was measured then."""
        return _mean(self.before) if self.before else None

    @property
    def highest(self) -> float:
        return max(one.highest for one in self.hours)

    @property
    def lowest(self) -> float:
        return min(one.lowest for one in self.hours)

    @property
    def worst(self) -> RollUp:
        """The hour with the highest 95th percentile, the first of several."""
        return max(self.hours, key=lambda one: one.p95)

    @property
    def covered(self) -> timedelta:
        return sum((one.covered for one in self.hours), timedelta())

    @property
    def above_warning(self) -> timedelta | None:
        """None where the series has no levels."""
        return _above([one.above_warning for one in self.hours])

    @property
    def above_critical(self) -> timedelta | None:
        return _above([one.above_critical for one in self.hours])

    @property
    def levels(self) -> tuple[float, float] | None:
        """The warning and the critical level of the newest hour."""
        newest = self.hours[-1]
        if newest.warning_level is None or newest.critical_level is None:
            return None
        return newest.warning_level, newest.critical_level

    def usual_hours(self) -> dict[int, tuple[float, float]]:
        """The lowest and the highest mean of each hour of the day in the days compared with."""
        found: dict[int, list[float]] = {}
        for one in self.before:
            found.setdefault(one.starts_at.hour, []).append(one.mean)
        return {hour: (min(values), max(values)) for hour, values in found.items()}


def series_days(hours: Iterable[RollUp], period: Period) -> Iterator[SeriesDays]:
    """The series that have an hour in ``period``, from hours series by series, oldest first, as the ledger gives them.

    Those before the period are what it is compared with; a series that spoke only then is left out.
    """
    for _, group in groupby(hours, key=lambda one: (one.metric, one.unit, tuple(sorted(one.labels.items())))):
        every = list(group)
        now = [one for one in every if period.since <= one.starts_at < period.until]
        if now:
            earlier = [one for one in every if one.starts_at < period.since]
            yield SeriesDays(now[0].metric, now[0].labels, now[0].unit, now, earlier)


def _mean(hours: Sequence[RollUp]) -> float:
    return fmean((one.mean for one in hours), weights=[one.count for one in hours])


def _above(times: Sequence[timedelta | None]) -> timedelta | None:
    known = [one for one in times if one is not None]
    return sum(known, timedelta()) if known else None
