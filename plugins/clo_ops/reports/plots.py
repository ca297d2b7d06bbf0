"""Plots of the reports: inline SVG that reads in grey, and is the same bytes for the same figures."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from clo_ops.rules.capacity import DAYS
from clo_ops.rules.forecast import Forecast, Verdict, daily
from clo_ops.rules.weekly import Weekly

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.figure import Figure

    from clo_ops.policy.capacity import Forecasts
    from clo_ops.rules.capacity import Outlook
    from clo_ops.rules.load import HeatMap
    from clo_ops.rules.series_days import SeriesDays

INK, COUNTED, BESIDE, LIMIT = "#1f2328", "#2f5d8a", "#c9d3de", "#b42318"
FULL = 104.0  # percent; a little room above for the line at 100
SHORTEST = 0.1  # seconds; a logarithmic axis has no zero
TICKS = (
    (0.1, "0.1 s"),
    (1.0, "1 s"),
    (10.0, "10 s"),
    (60.0, "1 min"),
    (600.0, "10 min"),
    (3600.0, "1 h"),
    (14400.0, "4 h"),
    (86400.0, "1 d"),
    (604800.0, "7 d"),
    (2592000.0, "30 d"),
)
SETTINGS: Mapping[str, Any] = {
    "svg.fonttype": "path",  # the same letters in a browser and in the PDF, whatever fonts there are
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.edgecolor": "#8c959f",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "hatch.color": "#6e7781",
    "text.parse_math": False,  # a label from outside may hold a dollar sign
}


def duration_bars(phases: Sequence[tuple[str, float]], counted: frozenset[str], name: str = "phases") -> str:
    """A bar for each phase (name, seconds): full where it counts towards the RTO, hatched where it does not."""
    with drawing(name, width=7.2, height=0.55 + 0.3 * max(len(phases), 1)) as (figure, drawn):
        axes = figure.subplots()
        for row, (phase, seconds) in enumerate(phases):
            counts = phase in counted
            axes.barh(
                row,
                seconds,
                height=0.66,
                color=COUNTED if counts else BESIDE,
                hatch=None if counts else "////",
                edgecolor=COUNTED if counts else "#6e7781",
                linewidth=0.6,
            )
            axes.annotate(
                f"{seconds:.1f} s", (seconds, row), xytext=(4, 0), textcoords="offset points", va="center", fontsize=8.5
            )
        axes.set_yticks(range(len(phases)), [phase.replace("_", " ") for phase, _ in phases])
        axes.invert_yaxis()
        axes.set_xlim(0, max([seconds for _, seconds in phases], default=1.0) * 1.14 or 1.0)
        axes.set_xlabel("seconds")
        axes.tick_params(axis="y", length=0)
    return drawn[0]


def against_target(points: Sequence[tuple[datetime, float]], target: float, name: str) -> str:
    """Seconds of one kind over the drills, newest last, against their target.

    The axis is logarithmic: a recovery of seconds and a target of hours must both be seen.
    """
    with drawing(name, width=3.5, height=2.1) as (figure, drawn):
        axes = figure.subplots()
        values = [max(value, SHORTEST) for _, value in points]
        axes.plot(range(len(values)), values, color=COUNTED, marker="o", markersize=4, linewidth=1.2)
        axes.axhline(target, color=LIMIT, linestyle="--", linewidth=1.1)
        axes.annotate("target", (0, target), xytext=(-6, 3), textcoords="offset points", fontsize=8, color=LIMIT)
        axes.set_yscale("log")
        low, high = min([target, *values]) / 3, max([target, *values]) * 4
        shown = [(seconds, word) for seconds, word in TICKS if low <= seconds <= high]
        axes.set_yticks([seconds for seconds, _ in shown], [word for _, word in shown])
        axes.set_yticks([], minor=True)
        axes.set_ylim(low, high)
        days = {f"{points[place][0]:%Y-%m-%d}": place for place in (0, len(points) // 2, len(points) - 1)}
        axes.set_xticks(list(days.values()), list(days), fontsize=8)
        axes.set_xlim(-0.5, max(len(points) - 1, 1) + 0.5)
    return drawn[0]


def projection(one: Outlook, terms: Forecasts, name: str) -> str:
    """A series' days, the line through them and on to the horizon with its interval, and its levels."""
    with drawing(name, width=7.2, height=2.7) as (figure, drawn):
        axes, found = figure.subplots(), one.forecast
        days = [((day - found.of).days, value) for day, value in daily(one.watched.points, Weekly())]
        axes.plot(*_columns(days), color=COUNTED, linewidth=1.1, label="days")
        if found.verdict is not Verdict.TOO_SHORT and found.first is not None:
            _project(axes, found, terms)
        for level, crossing in one.crossings.items():
            axes.axhline(crossing.threshold, color=LIMIT, linestyle="--" if level == "warning" else "-", linewidth=0.9)
            axes.annotate(level, (1, crossing.threshold), xycoords=("axes fraction", "data"), fontsize=8, color=LIMIT)
        axes.axvline(0, color="#8c959f", linewidth=0.8, linestyle=":")
        if one.watched.resource.unit == "percent":
            axes.set_ylim(top=min(axes.get_ylim()[1], FULL))  # nothing is fuller than full, whatever the line says
        ticks = range(-terms.windows[0], terms.horizon.days + 1, 30)
        axes.set_xticks(list(ticks), [f"{found.of + timedelta(days=day):%d %b}" for day in ticks], fontsize=8)
        axes.set_ylabel(one.watched.resource.unit)
        axes.set_title(one.watched.title, fontsize=9, loc="left")
        # Beside the title: inside it would lie on a level.
        axes.legend(loc="lower right", bbox_to_anchor=(1, 0.98), fontsize=8, frameon=False, ncols=3)
    return drawn[0]


