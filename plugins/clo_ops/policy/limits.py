"""Two bounds, the lower of which warns."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from clo_ops.policy.base import Cited, Model
from clo_ops.policy.units import Duration, as_text, refuse


class TimeLimits(Model):
    """Longer than ``warning`` warns, longer than ``critical`` fails (both strictly)."""

    warning: Duration
    critical: Duration

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.warning < self.critical:
            allowed = f"shorter than critical ({as_text(self.critical)})"
            raise refuse(as_text(self.warning), allowed, "lower warning or raise critical", key="warning")
        return self


class CitedTimeLimits(TimeLimits, Cited):
    """Two bounds with their own place in the manual."""
