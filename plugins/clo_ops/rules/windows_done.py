"""How a window went: who let it through, what stood ready, what was left over, what came after (MW-01 to MW-06)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from clo_ops.findings import Finding, Severity, Status, worst
from clo_ops.findings.plans import Outcome
from clo_ops.rules.verdicts import Case

if TYPE_CHECKING:
    from clo_ops.ledger import ApprovalRow, IncidentRow, PlanRow, StepRow
    from clo_ops.rules.windows_planned import Occasion

ASK_SOMEBODY = "Ask for approval, from somebody else than who asks for the change."
ASK_AGAIN = (
    "Clear the task what_is_planned with all that comes after it: the plans are made anew and asked for again. "
    "A critical change needs another run of the form."
)
REVIEW = (
    "Look at what was changed and why, then run the page by hand with the cadence 'Reviews due and notices' and its "
    "number; somebody else than who made the change."
)
NAMED = 5
# How a finding of the gate is called where it is part of a window's work.
GATE = ": gate"


def _case(  # noqa: PLR0917 - the parts of a finding
    procedure: str, name: str, expected: str, action: str, manual: str, subject: str = ""
) -> Case:
    return Case(procedure, name, expected, Severity.P2, action, manual, subject)


def not_applicable(procedure: str, name: str, why: str, manual: str) -> Finding:
    return Finding(
        procedure=procedure,
        name=name,
        status=Status.NOT_APPLICABLE,
        expected="asked where it applies",
        actual="does not apply",
        message=f"{why} (manual {manual}).",
    )


# ---------------------------------------------------------------- MW-03: who let it through


def authorised(approval: ApprovalRow | None, allowed: Collection[str], procedure: str = "MW-03") -> Finding:
    """Approved beforehand by somebody who may and who did not ask for it, or made at once with its review to come."""
    expected = "approved beforehand by somebody else, or critical, with a reason and a review due"
    case = _case(procedure, "authorisation", expected, ASK_SOMEBODY, "L388-L391")
    if approval is None:
        return case.failed("nobody was asked", "Nobody was asked to approve it")
    asked = f"{approval.requester} asked for it ({approval.reason})"
    if approval.kind == "break glass":
        due = f"{approval.review_due_at:%Y-%m-%d %H:%M} UTC" if approval.review_due_at else "no set time"
        return case.warned("at once", f"Made at once, without approval: {asked}. Its review is due by {due}")
    if not approval.decision:
        return case.failed("nobody answered", f"{asked}, and nobody answered ({approval.authority})")
    if approval.decision == "refused":
        return case.failed("refused", f"{asked}; {approval.decided_by} refused it: {approval.note or 'no note'}")
    if approval.decided_by == approval.requester or approval.decided_by not in allowed:
        who = f"{approval.decided_by} may not approve it"
        return case.failed(approval.decided_by, f"{asked}, and {who} (as {approval.authority})")
    when = f"{approval.decided_at:%Y-%m-%d %H:%M} UTC" if approval.decided_at else ""
    said = f"{asked}; {approval.decided_by} approved it as {approval.authority} at {when}, work {approval.hash[:12]}"
    return case.passed(f"approved by {approval.decided_by}", said)


def ran_out(approval: ApprovalRow, ends: datetime) -> Finding:
    """Approved, and the time it was approved for is over: nothing is begun any more without being asked anew."""
    expected = "an approval that still holds"
    case = _case("MW-04", "authorisation", expected, ASK_AGAIN, "L388-L391")
    given = f"{approval.decided_at:%Y-%m-%d %H:%M} UTC" if approval.decided_at else ""
    said = f"Change {approval.id} was approved by {approval.decided_by} at {given}, until {ends:%Y-%m-%d %H:%M} UTC"
    return case.failed(f"ran out at {ends:%H:%M} UTC", said)


def review_case(number: int) -> Case:
    """A review brought by a run by hand."""
    return _case(
        "MW-03", "reviewed", "reviewed once, by somebody else than who made it", REVIEW, "L391", f"change {number}"
    )


def reviews(open_ones: Sequence[ApprovalRow], now: datetime) -> list[Finding]:
    """One finding for each change made at once and not reviewed yet; it fails once it is overdue, to the second."""
    if not open_ones:
        case = _case("MW-03", "review", "every change made at once reviewed in its time", REVIEW, "L391")
        return [case.passed("none due", "No change made at once waits for its review")]
    return [_review(one, now) for one in open_ones]


def _review(one: ApprovalRow, now: datetime) -> Finding:
    due = one.review_due_at
    expected = f"reviewed by {due:%Y-%m-%d %H:%M} UTC" if due else "reviewed"
    case = _case("MW-03", "review", expected, REVIEW, "L391", f"change {one.id}")
    said = f"Change {one.id} of {one.requester}, made at once on {one.asked_at:%Y-%m-%d %H:%M} UTC ({one.reason})"
    if due is None or now > due:
        return case.failed("overdue", f"{said}, was not reviewed in its time")
    return case.warned("due", f"{said}, waits for its review")


# ---------------------------------------------------------------- MW-04: before


def outside(mine: Occasion | None) -> Finding:
    """A window's work outside of it is not begun: it would end nobody knows when."""
    action = "Run it in its window, or as emergency maintenance with its approval."
    case = _case("MW-04", "window", "inside its window", action, "L374-L384")
    said = f"{mine} is not now" if mine else "This run belongs to no window of today"
    return case.failed("outside", said)


