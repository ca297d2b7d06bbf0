"""How long incidents took to be answered and resolved, against what was due (WF-11; manual L237-L255, L154).

An answer is the acknowledgement. Resolved is when service was restored, else when the incident was closed (D42). Late
is strictly later than due; what is not done is late once its time is over, and open until then.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Literal, Protocol

from clo_ops.findings import Severity

Kept = Literal["in time", "late", "open", "no clock"]


class Incident(Protocol):
    """The ledger's row of an incident."""

    @property
    def id(self) -> int: ...
    @property
    def title(self) -> str: ...
    @property
    def procedure(self) -> str: ...
    @property
    def severity(self) -> Severity: ...
    @property
    def opened_at(self) -> datetime: ...
    @property
    def acknowledged_at(self) -> datetime | None: ...
    @property
    def response_due_at(self) -> datetime | None: ...
    @property
    def mitigated_at(self) -> datetime | None: ...
    @property
    def closed_at(self) -> datetime | None: ...
    @property
    def resolution_due_at(self) -> datetime | None: ...


@dataclass(frozen=True, slots=True)
class Clock:
    """``took`` is None while it is not done; ``due`` None where no clock was set."""

    took: timedelta | None
    due: timedelta | None
    kept: Kept


@dataclass(frozen=True, slots=True)
class Handled:
    """One incident with its two clocks, as they stood at a time."""

    incident: Incident
    answer: Clock
    resolution: Clock

    @property
    def late(self) -> list[str]:
        """What was late of it: "answered", "resolved"."""
        clocks = (("answered", self.answer), ("resolved", self.resolution))
        return [what for what, one in clocks if one.kept == "late"]


@dataclass(frozen=True, slots=True)
class OfSeverity:
    """The incidents of one severity added up; medians of what is done, None where nothing is."""

    severity: Severity
    opened: int
    still_open: int
    answered_late: int
    resolved_late: int
    median_answer: timedelta | None
    longest_answer: timedelta | None
    median_resolution: timedelta | None
    longest_resolution: timedelta | None


def handled(incident: Incident, at: datetime) -> Handled:
    """The incident's clocks as they stood at ``at``: what came later had not come."""
    answered = _by(incident.acknowledged_at, at)
    # Who closes an incident nobody took has answered it.
    resolved = _by(incident.mitigated_at, at) or _by(incident.closed_at, at)
    answered = min(one for one in (answered, resolved) if one) if answered or resolved else None
    began = incident.opened_at
    return Handled(
        incident,
        _clock(began, answered, incident.response_due_at, at),
        _clock(began, resolved, incident.resolution_due_at, at),
    )


def _by(moment: datetime | None, at: datetime) -> datetime | None:
    return moment if moment is not None and moment < at else None


def _clock(began: datetime, done: datetime | None, due: datetime | None, at: datetime) -> Clock:
    took = None if done is None else done - began
    if due is None:
        return Clock(took, None, "no clock")
    kept: Kept = "late" if (done or at) > due else "in time" if done else "open"
    return Clock(took, due - began, kept)


def by_severity(incidents: Iterable[Handled]) -> list[OfSeverity]:
    """A line for each of the four severities, incidents or not."""
    known = list(incidents)
    return [_added(severity, [one for one in known if one.incident.severity is severity]) for severity in Severity]


def _added(severity: Severity, mine: Sequence[Handled]) -> OfSeverity:
    answers = [one.answer.took for one in mine if one.answer.took is not None]
    resolutions = [one.resolution.took for one in mine if one.resolution.took is not None]
    return OfSeverity(
        severity,
        opened=len(mine),
        still_open=sum(one.resolution.took is None for one in mine),
        answered_late=sum(one.answer.kept == "late" for one in mine),
        resolved_late=sum(one.resolution.kept == "late" for one in mine),
        median_answer=_median(answers),
        longest_answer=max(answers, default=None),
        median_resolution=_median(resolutions),
        longest_resolution=max(resolutions, default=None),
    )


def _median(times: Sequence[timedelta]) -> timedelta | None:
    return timedelta(seconds=median(one.total_seconds() for one in times)) if times else None
