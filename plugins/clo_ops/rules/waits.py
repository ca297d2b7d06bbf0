"""What the database's sessions waited for over a time, from looks at it (M2-02; manual L185).

A look counts the sessions active at one moment. Added up and divided by the looks it is how many sessions waited for an
event on average: 0.05 is one session for three minutes of each hour.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from clo_ops.findings.roll_ups import RollUp

ACTIVE = "postgresql.wait.active"
WAITING = "postgresql.wait.sessions"
CPU = "CPU"


@dataclass(frozen=True, slots=True)
class Waits:
    """``sessions`` waited for ``event`` on average over ``looks``; ``seen`` in so many of them."""

    event: str
    sessions: float
    seen: int
    looks: int


def waits(totals: Iterable[RollUp]) -> list[Waits]:
    """By event, the most first; none where nobody looked."""
    known = list(totals)
    looks = sum(one.count for one in known if one.metric == ACTIVE)
    if not looks:
        return []
    found = [
        Waits(one.labels.get("event", ""), one.mean * one.count / looks, one.count, looks)
        for one in known
        if one.metric == WAITING
    ]
    return sorted(found, key=lambda one: (-one.sessions, one.event))
