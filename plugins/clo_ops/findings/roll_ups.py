"""What a series did in an hour, a day or a month: the ledger keeps it, rules and reports read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

Source = Literal["measured", "imported"]


@dataclass(frozen=True, slots=True)
class RollUp:
    """The figures of one series over the hour, day or month that begins at ``starts_at`` (UTC), in the series' unit.

    ``count`` samples; percentiles of an hour or day are interpolated between its samples, those of a month are within
    1 % of a sample's value (``rules.distribution``). ``covered`` is the time the samples speak for, each until the
    next one and no longer than policy lets it. ``above_warning`` and ``above_critical`` are the time above the levels
    of then, None where the metric had none.
    """

    metric: str
    labels: Mapping[str, str]
    unit: str
    starts_at: datetime
    count: int
    mean: float
    p50: float
    p95: float
    p99: float
    lowest: float
    highest: float
    last: float
    covered: timedelta
    warning_level: float | None
    above_warning: timedelta | None
    critical_level: float | None
    above_critical: timedelta | None
    source: Source


@dataclass(frozen=True, slots=True)
class ForecastDay:
    """What was forecast on the day ``made_for`` of the day ``target``: the mean of a series' hours' ``statistic``.

    ``low`` to ``high`` was to hold it; ``naive`` is what it would be if nothing changed. ``came`` is None until the day
    is over.
    """

    procedure: str
    metric: str
    labels: Mapping[str, str]
    unit: str
    statistic: str
    made_for: date
    target: date
    verdict: str
    expected: float
    low: float
    high: float
    naive: float
    came: float | None = None

    @property
    def ahead(self) -> int:
        return (self.target - self.made_for).days
