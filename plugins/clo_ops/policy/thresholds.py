"""Alert thresholds (manual L319-L353), with what the manual left out: unit, statistic, window, duration, clearing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import model_validator

from clo_ops.policy.base import Cited, Frozen, Model, Text, Texts
from clo_ops.policy.units import Duration, Number, Unit, refuse

Statistic = Literal["last", "mean", "median", "p95", "maximum", "sum"]


AlertClassName = Literal["low", "medium", "high"]


class Level(Model):
    """Raised strictly above ``above``, cleared at or below ``clear_at``; both in the threshold's unit.

    ``alert`` is the manual's class of the alert it raises (L47-L60), which gives its priority.
    """

    above: Number
    clear_at: Number
    alert: AlertClassName

    @model_validator(mode="after")
    def _clears_below(self) -> Self:
        if not self.clear_at < self.above:
            raise refuse(f"{self.clear_at:g}", f"below above ({self.above:g})", "lower clear_at", key="clear_at")
        return self


class Threshold(Cited):
    """A metric's two levels. ``statistic`` over ``window``, exceeded for ``hold_for``, before anybody is told.

    ``no_data`` is the class of the alert that nobody answers: high where that means an outage. ``component`` is what it
    is about: the vendor to call is found by it.
    """

    title: Text
    metric: Text
    unit: Unit
    per: Texts = ()
    statistic: Statistic
    window: Duration
    hold_for: Duration
    warning: Level
    critical: Level
    procedures: Texts
    no_data: AlertClassName = "medium"
    component: Text | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.warning.above < self.critical.above:
            allowed = f"below critical.above ({self.critical.above:g} {self.unit})"
            given = f"{self.warning.above:g} {self.unit}"
            raise refuse(given, allowed, "lower the warning or raise the critical level", key="warning.above")
        return self


Thresholds = Annotated[Mapping[Text, Threshold], *Frozen]
