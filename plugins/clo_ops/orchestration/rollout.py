"""Approved rollout (M4-05, M4-06): planned and approved in the fourth week, carried out in a window of maintenance."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from clo_ops.findings import CloOpsError, Finding, Status
from clo_ops.findings.plans import Effect, Outcome, Plan, Step
from clo_ops.findings.updates import ApplicationState, HostState
from clo_ops.orchestration import updates
from clo_ops.orchestration.maintenance import BY_HAND, maintained, system_of
from clo_ops.orchestration.occasion import is_emergency, occasion
from clo_ops.rules import maintenance as outcome
from clo_ops.rules import rollout as rule
from clo_ops.rules.gate import Need

if TYPE_CHECKING:
    from clo_ops.actions.updates.looking import Health, Patience
    from clo_ops.ledger import PlanRow
    from clo_ops.orchestration.run import Run
    from clo_ops.policy.maintenance import Kind

# No second copy of an index is made, and nobody's transaction is in the way of a package.
NEEDS = frozenset({Need.PRIMARY, Need.BACKUP, Need.NO_BACKUP_RUNNING, Need.NO_DRILL_RUNNING, Need.WINDOW, Need.ALONE})
PROCEDURES: dict[str, str] = {rule.UPDATES: "M4-05", rule.DEPLOYMENTS: "M4-06"}
ACTIONS = (rule.UPDATE_HOST, rule.DEPLOY, BY_HAND)
RED = (Status.FAIL, Status.UNKNOWN)
# The record goes back to the last fourth week, the longest month and a week-end round it.
MONTH = timedelta(days=36)
# How far ahead the next window is looked for.
MONTHS = timedelta(days=62)


# ---------------------------------------------------------------- the plans


def plan_hosts(run: Run) -> tuple[Plan, list[rule.Left]]:
    """A plan of what the hosts have pending now; a host nobody reached is not in it."""
    looked = updates.look_at_hosts(run)
    states: list[HostState] = [one.state for one in looked if one.state is not None]
    plan, left = rule.of_hosts(states, system_of(run), run.policy.updates.rollout.by_hand)
    silent = [rule.Left(one.host, "nobody reached it: see M4-01") for one in looked if one.state is None]
    return plan, [*left, *silent]


def plan_applications(run: Run) -> tuple[Plan, list[rule.Left]]:
    """A plan of the newest release of each application that has a deployer."""
    wanted = run.policy.updates.applications
    states: list[ApplicationState] = [updates.look_at(run, one)[0] for one in wanted]
    deployed = [one.name for one in wanted if one.deployer is not None]
    return rule.of_applications(states, system_of(run), deployed)


# ---------------------------------------------------------------- the duties of a window


def hosts(run: Run) -> list[Finding]:
    """What was approved of the hosts' updates, one host at a time; in an emergency what is pending now."""
    return _rolled_out(run, "updates", lambda: plan_hosts(run)[0], lambda plan, begun: _host_act(run, plan, begun))


def applications(run: Run) -> list[Finding]:
    """What was approved of the applications' releases; in an emergency the newest release of each."""
    return _rolled_out(run, "deployments", lambda: plan_applications(run)[0], lambda _, begun: _deploy_act(run, begun))


# How a plan is carried out; the second are keys of steps that an earlier try began and did not end.
Acting = Callable[[Plan, Collection[str]], Callable[[Step], Effect]]


def _rolled_out(run: Run, kind: Kind, fresh: Callable[[], Plan], act: Acting) -> list[Finding]:
    procedure = PROCEDURES[kind]
    manual = run.policy.procedures[procedure].lines
    mine = _begun_in_this_run(run, kind)
    if mine and any(one.effect and one.effect.outcome is Outcome.FAILED for one in mine.steps):
        return outcome.judge(procedure, manual, _as_plan(mine), _as_it_ended(mine))
    plan = _as_plan(mine) if mine else fresh() if is_emergency(run) else waiting(run, kind)
    if plan is None:
        return [rule.nothing_waits(procedure, manual, kind)]
    cut_off = {one.step.key for one in mine.steps if one.started_at and not one.effect} if mine else set[str]()
    return maintained(run, procedure, kind, lambda: plan, _of_this_window(run, plan, act(plan, cut_off)), needs=NEEDS)


