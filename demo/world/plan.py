"""What is to be built: the parameters, and the dates and counts that follow from them."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import Any

from demo.world import calendar

PAYMENT_MONTHS = (1, 4, 7, 10)
DETERMINATION_DAY = 10
PAYMENT_DAY = 20
DEALS_PER_GROUP = 4
ASSETS_PER_GROUP = 480
PRICED_BUSINESS_DAYS = 220  # ten months; reaches behind the last determination date, whatever the day of the quarter


@dataclass(frozen=True)
class Plan:
    """``scale`` 1 is four deals on 480 assets; a larger world is more such groups, each made on its own.

    ``as_of`` (aware, UTC) is the instant the world ends; ``days`` is how far its operating history goes back.
    """

    scale: float
    seed: int
    days: int
    as_of: datetime

    def __post_init__(self) -> None:
        if not 0 < self.scale <= 200 or not 1 <= self.days <= 400:
            raise ValueError(f"scale is {self.scale}, days {self.days}; allowed are 0 < scale <= 200, 1 <= days <= 400")
        if self.as_of.tzinfo is None:
            raise ValueError(f"as_of is {self.as_of} without a time zone")

    def rng(self, *path: object) -> random.Random:
        """A generator of its own for each part, so that one part's draws never shift another's."""
        return random.Random(":".join(str(part) for part in (self.seed, *path)))

    @property
    def parameters(self) -> dict[str, Any]:
        as_of = self.as_of.astimezone(UTC).isoformat()
        return {"scale": self.scale, "seed": self.seed, "days": self.days, "as_of": as_of}

    @property
    def today(self) -> date:
        return self.as_of.astimezone(UTC).date()

    @property
    def history_start(self) -> datetime:
        return datetime.combine(self.today - timedelta(days=self.days), time(), UTC)

    @property
    def groups(self) -> list[tuple[int, int]]:
        """(deals, assets) of each group."""
        whole = math.ceil(self.scale)
        parts = [1.0] * (whole - 1) + [self.scale - (whole - 1)]
        return [(max(2, round(DEALS_PER_GROUP * part)), max(60, round(ASSETS_PER_GROUP * part))) for part in parts]

    @cached_property
    def books(self) -> date:
        """The last determination date whose payment has been made: balances and positions are those of this day."""
        year, months = self.today.year, [(self.today.year, month) for month in PAYMENT_MONTHS]
        candidates = [(year - 1, PAYMENT_MONTHS[-1]), *months]
        past = [at for at in candidates if calendar.following(date(*at, PAYMENT_DAY)) <= self.today]
        return date(*past[-1], DETERMINATION_DAY)

    @cached_property
    def last_curve(self) -> date:
        return calendar.preceding(self.today - timedelta(days=1))

    @cached_property
    def first_curve(self) -> date:
        return calendar.following(self.today - timedelta(days=2200))

    @cached_property
    def pricing_dates(self) -> list[date]:
        return calendar.business_days_back(self.last_curve, PRICED_BUSINESS_DAYS)
