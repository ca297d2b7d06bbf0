"""The clocks of an incident: response, resolution, next status update (IR-01, IR-04; manual L237-L255, L303-L306).

The response clock starts at detection (D70). The clocks of elapsed time run round the clock; those of business days
end at closing time of the business calendar (D27).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from clo_ops.policy.calendar import due
from clo_ops.rules.figures import age

if TYPE_CHECKING:
    from clo_ops.findings import Severity
    from clo_ops.policy import Policy

# Half of what is left would come ever faster towards the target; nobody can write more often than this.
FASTEST = 4


@dataclass(frozen=True, slots=True)
class Clocks:
    """When an incident detected at ``detected_at`` must be answered and when resolved, in UTC."""

    detected_at: datetime
    response_due: datetime
    resolution_due: datetime


def clocks(severity: Severity, detected_at: datetime, policy: Policy) -> Clocks:
    """The two clocks of a severity, from detection (aware)."""
    level, calendar = policy.severities[severity], policy.business_calendar
    return Clocks(
        detected_at=detected_at,
        response_due=due(level.response, detected_at, calendar),
        resolution_due=due(level.resolution_target, detected_at, calendar),
    )


def update_due(severity: Severity, told_at: datetime, resolution_due: datetime, policy: Policy) -> datetime:
    """When the status update after the one of ``told_at`` is due: min(cadence, half of what is left) (D43).

    Never sooner than a quarter of the cadence, and by the cadence alone once the resolution target has passed.
    """
    cadence = policy.severities[severity].update_every
    left = resolution_due - told_at
    if left <= cadence * 0:
        return told_at + cadence
    return told_at + max(cadence / FASTEST, min(cadence, left / 2))


def time_left(due: datetime | None, now: datetime) -> str:
    """``12 min left``, ``3 min overdue``; empty where no clock runs."""
    if due is None:
        return ""
    return f"{age(due - now)} left" if due >= now else f"{age(now - due)} overdue"