def _of_this_window(run: Run, plan: Plan, act: Callable[[Step], Effect]) -> Callable[[Step], Effect]:
    """What an earlier window did is not done again; in a weekly one only security fixes go out (L378; D24)."""
    mine, done = occasion(run), _applied(run, plan)
    narrow = plan.kind == rule.UPDATES and mine is not None and mine.name in run.policy.updates.rollout.security_only

    def chosen(step: Step) -> Effect:
        if step.key in done:
            return Effect(Outcome.SKIPPED, rule.DONE_BEFORE)
        if narrow and not rule.only_security(step):
            return Effect(Outcome.SKIPPED, rule.WAITS)
        return act(step)

    return chosen


def _applied(run: Run, plan: Plan) -> set[str]:
    """Steps of this very plan that another run applied since it was approved; an emergency's plan is its own."""
    found = None if is_emergency(run) else run.ledger.waiting_rollout(plan.kind, plan.system, _since(run))
    if found is None or found[0].hash != plan.hash:
        return set()
    begun = run.ledger.begun_plans(ACTIONS, found[0].planned_at, datetime.now(UTC))
    others = [row for row in begun if row.hash == plan.hash and row.run_id != run.ledger_run]
    return {one.step.key for row in others for one in row.steps if one.effect and one.effect.outcome is Outcome.APPLIED}


def _since(run: Run) -> datetime:
    """Approvals from before have run out."""
    return run.at - run.policy.updates.rollout.approval_holds


def _begun_in_this_run(run: Run, kind: str) -> PlanRow | None:
    """Tried again, a run goes on with the plan it began: what is pending meanwhile is another plan, and unapproved.

    Where a step of it went wrong, whoever clears the task tries nothing again without a new approval.
    """
    begun = [row for row in run.ledger.plans_of(run.ledger_run) if row.kind == kind and row.state != "planned"]
    return begun[-1] if begun else None


def _as_it_ended(row: PlanRow) -> list[tuple[Step, Effect]]:
    return [(one.step, one.effect or Effect(Outcome.LEFT_OVER, "not begun")) for one in row.steps]


def waiting(run: Run, kind: str) -> Plan | None:
    """The plan that was approved in the fourth week and is to be carried out."""
    found = run.ledger.waiting_rollout(kind, system_of(run), _since(run))
    return _as_plan(found[0]) if found else None


def _as_plan(row: PlanRow) -> Plan:
    return Plan(row.kind, row.system, tuple(replace(one.step, seconds=None) for one in row.steps))


def _host_act(run: Run, plan: Plan, begun: Collection[str]) -> Callable[[Step], Effect]:
    from clo_ops.actions.updates.hosts import Terms, update
    from clo_ops.actions.updates.looking import OneByOne

    terms = run.policy.updates.rollout
    where = Terms(f"{terms.way_back}/{plan.hash[:16]}", terms.host_within, _patience(run))
    known = {one.name: one.connection for one in run.policy.hosts}

    def act(step: Step) -> Effect:
        target = run.connections.host(step.target, known[step.target])
        return update(target, rule.changes_of(step), health_of(run), where, begun=step.key in begun)

    return OneByOne(act)


def _deploy_act(run: Run, begun: Collection[str]) -> Callable[[Step], Effect]:
    from clo_ops.actions.updates.deploying import Terms, deploy
    from clo_ops.actions.updates.looking import OneByOne

    known = {one.name: one.connection for one in run.policy.hosts}
    named = {one.name: one for one in run.policy.updates.applications}

    def act(step: Step) -> Effect:
        one = named[step.target]
        if one.deployer is None:
            raise ValueError(f"{step.target} has no deployer any more (updates.yaml)")
        target = run.connections.host(one.deployer.host, known[one.deployer.host])
        where = Terms(target, one.deployer.command, run.policy.updates.rollout.host_within, _patience(run))
        old, _, new = step.statement.removeprefix(f"{step.target} ").partition(" -> ")
        running = partial(updates.running, run, one)
        return deploy(old, new, lambda: running()[0], health_of(run), where, begun=step.key in begun)

    return OneByOne(act)


def _patience(run: Run) -> Patience:
    from clo_ops.actions.updates.looking import Patience

    return Patience(run.policy.updates.rollout.settle, run.policy.updates.rollout.look_every)


