"""What is handed to the incident desk: one thing that is wrong, seen at one time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from clo_ops.findings import Finding, Severity


@dataclass(frozen=True, slots=True)
class Sighting:
    """``cause`` is the same however often it is seen: rule and labels, or procedure, finding and subject.

    ``title`` is for a subject line; the rest says what was seen, what is allowed, where the manual says so, what to do
    first, and where to look.
    """

    cause: str
    severity: Severity
    title: str
    procedure: str
    at: datetime
    observed: str
    allowed: str
    manual: str = ""
    first_action: str = ""
    link: str = ""
    component: str = ""
    run: int | None = None

    @classmethod
    def of(
        cls, finding: Finding, *, at: datetime, link: str = "", manual: str = "", run: int | None = None
    ) -> Sighting:
        """A finding that is red, as the cause of an incident: the same finding of another run is the same cause."""
        return cls(
            cause=f"finding:{finding.procedure}:{finding.name}:{finding.subject}",
            severity=finding.severity or Severity.P2,
            title=f"{finding.procedure} {finding.name}" + (f": {finding.subject}" if finding.subject else ""),
            procedure=finding.procedure,
            at=at,
            observed=finding.message,
            allowed=finding.expected,
            manual=manual,
            first_action=finding.first_action,
            link=link,
            component=finding.labels.get("component", ""),
            run=run,
        )

    @property
    def detail(self) -> str:
        """Everything a person needs, as it is kept in the timeline and read in the mail."""
        parts = {
            "Observed": self.observed,
            "Allowed": self.allowed,
            "Manual": self.manual,
            "First thing to do": self.first_action,
            "Where to look": self.link,
        }
        return "\n".join(f"{name}: {text}" for name, text in parts.items() if text)


class Links(Protocol):
    """Where a person is sent. An empty text where there is no such place."""

    def incident(self, incident: int) -> str:
        """The incident in the Airflow UI."""

    def acknowledge(self, incident: int, people: Sequence[str], at: datetime) -> str:
        """The signed link of one message: by it one of these people takes the incident, once."""


class NoLinks:
    """For where there is no Airflow: a command line, a test."""

    def incident(self, incident: int) -> str:
        return ""

    def acknowledge(self, incident: int, people: Sequence[str], at: datetime) -> str:
        return ""
