"""One thing to be judged, said once: whichever way it goes, the finding has the same name and expectation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from clo_ops.findings import Finding, Measurement, Severity, Status

MILLISECOND = timedelta(milliseconds=1)


class Limits(Protocol):
    """Longer than ``warning`` warns, longer than ``critical`` fails; both strictly (D46)."""

    @property
    def warning(self) -> timedelta: ...
    @property
    def critical(self) -> timedelta: ...


def ms(value: float) -> str:
    """Milliseconds to the tenth: 1,000.1 must not read like the limit it is over."""
    return f"{value:,.1f} ms"


@dataclass(frozen=True, slots=True)
class Case:
    """What is judged. ``manual`` is the place of its figure, shown in the message."""

    procedure: str
    name: str
    expected: str
    severity: Severity
    first_action: str
    manual: str
    subject: str = ""

    def passed(self, actual: str, message: str) -> Finding:
        return self._finding(Status.PASS, actual, message, None)

    def failed(self, actual: str, message: str, severity: Severity | None = None) -> Finding:
        return self._finding(Status.FAIL, actual, message, severity or self.severity)

    def warned(self, actual: str, message: str, severity: Severity = Severity.P3) -> Finding:
        return self._finding(Status.WARN, actual, message, severity)

    def not_applicable(self, actual: str, message: str) -> Finding:
        return self._finding(Status.NOT_APPLICABLE, actual, message, None)

    def not_measured(self) -> Finding:
        message = f"Nothing was measured for {self.subject or self.name}, and nobody said why"
        return self._finding(Status.UNKNOWN, "not measured", message, self.severity)

    def either(self, good: Measurement, yes: str, no: str) -> Finding:
        """Pass where the measurement is 1. Both sentences get its detail."""
        told = f" ({good.detail})" if good.detail else ""
        if good.value == 1:
            return self.passed(good.detail or self.expected, f"{yes}{told}")
        return self.failed(good.detail or "not so", f"{no}{told}")

    def _finding(self, status: Status, actual: str, message: str, severity: Severity | None) -> Finding:
        return Finding(
            procedure=self.procedure,
            name=self.name,
            subject=self.subject,
            status=status,
            severity=severity,
            expected=self.expected,
            actual=actual,
            message=f"{message}. Expected: {self.expected} (manual {self.manual}).",
            first_action="" if status is Status.PASS else self.first_action,
        )


def within(limits: Limits) -> str:
    return f"at most {ms(limits.warning / MILLISECOND)}, never over {ms(limits.critical / MILLISECOND)}"


def timed(case: Case, taken: Measurement, limits: Limits, what: str) -> Finding:
    """Judge a time in ms: at a limit is still within it."""
    actual = ms(taken.value)
    warning, critical = limits.warning / MILLISECOND, limits.critical / MILLISECOND
    if taken.value > critical:
        return case.failed(actual, f"{what} took {actual}, over the critical {ms(critical)}")
    if taken.value > warning:
        return case.warned(actual, f"{what} took {actual}, over the warning {ms(warning)}")
    return case.passed(actual, f"{what} took {actual}, within the warning {ms(warning)}")
