"""The week's own pattern in an hourly series: what each hour of the week usually lies above or below its week's level.

Medians over the weeks, so that a holiday or an outage does not become the pattern. A saw-tooth that weekly maintenance
makes is such a pattern, too: what is left of it is the line from trough to trough.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from statistics import fmean, median

import numpy as np
from numpy.typing import NDArray

HOURS = 168
# Monday 1970-01-05 00:00 UTC: hour 0 of the week is Monday's first.
MONDAY = datetime(1970, 1, 5, tzinfo=UTC)
MONDAY_HOUR = int(MONDAY.timestamp()) // 3600
# Found in every other week, a pattern must take this share off the spread of the weeks between them.
WORTH = 0.15
FEWEST_WEEKS = 4
Points = Sequence[tuple[datetime, float]]


def hour_of_week(at: datetime) -> int:
    """0 for Monday 00:00 to 01:00 UTC, 167 for Sunday 23:00 to 24:00."""
    return (int(at.timestamp()) // 3600 - MONDAY_HOUR) % HOURS


@dataclass(frozen=True, slots=True)
class Weekly:
    """By hour of the week, in the series' unit; empty where a week is like any other hour."""

    offsets: Mapping[int, float] = field(default_factory=dict)

    def at(self, moment: datetime) -> float:
        return self.offsets.get(hour_of_week(moment), 0.0)

    def of_day(self, day: date) -> float:
        """The mean of the day's hours."""
        first = 24 * day.weekday()
        of_it = [self.offsets[hour] for hour in range(first, first + 24) if hour in self.offsets]
        return fmean(of_it) if of_it else 0.0

    @property
    def highest(self) -> float:
        return max(self.offsets.values(), default=0.0)

    @property
    def lowest(self) -> float:
        return min(self.offsets.values(), default=0.0)

    def busiest(self) -> int | None:
        """The hour of the week that lies highest; None without a pattern."""
        return max(self.offsets, key=lambda hour: self.offsets[hour]) if self.offsets else None

    def quietest(self) -> int | None:
        """The hour of the week that lies lowest; None without a pattern."""
        return min(self.offsets, key=lambda hour: self.offsets[hour]) if self.offsets else None


def weekly(points: Points) -> Weekly:
    """The pattern of these hours (oldest first), or none where there are too few weeks or it explains too little."""
    hours = np.array([int(at.timestamp()) // 3600 for at, _ in points]) - MONDAY_HOUR
    if not len(hours) or hours[-1] - hours[0] < (FEWEST_WEEKS - 1) * HOURS:
        return Weekly()
    above = _above_level(hours, np.array([value for _, value in points]))
    odd = hours // HOURS % 2 == 1
    here, there = _medians(hours[odd], above[odd]), _medians(hours[~odd], above[~odd])
    tested = [*_left(hours[~odd], above[~odd], here), *_left(hours[odd], above[odd], there)]
    # Means, not medians: of a job that is busy two hours a night most hours know nothing.
    spread = float(np.abs(above).mean())
    if not tested or not spread or fmean(map(abs, tested)) > (1 - WORTH) * spread:
        return Weekly()
    return Weekly(_medians(hours, above))


def _above_level(hours: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each value less the median of the seven days round its own: whole weeks, so that no weekday pulls at it."""
    days, place = np.unique(hours // 24, return_inverse=True)
    means = np.bincount(place, values) / np.bincount(place)
    centres = np.clip(days, days[0] + 3, days[-1] - 3)
    levels = np.array([np.median(means[np.abs(days - centre) <= 3]) for centre in centres])
    # From noon to noon, or a steep line would look like a rhythm of the day.
    result: NDArray[np.float64] = values - np.interp(hours + 0.5, 24 * days + 12.0, levels)
    return result


def _medians(hours: NDArray[np.int64], above: NDArray[np.float64]) -> dict[int, float]:
    found: dict[int, list[float]] = {}
    for hour, value in zip((hours % HOURS).tolist(), above.tolist(), strict=True):
        found.setdefault(hour, []).append(value)
    return {hour: median(values) for hour, values in sorted(found.items())}


def _left(hours: NDArray[np.int64], above: NDArray[np.float64], pattern: Mapping[int, float]) -> list[float]:
    return [
        value - pattern[hour]
        for hour, value in zip((hours % HOURS).tolist(), above.tolist(), strict=True)
        if hour in pattern
    ]
