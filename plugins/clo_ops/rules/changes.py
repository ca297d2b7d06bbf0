"""Where a daily series changed its ways: steps, from which on it lies higher or lower, and a bend of its line.

A step after a release must not be taken for a trend, and growth that began last month not for half of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Days = Sequence[tuple[float, float]]
Array = NDArray[np.float64]
# A step leaves this many days on either side, or nobody could tell it from a few odd days; a bend two weeks.
SHORTEST, SHORTEST_BEND = 5, 14
MOST = 3
COARSE = 3
# With the change the line must fit this much better; a step must stand out from what is left, in its deviations.
FITS_BETTER = 0.75
STANDS_OUT = 3.0
SCALE = 1.4826  # makes the MAD of a normal series its deviation


@dataclass(frozen=True, slots=True)
class Step:
    """From ``day`` on (in the days of the points) the series lies ``height`` higher, in its own unit."""

    day: float
    height: float


@dataclass(frozen=True, slots=True)
class Bend:
    """From ``day`` on the series has another slope."""

    day: float


@dataclass(frozen=True, slots=True)
class Changed:
    """The days since the last bend, as if every step in them had been there from the beginning; and what was found."""

    points: tuple[tuple[float, float], ...]
    steps: tuple[Step, ...] = ()
    bend: Bend | None = None


def changes(points: Days) -> Changed:
    """At most three changes, each the one that makes one line fit best. ``points`` are oldest first."""
    left, steps, bend = tuple(points), list[Step](), None
    for _ in range(MOST):
        found = _next(left)
        if found is None or (isinstance(found, Step) and any(one.day == found.day for one in steps)):
            break
        if isinstance(found, Bend):
            bend = found
            steps = [one for one in steps if one.day >= found.day]
            left = tuple(one for one in left if one[0] >= found.day)
        else:
            steps = sorted([*steps, found], key=lambda one: one.day)
            left = tuple((day, value + (found.height if day < found.day else 0.0)) for day, value in left)
    return Changed(left, tuple(steps), bend)


def _next(points: Days) -> Step | Bend | None:
    if len(points) < 2 * SHORTEST + 2:
        return None
    x, y = np.array(points, dtype=float).T
    pairs = _Pairs.of(x, y)
    without = _cost(y - np.median(pairs.slopes) * x)
    (stepped, step), (bent, bend) = _best_step(x, y, pairs), _best_bend(x, y, pairs)
    if min(stepped, bent) >= FITS_BETTER * without:
        return None
    if bent < stepped:
        return bend
    left = stepped / len(x)
    return step if abs(step.height) > STANDS_OUT * left else None


@dataclass(frozen=True, slots=True)
class _Pairs:
    """The slopes between all pairs of days, and the places of the two."""

    early: NDArray[np.intp]
    late: NDArray[np.intp]
    slopes: Array

    @classmethod
    def of(cls, x: Array, y: Array) -> _Pairs:
        early, late = np.triu_indices(len(x), 1)
        return cls(early, late, (y[late] - y[early]) / (x[late] - x[early]))

    def before(self, place: int) -> float:
        return float(np.median(self.slopes[self.late < place]))

    def after(self, place: int) -> float:
        return float(np.median(self.slopes[self.early >= place]))

    def beside(self, place: int) -> float:
        """Of the pairs that lie both before or both after."""
        return float(np.median(self.slopes[(self.early >= place) | (self.late < place)]))


def _cost(values: Array) -> float:
    return float(np.abs(values - np.median(values)).sum())


def _best(cost: Callable[[int], float], first: int, last: int) -> tuple[float, int]:
    """The place that costs least: every third one is tried, then those round the best of them."""
    if last < first:
        return float("inf"), first
    _, near = min((cost(place), place) for place in {*range(first, last + 1, COARSE), last})
    places = range(max(first, near - COARSE + 1), min(last, near + COARSE - 1) + 1)
    return min((cost(place), place) for place in places)


def _best_step(x: Array, y: Array, pairs: _Pairs) -> tuple[float, Step]:
    """One slope, two levels."""

    def cost(place: int) -> float:
        level = y - pairs.beside(place) * x
        return _cost(level[:place]) + _cost(level[place:])

    least, place = _best(cost, SHORTEST, len(x) - SHORTEST)
    level = y - pairs.beside(place) * x
    return least, Step(float(x[place]), float(np.median(level[place:]) - np.median(level[:place])))


def _best_bend(x: Array, y: Array, pairs: _Pairs) -> tuple[float, Bend]:
    """Two slopes that meet."""

    def cost(place: int) -> float:
        before, after = pairs.before(place), pairs.after(place)
        return _cost(y - before * x - (after - before) * np.maximum(0.0, x - x[place]))

    least, place = _best(cost, SHORTEST_BEND, len(x) - SHORTEST_BEND)
    return least, Bend(float(x[min(place, len(x) - 1)]))
