"""What the ledger tells the rules about incidents: what happened to them, and which are still open.

Rules may not import the ledger, so the shapes both share live here. Times are aware and kept in UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, get_args

from clo_ops.findings.finding import Severity

IncidentEventKind = Literal["opened", "seen", "severity_raised", "acknowledged", "escalated", "updated", "closed"]
KINDS: tuple[str, ...] = get_args(IncidentEventKind)


def _utc(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError(f"an incident's time needs a time zone, got {at!r}")
    return at.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class IncidentEvent:
    """One thing that happened to an incident: who did it, when, and what was noted.

    Raises ValueError for a naive time or a kind nobody knows.
    """

    incident_id: str
    kind: IncidentEventKind
    at: datetime
    by: str = ""
    note: str = ""
    severity: Severity = Severity.P4
    title: str = ""
    procedure: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"incident {self.incident_id}: event {self.kind!r}, known are {', '.join(KINDS)}")
        object.__setattr__(self, "incident_id", str(self.incident_id))
        object.__setattr__(self, "severity", Severity(self.severity))
        object.__setattr__(self, "at", _utc(self.at))


@dataclass(frozen=True, slots=True)
class OpenIncident:
    """One incident nobody closed yet. ``level`` is the rung of its ladder that was told last; 0 is the first.

    ``acknowledged_at`` is None while nobody took it; ``response_due_at`` is when somebody has to have, None where no
    time is set.
    Raises ValueError for a naive time.
    """

    incident_id: str
    cause: str
    title: str
    procedure: str
    severity: Severity
    opened_at: datetime
    acknowledged_at: datetime | None
    response_due_at: datetime | None
    level: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "incident_id", str(self.incident_id))
        object.__setattr__(self, "severity", Severity(self.severity))
        for name in ("opened_at", "acknowledged_at", "response_due_at"):
            at = getattr(self, name)
            object.__setattr__(self, name, None if at is None else _utc(at))

    @property
    def id(self) -> str:
        return self.incident_id

    @property
    def escalation_level(self) -> int:
        return self.level
