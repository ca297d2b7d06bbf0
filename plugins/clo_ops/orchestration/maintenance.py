"""Maintenance, the same for Monday, the windows and emergencies: the gate, then a plan, then what may be applied.

def planner_statistics(run: Run) -> list[Finding]:
    return maintained(run, "WM-01", "statistics", lambda: plan_of(run), act_of(run))
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from clo_ops.findings import Answer, Finding, Measurement, Severity, Status
from clo_ops.orchestration.occasion import allowance, occasion, only_planned
from clo_ops.rules import gate as rule
from clo_ops.rules import maintenance as outcome
from clo_ops.rules.gate import ALL, Gate, Need
from clo_ops.rules.verdicts import Case

if TYPE_CHECKING:
    from clo_ops.actions.maintenance.applying import Act
    from clo_ops.actions.maintenance.plan import Plan, Step
    from clo_ops.ledger import IncidentRow
    from clo_ops.orchestration.run import Run
    from clo_ops.policy.maintenance import Kind

OF_DATABASE = frozenset({Need.PRIMARY, Need.NO_BACKUP_RUNNING, Need.NO_LONG_TRANSACTION, Need.ALONE})
RUNS_BACK = 10
# Plans whose approval is of an earlier run: in another order they would have another hash, that nobody approved.
AS_APPROVED = ("updates", "deployments")
# The action of a change that a person makes.
BY_HAND = "by hand"


def maintained(
    run: Run,
    procedure: str,
    kind: Kind,
    planned: Callable[[], Plan],
    act: Act,
    *,
    needs: Collection[Need] = ALL,
) -> list[Finding]:
    """The whole way of one duty: the gate; ``planned()`` asks and chooses; its plan carried out by ``act``."""
    gate = gated(run, procedure, kind, needs=needs)
    if not gate.open:
        return gate.findings
    return [*gate.findings, *carried_out(run, procedure, planned(), act)]


# ---------------------------------------------------------------- the gate


def gated(run: Run, procedure: str, kind: Kind, *, needs: Collection[Need] = ALL) -> Gate:
    """Whether work of this kind may begin now; what ends by itself is waited for, within the policy's bounds.

    A closed gate's ``findings`` are those of ``procedure`` and are what it returns: ``fail`` where the work was owed
    and nothing stood ready for it (no verified backup), ``warn`` where it gave way to something (a running backup).
    Where the plan is only to be shown, nothing is waited for and nothing keeps it from being made.
    """
    terms = _terms(run, procedure)
    shown = bool(only_planned(run, kind))
    if Need.BACKUP in needs and not shown:
        _verify_tonights(run)
    begun = datetime.now(UTC)
    until = begun if shown else _patience(run, begun)
    while True:
        answer = ask(run, kind, needs)
        gate = rule.judge(answer, terms, needs)
        now = datetime.now(UTC)
        if gate.open or not gate.worth_waiting or now >= until:
            break
        time.sleep(min(run.policy.maintenance.gate.ask_again_every, until - now).total_seconds())
    run.keep(answer)
    if shown:
        return Gate(True, [_would_not(one) for one in gate.findings])
    return gate if gate.open or not gate.worth_waiting else rule.given_way(gate, now - begun)


def _terms(run: Run, procedure: str) -> rule.Terms:
    policy = run.policy.maintenance
    return rule.Terms(procedure, policy.gate, run.policy.windows.backup_not_older_than, policy.pace.safety)


def _patience(run: Run, now: datetime) -> datetime:
    """As long as policy waits, and never past the window's end."""
    until = now + run.policy.maintenance.gate.wait_at_most
    mine = occasion(run)
    return min(until, mine.ends) if mine else until


def _would_not(one: Finding) -> Finding:
    """Of work that is only planned a closed gate is worth knowing, and no failure."""
    if one.status in (Status.PASS, Status.NOT_APPLICABLE):
        return one
    return replace(
        one,
        status=Status.NOT_APPLICABLE,
        severity=None,
        message=f"Nothing is to be changed in this run; it would not start now: {one.message}",
    )


