"""What came of an audit and is open until somebody closed it: a finding of a penetration test, a gap, an action."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

PENETRATION_TEST, GAP, REVIEW = "penetration test", "gap", "access review"
# What a programme consists of, and what people add.
ACTIONS = ("recommendation", "policy", "monitoring", "training")


@dataclass(frozen=True, slots=True)
class Found:
    """One thing as it was seen now. ``key`` tells it from others of its kind, in every report that names it."""

    kind: str
    key: str
    title: str
    rating: str = ""
    detail: str = ""
    owner: str = ""
    over: str = ""  # why it is over, where the one who saw it says so


@dataclass(frozen=True, slots=True)
class Item:
    """The same on record. ``closed_at`` is None while it is open; ``told_due_at`` the date whose passing was told."""

    id: int
    kind: str
    key: str
    title: str
    rating: str
    owner: str
    detail: str
    opened_at: datetime
    last_seen_at: datetime
    due_at: datetime
    told_due_at: datetime | None
    closed_at: datetime | None
    closed_by: str
    close_reason: str

    def age_days(self, at: datetime) -> int:
        """Whole days from when it was opened until it was closed, or until ``at``."""
        return ((self.closed_at or at) - self.opened_at).days

    def overdue(self, at: datetime) -> bool:
        return self.closed_at is None and at > self.due_at
