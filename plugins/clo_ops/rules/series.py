"""Mornings in a row: what was measured today beside what the same thing measured on earlier mornings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from clo_ops.findings import Measurement

Key = tuple[str, tuple[tuple[str, str], ...]]


def key(one: Measurement) -> Key:
    """What makes two measurements the same series: name and labels."""
    return one.name, tuple(sorted(one.labels.items()))


def title(name: str, labels: Mapping[str, str]) -> str:
    """``system.filesystem.utilization host=app mount=/``: the series, as a finding's subject."""
    return " ".join([name, *(f"{label}={value}" for label, value in sorted(labels.items()))])


@dataclass(frozen=True)
class Series:
    """One thing measured this morning, and its earlier mornings, oldest first, one value a day (the first)."""

    today: Measurement
    day: date
    past: tuple[tuple[date, float], ...]

    @cached_property
    def title(self) -> str:
        return title(self.today.name, self.today.labels)

    def last(self, mornings: int) -> tuple[tuple[date, float], ...]:
        """The last so many mornings there are, gaps skipped; fewer where there are fewer."""
        return self.past[-mornings:]

    def same_weekday(self) -> tuple[tuple[date, float], ...]:
        return tuple(one for one in self.past if one[0].weekday() == self.day.weekday())


def _first_per_day(history: Iterable[tuple[date, Measurement]], before: date) -> dict[Key, dict[date, float]]:
    found: dict[Key, dict[date, float]] = defaultdict(dict)
    for day, one in history:
        if day < before:
            found[key(one)].setdefault(day, one.value)
    return found


def series(history: Iterable[tuple[date, Measurement]], today: Iterable[Measurement], day: date) -> list[Series]:
    """Today's series, in today's order, each with its mornings before ``day``.

    ``history`` is what was recorded of which business day. What it holds of today itself is left out, so that a run
    repeated does not compare a morning with itself.
    """
    past = _first_per_day(history, day)
    firsts: dict[Key, Measurement] = {}
    for one in today:
        firsts.setdefault(key(one), one)
    return [Series(one, day, tuple(sorted(past.get(name, {}).items()))) for name, one in firsts.items()]
