"""Where a series is going: a line its days can be held to, with an interval, or honestly none.

The slope is Theil and Sen's (Sen 1968), whether it is more than chance is the Mann-Kendall test's to say, with its
variance enlarged for what neighbouring days share (Hamed and Rao 1998). Before that the week's own pattern is taken
out, steps are levelled, and a trend that changed on the way is judged by the days since.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from statistics import fmean, median
from typing import Literal, Protocol

import numpy as np

from clo_ops.rules.changes import Changed, changes
from clo_ops.rules.robust import Line, inflation, mann_kendall, sen_interval, theil_sen
from clo_ops.rules.weekly import Points, Weekly, weekly

Worse = Literal["higher", "lower"]
LATELY = 3  # days whose median is what it is now
# Bounds on which two windows' slopes must agree; wide, for a forecast changes its mind only on good evidence.
SURE = 0.99


class Terms(Protocol):
    """``clo_ops.policy.capacity.Forecasts``. Windows, longest first, and ``minimum_days`` are in days, ``confidence``
    in percent."""

    @property
    def windows(self) -> Sequence[int]: ...
    @property
    def minimum_days(self) -> int: ...
    @property
    def significance(self) -> float: ...
    @property
    def confidence(self) -> float: ...
    @property
    def horizon(self) -> timedelta: ...


class Verdict(StrEnum):
    RISING = "rising"
    FALLING = "falling"
    STEADY = "steady"
    TOO_SHORT = "history too short"


class Comes(StrEnum):
    """When a threshold is crossed."""

    ALREADY = "already crossed"
    EXPECTED = "expected"
    NOT_WITHIN = "not within the horizon"
    NO_TREND = "no trend towards it"
    UNKNOWN = "history too short"


@dataclass(frozen=True, slots=True)
class Expected:
    """A day's mean: what is expected of it, and between which values it lies with the policy's confidence."""

    low: float
    value: float
    high: float


@dataclass(frozen=True, slots=True)
class Crossing:
    """``day`` is set where it is expected; ``earliest`` and ``latest`` are its interval, None beyond the horizon."""

    threshold: float
    comes: Comes
    day: date | None = None
    earliest: date | None = None
    latest: date | None = None


@dataclass(frozen=True, slots=True)
class Forecast:
    """A series' line on the day ``of`` (the last of its history), in its own unit and per day.

    ``days`` are those of the window with figures, ``first`` the oldest. ``pivot`` is the middle day of the window,
    round which the slope is uncertain (``slope_low`` to ``slope_high``); ``below`` and ``above`` are how far a day
    usually lies from the line at most; ``lately`` is where its last days lie, without the week's pattern.
    """

    verdict: Verdict
    of: date
    days: int
    first: date | None = None
    level: float = 0.0
    slope: float = 0.0
    slope_low: float = 0.0
    slope_high: float = 0.0
    p: float = 1.0
    pivot: float = 0.0
    below: float = 0.0
    above: float = 0.0
    lately: float = 0.0
    week: Weekly = field(default_factory=Weekly)
    steps: tuple[tuple[date, float], ...] = ()
    bend: date | None = None

    @property
    def going(self) -> bool:
        return self.verdict in (Verdict.RISING, Verdict.FALLING)

    def line(self, ahead: float, slope: float | None = None) -> float:
        """The line so many days on, without the week's pattern; with another slope it turns round the pivot."""
        if slope is None:
            return self.level + self.slope * ahead
        return self.level + self.slope * self.pivot + slope * (ahead - self.pivot)

    def expected(self, day: date) -> Expected:
        """What the day's mean will be. Raises ValueError where the history is too short to say."""
        if self.verdict is Verdict.TOO_SHORT:
            raise ValueError(f"{self.days} days of history tell nothing of {day}")
        ahead, offset = (day - self.of).days, self.week.of_day(day)
        ends = [self.line(ahead, slope) for slope in (self.slope_low, self.slope_high)]
        return Expected(min(ends) + self.below + offset, self.line(ahead) + offset, max(ends) + self.above + offset)

    def peak(self, worse: Worse = "higher") -> float:
        """The line today in the hour of the week that comes nearest to a limit."""
        return self.level + self._swing(worse)

    def _swing(self, worse: Worse) -> float:
        return self.week.highest if worse == "higher" else self.week.lowest

    def crossing(self, threshold: float, horizon: timedelta, worse: Worse = "higher") -> Crossing:
        """When the week's worst hour gets past the threshold, strictly."""
        if self.verdict is Verdict.TOO_SHORT:
            return Crossing(threshold, Comes.UNKNOWN)
        sign = 1 if worse == "higher" else -1
        if any(sign * (threshold - now - self._swing(worse)) < 0 for now in (self.level, self.lately)):
            return Crossing(threshold, Comes.ALREADY)
        if sign * self.slope <= 0 or not self.going:
            return Crossing(threshold, Comes.NO_TREND)
        slopes = sorted([self.slope_low, self.slope_high], key=lambda slope: -sign * slope)
        earliest, latest = (self._day_past(threshold, slope, horizon, worse) for slope in slopes)
        day = self._day_past(threshold, self.slope, horizon, worse)
        comes = Comes.NOT_WITHIN if day is None else Comes.EXPECTED
        return Crossing(threshold, comes, day, earliest, latest)

    def _day_past(self, threshold: float, slope: float, horizon: timedelta, worse: Worse) -> date | None:
        """The first day on which a line of this slope lies past the threshold; never before today."""
        sign = 1 if worse == "higher" else -1
        if sign * slope <= 0:
            return None
        room = threshold - self._swing(worse) - self.line(0, slope)
        ahead = max(0, int(np.floor(room / slope)) + 1)
        return None if ahead > horizon.days else self.of + timedelta(days=ahead)