def ask(run: Run, kind: Kind, needs: Collection[Need]) -> Answer:
    """What these needs ask for, and no more; asked anew each time. Nothing is kept yet."""
    from clo_ops.probes import gate as probe

    to, terms = run.connections, run.policy.maintenance
    answer = Answer()
    if OF_DATABASE & set(needs):
        answer += probe.of_database(to.maintenance, terms.lock.key)
    if Need.ALONE in needs:
        answer = _with_people(run, answer)
    if Need.ROOM in needs:
        where = next(host for host in run.policy.hosts if host.name == terms.gate.data_on.host)
        host = to.host(where.name, where.connection)
        answer += probe.room(to.maintenance, host, terms.gate.data_on.mount, to.prometheus)
    if Need.REPLICATION in needs:
        answer += probe.behind(to.maintenance)
    if Need.BACKUP in needs:
        answer += _backups(run)
    if Need.NO_DRILL_RUNNING in needs:
        answer += _drills(run)
    return answer + (_window(run, kind) if Need.WINDOW in needs else Answer())


def _with_people(run: Run, answer: Answer) -> Answer:
    """A person who is making an approved change maintains the system too, and holds no lock of ours."""
    since = datetime.now(UTC) - run.policy.maintenance.pace.emergency_at_most
    found = run.ledger.under_way(BY_HAND, since, run.ledger_run)
    kept = [
        replace(one, value=one.value + len(found), detail=", ".join([*filter(None, [one.detail]), *found]))
        if one.name == rule.MAINTAINER
        else one
        for one in answer.measurements
    ]
    return Answer.of(kept, answer.unanswered)


def _backups(run: Run) -> Answer:
    """Those on record whose bytes are proven and not found broken since; by the time of their snapshot."""
    now = datetime.now(UTC)
    proven = [
        Measurement(
            rule.BACKUP_AGE, (now - row.snapshot_at).total_seconds(), "s", now, {"path": path, "level": row.level}
        )
        for path, row in run.ledger.known_backups(str(run.connections.backups)).items()
        if row.level and row.snapshot_at and row.failed_at is None
    ]
    return Answer.of(proven or [Measurement(rule.BACKUP_AGE, 0, "s", now, {"path": "none", "level": ""})])


def _verify_tonights(run: Run) -> None:
    """Where no fresh backup is proven yet, the newest is read now: last night's is, at the latest, by the evening."""
    from clo_ops.orchestration.backups import read_newest

    oldest = run.policy.windows.backup_not_older_than.total_seconds()
    level = run.policy.maintenance.gate.backup_level
    on_record = _backups(run).select(rule.BACKUP_AGE)
    if not any(one.labels["level"] >= level and one.value <= oldest for one in on_record):
        read_newest(run)


def _drills(run: Run) -> Answer:
    """Runs of a drill that have begun and not ended; one that its place has outlived is over."""
    now = datetime.now(UTC)
    since = now - run.policy.recovery.drill.expires
    running = [
        f"{one.dag_id} {one.run_id}"
        for dag_id in run.policy.maintenance.gate.drills
        for one in run.ledger.recent_runs(dag_id, RUNS_BACK)
        if one.closed_at is None and one.opened_at > since
    ]
    return Answer((Measurement(rule.DRILL_RUNNING, len(running), "count", now, detail=", ".join(running)),))


def _window(run: Run, kind: Kind) -> Answer:
    now = datetime.now(UTC)
    left, why = allowance(run, kind, now)
    measured = [Measurement(rule.WINDOW_LEFT, left.total_seconds(), "s", now, detail=why)]
    usual = run.ledger.usual_total(kind, system_of(run), run.policy.maintenance.pace.remembered)
    if usual is not None:
        measured.append(Measurement(rule.USUAL, usual, "s", now, {"kind": kind}))
    return Answer.of(measured)


def system_of(run: Run) -> str:
    """What a plan is for: the CLO database, as maintenance reaches it."""
    target = run.connections.maintenance
    return f"{target.host}:{target.port}/{target.database}"


# ---------------------------------------------------------------- plan, then apply


def carried_out(run: Run, procedure: str, plan: Plan, act: Act) -> list[Finding]:
    """The plan on record; applied where policy, or the form of a run by hand, says so; what became of it, judged.

    Steps whose time nobody gave get that of earlier runs; what the last run left over comes first. Holds the advisory
    lock while steps run, and looks round between two of them. Raises Unreachable, a CouldNotAsk, without the lock.
    """
    manual = run.policy.procedures[procedure].lines
    plan = _expected(run, plan)
    run.ledger.keep_plan(run.ledger_run, plan)
    why_not = only_planned(run, plan.kind)  # type: ignore[arg-type] # a plan's kind is a duty's
    if why_not or not plan.steps:
        run.keep(Answer.of(outcome.measured(plan, [], datetime.now(UTC))))
        return [outcome.only_shown(procedure, manual, plan, why_not)]
    if void := _changed_since(run, procedure, plan):
        return [void]
    return _applied(run, procedure, plan, act)


