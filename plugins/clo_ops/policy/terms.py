"""How long there is for something: elapsed time or business days, and shares of either."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from clo_ops.policy.units import as_text, duration, refuse

TERM_FORM = 'a term, such as "15 min", "4 h", "next business day" or "5 business days"'
STEP_FORM = 'a step, such as "at once", "100 % of response" or "75 % of resolution"'
BUSINESS_DAYS = re.compile(r"^(\d+) business days?$")
STEP = re.compile(r"^(\d{1,3}) ?% of (response|resolution)$")


@dataclass(frozen=True, slots=True)
class Term:
    """Either ``elapsed`` time, round the clock, or whole ``business_days`` (1 is the next business day)."""

    elapsed: timedelta | None = None
    business_days: int | None = None

    def longer_than(self, other: Term) -> bool:
        """Longer in the worst case: a business day never takes less than nothing nor elapsed time more than itself.

        Two business days in a row can lie within a few hours of each other's ends, so that against elapsed time
        business days always count as longer, and elapsed time against n business days as longer above n days.
        """
        if self.elapsed is not None and other.elapsed is not None:
            return self.elapsed > other.elapsed
        if self.business_days is not None and other.business_days is not None:
            return self.business_days > other.business_days
        if self.elapsed is not None and other.business_days is not None:
            return self.elapsed > timedelta(days=other.business_days)
        return True

    def __str__(self) -> str:
        if self.elapsed is not None:
            return as_text(self.elapsed)
        return "next business day" if self.business_days == 1 else f"{self.business_days} business days"


@dataclass(frozen=True, slots=True)
class Step:
    """A point on an incident's clock: ``percent`` of the time there is ``of`` response or resolution."""

    percent: int
    of: Literal["response", "resolution"]

    def after(self, response: timedelta, resolution: timedelta) -> timedelta:
        """How long after detection this step is taken, given the severity's two terms."""
        return (response if self.of == "response" else resolution) * self.percent / 100

    def __str__(self) -> str:
        return f"{self.percent} % of {self.of}" if self.percent else "at once"


def term(given: Any) -> Term:
    if isinstance(given, Term):
        return given
    if given == "next business day":
        return Term(business_days=1)
    match = BUSINESS_DAYS.match(given) if isinstance(given, str) else None
    if match is not None and int(match[1]) > 0:
        return Term(business_days=int(match[1]))
    try:
        return Term(elapsed=duration(given))
    except ValueError:
        raise refuse(given, TERM_FORM, "write the unit") from None


def step(given: Any) -> Step:
    if isinstance(given, Step):
        return given
    if given == "at once":
        return Step(0, "response")
    match = STEP.match(given) if isinstance(given, str) else None
    if match is None or not 1 <= int(match[1]) <= 100:
        raise refuse(given, STEP_FORM)
    return Step(int(match[1]), "response" if match[2] == "response" else "resolution")
