"""One judged thing, and how several of them add up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from clo_ops.findings.answer import Answer


class Status(StrEnum):
    """What a judgement can say. Only ``PASS`` is green; ``UNKNOWN`` (we could not ask) never is."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    WARN = "warn"
    FAIL = "fail"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not_applicable"


class Severity(StrEnum):
    """The manual's four priorities (Emergency Procedures, L235-L255)."""

    P1 = "P1"
    P2 = "P2"
    P3 = "P3"
    P4 = "P4"


# Worst first. A failure outranks "could not ask": it is certain.
RANK = (Status.FAIL, Status.UNKNOWN, Status.WARN, Status.PASS, Status.NOT_APPLICABLE)


@dataclass(frozen=True, slots=True)
class Finding:
    """One judged thing. ``name``, ``expected`` and ``actual`` are those of the common.sql provider's SQLCheckResult.

    ``name`` says what was judged and, with ``subject`` (the endpoint, host, mount, statement ... judged), is unique
    within a procedure's run. ``message`` is one sentence with both numbers; ``first_action`` is what an operator
    does first. ``severity`` is set for warn, fail and unknown.
    """

    procedure: str
    name: str
    status: Status
    expected: str
    actual: str
    message: str
    subject: str = ""
    severity: Severity | None = None
    first_action: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        needs_person = self.status in (Status.WARN, Status.FAIL, Status.UNKNOWN)
        if needs_person and (self.severity is None or not self.first_action):
            raise ValueError(f"{self.procedure} {self.name}: {self.status} needs a severity and a first action")
        if self.status is Status.NOT_APPLICABLE and not self.message:
            raise ValueError(f"{self.procedure} {self.name}: not_applicable needs its reason")

    def as_json(self) -> dict[str, Any]:
        return {
            "procedure": self.procedure,
            "name": self.name,
            "subject": self.subject,
            "status": self.status.value,
            "severity": None if self.severity is None else self.severity.value,
            "expected": self.expected,
            "actual": self.actual,
            "message": self.message,
            "first_action": self.first_action,
            "labels": dict(self.labels),
        }


def worst(findings: Iterable[Finding]) -> Status:
    """The status that speaks for all of them. No findings at all is unknown: nobody looked."""
    present = {finding.status for finding in findings}
    return next((status for status in RANK if status in present), Status.UNKNOWN)


def unanswered_findings(procedure: str, answer: Answer, severity: Severity, first_action: str) -> list[Finding]:
    """One unknown finding for each question the probe got no answer to, naming what was tried."""
    return [
        Finding(
            procedure=procedure,
            name=f"could not ask: {one.question}",
            subject=one.target,
            status=Status.UNKNOWN,
            severity=severity,
            expected="an answer",
            actual=one.reason,
            message=f"Could not ask {one.target} for {one.question}: {one.reason} (tried: {one.tried}).",
            first_action=first_action,
        )
        for one in answer.unanswered
    ]
