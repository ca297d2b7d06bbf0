"""What the capacity review measures against (WW-01 to WW-09, manual L115-L134), and how figures are kept for months."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from clo_ops.policy.base import Cited, Flag, Model, Positive, Text, Texts, unique
from clo_ops.policy.units import Duration, Number, Percent, Unit, as_text, refuse


class RollUps(Cited):
    """``metrics`` are names or patterns; a sample speaks until the next one, for ``sample_holds`` at most."""

    metrics: Texts
    sample_holds: Duration

    @model_validator(mode="after")
    def _within_the_hour(self) -> Self:
        if not 0 < self.sample_holds.total_seconds() <= 3600:
            raise refuse(as_text(self.sample_holds), "above 0 and at most 1 h", key="sample_holds")
        return self


class Forecasts(Cited):
    """``windows``, ``minimum_days`` and ``targets`` are in days; see ``rules.forecast``."""

    windows: tuple[Positive, ...]
    minimum_days: Positive
    significance: Number
    confidence: Percent
    horizon: Duration
    soon: Duration
    targets: tuple[Positive, ...]
    silent_after: Duration

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if not self.windows or sorted(set(self.windows), reverse=True) != list(self.windows):
            raise refuse(list(self.windows), "windows from the longest to the shortest", key="windows")
        if not 14 <= self.minimum_days <= self.windows[-1]:
            allowed = f"from 14 to the shortest window ({self.windows[-1]})"
            raise refuse(self.minimum_days, allowed, key="minimum_days")
        if not 0 < self.significance <= 0.05:
            raise refuse(self.significance, "above 0 and at most 0.05", key="significance")
        if not 50 <= self.confidence < 100:
            raise refuse(f"{self.confidence:g} %", "from 50 % to below 100 %", key="confidence")
        if self.horizon.days > self.windows[0]:
            allowed = f"no further ahead than the longest window looks back ({self.windows[0]} days)"
            raise refuse(as_text(self.horizon), allowed, key="horizon")
        return self


class Resource(Cited):
    """A metric the review forecasts. ``threshold`` names one of thresholds.yaml, whose levels are then filled in.

    ``full`` is where there is nothing left at all. ``statistic`` is the hour's figure that is looked at. Where it is
    not ``needed``, a system that has no such figure is none to worry about.
    """

    procedure: Text
    metric: Text
    unit: Unit
    statistic: Literal["mean", "p95", "highest"] = "mean"
    worse: Literal["higher", "lower"] = "higher"
    threshold: Text | None = None
    warning: Number | None = None
    critical: Number | None = None
    full: Number | None = None
    needed: Flag = True

    @model_validator(mode="after")
    def _levels(self) -> Self:
        if self.threshold is not None and (self.warning is not None or self.critical is not None):
            raise refuse("threshold and levels of its own", "one of them", "remove one", key="threshold")
        if (self.warning is None) != (self.critical is None):
            raise refuse("one level", "both warning and critical, or neither", key="warning")
        if self.warning is not None and self.critical is not None:
            sign = 1 if self.worse == "higher" else -1
            if sign * self.warning >= sign * self.critical:
                raise refuse(f"{self.warning:g}", f"reached before critical ({self.critical:g})", key="warning")
        return self


class ResponseTimes(Cited):
    """WW-05. A week's p95 that is more than both above the week before's, seen on ``days`` days of each at least."""

    grew: Percent
    by: Duration
    days: Positive


class StatementTrend(Cited):
    """WW-06. A statement is worse when its mean grew by more than both between two weeks."""

    grew: Percent
    by: Duration
    minimum_calls: Positive
    minimum_share: Percent
    top: Positive


class Tables(Cited):
    """WW-03 and WW-06. ``scanned_share`` is of a table's look-ups, ``scanned_times`` since the last review."""

    largest: Positive
    scanned_from_rows: Positive
    scanned_share: Percent
    scanned_times: Positive


class Load(Cited):
    """WW-08. The metrics of the hour-of-week heat map, over so many weeks."""

    metrics: Texts
    weeks: Positive


class Owners(Cited):
    """WW-09. Groups of contacts.yaml who decide on a recommendation."""

    horizontal: Text
    vertical: Text
    database: Text
    infrastructure: Text


class Report(Cited):
    """Which groups of contacts.yaml get the report."""

    to: Texts


class Capacity(Model):
    """capacity.yaml."""

    roll_ups: RollUps
    forecasts: Forecasts
    resources: tuple[Resource, ...]
    response_times: ResponseTimes
    statements: StatementTrend
    tables: Tables
    load: Load
    owners: Owners
    report: Report

    @model_validator(mode="after")
    def _named_once(self) -> Self:
        unique([f"{one.procedure} {one.metric}" for one in self.resources], "resources")
        return self

    def of(self, procedure: str) -> tuple[Resource, ...]:
        """The resources of one procedure, in the file's order."""
        return tuple(one for one in self.resources if one.procedure == procedure)
