"""How a figure is shown to a person: with its unit, in no more digits than mean something."""

from __future__ import annotations

from datetime import timedelta

BINARY = ("B", "KiB", "MiB", "GiB", "TiB")
SUFFIX = {"percent": " %", "ms": " ms", "s": " s", "ratio": "", "count": "", "bool": ""}
MINUTE, HOUR, DAY = 60, 3600, 86400


def number(value: float) -> str:
    """Three significant digits below 1,000, whole numbers above, no trailing zeros."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def figure(value: float, unit: str) -> str:
    """``41.2 %``, ``1.5 GiB``, ``240 ms``, ``17``."""
    if unit == "bytes":
        return _size(value)
    return f"{number(value)}{SUFFIX.get(unit, f' {unit}')}"


def _size(value: float) -> str:
    step = 0
    while abs(value) >= 1024 and step < len(BINARY) - 1:
        value /= 1024
        step += 1
    return f"{number(value)} {BINARY[step]}"


def change(percent: float | None) -> str:
    """``+12 %``; a change from nothing has no percentage."""
    return "no percentage (their median is 0)" if percent is None else f"{percent:+.3g} %"


def age(length: timedelta) -> str:
    """``3 d 4 h``, ``2 h 5 min``, ``40 s``: the two largest parts of a duration of zero or more."""
    seconds = max(0, int(length.total_seconds()))
    days, hours, minutes = seconds // DAY, seconds % DAY // HOUR, seconds % HOUR // MINUTE
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min" if minutes else f"{seconds} s"


def moment(at: object) -> str:
    """``2026-11-23 08:00 UTC`` for an aware UTC time."""
    return f"{at:%Y-%m-%d %H:%M} UTC"


def duration(seconds: float | None) -> str:
    """How long something took: ``38.2 s``, ``3 min 12 s``, ``16 h 04 min``, ``3 d 02 h``."""
    if seconds is None:
        return "not measured"
    if seconds < MINUTE - 0.05:
        return f"{seconds:.1f} s"
    if seconds < HOUR - 0.5:
        return f"{round(seconds) // MINUTE} min {round(seconds) % MINUTE:02d} s"
    minutes = round(seconds / MINUTE)
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    hours = round(seconds / HOUR)
    return f"{hours // 24} d {hours % 24:02d} h"
