"""What is to be rolled out, as a plan; who let it through; what became of it (M4-05, M4-06; D24, D53)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from clo_ops.findings import Finding, Severity
from clo_ops.findings.plans import Outcome, Plan, Step
from clo_ops.findings.updates import NEW, ApplicationState, Change, HostState
from clo_ops.rules.pending_updates import named
from clo_ops.rules.verdicts import Case

if TYPE_CHECKING:
    from clo_ops.ledger import ApprovalRow, PlanRow

UPDATES, DEPLOYMENTS = "updates", "deployments"
UPDATE_HOST, DEPLOY = "update host", "deploy"
HEALTHY = "healthy"
APART = "; "
BY_HAND = "Update it by hand, as a change of the emergency form of maintenance, with its approval."
APPROVE = "Answer in Required Actions; what nobody approved is not rolled out, and is planned anew next month."
LOOK = (
    "Read the step's reason in the message and in the record; leave the other hosts as they are until it is understood."
)
COMPARE = "Compare what was deployed with what was approved, and ask who deployed it."


# What a window passes over without touching it, and why.
WAITS = "waits for the monthly window: the host has more pending than security fixes"
DONE_BEFORE = "done in an earlier window, under the same approval"


# ---------------------------------------------------------------- the plan


@dataclass(frozen=True, slots=True)
class Left:
    """What is not rolled out from here, and why."""

    subject: str
    why: str


def of_hosts(states: Sequence[HostState], system: str, by_hand: Collection[str]) -> tuple[Plan, list[Left]]:
    """One step for each host in the order of hosts.yaml: its statement is each package with its exact versions."""
    steps, left = [], []
    for state in states:
        if why := _not_from_here(state):
            left.append(Left(state.host, why))
            continue
        kept = [one for one in state.changes if not _matches(one, by_hand)]
        if others := [one for one in state.changes if _matches(one, by_hand)]:
            left.append(Left(state.host, f"by hand (updates.yaml, by_hand): {named(others)}"))
        if kept:
            steps.append(_host_step(state.host, sorted(kept, key=lambda one: one.package)))
    return Plan(UPDATES, system, tuple(steps)), left


def _not_from_here(state: HostState) -> str:
    if state.manager != "apt":
        return (
            f"{len(state.changes)} updates by hand: only hosts with apt are rolled out from here"
            if state.changes
            else ""
        )
    if state.broken:
        return f"half-installed packages come first: {named(state.broken)}"
    return f"it would remove {named(state.removals)}: by hand" if state.removals else ""


def _matches(change: Change, patterns: Collection[str]) -> bool:
    return any(fnmatchcase(change.package, one) for one in patterns)


def _host_step(host: str, changes: Sequence[Change]) -> Step:
    security = [one for one in changes if one.security]
    why = f"{len(changes)} packages, {len(security)} security fixes" + (f": {named(security)}" if security else "")
    others = [one for one in changes if not one.security and one.old != NEW]
    before = {"packages": len(changes), "security": len(security), "others": len(others)}
    return Step(f"{UPDATE_HOST} {host}", UPDATE_HOST, host, why, APART.join(map(str, changes)), before=before)


def only_security(step: Step) -> bool:
    """Whether a host's step replaces nothing but by security fixes; what these bring along newly is part of them."""
    return step.before.get("others") == 0


def changes_of(step: Step) -> list[Change]:
    """What an approved step says, word for word. Raises ValueError where it says something else."""
    return [Change.read(one) for one in step.statement.split(APART)]


def of_applications(
    states: Sequence[ApplicationState], system: str, deployed: Collection[str]
) -> tuple[Plan, list[Left]]:
    """The newest pending release of each application; ``deployed`` are the names that have a deployer."""
    steps, left = [], []
    for state in states:
        if not state.pending:
            continue
        newest = state.pending[-1]
        told = [f"{one.version} {one.kind}: {one.title or named(one.fixes) or 'no title'}" for one in state.pending]
        if state.name in deployed:
            statement = f"{state.name} {state.running} -> {newest.version}"
            why = named(told)
            steps.append(Step(f"{DEPLOY} {state.name}", DEPLOY, state.name, why, statement))
        else:
            left.append(Left(state.name, f"a person deploys it (updates.yaml, deployer: null): {named(told)}"))
    return Plan(DEPLOYMENTS, system, tuple(steps)), left


