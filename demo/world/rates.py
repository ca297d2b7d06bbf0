"""The SOFR fixings a period resets on: the newest curve that was known by then."""

from __future__ import annotations

from bisect import bisect_right
from datetime import date

from demo.world import reference
from demo.world.plan import Plan

INDEX = "SOFR"


class Fixings:
    def __init__(self, plan: Plan) -> None:
        self.dates: list[date] = []
        self.rates: dict[int, list[int]] = {}
        for number, day, tenor, rate in reference.curve_points(plan):
            if number > len(self.dates):
                self.dates.append(day)
            self.rates.setdefault(tenor, []).append(rate)

    def on(self, day: date, tenor: int = 3) -> int:
        """Millionths; of the last curve for days to come. Raises ValueError before the first curve."""
        position = bisect_right(self.dates, day)
        if not position:
            raise ValueError(f"no curve on or before {day}; the first is of {self.dates[0]}")
        return self.rates[tenor][position - 1]
