"""Plots of a month's performance review: day by day, by size of portfolio, and each resource month by month.

As wide as a phone is: on a desk and on paper two of them stand side by side. A day nobody measured is light grey.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from clo_ops.reports.plots import BESIDE, COUNTED, INK, LIMIT, drawing, near_levels
from clo_ops.rules.figures import duration, figure
from clo_ops.rules.through_month import days_of, months_of, places

if TYPE_CHECKING:
    from clo_ops.findings.performed import Row
    from clo_ops.findings.roll_ups import RollUp
    from clo_ops.rules.availability import Availability
    from clo_ops.rules.periods import Period
    from clo_ops.rules.through_month import Course, FeltDay

WIDTH = 4.6
ROOM = 1.15  # above the highest
SOFT = "#6e7781"
NOTHING: dict[str, Any] = {"facecolor": "#eaeef2", "linewidth": 0, "zorder": 0}
BEFORE: dict[str, Any] = {"color": BESIDE, "hatch": "////", "edgecolor": SOFT, "linewidth": 0.6}
# What tells lines apart where there is no colour.
STROKES: tuple[dict[str, Any], ...] = (
    {"color": COUNTED, "linestyle": "-", "marker": "o"},
    {"color": INK, "linestyle": "--", "marker": "s"},
    {"color": SOFT, "linestyle": "-.", "marker": "^"},
    {"color": COUNTED, "linestyle": ":", "marker": "D"},
)
LEGEND: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0, 1), "fontsize": 8, "frameon": False}
MINUTE = timedelta(minutes=1)
# Of an axis of times, in seconds.
STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200)


def availability_days(days: Sequence[Availability], target: float, name: str) -> str:
    """Minutes down on each day, and below them what of the month's error budget was left at its end.

    ``target`` is in percent. Windows announced in time are left out of the full bars and of the full line.
    """
    period = _of(days)
    with drawing(name, width=WIDTH, height=3.4) as (canvas, drawn):
        down, left = canvas.subplots(2, sharex=True)
        at = places(period, [one.since for one in days])
        planned = [one.down_announced / MINUTE for one in days]
        own = [one.down / MINUTE - more for one, more in zip(days, planned, strict=True)]
        down.bar(at, own, width=0.8, color=COUNTED, label="down")
        down.bar(at, planned, 0.8, own, label="in a window", **BEFORE)
        down.set_ylabel("minutes down")
        down.set_ylim(bottom=0, top=max(1.0, *(one.down / MINUTE for one in days)) * 1.1)
        down.legend(**LEGEND, ncols=2)
        allowed = (period.until - period.since) * (1 - target / 100) / MINUTE
        _burnt(left, allowed, [own, [sum(one) for one in zip(own, planned, strict=True)]])
        left.set_ylabel("budget left, min")
        for axes in (down, left):
            _nothing(axes, period, [one.since for one in days if one.not_observed > one.asked / 2])
        _days(left, period)
    return drawn[0]


def _of(days: Sequence[Availability]) -> Period:
    from clo_ops.rules.periods import Period

    return Period(days[0].since, days[-1].until)


def _burnt(axes: Any, allowed: float, spent: Sequence[Sequence[float]]) -> None:
    """What is left after each day: windows left out in full, windows counted in dashes."""
    strokes: tuple[dict[str, Any], ...] = ({"color": COUNTED, "linewidth": 1.4}, {"color": SOFT, "linestyle": "--"})
    for minutes, stroke in zip(spent, strokes, strict=True):
        left = [allowed]
        for one in minutes:
            left.append(left[-1] - one)
        axes.plot(range(len(left)), left, **stroke)
    axes.axhline(0, color=LIMIT, linewidth=0.9)
    axes.set_ylim(bottom=min(axes.get_ylim()[0], -allowed / 10))


def felt_days(days: Sequence[FeltDay], period: Period, levels: Sequence[float], good: float, name: str) -> str:
    """The p95 of the requests users made on each day (ms), and below it Apdex with what policy calls good (0 to 1)."""
    with drawing(name, width=WIDTH, height=3.2) as (canvas, drawn):
        slow, index = canvas.subplots(2, sharex=True)
        _line(slow, period, [(one.day, one.p95_ms) for one in days], STROKES[0])
        near_levels(slow, levels, max(one.p95_ms for one in days))
        slow.set_ylim(0, max(one.p95_ms for one in days) * ROOM)
        slow.set_ylabel("p95, ms")
        _line(index, period, [(one.day, one.apdex) for one in days], STROKES[0])
        index.axhline(good, color=LIMIT, linestyle="--", linewidth=0.9)
        index.set_ylim(min(good, *(one.apdex for one in days)) - 0.05, 1.01)
        index.set_ylabel("Apdex")
        for axes in (slow, index):
            _nothing(axes, period, _without(period, [one.day for one in days]))
        _days(index, period)
    return drawn[0]


def endpoint_days(courses: Sequence[Course], period: Period, levels: Sequence[float], name: str) -> str:
    """The p95 of each endpoint on each day by our own probes, in ms."""
    with drawing(name, width=WIDTH, height=2.3) as (canvas, drawn):
        axes = canvas.subplots()
        for one, stroke in zip(courses, STROKES, strict=False):
            _line(axes, period, [(day.starts_at, day.p95) for day in one.figures], {**stroke, "label": one.name})
        near_levels(axes, levels, max(one.highest for one in courses))
        axes.set_ylim(0, max(one.highest for one in courses) * ROOM)
        axes.set_ylabel("p95, ms")
        axes.legend(**LEGEND, ncols=2, handlelength=3)
        seen = {day.starts_at for one in courses for day in one.figures}
        _nothing(axes, period, _without(period, sorted(seen)))
        _days(axes, period)
    return drawn[0]


def job_bars(rows: Sequence[tuple[str, Row, Row | None]], target_s: float | None, name: str) -> str:
    """How long jobs of each kind took on average, the month before below it, and the p95 of this month; in seconds."""
    highest = max(float(one["p95_s"] or 0) for _, one, _ in rows)
    drawn_to = max(highest, target_s if target_s is not None and highest >= target_s / 2 else 0.0) or 1.0
    with drawing(name, width=WIDTH, height=0.75 + 0.5 * len(rows)) as (canvas, drawn):
        axes = canvas.subplots()
        for place, (_, now, before) in enumerate(rows):
            _job(axes, place, now, before)
        if target_s is not None and drawn_to >= target_s:
            axes.axvline(target_s, color=LIMIT, linestyle="--", linewidth=1.1, zorder=0)
        axes.set_yticks(range(len(rows)), [name for name, _, _ in rows])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_xlim(0, drawn_to * ROOM)
        axes.tick_params(axis="y", length=0)
        step = next((one for one in STEPS if drawn_to / one <= 6), STEPS[-1])
        ticks = [float(step * number) for number in range(int(drawn_to / step) + 1)]
        axes.set_xticks(ticks, [_tick(one) for one in ticks])
    return drawn[0]


def _tick(seconds: float) -> str:
    return f"{seconds:g} s" if seconds < 60 else f"{seconds / 60:g} min"


def _job(axes: Any, place: int, now: Row, before: Row | None) -> None:
    axes.barh(place - 0.08, now["mean_s"], 0.4, color=COUNTED)
    axes.plot([now["p95_s"]] * 2, [place - 0.32, place + 0.16], color=INK, linewidth=1.6)
    was = before["mean_s"] if before is not None else None
    axes.barh(place + 0.24, was or 0.0, 0.2, **BEFORE)
    # Beside the smaller bar: beside its own the mark of the p95 would stand in its way.
    told = axes.annotate(
        duration(now["mean_s"]),
        (was or 0.0, place + 0.26),
        xytext=(4, 0),
        textcoords="offset points",
        va="center",
        fontsize=8,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
    )
    told.set_in_layout(False)


def resource_months(one: Course, since: datetime, until: datetime, name: str) -> str:
    """Mean of each month as a bar, its p95 as a mark above it; the month of the review is the darkest."""
    from matplotlib.ticker import MaxNLocator

    shown = {figures.starts_at: figures for figures in one.figures}
    months = [month for month in months_of(since, until) if month >= min(shown)]
    with drawing(name, width=WIDTH, height=2.0) as (canvas, drawn):
        axes = canvas.subplots()
        for place, month in enumerate(months):
            _month(axes, place, shown.get(month), last=month == months[-1])
        newest = one.figures[-1]
        near_levels(axes, [level for level in (newest.warning_level, newest.critical_level) if level], one.highest)
        axes.set_xticks(range(len(months)), [f"{month:%b}" for month in months], fontsize=8)
        axes.set_xlim(-0.6, max(len(months), 3) - 0.4)
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
        axes.yaxis.set_major_formatter(lambda value, _: figure(value, newest.unit))
        axes.set_title(one.name, fontsize=9, loc="left")
    return drawn[0]


def _month(axes: Any, place: int, one: RollUp | None, *, last: bool) -> None:
    if one is None:
        axes.axvspan(place - 0.4, place + 0.4, **NOTHING)
        return
    style = {"color": COUNTED} if last else {"color": BESIDE, "edgecolor": SOFT, "linewidth": 0.6}
    axes.bar(place, one.mean, 0.8, **style)
    axes.plot([place - 0.4, place + 0.4], [one.p95] * 2, color=INK, linewidth=1.6)


def _line(axes: Any, period: Period, points: Sequence[tuple[datetime, float]], stroke: dict[str, Any]) -> None:
    """Broken where a day has no figure."""
    known = dict(points)
    days = [day for day, _ in days_of(period)]
    axes.plot(
        places(period, days), [known.get(day, float("nan")) for day in days], markersize=2.6, linewidth=1.2, **stroke
    )


def _without(period: Period, days: Sequence[datetime]) -> list[datetime]:
    known = set(days)
    return [day for day, _ in days_of(period) if day not in known]


def _nothing(axes: Any, period: Period, days: Sequence[datetime]) -> None:
    for at in places(period, days):
        axes.axvspan(at - 0.5, at + 0.5, **NOTHING)


def _days(axes: Any, period: Period) -> None:
    shown = [(day, at) for day, at in ((day, places(period, [day])[0]) for day, _ in days_of(period))][::7]
    axes.set_xticks([at for _, at in shown], [f"{day.day} {day:%b}" for day, _ in shown], fontsize=8)
    axes.set_xlim(0, (period.until - period.since) / timedelta(days=1))