# ---------------------------------------------------------------- what the fourth week says of it


def planned(procedure: str, manual: str, plan: Plan | None, left: Sequence[Left]) -> list[Finding]:
    """What would be rolled out, host by host, and what is left to a person."""
    case = Case(procedure, "rollout plan", "a plan of what is pending", Severity.P3, BY_HAND, manual)
    steps = plan.steps if plan else ()
    hash_said = f", plan {plan.hash[:12]}" if plan and steps else ""
    actual = f"{len(steps)} planned{hash_said}"
    found = [
        case.passed(actual, "; ".join(f"{one.target}: {one.why}" for one in steps) or "Nothing is to be rolled out")
    ]
    for one in left:
        found.append(replace(case, subject=one.subject).warned("by hand", f"{one.subject}: {one.why}", Severity.P4))
    return found


def let_through(  # noqa: PLR0917 - plan and approval, and what they are held against
    procedure: str, manual: str, plan: Plan | None, approval: ApprovalRow | None, window: str, allowed: Collection[str]
) -> Finding:
    """Whether somebody who may has approved exactly this plan; ``window`` is when it goes out."""
    case = Case(procedure, "approval", "approved by somebody else than who asks", Severity.P2, APPROVE, manual)
    if plan is None or not plan.steps:
        return case.not_applicable("nothing to approve", "There is nothing to roll out, and so nothing to approve")
    if approval is None or plan.hash not in approval.plans:
        return case.failed("not asked", f"Nobody was asked to approve plan {plan.hash[:12]}")
    if not approval.decision:
        return case.failed("nobody answered", f"{approval.requester} asked, and nobody answered ({approval.authority})")
    if approval.decision != "approved":
        said = (
            f"{approval.decided_by} refused plan {plan.hash[:12]}: {approval.note or 'no note'}; nothing is rolled out"
        )
        return case.warned("refused", said)
    if approval.decided_by == approval.requester or approval.decided_by not in allowed:
        return case.failed(approval.decided_by, f"{approval.decided_by} may not approve plan {plan.hash[:12]}")
    said = f"{approval.decided_by} approved plan {plan.hash[:12]}; it goes out in {window}"
    return case.passed(f"approved by {approval.decided_by}", said)


# ---------------------------------------------------------------- the record of what was rolled out


@dataclass(frozen=True, slots=True)
class Rolled:
    """A plan that was begun, and the approvals that hold for it, of whatever run."""

    plan: PlanRow
    approvals: tuple[ApprovalRow, ...] = ()
    tested: bool | None = None


def record(procedure: str, manual: str, rolled: Sequence[Rolled]) -> list[Finding]:
    """Each step of the month: planned, approved before it began, carried out, found well after it."""
    return [one for each in rolled for step in _begun(each) for one in _judged(procedure, manual, each, step)]


def _begun(rolled: Rolled) -> Iterator[int]:
    for place, one in enumerate(rolled.plan.steps):
        passed_over = one.effect is not None and one.effect.reason in (WAITS, DONE_BEFORE)
        if one.started_at is not None and not passed_over:
            yield place


