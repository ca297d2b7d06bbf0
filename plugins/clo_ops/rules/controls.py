"""What an answered control says: passed, failed, or not assessed with its reason (resolution D56)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from clo_ops.findings import Finding, Measurement, Severity, Status
from clo_ops.findings.performed import Judged, Violation
from clo_ops.policy.controls import Control, ControlException, Controls
from clo_ops.rules.verdicts import Case

NAMED = 20
SILENCE = "silence"


def judge(control: Control, judged: Judged, *, day: date, mode: str) -> Finding:
    """One finding for the control: fails for what no exception excuses; warns while only exceptions hold it.

    An exception ends with its last day: a violation on the day after fails again.
    """
    case = case_of(control)
    if judged.not_assessed:
        return case.not_applicable("not assessed", f"{control.title}: not assessed: {judged.not_assessed}")
    seen = [(one, control.excused(one.key, day, mode)) for one in silent(control, judged)]
    broken = [one for one, excuse in seen if excuse is None]
    excused = [(one, excuse) for one, excuse in seen if excuse is not None]
    looked = f"{judged.looked_at:,} looked at"
    if broken:
        tell = case.warned if control.only_warns else case.failed
        said = f"{control.title}: {_named(broken)}{_lapsed(control, day)}{_rest(judged)}"
        return tell(f"{len(broken):,} of {looked}", said)
    if judged.not_asked:
        return nobody_answered(control, _named(judged.not_asked))
    if excused:
        said = f"{control.title}: {_excuses(excused)}{_rest(judged)}"
        return case.warned(f"{len(excused):,} excused of {looked}", said)
    return case.passed(f"none of {looked}", f"{control.title}: {looked}, nothing against it{_rest(judged)}")


def case_of(control: Control) -> Case:
    return Case(
        control.procedure,
        control.title,
        f"evidence for {control.standard} {control.clause}: {control.shows}",
        control.severity,
        control.first_action,
        control.manual or ", ".join(control.resolution),
        control.id,
    )


def silent(control: Control, judged: Judged) -> tuple[Violation, ...]:
    """What breaks the control, its silence included: where nothing happened nothing was shown."""
    if judged.looked_at >= control.at_least:
        return judged.violations
    said = f"{judged.looked_at:,} looked at, at least {control.at_least:,} expected"
    return (*judged.violations, Violation(SILENCE, said))


def _named(broken: Sequence[Violation]) -> str:
    shown = "; ".join(f"{one.key} ({one.reason})" for one in broken[:NAMED])
    return shown + (f"; and {len(broken) - NAMED:,} more" if len(broken) > NAMED else "")


def _excuses(excused: Sequence[tuple[Violation, ControlException]]) -> str:
    listed = [f"{one.key} ({why.reason}; {why.approved_by}, until {why.until})" for one, why in excused[:NAMED]]
    return "accepted for now: " + "; ".join(listed)


def _rest(judged: Judged) -> str:
    under_way = f"; open and in time: {_named(judged.open)}" if judged.open else ""
    return under_way + (f"; nobody answered: {_named(judged.not_asked)}" if judged.not_asked else "")


def _lapsed(control: Control, day: date) -> str:
    ended = [one for one in control.exceptions if one.until < day]
    return "".join(f"; the exception by {one.approved_by} ended on {one.until}" for one in ended)


def nobody_answered(control: Control, reason: str) -> Finding:
    """Not assessed because it could not be asked: unknown, which is never green."""
    return Finding(
        procedure=control.procedure,
        name=control.title,
        subject=control.id,
        status=Status.UNKNOWN,
        severity=Severity.P2,
        expected=f"evidence for {control.standard} {control.clause}: {control.shows}",
        actual="no answer",
        message=f"{control.title}: not assessed, nobody answered: {reason}",
        first_action="See that what the message names can be asked, with the privilege it names; then run it again.",
    )


def measured(control: Control, judged: Judged, at: datetime) -> list[Measurement]:
    """``control.looked_at`` and ``control.violations`` (count) by {control}; the detail is the first keys."""
    labels = {"control": control.id}
    keys = ", ".join(one.key for one in judged.violations[:NAMED])
    return [
        Measurement("control.looked_at", judged.looked_at, "count", at, labels),
        Measurement("control.violations", len(judged.violations), "count", at, labels, keys),
    ]


def signed_off(controls: Controls, procedure: str) -> Finding:
    """Whether the baseline is the one a person signed off: a demand changed since needs a new signature."""
    signature, found = controls.baseline, controls.baseline_digest
    expected = f"the baseline {signature.by} signed off on {signature.on}"
    case = Case(
        procedure,
        "baseline signed off",
        expected,
        Severity.P2,
        "Compare the baseline with its last version; have it signed off again (python -m clo_ops.controls baseline).",
        controls.manual or "",
    )
    if signature.sha256 == found:
        return case.passed(found[:12], f"The security baseline is {expected}")
    return case.failed(
        found[:12], f"The security baseline was changed since: {found[:12]}, not {signature.sha256[:12]}"
    )
