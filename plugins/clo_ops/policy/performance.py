"""What the monthly performance review measures against (M2-01 to M2-08, manual L180-L193)."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from clo_ops.policy.base import Cited, Model, Positive, Texts
from clo_ops.policy.units import Duration, Percent, as_text, refuse


class Seen(Cited):
    """A figure of a month is taken for the month's from this share of it on that was looked at."""

    at_least: Percent


class Trend(Cited):
    """A change of less than this share of the room a target leaves is none."""

    steady: Percent


class Apdex(Cited):
    """An answer within ``satisfied`` pleases, within ``tolerated`` is borne; ``good`` is the index from 0 to 100."""

    satisfied: Duration
    tolerated: Duration
    good: Percent

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.tolerated != 4 * self.satisfied:
            allowed = f"four times satisfied ({as_text(4 * self.satisfied)}), as the index is defined"
            raise refuse(as_text(self.tolerated), allowed, key="tolerated")
        return self


class Portfolios(Cited):
    """Active positions at which a portfolio begins to be of the next size."""

    sizes: tuple[Positive, ...]

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if sorted(set(self.sizes)) != list(self.sizes):
            raise refuse(list(self.sizes), "sizes that rise", key="sizes")
        return self


class Failures(Cited):
    """More than this share of a month's jobs failed is worth a word."""

    warning: Percent


class Bottlenecks(Cited):
    """What held the system up for at least this share of the time that was looked at; so many are told."""

    at_least: Percent
    top: Positive


class Headroom(Cited):
    """Less than this share of its critical level left in its worst hour is little."""

    little: Percent


class Report(Cited):
    """Groups of contacts.yaml."""

    to: Texts


class Performance(Model):
    """performance.yaml."""

    seen: Seen
    trend: Trend
    apdex: Apdex
    portfolios: Portfolios
    failures: Failures
    bottlenecks: Bottlenecks
    headroom: Headroom
    report: Report
