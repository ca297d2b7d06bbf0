"""Planned windows as stretches of time: which one a run belongs to, which one comes next (D22, D23, D26)."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

from clo_ops.policy.calendar import cron_fires, fire_times

if TYPE_CHECKING:
    from clo_ops.policy import Policy
    from clo_ops.policy.cadences import Window

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Occasion:
    """One stretch of time in which maintenance may change something, ``starts`` to ``ends`` (not included)."""

    name: str
    title: str
    starts: datetime
    ends: datetime

    def covers(self, now: datetime) -> bool:
        return self.starts <= now < self.ends

    def __str__(self) -> str:
        return f"{self.title}, {self.starts:%Y-%m-%d %H:%M} to {self.ends:%H:%M} UTC"


def occasion_of(policy: Policy, cadences: Collection[str], at: datetime) -> Occasion | None:
    """The planned window of a run at ``at`` that stands for these cadences: that of its day, the longest where several.

    None where none of the cadences has a window, or has one on another day.
    """
    midnight = datetime.combine(at.astimezone(UTC).date(), time(), UTC)
    of_day = [
        _on(name, window, midnight)
        for name, window in policy.windows.planned.items()
        if window.cadence in cadences and cron_fires(policy.cadences[window.cadence], midnight, within=DAY)
    ]
    return max(of_day, key=lambda one: one.ends - one.starts, default=None)


def _on(name: str, window: Window, midnight: datetime) -> Occasion:
    starts = datetime.combine(midnight.date(), window.starts)
    return Occasion(name, window.title, starts, starts + window.length)


def coming(policy: Policy, dag_id: str, since: datetime, until: datetime) -> Iterator[Occasion]:
    """The planned windows of one DAG that start from ``since`` to ``until``, in order, but those stood in for."""
    found = []
    for name, window in policy.windows.planned.items():
        cadence = policy.cadences[window.cadence]
        if cadence.dag == dag_id:
            for at in fire_times(cadence, since, until, policy.business_calendar):
                found.append(_on(name, window, at))
    yield from sorted(found, key=lambda one: one.starts)
