"""Statistics that a few wild mornings cannot pull about: median and MAD, Theil-Sen slope, Mann-Kendall test.

Small and in the standard library on purpose; the values are those of scipy.stats (median_abs_deviation,
theilslopes, kendalltau), against which the tests hold them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from statistics import median

# Above this many values the exact distribution says nothing the normal approximation does not.
EXACT_UP_TO = 60


def median_absolute_deviation(values: Sequence[float]) -> float:
    """Median distance from the median; half of the values may be anything without moving it."""
    centre = median(values)
    return median(abs(value - centre) for value in values)


@dataclass(frozen=True, slots=True)
class Band:
    """Where a value is expected: the centre and how far either side of it, in the values' own unit."""

    centre: float
    half_width: float

    @property
    def low(self) -> float:
        return self.centre - self.half_width

    @property
    def high(self) -> float:
        return self.centre + self.half_width

    def holds(self, value: float) -> bool:
        """The edge belongs to the band."""
        return self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class Line:
    """A straight line through points whose x is in days; ``slope`` is per day."""

    slope: float
    intercept: float

    def at(self, day: float) -> float:
        return self.intercept + self.slope * day


def theil_sen(points: Sequence[tuple[float, float]]) -> Line:
    """Median of the slopes between all pairs (Sen 1968); the line goes through the medians of x and y.

    Up to 29 % of the points may be wild without moving it. Raises ValueError below two different days.
    """
    slopes = [(y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in combinations(points, 2) if x1 != x2]
    if not slopes:
        raise ValueError(f"a slope needs two different days, got {len(points)} points")
    slope = median(slopes)
    return Line(slope, median(y for _, y in points) - slope * median(x for x, _ in points))


@dataclass(frozen=True, slots=True)
class Concordance:
    """Mann-Kendall: ``s`` counts rising less falling pairs; ``p`` is how often chance alone does as much, two-sided."""

    s: int
    p: float


@cache
def _orderings(n: int) -> tuple[int, ...]:
    """How many of the n! orders have 0, 1, 2 ... falling pairs (the Mahonian numbers)."""
    counts = [1]
    for size in range(2, n + 1):
        longer = [0] * (len(counts) + size - 1)
        for falling, ways in enumerate(counts):
            for more in range(size):
                longer[falling + more] += ways
        counts = longer
    return tuple(counts)


def _exact_p(s: int, n: int) -> float:
    counts = _orderings(n)
    falling_at_most = (n * (n - 1) // 2 - abs(s)) // 2
    return min(1.0, 2 * sum(counts[: falling_at_most + 1]) / math.factorial(n))


def _normal_p(s: int, values: Sequence[float]) -> float:
    n = len(values)
    ties = sum(t * (t - 1) * (2 * t + 5) for t in Counter(values).values())
    variance = (n * (n - 1) * (2 * n + 5) - ties) / 18
    if variance == 0 or s == 0:
        return 1.0
    return math.erfc((abs(s) - 1) / math.sqrt(variance) / math.sqrt(2))


def mann_kendall(values: Sequence[float]) -> Concordance:
    """Is there a monotonic trend? (Mann 1945, Kendall 1975.) Only the order of the values counts, not the gaps.

    Exact where no two values are equal; else the normal approximation with the variance corrected for ties and
    Kendall's continuity correction of one.
    """
    s = sum((later > earlier) - (later < earlier) for earlier, later in combinations(values, 2))
    without_ties = len(set(values)) == len(values)
    if without_ties and len(values) <= EXACT_UP_TO:
        return Concordance(s, _exact_p(s, len(values)))
    return Concordance(s, _normal_p(s, values))
