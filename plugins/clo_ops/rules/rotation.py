"""ED-06 (manual L81; D59): which backups are kept, for which reasons, and which are due to go.

Only what a newer backup supersedes that is proven restorable (L3 or L4) may go. What is not a sound backup of ours is
neither counted nor removed: somebody has to look at it first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from clo_ops.findings import Answer, Finding, Measurement, Severity, Status, unanswered_findings
from clo_ops.policy.retention import BackupRotation
from clo_ops.rules.figures import figure, moment
from clo_ops.rules.verdicts import Case

PROCEDURE = "ED-06"
MANUAL = "L81"
RESTORABLE = 3  # L3: restored once
REACH = "Check that the worker may list, and with apply: true remove files in, the backup repository."


@dataclass(frozen=True, slots=True)
class Kept:
    """A sound backup of ours. ``level`` is how deep it is proven, ``failed`` that its newest verification failed."""

    path: str
    taken: datetime
    size: int
    level: int = 0
    failed: bool = False

    @property
    def restorable(self) -> bool:
        return self.level >= RESTORABLE and not self.failed


@dataclass(frozen=True, slots=True)
class Plan:
    """``keep`` and ``go`` by path, newest first, with the reasons; ``hindrance`` is why nothing may go at all."""

    keep: dict[str, tuple[str, ...]] = field(default_factory=dict)
    go: dict[str, str] = field(default_factory=dict)
    hindrance: str = ""


def plan(backups: Sequence[Kept], policy: BackupRotation) -> Plan:
    """Grandfather, father, son over the backups there are: a day without one takes nothing from the count of days."""
    newest_first = sorted(backups, key=lambda one: (one.taken, one.path), reverse=True)
    sound = [one for one in newest_first if not one.failed]
    reasons: dict[str, list[str]] = {one.path: [] for one in newest_first}
    for name, count, period in _generations(policy):
        for one in _newest_of_each(sound, period)[:count]:
            reasons[one.path].append(name)
    _protected(newest_first, policy, reasons)
    proven = [one for one in newest_first if one.restorable]
    hindrance = _hindrance(proven, policy)
    keep = {path: tuple(why) for path, why in reasons.items() if why or hindrance}
    go = {} if hindrance else {path: _superseded(path, newest_first, proven[0]) for path in reasons if path not in keep}
    return Plan(keep, go, hindrance)


def _generations(policy: BackupRotation) -> Iterator[tuple[str, int, Callable[[datetime], tuple[int, ...]]]]:
    yield "daily", policy.daily, lambda at: (at.year, at.month, at.day)
    yield "weekly", policy.weekly, lambda at: tuple(at.isocalendar()[:2])
    yield "monthly", policy.monthly, lambda at: (at.year, at.month)
    yield "yearly", policy.yearly, lambda at: (at.year,)


def _newest_of_each(newest_first: Sequence[Kept], period: Callable[[datetime], tuple[int, ...]]) -> list[Kept]:
    first: dict[tuple[int, ...], Kept] = {}
    for one in newest_first:
        first.setdefault(period(one.taken), one)
    return list(first.values())


def _protected(newest_first: Sequence[Kept], policy: BackupRotation, reasons: dict[str, list[str]]) -> None:
    proven = [one for one in newest_first if one.restorable]
    for index, one in enumerate(proven[: policy.minimum_proven]):
        reasons[one.path].append("newest proven restorable" if index == 0 else "minimum of proven ones")
    for one in newest_first:
        if proven and one.taken > proven[0].taken:
            reasons[one.path].append("newer than the newest proven one")
        reasons[one.path] += [f"legal hold: {hold.name}" for hold in policy.holds if hold.covers(one.path, one.taken)]
        if one.failed:
            reasons[one.path].append("failed its verification: look at it first")


def _hindrance(proven: Sequence[Kept], policy: BackupRotation) -> str:
    if len(proven) >= policy.minimum_proven:
        return ""
    return f"{len(proven)} backups are proven restorable (L3 or deeper), {policy.minimum_proven} must be"


def _superseded(path: str, newest_first: Sequence[Kept], by: Kept) -> str:
    taken = next(one.taken for one in newest_first if one.path == path)
    return f"of {moment(taken)}, in no generation any more; superseded by {by.path}, proven at L{by.level}"


def judge(answer: Answer, policy: BackupRotation, *, at: datetime) -> list[Finding]:
    """``rotation plan``, ``enough proven``, ``backups removed``: what was kept, what is due, what became of it.

    Due backups in a dry run are not applicable, never green nor red: nothing was done, as policy wants it. A removal
    that failed warns; fewer proven ones than ``minimum_proven`` (strictly) warns, and nothing goes.
    """
    findings = unanswered_findings(PROCEDURE, answer, Severity.P3, REACH)
    kept, due = list(answer.select("backup.kept")), list(answer.select("backup.due"))
    if answer.first("backup.rotation") is None:
        return findings or [_case("rotation plan", "a plan", REACH).not_measured()]
    findings.append(_planned(kept, due, policy))
    findings.append(_enough(answer, policy))
    return [*findings, *_done(answer, due, policy)]


def _case(name: str, expected: str, action: str, subject: str = "", severity: Severity = Severity.P3) -> Case:
    return Case(PROCEDURE, name, expected, severity, action, MANUAL, subject)


def _planned(kept: Sequence[Measurement], due: Sequence[Measurement], policy: BackupRotation) -> Finding:
    held = sum("legal hold" in one.detail for one in kept)
    size = figure(sum(one.value for one in due), "bytes")
    counts = f"{policy.daily} daily, {policy.weekly} weekly, {policy.monthly} monthly, {policy.yearly} yearly"
    said = f"{len(kept)} backups are kept ({held} under legal hold), {len(due)} are due to go ({size})"
    return _case("rotation plan", counts, REACH).passed(said, said)


def _enough(answer: Answer, policy: BackupRotation) -> Finding:
    action = "Let the weekly restore test (ED-05) run; each backup it restores counts."
    case = _case("enough proven backups", f"at least {policy.minimum_proven} proven restorable", action)
    proven = answer.value("backup.proven.count") or 0
    said = f"{proven:.0f} backups are proven restorable"
    if proven >= policy.minimum_proven:
        return case.passed(f"{proven:.0f}", said)
    return case.warned(f"{proven:.0f}", f"{said}; nothing is removed until there are {policy.minimum_proven}")


def _done(answer: Answer, due: Sequence[Measurement], policy: BackupRotation) -> Iterator[Finding]:
    gone, failed = (
        list(answer.select("backup.removed", outcome="gone")),
        answer.select("backup.removed", outcome="failed"),
    )
    for one in failed:
        case = _case("backup removed", "a backup that is due is removed", REACH, one.labels["path"])
        yield case.warned(one.detail, f"{one.labels['path']} could not be removed: {one.detail}")
    action = "Read the plan; set apply: true in retention.yaml once it is right."
    names = ", ".join(one.labels["path"] for one in (gone or due)[:5]) + (" ..." if len(gone or due) > 5 else "")
    case = _case("due backups removed", "what is due is removed", action)
    if gone:
        yield case.passed(f"{len(gone)} removed", f"{len(gone)} backups were removed: {names}")
    elif due and not policy.apply:
        yield Finding(
            procedure=PROCEDURE,
            name=case.name,
            status=Status.NOT_APPLICABLE,
            expected=case.expected,
            actual=f"dry run: {len(due)} due",
            message=f"Dry run (retention.yaml, apply: false): would remove {names} (manual {MANUAL}).",
        )
