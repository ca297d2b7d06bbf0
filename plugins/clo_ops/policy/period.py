"""Calendar periods: "7 years" is not a number of days, and must never become too few of them."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import datetime

# Days in the shortest and the longest run of n months (0 to 11) that the calendar has, leap years included.
SHORTEST = (0, 28, 59, 89, 120, 150, 181, 212, 242, 273, 303, 334)
LONGEST = (0, 31, 62, 92, 123, 153, 184, 215, 245, 276, 306, 337)


@dataclass(frozen=True, slots=True)
class Period:
    """A length of time in whole months and days, for retention: 7 years is 84 months, 90 days is 90 days."""

    months: int = 0
    days: int = 0

    @property
    def shortest_days(self) -> int:
        """The fewest days this period can ever last. Eight years in a row can miss a leap day (1896 to 1904)."""
        years, rest = divmod(self.months, 12)
        return years * 365 + max(0, years // 4 - 1) + SHORTEST[rest] + self.days

    @property
    def longest_days(self) -> int:
        """The most days this period can ever last: every leap day it could meet is met."""
        years, rest = divmod(self.months, 12)
        return years * 365 + -(-years // 4) + LONGEST[rest] + self.days

    def covers(self, floor: Period) -> bool:
        """Whether this period is at least as long as ``floor`` from every day of the calendar.

        Years and months are compared as such; only where the two are written differently ("2557 days" against
        "7 years") the worst case of both decides, so that a leap year can never take a day from a floor.
        """
        if self.months >= floor.months and self.days >= floor.days:
            return True
        return self.shortest_days >= floor.longest_days

    def before(self, at: datetime) -> datetime:
        """The moment this period before ``at``. Where the day does not exist (29 February), the one before it."""
        index = at.year * 12 + at.month - 1 - self.months
        year, month = divmod(index, 12)
        day = min(at.day, calendar.monthrange(year, month + 1)[1])
        ordinal = at.replace(year=year, month=month + 1, day=day).toordinal() - self.days
        earlier = datetime.fromordinal(ordinal)
        return at.replace(year=earlier.year, month=earlier.month, day=earlier.day)

    def __str__(self) -> str:
        years, months = divmod(self.months, 12)
        parts = [(years, "year"), (months, "month"), (self.days, "day")]
        return " ".join(f"{n} {word}{'' if n == 1 else 's'}" for n, word in parts if n) or "0 days"