def forecast(points: Points, terms: Terms) -> Forecast | None:
    """The forecast from hourly figures (UTC, oldest first, gaps allowed); None where there is not a single one.

    Only the last ``terms.windows[0]`` days are looked at.
    """
    if not points:
        return None
    of = points[-1][0].astimezone(UTC).date()
    since = datetime.combine(of - timedelta(days=terms.windows[0] - 1), datetime.min.time(), UTC)
    lately = [(at, value) for at, value in points if at >= since]
    week = weekly(lately)
    days = daily(lately, week)
    if len(days) < terms.minimum_days or (days[-1][0] - days[0][0]).days + 1 < terms.minimum_days:
        return Forecast(Verdict.TOO_SHORT, of, len(days), days[0][0])
    return _line(days, of, week, terms)


def daily(points: Points, week: Weekly) -> list[tuple[date, float]]:
    """Each day's mean without the week's pattern; a day with less than half of the usual hours is no day."""
    hours: dict[date, list[float]] = defaultdict(list)
    for at, value in points:
        hours[at.astimezone(UTC).date()].append(value - week.at(at))
    usual = median(len(values) for values in hours.values())
    return [(day, fmean(values)) for day, values in sorted(hours.items()) if 2 * len(values) >= usual]


@dataclass(frozen=True, slots=True)
class _Fit:
    """A window of days, its line and how sure it is. ``x`` is in days, 0 the forecast's own."""

    points: list[tuple[float, float]]
    line: Line
    inflated: float

    def between(self, confidence: float) -> tuple[float, float]:
        return sen_interval(self.points, confidence, self.inflated)


def _fit(points: list[tuple[float, float]]) -> _Fit:
    line = theil_sen(points)
    return _Fit(points, line, inflation([value - line.at(day) for day, value in points]))


def _line(days: Sequence[tuple[date, float]], of: date, week: Weekly, terms: Terms) -> Forecast:
    found = changes([(float((day - of).days), value) for day, value in days])
    fit = _window(_since(found, terms), terms)
    p = mann_kendall([value for _, value in fit.points], fit.inflated).p
    going = p < terms.significance and fit.line.slope != 0
    return _told(fit, _Past(of, median(value for _, value in days[-LATELY:]), week, found), p, going, terms)


def _since(found: Changed, terms: Terms) -> list[tuple[float, float]]:
    """The days since the last step where they suffice, for what came before may have gone another way."""
    since = [one for one in found.points if found.steps and one[0] >= found.steps[-1].day]
    return since if len(since) >= terms.minimum_days else list(found.points)


def _window(points: list[tuple[float, float]], terms: Terms) -> _Fit:
    """The longest window whose slope agrees with that of the shortest, which is what happens now."""
    windows = [[one for one in points if one[0] > points[-1][0] - length] for length in terms.windows]
    fits = [_fit(window) for window in windows if len(window) >= min(terms.minimum_days, len(points))] or [_fit(points)]
    low, high = fits[-1].between(SURE)
    return next(fit for fit in fits if _overlap(fit.between(SURE), (low, high)))


def _overlap(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one[0] <= other[1] and other[0] <= one[1]


@dataclass(frozen=True, slots=True)
class _Past:
    """What a forecast says of its history beside the line."""

    of: date
    lately: float
    week: Weekly
    changed: Changed


def _told(fit: _Fit, past: _Past, p: float, going: bool, terms: Terms) -> Forecast:
    low, high = fit.between(terms.confidence / 100) if going else (0.0, 0.0)
    line = fit.line if going else Line(0.0, median(value for _, value in fit.points))
    left = [value - line.at(day) for day, value in fit.points]
    tail = (100 - terms.confidence) / 2
    below, above = np.percentile(left, [tail, 100 - tail])
    steps, bend = past.changed.steps, past.changed.bend
    return Forecast(
        verdict=Verdict.STEADY if not going else Verdict.RISING if line.slope > 0 else Verdict.FALLING,
        of=past.of,
        days=len(fit.points),
        first=past.of + timedelta(days=fit.points[0][0]),
        level=line.at(0),
        slope=line.slope,
        slope_low=low,
        slope_high=high,
        p=p,
        pivot=median(day for day, _ in fit.points),
        below=float(min(below, 0.0)),
        above=float(max(above, 0.0)),
        lately=past.lately,
        week=past.week,
        steps=tuple((past.of + timedelta(days=one.day), one.height) for one in steps),
        bend=past.of + timedelta(days=bend.day) if bend else None,
    )