def health_of(run: Run) -> Health:
    """What the morning asks of the components (DM-01) and the services (DM-03): what is red there is not well.

    Nor is a system that nobody can look at: after a change that is a reason to take it back, not to leave it.
    """
    from clo_ops.orchestration import windows
    from clo_ops.probes import services
    from clo_ops.rules import services as rules

    def look() -> list[str]:
        try:
            found = windows._health(run)
            asked = services.status(run.policy.services, run.connections.of_services(run.policy))
        except CloOpsError as error:
            return [f"nobody could look: {error}"]
        found += rules.judge(asked, run.policy.services, at=run.at) if run.policy.services else []
        return [f"{one.subject or one.name}: {one.message}" for one in found if one.status in RED]

    return look


# ---------------------------------------------------------------- M4-05 and M4-06 in the fourth week


def approved_rollout(run: Run) -> list[Finding]:
    """M4-05: what the hosts get, who let it through, and how the last rollouts went."""
    return _of_the_month(run, rule.UPDATES, (rule.UPDATE_HOST,))


def deployments(run: Run) -> list[Finding]:
    """M4-06: the applications' releases of the month, each planned, approved, deployed, verified; and the next ones."""
    found = _of_the_month(run, rule.DEPLOYMENTS, (rule.DEPLOY, BY_HAND))
    return [*found, *_versions(run)]


def _of_the_month(run: Run, kind: str, actions: tuple[str, ...]) -> list[Finding]:
    procedure = PROCEDURES[kind]
    manual = run.policy.procedures[procedure].lines
    rows = [row for row in run.ledger.plans_of(run.ledger_run) if row.kind == kind]
    plan = _as_plan(rows[-1]) if rows else None
    left = (plan_hosts(run) if kind == rule.UPDATES else plan_applications(run))[1]
    approval = next(reversed(run.ledger.approvals_of(run.ledger_run)), None)
    allowed = run.policy.maintenance.approvals.users(run.policy.updates.rollout.approver)
    return [
        *rule.planned(procedure, manual, plan, left),
        rule.let_through(procedure, manual, plan, approval, next_window(run, kind), allowed),
        *rule.record(procedure, manual, rolled(run, actions)),
    ]


def next_window(run: Run, kind: str) -> str:
    """When what is approved goes out, in words."""
    from clo_ops.orchestration.notices import PAGE
    from clo_ops.rules.windows_planned import coming

    duty = run.policy.maintenance.duties[kind]  # type: ignore[index] # a plan's kind is a duty's
    narrow = set(run.policy.updates.rollout.security_only) if kind == rule.UPDATES else set()
    found = [one for one in coming(run.policy, PAGE, run.at, run.at + MONTHS) if one.name in duty.windows]
    first = next((one for one in found if one.name not in narrow), None)
    said = str(first) if first else "no window of the next two months"
    if found and found[0].name in narrow:
        said = f"{said}; hosts that get nothing but security fixes in {found[0]}"
    return said if duty.apply else f"{said}, once maintenance.yaml says duties.{kind}.apply: true"


def rolled(run: Run, actions: tuple[str, ...]) -> list[rule.Rolled]:
    """What was begun since the last fourth week, with the approvals that hold for it and whether it was tested."""
    since = run.at - MONTH
    plans = run.ledger.begun_plans(actions, since, datetime.now(UTC))
    return [rule.Rolled(one, tuple(run.ledger.approvals_for(one.hash)), _tested(run, one)) for one in plans]


def _tested(run: Run, plan: PlanRow) -> bool:
    """The system was looked at after this kind of work, in the run that did it, and was well (MW-05)."""
    found = run.ledger.findings(plan.run_id)
    tests = [one for one in found if one.name == "tested after it" and one.subject == plan.kind]
    return bool(tests) and all(one.status is Status.PASS for one in tests)


def _versions(run: Run) -> list[Finding]:
    """The version each application runs against the last look; a new one has to be on record."""
    found, since = [], rolled(run, ACTIONS)
    for one in run.policy.updates.applications:
        now, answer = updates.running(run, one)
        run.keep(answer)
        kind = f"running version {one.name}"
        if now:
            earlier = run.ledger.earlier_state(kind, one.name, run.at, run.ledger_run)
            run.ledger.record_state(run.ledger_run, kind, one.name, run.at, {"version": now})
            was = str(earlier.content["version"]) if earlier else ""
            found.append(rule.unrecorded(one.name, was, now, since))
        else:
            found.append(rule.nobody_says(one.name, one.running is not None))
    return found