def rollback(plans: dict[str, str]) -> list[Finding]:
    """``plans``: by kind of work, how it is taken back; an empty one fails."""
    case = _case("MW-04", "rollback plan", "a rollback plan", "Write down how the change is taken back.", "L398")
    return [
        replace(case, subject=kind).passed("present", f"How {kind} is taken back: {said}")
        if said.strip()
        else replace(case, subject=kind).failed("missing", f"Nobody wrote down how {kind} is taken back")
        for kind, said in plans.items()
    ]


# ---------------------------------------------------------------- MW-05: during


def not_begun(procedure: str, red: Sequence[Finding], manual: str) -> Finding:
    """The work was owed and something it stands on is missing: it is not begun, and that is no silence."""
    expected = "everything before a change to be in order"
    case = _case(procedure, "work", expected, "Mend what the finding named says, then run it again.", manual)
    names = "; ".join(f"{one.procedure} {one.name}: {one.actual}" for one in red[:NAMED]) or "nobody looked"
    return case.failed("not begun", f"Nothing was changed: {names}")


def made_by_hand(row: StepRow) -> Finding:
    """The change a person made: done, taken back, not made, or nobody said."""
    action = "Ask who made the change how it stands, and roll it back if it is half done."
    case = _case("MW-05", "change by hand", "made, as it was approved", action, "L401", row.step.key)
    if row.effect is None and row.started_at is None:
        return case.failed("not begun", f"Nobody was asked to make the change: {row.step.statement}")
    if row.effect is None:
        return case.failed("nobody said", f"Nobody said what became of the change: {row.step.statement}")
    said = f"{row.step.statement}: {row.effect.reason}"
    if row.effect.outcome is Outcome.APPLIED:
        return case.passed("made", said)
    if row.effect.outcome is Outcome.SKIPPED:
        return case.warned("not made", said)
    return case.failed("rolled back", said)


def tested(kind: str, sick: Sequence[Finding]) -> Finding:
    """After each kind of work the system's health is asked; what is not well stops the rest (L402)."""
    action = "Stop. Roll back what the message names, and look at the system before anything more is changed."
    case = Case("MW-05", "tested after it", "the system healthy", Severity.P1, action, "L402", kind)
    red = [one for one in sick if one.status in (Status.FAIL, Status.UNKNOWN)]
    if red:
        return case.failed("not healthy", f"After {kind}: {red[0].subject or red[0].name} {red[0].message}")
    return case.passed("healthy", f"After {kind} the system is healthy ({len(sick)} looks)")


def stable(opened: Sequence[IncidentRow], since: datetime) -> Finding:
    """No grave incident was opened since the work began (L403)."""
    expected = "no P1 or P2 incident opened meanwhile"
    case = _case(
        "MW-05", "stability", expected, "Read the incident named; stop if the work may have caused it.", "L403"
    )
    if opened:
        names = ", ".join(f"{one.id} {one.severity} {one.title}" for one in opened[:NAMED])
        return case.failed(f"{len(opened)} opened", f"Since {since:%H:%M} UTC these incidents were opened: {names}")
    return case.passed("none", f"No P1 or P2 incident was opened since {since:%H:%M} UTC")


# ---------------------------------------------------------------- MW-01, MW-02: the window as a whole