def _project(axes: Any, found: Forecast, terms: Forecasts) -> None:
    begin = (found.first - found.of).days if found.first else 0
    line = [(day, found.line(day)) for day in (begin, terms.horizon.days)]
    axes.plot(*_columns(line), color=INK, linewidth=1, label="line")
    beyond = [(day, found.expected(found.of + timedelta(days=day))) for day in range(terms.horizon.days + 1)]
    bounds = [[held.low for _, held in beyond], [held.high for _, held in beyond]]
    axes.fill_between([day for day, _ in beyond], *bounds, color=BESIDE, label=f"{terms.confidence:.0f} %")


def _columns(points: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [x for x, _ in points], [y for _, y in points]


def heat_map(one: HeatMap, name: str) -> str:
    """Hours of the week: a row for each day, darker where it is busier; an hour nobody measured is hatched."""
    with drawing(name, width=7.2, height=2.5) as (figure, drawn):
        axes = figure.subplots()
        axes.set_facecolor("none")
        rows = [[one.hours.get(24 * day + hour, float("nan")) for hour in range(24)] for day in range(7)]
        seen = axes.imshow(rows, aspect="auto", cmap="Blues", vmin=0)
        for place in (place for place in range(168) if place not in one.hours):
            corner = (place % 24 - 0.5, place // 24 - 0.5)
            axes.add_patch(_hatched(corner))
        axes.set_yticks(range(7), [day[:3] for day in DAYS])
        axes.set_xticks(range(0, 24, 3), [f"{hour:02d}" for hour in range(0, 24, 3)])
        axes.set_xlabel("hour (UTC)")
        axes.set_title(f"{one.title}, mean by hour of the week", fontsize=9, loc="left")
        figure.colorbar(seen, ax=axes, label=one.unit, pad=0.01)
    return drawn[0]


def _hatched(corner: tuple[float, float]) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle(corner, 1, 1, fill=False, hatch="////", edgecolor="#c9d3de", linewidth=0)


def day_line(one: SeriesDays, name: str) -> str:
    """The hours of a period with the span of the same hours in the days before, and the levels that are near."""
    with drawing(name, width=4.6, height=2.0) as (figure, drawn):
        axes = figure.subplots()
        places = [(hour.starts_at - one.hours[0].starts_at) / timedelta(hours=1) for hour in one.hours]
        usual = one.usual_hours()
        known = [
            (place, *usual[hour.starts_at.hour])
            for place, hour in zip(places, one.hours, strict=True)
            if hour.starts_at.hour in usual
        ]
        if known:
            axes.fill_between(
                [at for at, _, _ in known],
                [low for _, low, _ in known],
                [high for _, _, high in known],
                color=BESIDE,
                linewidth=0,
            )
        axes.plot(places, [hour.mean for hour in one.hours], color=COUNTED, linewidth=1.4, marker="o", markersize=2.2)
        near_levels(axes, one.levels or (), one.highest)
        shown = [number for number, hour in enumerate(one.hours) if hour.starts_at.hour % 6 == 0]
        axes.set_xticks(
            [places[number] for number in shown], [f"{one.hours[number].starts_at:%H:%M}" for number in shown]
        )
        axes.set_ylabel(one.unit)
        axes.set_ylim(bottom=min(0.0, one.lowest))
    return drawn[0]


def near_levels(axes: Any, levels: Sequence[float], highest: float) -> None:
    """A level far above everything would press the curve flat: it is drawn where half of it was reached."""
    for level, style in zip(levels, ("--", "-"), strict=False):
        if highest >= level / 2:
            axes.axhline(level, color=LIMIT, linestyle=style, linewidth=0.9)


@contextmanager
def drawing(name: str, *, width: float, height: float) -> Iterator[tuple[Figure, list[str]]]:
    """A figure to draw on; at the end the list holds its SVG. Without pyplot: no global state, no display."""
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    settings: dict[Any, Any] = {**SETTINGS, "svg.hashsalt": f"clo-ops-{name}"}
    with matplotlib.rc_context(settings):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasSVG(figure)
        drawn: list[str] = []
        yield figure, drawn
        file = io.StringIO()
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
        drawn.append(_inline(file.getvalue(), name))


def _inline(svg: str, name: str) -> str:
    """Only the drawing, its ids this plot's own, its width the page's to decide."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"\s*<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r'\bid="', f'id="{name}-', body)
    body = re.sub(r'href="#', f'href="#{name}-', body)
    body = re.sub(r"url\(#", f"url(#{name}-", body)
    return re.sub(r'<svg ([^>]*?)width="([0-9.]+)pt"', r'<svg role="img" \1width="\2"', body, count=1).replace(
        'pt"', '"', 1
    )
