"""A threshold's statistic over the samples of its window (D46)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from statistics import fmean, median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clo_ops.policy.thresholds import Statistic

# A window of an hour at one sample a second: whatever is looked at, memory stays flat.
MOST_SAMPLES = 3600


def p95(values: Sequence[float]) -> float:
    """The 95th percentile, interpolated as PostgreSQL's percentile_cont does."""
    ordered, place = sorted(values), 0.95 * (len(values) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


STATISTICS: dict[Statistic, Callable[[Sequence[float]], float]] = {
    "last": lambda values: values[-1],
    "mean": fmean,
    "median": median,
    "p95": p95,
    "maximum": max,
    "sum": sum,
}


class Window:
    """The samples of one series, the oldest dropped once they are older than ``length``."""

    def __init__(self, length: timedelta) -> None:
        self.length = length
        self._samples: deque[tuple[datetime, float]] = deque(maxlen=MOST_SAMPLES)

    def add(self, at: datetime, value: float) -> None:
        self._samples.append((at, value))

    def value(self, statistic: Statistic, now: datetime, fresh_for: timedelta) -> float | None:
        """The statistic over what lies in the window, None where the newest sample is older than ``fresh_for``."""
        while self._samples and now - self._samples[0][0] > self.length:
            self._samples.popleft()
        if not self._samples or now - self._samples[-1][0] > fresh_for:
            return None
        return STATISTICS[statistic]([value for _, value in self._samples])


def in_use(states: Iterable[tuple[str, float]]) -> float:
    """How many connections are in use, of (state, count): all but the idle ones (D47)."""
    return sum(count for state, count in states if state != "idle")