def _judged(procedure: str, manual: str, rolled: Rolled, place: int) -> Iterator[Finding]:
    row = rolled.plan.steps[place]
    when = f"{row.started_at:%Y-%m-%d %H:%M:%S}" if row.started_at else ""
    subject = f"{row.step.key}, {when}"
    yield _approved(procedure, manual, rolled, row.started_at, subject)
    case = Case(procedure, "carried out", "applied, and the system well after it", Severity.P2, LOOK, manual, subject)
    said = f"{row.step.target}: {row.step.statement[:200]}"
    if row.effect is None:
        yield case.failed("not ended", f"It was begun and nobody knows how far it came: {said}")
    elif row.effect.outcome is Outcome.APPLIED and _verified(rolled, row.effect.after):
        yield case.passed("applied, verified", f"{said}: {row.effect.reason}")
    elif row.effect.outcome is Outcome.APPLIED:
        yield case.failed("applied, not verified", f"Nobody looked whether the system was well after it: {said}")
    elif row.effect.outcome is Outcome.LEFT_OVER or row.effect.outcome is Outcome.SKIPPED:
        yield case.warned(row.effect.outcome.value, f"{said}: {row.effect.reason}")
    else:
        yield case.failed("failed", f"{said}: {row.effect.reason}")


def _verified(rolled: Rolled, after: Mapping[str, object]) -> bool:
    return after.get("health after") == HEALTHY or bool(rolled.tested)


def _approved(procedure: str, manual: str, rolled: Rolled, begun: datetime | None, subject: str) -> Finding:
    case = Case(
        procedure, "approved", "approved by somebody else before it began", Severity.P1, COMPARE, manual, subject
    )
    before = [one for one in rolled.approvals if one.decision == "approved" and _in_time(one, begun)]
    if not before:
        return case.failed("nobody", f"Nobody had approved plan {rolled.plan.hash[:12]} when it began")
    one = before[0]
    if one.kind == "break glass":
        reviewed = f"reviewed by {one.reviewed_by}" if one.reviewed_by else f"its review is due by {one.review_due_at}"
        return case.warned("at once", f"{one.requester} made it at once: {one.reason}; {reviewed}")
    when = f"{one.decided_at:%Y-%m-%d %H:%M} UTC"
    said = f"{one.requester} asked, {one.decided_by} approved plan {rolled.plan.hash[:12]} on {when}"
    return case.passed(f"by {one.decided_by}", said)


def _in_time(one: ApprovalRow, begun: datetime | None) -> bool:
    somebody_else = one.kind == "break glass" or one.decided_by != one.requester
    return somebody_else and one.decided_at is not None and begun is not None and one.decided_at <= begun


def unrecorded(application: str, was: str, runs: str, rolled: Sequence[Rolled]) -> Finding:
    """A version that changed since the last look has to be one that a recorded change brought."""
    expected = "each new version brought by a recorded deployment"
    case = Case("M4-06", "deployed on record", expected, Severity.P2, COMPARE, "L225-L229", application)
    if not was:
        return case.not_applicable("first look", f"{application} runs {runs}; there is no earlier look to compare with")
    if was == runs:
        return case.passed(runs, f"{application} runs {runs}, as at the last look")
    brought = [
        row
        for one in rolled
        for row in one.plan.steps
        if row.effect and row.effect.outcome is Outcome.APPLIED and runs in row.step.statement.split()
    ]
    if brought:
        return case.passed(runs, f"{application} went from {was} to {runs} by {brought[0].step.key}")
    return case.failed(runs, f"{application} went from {was} to {runs}, and no deployment of it is on record")


def nobody_says(application: str, has_source: bool) -> Finding:
    """No version, no verdict: without a source there is none, and one that is silent is unknown."""
    action = "Name the source in updates.yaml, or see why it does not answer."
    expected = "each new version brought by a recorded deployment"
    case = Case("M4-06", "deployed on record", expected, Severity.P3, action, "L225-L229", application)
    if has_source:
        return case.not_measured()
    return case.not_applicable("no source", f"{application} has no place in updates.yaml that tells its version")


def nothing_waits(procedure: str, manual: str, kind: str) -> Finding:
    """A window without an approved rollout: nothing was owed."""
    case = Case(procedure, "maintenance", "what was approved, rolled out", Severity.P4, APPROVE, manual, kind)
    return case.not_applicable("nothing approved", f"No approved plan of {kind} waits to be rolled out")
