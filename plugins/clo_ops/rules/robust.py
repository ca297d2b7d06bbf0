"""Statistics that a few wild mornings cannot pull about: median and MAD, Theil-Sen slope, Mann-Kendall test.

Small on purpose; the values are those of scipy.stats (median_abs_deviation, theilslopes, kendalltau), against which
the tests hold them. What days in a row have in common with each other is allowed for by ``inflation``.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist, median

import numpy as np
from numpy.typing import NDArray

# Above this many values the exact distribution says nothing the normal approximation does not.
EXACT_UP_TO = 60
FEWEST_FOR_DEPENDENCE = 10


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
    slope = float(np.median(_slopes(points)))
    return Line(slope, median(y for _, y in points) - slope * median(x for x, _ in points))


def _slopes(points: Sequence[tuple[float, float]]) -> NDArray[np.float64]:
    """Between all pairs of different days."""
    x, y = np.array(points, dtype=float).reshape(-1, 2).T
    early, late = np.triu_indices(len(x), 1)
    days = x[late] - x[early]
    slopes: NDArray[np.float64] = (y[late] - y[early])[days != 0] / days[days != 0]
    if not slopes.size:
        raise ValueError(f"a slope needs two different days, got {len(points)} points")
    return slopes


def sen_interval(
    points: Sequence[tuple[float, float]], confidence: float, inflated: float = 1.0
) -> tuple[float, float]:
    """Between which slopes the true one lies with this confidence (Sen 1968; Gilbert 1987, 16.5).

    ``inflated`` is how much more the pairs vary for what neighbouring days share (``inflation``). Raises ValueError
    below two different days.
    """
    slopes = np.sort(_slopes(points))
    spread = NormalDist().inv_cdf((1 + confidence) / 2) * math.sqrt(_variance([y for _, y in points]) * inflated)
    below = max(0, math.floor((slopes.size - spread) / 2) - 1)
    above = min(slopes.size - 1, math.ceil((slopes.size + spread) / 2))
    return float(slopes[below]), float(slopes[above])


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


def _variance(values: Sequence[float]) -> float:
    """Of s, where there is no trend and no value tells of the next; ties taken into account."""
    n = len(values)
    ties = sum(t * (t - 1) * (2 * t + 5) for t in Counter(values).values())
    return (n * (n - 1) * (2 * n + 5) - ties) / 18


def _normal_p(s: int, values: Sequence[float], inflated: float) -> float:
    variance = _variance(values) * inflated
    if variance == 0 or s == 0:
        return 1.0
    return math.erfc((abs(s) - 1) / math.sqrt(variance) / math.sqrt(2))


def mann_kendall(values: Sequence[float], inflated: float = 1.0) -> Concordance:
    """Is there a monotonic trend? (Mann 1945, Kendall 1975.) Only the order of the values counts, not the gaps.

    Exact where no two values are equal and none tells of the next; else the normal approximation with the variance
    corrected for ties, ``inflated`` for dependence, and Kendall's continuity correction of one.
    """
    order = np.sign(np.subtract.outer(np.array(values, dtype=float), np.array(values, dtype=float)))
    s = int(np.tril(order, -1).sum())
    without_ties = len(set(values)) == len(values)
    if without_ties and len(values) <= EXACT_UP_TO and inflated == 1:
        return Concordance(s, _exact_p(s, len(values)))
    return Concordance(s, _normal_p(s, values, inflated))


def inflation(detrended: Sequence[float]) -> float:
    """How much more s varies because neighbouring values are alike; 1 where they are not.

    The larger of two estimates, Hamed and Rao's and a first-order autoregression's with its coefficient freed from the
    bias of short series (Marriott and Pope 1954). Values that swing back are not taken for more certain.
    """
    n = len(detrended)
    if n < FEWEST_FOR_DEPENDENCE or len(set(detrended)) < 3:
        return 1.0
    found = _autocorrelations(detrended)
    first = min(0.98, max(0.0, (found[0] * n + 1) / (n - 4)))
    return max(1.0, hamed_rao(found, n), 1 + float(_weights(n) @ first ** np.arange(1, n)))


def hamed_rao(autocorrelations: NDArray[np.float64], n: int) -> float:
    """Hamed and Rao (1998), from those autocorrelations of the ranks that are more than chance (5 %)."""
    certain = np.abs(autocorrelations) > NormalDist().inv_cdf(0.975) / math.sqrt(n)
    return 1 + float(_weights(n) @ np.where(certain, autocorrelations, 0.0))


def _autocorrelations(detrended: Sequence[float]) -> NDArray[np.float64]:
    """Of the ranks, at lags 1 to n - 1; equal values share their mean rank."""
    values = np.array(detrended, dtype=float)
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    shared = np.cumsum(counts) - (counts - 1) / 2
    ranks = shared[place] - (len(values) + 1) / 2
    found: NDArray[np.float64] = np.correlate(ranks, ranks, "full")[len(values) :] / float(ranks @ ranks)
    return found


def _weights(n: int) -> NDArray[np.float64]:
    lags = np.arange(1, n)
    found: NDArray[np.float64] = (n - lags) * (n - lags - 1) * (n - lags - 2) * 2 / (n * (n - 1) * (n - 2))
    return found