def window(
    procedure: str, manual: str, plans: Sequence[PlanRow], work: Sequence[Finding], ends: datetime
) -> list[Finding]:
    """What was planned and what became of it; work that ended after the window, or was not begun in it; what is left
    for the next one. ``work`` are the findings of MW-05; none of them is nobody having worked.
    """
    action = "Read what was left over, and whether it can wait for the next window."
    case = _case(procedure, "window", "its work done inside it", action, manual)
    if worst(work) in (Status.FAIL, Status.UNKNOWN):
        return [case.failed("not done", "The work of this window was not done as it should have been: see MW-05")]
    return [*_late(case, plans, ends), *_shut(case, work), *_left(case, plans), *_whole(case, plans)]


def _shut(case: Case, work: Sequence[Finding]) -> Iterator[Finding]:
    """Duties whose gate stayed shut have no plan, and so nothing that could be left over."""
    shut = [one for one in work if one.name.endswith(GATE) and one.status is Status.WARN and "gate" not in one.labels]
    kinds = dict.fromkeys(one.name.removesuffix(GATE) for one in shut)
    if kinds:
        said = f"Not begun: {', '.join(kinds)} ({shut[0].subject}: {shut[0].actual})"
        yield replace(case, subject="not begun").warned(f"{len(kinds)} not begun", said, Severity.P2)


def comprehensive(
    procedure: str, what: str, found: Sequence[Finding], why_not: str = "nothing was looked at"
) -> Finding:
    """One test of the whole system after the monthly window's work (L384); ``found`` is what ``procedure`` says of it.

    What nobody could ask was not tested; what is not set up in this house has nothing to be tested.
    """
    action = "Mend what the message names before the users come, or take back what the window changed."
    case = Case("MW-02", "comprehensive test", f"{what} as in the morning", Severity.P1, action, "L384", what)
    red = [one for one in found if one.status in (Status.FAIL, Status.UNKNOWN)]
    yellow = [one for one in found if one.status is Status.WARN]
    if red or not found:
        said = f"{red[0].subject or red[0].name}: {red[0].message}" if red else why_not
        return case.failed(f"{len(red)} not well", f"{procedure} after the window: {said}")
    if yellow:
        return case.warned(f"{len(yellow)} to look at", f"{procedure} after the window: {yellow[0].message}")
    if worst(found) is Status.NOT_APPLICABLE:
        return case.not_applicable("not set up", f"{procedure}: {found[0].message}")
    return case.passed(f"{len(found)} looks", f"{procedure} after the window: all is well with {what}")


def _steps(plans: Sequence[PlanRow], outcome: Outcome | None) -> list[str]:
    return [
        one.step.key
        for plan in plans
        if plan.state != "planned"
        for one in plan.steps
        if (one.effect.outcome if one.effect else None) is outcome
    ]


def _late(case: Case, plans: Sequence[PlanRow], ends: datetime) -> Iterator[Finding]:
    late = [
        one.step.key for plan in plans for one in plan.steps if one.ended_at and one.started_at and one.ended_at > ends
    ]
    if late:
        said = f"{', '.join(late[:NAMED])} ended after {ends:%H:%M} UTC"
        yield replace(case, subject="late").warned(f"{len(late)} late", said, Severity.P2)


def _left(case: Case, plans: Sequence[PlanRow]) -> Iterator[Finding]:
    left = [*_steps(plans, Outcome.LEFT_OVER), *_steps(plans, None)]
    if left:
        said = f"Left over, and first next time: {', '.join(left[:NAMED])}"
        yield replace(case, subject="left over").warned(f"{len(left)} left over", said)


def _whole(case: Case, plans: Sequence[PlanRow]) -> Iterator[Finding]:
    applied = _steps(plans, Outcome.APPLIED)
    shown = [plan.kind for plan in plans if plan.state == "planned" and plan.steps]
    said = f"{len(applied)} steps applied" + (f"; only planned: {', '.join(shown)}" if shown else "")
    yield case.passed(said, said[0].upper() + said[1:])


# ---------------------------------------------------------------- MW-06: after


def documented(name: str, sha256: str) -> Finding:
    case = _case("MW-06", "documents", "what was changed written down", "Keep the record by hand.", "L409")
    return case.passed(name, f"What was changed is in the evidence: {name}, SHA-256 {sha256[:12]}")
