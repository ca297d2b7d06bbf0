"""Which controls failed or were not assessed this month, and how that compares with the months before (M1-08, L172)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from clo_ops.findings import Finding, Severity, Status
from clo_ops.findings.audit_items import GAP, Found
from clo_ops.policy.controls import Control
from clo_ops.rules.verdicts import Case

MONTH = timedelta(days=31)
BROKEN = (Status.FAIL, Status.UNKNOWN)
HEADING = (
    "control",
    "title",
    "standard",
    "clause",
    "owner",
    "state",
    "looks this month",
    "failed by month, oldest first",
)


@dataclass(frozen=True, slots=True)
class Look:
    """What one run found of one control. ``at`` is the run's business time."""

    control: str
    at: datetime
    status: Status


@dataclass(frozen=True, slots=True)
class Standing:
    """How a control stands: ``state`` is failed, not assessed, mended, passed, or cannot be asked."""

    control: Control
    state: str
    looks: int
    failures: tuple[int, ...]

    @property
    def trend(self) -> str:
        """Failed looks of each month, this one last."""
        return ", ".join(map(str, self.failures))

    @property
    def direction(self) -> str:
        before = max(self.failures[:-1], default=0)
        now = self.failures[-1]
        return "worse" if now > before else "better" if now < before else "as before"


def standings(controls: Iterable[Control], looks: Sequence[Look], months: int, at: datetime) -> list[Standing]:
    """Each control over this month and ``months`` before; a month is 31 days that end with ``at``."""
    return [_standing(one, [look for look in looks if look.control == one.id], months, at) for one in controls]


def _standing(control: Control, looks: Sequence[Look], months: int, at: datetime) -> Standing:
    this_month = sorted((one for one in looks if at - MONTH < one.at <= at), key=lambda one: one.at)
    spans = [(at - MONTH * (back + 1), at - MONTH * back) for back in range(months, -1, -1)]
    failures = tuple(sum(a < one.at <= b and one.status is Status.FAIL for one in looks) for a, b in spans)
    return Standing(control, _state(control, this_month), len(this_month), failures)


def _state(control: Control, looks: Sequence[Look]) -> str:
    """By the newest run; of one that looked twice (Monday's control in the audit) the worse counts."""
    if control.not_assessed:
        return "cannot be asked"
    told = [one for one in looks if one.status is not Status.NOT_APPLICABLE]
    if not told:
        return "first look" if looks else "not assessed"
    newest = {one.status for one in told if one.at == told[-1].at}
    if Status.FAIL in newest:
        return "failed"
    if Status.UNKNOWN in newest:
        return "not assessed"
    return "mended" if any(one.status is Status.FAIL for one in told) else "passed"


def judge(standing: Sequence[Standing], manual: str, action: str) -> list[Finding]:
    """Fails for each control that failed when it was last looked at; unknown for one nobody assessed this month."""
    found = [one for each in standing if (one := _finding(each, manual, action))]
    whole = Case("M1-08", "controls of the month", "each assessed, none failed", Severity.P3, action, manual)
    states = [one.state for one in standing]
    counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(sorted(states)))
    unasked = ", ".join(one.control.id for one in standing if one.state in ("cannot be asked", "first look"))
    also = f"; nothing can be said yet of {unasked}" if unasked else ""
    said = f"{len(standing)} controls: {counts}{also}"
    bad = sum(one.status in BROKEN for one in found)
    return [*found, whole.warned(counts, said) if bad else whole.passed(counts, said)]


def _finding(one: Standing, manual: str, action: str) -> Finding | None:
    control = one.control
    expected = f"evidence for {control.standard} {control.clause} this month"
    case = Case("M1-08", "compliance gap", expected, control.severity, action, manual, control.id)
    trend = f"{one.failures[-1]} of {one.looks} looks this month failed ({one.trend} by month, {one.direction})"
    said = f"{control.title}: {one.state}; {trend}; owner {control.owner}"
    if one.state == "failed":
        return case.failed(one.state, said)
    if one.state == "not assessed":
        nobody = f"{control.title}: nobody could say how it stands in the last 31 days; owner {control.owner}"
        return replace(case.failed(one.state, nobody), status=Status.UNKNOWN)
    return case.warned(one.state, said) if one.state == "mended" else None


def open_gaps(standing: Iterable[Standing]) -> list[Found]:
    """What is to be closed by the controls' owners."""
    return [
        Found(
            GAP, one.control.id, f"{one.control.title}: {one.state}", str(one.control.severity), owner=one.control.owner
        )
        for one in standing
        if one.state in ("failed", "not assessed")
    ]


def closed_gaps(standing: Iterable[Standing]) -> frozenset[str]:
    """Controls whose last look passed."""
    return frozenset(one.control.id for one in standing if one.state in ("passed", "mended"))


def table(standing: Iterable[Standing]) -> tuple[tuple[str, ...], ...]:
    return tuple(
        (one.control.id, one.control.title, one.control.standard, one.control.clause, one.control.owner, one.state,
         str(one.looks), one.trend)
        for one in standing
    )  # fmt: skip