def _applied(run: Run, procedure: str, plan: Plan, act: Act) -> list[Finding]:
    from clo_ops.actions.maintenance.alone import alone
    from clo_ops.actions.maintenance.applying import Pace, apply

    terms = run.policy.maintenance
    pace = Pace(terms.pace.safety, terms.pace.unknown)
    with alone(run.connections.maintenance, terms.lock.key) as watch:
        if watch is None:
            return [_somebody_else(run, procedure)]
        now = datetime.now(UTC)
        left, _ = allowance(run, plan.kind, now)  # type: ignore[arg-type]
        done = apply(
            plan,
            act,
            ledger=run.ledger,
            run=run.ledger_run,
            ends=now + max(left, timedelta()),
            may_go_on=lambda: watch.may_go_on() or _unrest(run, now),
            pace=pace,
        )
    run.keep(Answer.of(outcome.measured(plan, done, datetime.now(UTC))))
    return outcome.judge(procedure, run.policy.procedures[procedure].lines, plan, done)


def opened_since(run: Run, since: datetime) -> list[IncidentRow]:
    """Grave incidents opened since work began: the watch looks at the whole system every few seconds (L403)."""
    found = run.ledger.open_incidents(datetime.now(UTC))
    return [one for one in found if one.severity in (Severity.P1, Severity.P2) and one.opened_at > since]


def _unrest(run: Run, since: datetime) -> str | None:
    opened = opened_since(run, since)
    return f"{opened[0].severity} incident {opened[0].id} was opened meanwhile: {opened[0].title}" if opened else None


def _expected(run: Run, plan: Plan) -> Plan:
    """Each step with the time it usually takes, where its planner did not say; what was left over before the others."""
    unknown = [step.key for step in plan.steps if step.seconds is None]
    usual = run.ledger.usual_seconds(unknown, run.policy.maintenance.pace.remembered) if unknown else {}
    steps = tuple(
        step if step.seconds is not None else replace(step, seconds=usual.get(step.key)) for step in plan.steps
    )
    timed = replace(plan, steps=steps)
    if plan.kind in AS_APPROVED:
        return timed
    return timed.with_first(run.ledger.left_over(plan.kind, plan.system, run.ledger_run))


def _changed_since(run: Run, procedure: str, plan: Plan) -> Finding | None:
    """An approval is bound to the plans by their hashes: a step that is in none of them needs another approval (D53).

    Less than what was approved may be done: what has settled itself since is no longer a step.
    """
    approvals = run.ledger.approvals_of(run.ledger_run)
    let_through = {one for row in approvals if row.decision == "approved" for one in row.plans}
    if not approvals or plan.hash in let_through:
        return None
    planned = [row for row in run.ledger.plans_of(run.ledger_run) if row.hash in let_through and row.kind == plan.kind]
    known = {_said(one.step) for row in planned for one in row.steps}
    others = [step.key for step in plan.steps if _said(step) not in known]
    if not others:
        return None
    expected = "the plan that was approved"
    action = "Read the new plan and start the run again, so that it can be approved."
    case = Case(procedure, "approved plan", expected, Severity.P2, action, "L388-L391", plan.kind)
    said = f"Plan {plan.hash[:12]} of {plan.kind} is not what was approved; nothing of it was done. New: {others[0]}"
    return case.failed(f"{len(others)} other steps", said)


def _said(step: Step) -> tuple[str, str, str]:
    return step.action, step.target, step.statement


def _somebody_else(run: Run, procedure: str) -> Finding:
    manual = run.policy.procedures[procedure].lines
    action = "Nothing, if it ends by itself: what was owed is done next time."
    case = Case(
        procedure, "gate", "nobody else maintaining this database", Severity.P3, action, manual, Need.ALONE.value
    )
    return case.warned("somebody else", "Somebody else took the lock of maintenance first; nothing was changed")
