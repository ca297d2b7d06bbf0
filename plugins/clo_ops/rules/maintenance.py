"""What became of a plan: applied, left over, failed, or only shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from clo_ops.findings import Finding, Measurement, Severity, Status
from clo_ops.findings.plans import Effect, Outcome, Plan, Step
from clo_ops.rules.verdicts import Case

Done = Sequence[tuple[Step, Effect]]
NAMED = 5
SEE_WHY = "Read the reason in the message; the step is tried again by the next run."
NEXT_TIME = "Nothing, if it fits next time: it comes first. Where it never fits, give it a longer window."
LET_IT = "Read the plan in the evidence; let it be applied by maintenance.yaml (duties) or the form of a run by hand."


def _case(procedure: str, manual: str, expected: str, action: str, subject: str) -> Case:
    return Case(procedure, "maintenance", expected, Severity.P2, action, manual, subject)


def expected_time(steps: Iterable[Step]) -> str:
    """ "about 12 min", "at least 3 min" where some of them are not known, "an unknown time" where none is."""
    steps = list(steps)
    known = [step.seconds for step in steps if step.seconds is not None]
    if not known:
        return "an unknown time"
    words = "about" if len(known) == len(steps) else "at least"
    return f"{words} {span(sum(known))}"


def span(seconds: float) -> str:
    return f"{seconds / 60:,.0f} min" if seconds >= 120 else f"{seconds:,.0f} s"


def only_shown(procedure: str, manual: str, plan: Plan, why: str) -> Finding:
    """Neither green nor red: nothing was done, as it was wanted."""
    if not plan.steps:
        return nothing_to_do(procedure, manual, plan)
    action = ", ".join(f"{count} {name}" for name, count in Counter(step.action for step in plan.steps).items())
    return Finding(
        procedure=procedure,
        name="maintenance",
        subject=plan.kind,
        status=Status.NOT_APPLICABLE,
        expected="the plan, applied where policy or the form says so",
        actual=f"{len(plan.steps)} steps planned",
        message=f"Only planned ({why}): {action}, {expected_time(plan.steps)}, plan {plan.hash[:12]}."
        f" First: {plan.steps[0].statement} ({plan.steps[0].why}). Manual {manual}.",
        first_action=LET_IT,
    )


def nothing_to_do(procedure: str, manual: str, plan: Plan) -> Finding:
    case = _case(procedure, manual, "what needs it maintained", "", plan.kind)
    return case.passed("nothing to do", f"Of {plan.kind}, nothing needs to be done")


def judge(procedure: str, manual: str, plan: Plan, done: Done) -> list[Finding]:
    """One finding of what was done; one for each step that failed; one for what was left over."""
    failed = [(step, effect) for step, effect in done if effect.outcome is Outcome.FAILED]
    left = [(step, effect) for step, effect in done if effect.outcome is Outcome.LEFT_OVER]
    return [
        *_summary(procedure, manual, plan, done),
        *_failed(procedure, manual, failed),
        *_left(procedure, manual, plan, left),
    ]


def _summary(procedure: str, manual: str, plan: Plan, done: Done) -> Iterator[Finding]:
    if not done:
        yield nothing_to_do(procedure, manual, plan)
        return
    counts = Counter(effect.outcome for _, effect in done)
    seconds = sum(effect.seconds for _, effect in done)
    actual = ", ".join(f"{counts[one]} {one.value}" for one in Outcome if counts[one])
    case = _case(procedure, manual, "every step applied", SEE_WHY, plan.kind)
    if done and not counts[Outcome.APPLIED] and not counts[Outcome.SKIPPED]:
        return
    yield case.passed(
        actual, f"{plan.kind}: {actual} of {len(plan.steps)} steps in {span(seconds)}, plan {plan.hash[:12]}"
    )


def _failed(procedure: str, manual: str, failed: Done) -> Iterator[Finding]:
    for step, effect in failed:
        case = _case(procedure, manual, f"{step.action} of {step.target} applied", SEE_WHY, step.key)
        yield case.failed("failed", f"{step.key} failed: {effect.reason.rstrip('.')}")


def _left(procedure: str, manual: str, plan: Plan, left: Done) -> Iterator[Finding]:
    if not left:
        return
    names = ", ".join(step.key for step, _ in left[:NAMED]) + (
        f" and {len(left) - NAMED} more" if len(left) > NAMED else ""
    )
    case = _case(procedure, manual, "every step begun in its window", NEXT_TIME, f"{plan.kind} left over")
    message = f"{len(left)} of {len(plan.steps)} steps of {plan.kind} were left over ({left[0][1].reason}): {names}"
    yield case.warned(f"{len(left)} left over", message)


def measured(plan: Plan, done: Done, at: datetime) -> Iterator[Measurement]:
    """``maintenance.step.duration`` (s) of each step that was begun, and its figures in bytes before and after."""
    for step, effect in done:
        labels = {"kind": plan.kind, "key": step.key, "outcome": effect.outcome.value}
        if effect.outcome is not Outcome.LEFT_OVER:
            yield Measurement("maintenance.step.duration", effect.seconds, "s", at, labels, effect.reason)
        for when, figures in (("before", step.before), ("after", effect.after)):
            for name, value in figures.items():
                if name.endswith("bytes") and isinstance(value, int | float):
                    named = {"kind": plan.kind, "key": step.key, "figure": name, "when": when}
                    yield Measurement("maintenance.size", value, "bytes", at, named)
    yield Measurement("maintenance.planned", len(plan.steps), "count", at, {"kind": plan.kind}, plan.hash)
