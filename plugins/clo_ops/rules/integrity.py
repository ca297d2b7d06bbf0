"""M3-03: does the restored copy mean what it should, and is it as good, or as bad, as what was backed up.

Two judgements of different kinds. Every invariant by its own severity: critical and error fail, warning warns, and an
exception somebody accepted is told until it runs out. And the set of failing invariants must be that recorded at
backup time (I61): one that fails only in the copy was broken by backup or restore, one that no longer fails is not
the same data either.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from clo_ops.findings import Answer, Finding, Measurement, Severity, Status, unanswered_findings
from clo_ops.policy.proof import Accepted, Proof
from clo_ops.rules.verdicts import Case

PROCEDURE = "M3-03"
MANUAL = "L207-L208"
BOUND = 100_000
SEVERITY = {"critical": Severity.P1, "error": Severity.P2, "warning": Severity.P3}
LOOK = "Run include/sql/invariants/{invariant}.sql on production for the reasons, and mend the rows its keys name."
SAME = (
    "Compare the contents of the tables the invariant reads with the manifest; then drill the backup before this one."
)
TRACE = "See what changed between the two backups in the tables those invariants read, and by whom."
RENEW = "Mend the rows, or have the exception approved again in recovery.yaml with a new end."
ASK_AGAIN = "Read the reason: a missing table is also told by the contents; otherwise clear this task."


@dataclass(frozen=True, slots=True)
class Since:
    """How the failing invariants compare with those of the run before; all by number."""

    newly_broken: tuple[str, ...]
    still_broken: tuple[str, ...]
    fixed: tuple[str, ...]
    known: bool = True

    def of(self, invariant: str) -> str:
        if not self.known:
            return "no earlier drill is on record"
        return "newly broken since the last drill" if invariant in self.newly_broken else "broken in the last drill too"


def since(answer: Answer, previous: Mapping[str, float] | None) -> Since:
    """``previous`` is violations by invariant of the last drill, None where there was none."""
    now = {invariant for invariant, one in _measured(answer).items() if one.value}
    before = {invariant for invariant, count in (previous or {}).items() if count}
    return Since(
        newly_broken=tuple(sorted(now - before)),
        still_broken=tuple(sorted(now & before)),
        # Only what was asked again can be called fixed.
        fixed=tuple(sorted((before - now) & set(_measured(answer)))),
        known=previous is not None,
    )


def judge(
    answer: Answer, manifest: Mapping[str, Any], previous: Mapping[str, float] | None, policy: Proof, *, at: datetime
) -> list[Finding]:
    """One finding per failing invariant, one for all that hold, one for the set recorded at backup time, one for what
    changed since the last drill; unknown for each that could not be asked.

    ``at`` is the run's time, which decides whether an accepted exception has run out (after its last day).
    """
    findings = unanswered_findings(PROCEDURE, answer, Severity.P1, ASK_AGAIN)
    measured = _measured(answer)
    if not measured:
        return findings or [_case("invariants", "the invariants of include/checks").not_measured()]
    history = since(answer, previous)
    accepted = {one.invariant: one for one in policy.accepted}
    for invariant, one in measured.items():
        if one.value:
            findings.append(_broken(one, accepted.get(invariant), history.of(invariant), at.date()))
    findings += _holding(measured)
    findings.append(_as_recorded(measured, manifest.get("invariants"), {q.question[:3] for q in answer.unanswered}))
    findings.append(_changed(history))
    return findings


def _measured(answer: Answer) -> dict[str, Measurement]:
    return {one.labels["invariant"]: one for one in answer.select("integrity.violations")}


def _case(name: str, expected: str, subject: str = "", *, severity: Severity = Severity.P1, act: str = LOOK) -> Case:
    return Case(PROCEDURE, name, expected, severity, act.format(invariant=subject), MANUAL, subject)


def _count(one: Measurement) -> str:
    return f"at least {BOUND:,}" if one.value >= BOUND else f"{one.value:,.0f}"


def _broken(one: Measurement, accepted: Accepted | None, history: str, today: date) -> Finding:
    invariant, severity = one.labels["invariant"], one.labels["severity"]
    told = f"{_count(one)} violations ({severity}, {history}): {one.detail}"
    if accepted is not None:
        case = _case("invariant", f"at most {accepted.at_most} accepted until {accepted.until}", invariant, act=RENEW,
                     severity=SEVERITY[severity])  # fmt: skip
        terms = f"accepted are {accepted.at_most} until {accepted.until} by {accepted.approved_by}: {accepted.reason}"
        if one.value <= accepted.at_most and today <= accepted.until:
            return case.warned(_count(one), f"{invariant} has {told}; {terms}")
        told = f"{told}; {terms}"
    else:
        case = _case("invariant", "no violation", invariant, severity=SEVERITY[severity])
    if severity == "warning":
        return case.warned(_count(one), f"{invariant} has {told}")
    return case.failed(_count(one), f"{invariant} has {told}")


def _holding(measured: Mapping[str, Measurement]) -> Iterator[Finding]:
    holding = sum(not one.value for one in measured.values())
    if holding:
        case = _case("invariants that hold", "no violation")
        yield case.passed(f"{holding} of {len(measured)}", f"{holding} of {len(measured)} invariants hold")


def _as_recorded(measured: Mapping[str, Measurement], recorded: Mapping[str, int] | None, unasked: set[str]) -> Finding:
    name, expected = "invariants as at backup time", "the same invariants broken as when the backup was taken"
    if not recorded:
        reason = "the manifest holds no verdicts of its time"
        return Finding(PROCEDURE, name, Status.NOT_APPLICABLE, expected, reason, f"Cannot be compared: {reason}.")
    both = sorted(set(measured) & set(recorded))
    differ = [one for one in both if bool(measured[one].value) != bool(recorded[one])]
    unasked_now = sorted((set(recorded) - set(measured)) | (unasked & set(recorded)))
    case = _case(name, expected, act=SAME)
    was = sorted(one for one in recorded if recorded[one])
    now = sorted(one for one in measured if measured[one].value)
    numbers = f"recorded {', '.join(was) or 'none'}, in the copy {', '.join(now) or 'none'}"
    if differ:
        told = "; ".join(f"{one}: recorded {recorded[one]:,}, in the copy {_count(measured[one])}" for one in differ)
        return case.failed(f"{len(differ)} differ", f"Not the same invariants are broken: {numbers} ({told})")
    if unasked_now:
        told = f"{', '.join(unasked_now)} had a verdict at backup time and could not be asked of the copy"
        return case.failed(f"{len(unasked_now)} not asked", f"{told}; of the others: {numbers}")
    if younger := [one for one in now if one not in recorded]:
        told = f"{', '.join(younger)} had no verdict at backup time, and nobody can say whether it was broken then"
        return case.warned(f"{len(younger)} without a verdict", f"{told}; {numbers}")
    counts = [f"{one}: recorded {recorded[one]:,}, in the copy {_count(measured[one])}" for one in both
              if measured[one].value != recorded[one]]  # fmt: skip
    if counts:
        told = f"The same invariants are broken, by other numbers of rows ({'; '.join(counts)})"
        return case.warned(f"{len(counts)} other counts", told)
    return case.passed(f"{len(both)} of {len(both)} alike", f"The same invariants are broken: {numbers}")


def _changed(history: Since) -> Finding:
    case = _case("since the last drill", "nothing newly broken", act=TRACE)
    told = (
        f"newly broken: {', '.join(history.newly_broken) or 'none'}; still broken: "
        f"{', '.join(history.still_broken) or 'none'}; fixed: {', '.join(history.fixed) or 'none'}"
    )
    if not history.known:
        reason = "no earlier drill is on record"
        return Finding(PROCEDURE, case.name, Status.NOT_APPLICABLE, case.expected, reason, f"{told} ({reason}).")
    counts = f"{len(history.newly_broken)} new, {len(history.still_broken)} still, {len(history.fixed)} fixed"
    # What is newly broken has failed by its own severity above; here it is told once more in one line.
    if history.newly_broken:
        return case.warned(counts, f"Since the last drill {told}")
    return case.passed(counts, f"Since the last drill {told}")
