"""A whole drill in one process: the same steps as the DAG's tasks, recorded in the same way, without Airflow.

``run_drill`` is what ``make dr-drill`` and the tests call; ``weekly`` is the smaller drill inside the end of day.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Thread
from typing import TYPE_CHECKING, Any

from clo_ops.findings import Answer, CloOpsError, Finding, Status, worst
from clo_ops.orchestration import drill_steps
from clo_ops.orchestration.connections import Connections
from clo_ops.orchestration.drill import LOOK_BACK, PROCEDURES, RED, Drill, Step, failed
from clo_ops.orchestration.drill_environment import environment
from clo_ops.orchestration.drill_telling import documented
from clo_ops.orchestration.recording import carry_out
from clo_ops.orchestration.run import Run, client_name
from clo_ops.policy import DrillSpec, Policy, digest

if TYPE_CHECKING:
    from clo_ops.ledger import Evidence, Ledger
    from clo_ops.reports.drill import DrillReport

log = logging.getLogger(__name__)
Told = Callable[[str, list[Finding]], None]
WEEKLY = "ED-05"
RESTORING: tuple[Step, ...] = (environment, drill_steps.restored, drill_steps.contents_and_meaning)
STEPS: tuple[Step, ...] = (*RESTORING, drill_steps.failover, drill_steps.application)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a drill. ``evidence`` are all files of the run, the report and the bundle among them."""

    report: DrillReport
    findings: tuple[Finding, ...]
    evidence: tuple[Evidence, ...]

    @property
    def red(self) -> bool:
        """By the report, and by what became of the report itself."""
        return self.report.colour == "RED" or worst(self.findings) in RED


def run_drill(
    policy: Policy,
    connections: Callable[[str], Connections],
    ledger: Ledger,
    params: Mapping[str, Any],
    *,
    dag_id: str,
    run_id: str,
    at: datetime,
    told: Told = lambda step, findings: None,
) -> Outcome:
    """The drill the form's ``params`` ask for, from the guard to the clean-up and the report.

    ``connections`` makes those of a client name; ``told`` hears of each step as it ends. What a step broke off on is
    on record and the next ones say that they were not reached; the clean-up is done whatever happens, Ctrl-C included.
    Raises ConfigurationError for a form that cannot be carried out, before anything is started.
    """
    key = ledger.open_run(dag_id, run_id, at, digest(policy), "manual")

    def a_run(task: str) -> Run:
        asked = connections(client_name(dag_id, task))
        return Run(dag_id, run_id, task, at, policy, asked, ledger, key, params=params)

    Drill.of(a_run("form_is_sound"))
    try:
        for step in STEPS:
            _carried_out(a_run(step.__name__), step, told)
    finally:
        _carried_out(a_run("clean_up"), drill_steps.clean_up, told)
    if params.get("self_test"):
        _carried_out(a_run("self_test"), drill_steps.self_test, told)
    _carried_out(a_run("documented"), documented, told)
    return _outcome(ledger, key)


def _warm_up() -> None:
    """Great Expectations takes seconds to import: done while the server starts, and not before.

    Beside the hashing of the backup each would wait for the other, some hundred times 5 ms: Python's own lock.
    """
    from clo_ops.probes.expectations import library

    Thread(target=library, name="import great_expectations", daemon=True).start()


def _of(run: Run) -> Drill:
    drill = Drill.of(run)
    drill.meanwhile = _warm_up
    return drill


def _carried_out(run: Run, step: Callable[[Drill], list[Finding]], told: Told) -> None:
    """As a task would be; what it broke off on does not keep the others from being carried out."""
    try:
        findings = carry_out(run, PROCEDURES[step.__name__], lambda run: step(_of(run)))
    except Exception:
        log.exception("%s broke off", step.__name__)
        found = run.ledger.findings(run.ledger_run)
        findings = [one for one in found if one.procedure in PROCEDURES[step.__name__]]
    told(step.__name__, findings)


def _outcome(ledger: Ledger, key: int) -> Outcome:
    from clo_ops.reports.drill import assemble

    findings = tuple(ledger.findings(key))
    counts = {status: sum(one.status is status for one in findings) for status in Status}
    ledger.close_run(key, worst(findings), counts)
    return Outcome(assemble(ledger, key), findings, tuple(ledger.evidence(key)))


def weekly(run: Run, link: str = "") -> list[Finding]:
    """ED-05 (manual L80, D29): on the policy's day the newest backup is restored for real, contents and meaning proven.

    Its own report and bundle are kept as evidence. On other days it is not applicable, with the day in the reason.
    What drills that were cut short left is removed every day.
    """
    day = run.policy.recovery.drill.weekly_restore_day
    if f"{run.at:%A}".lower() != day:
        return [_not_today(day), *_left_overs(run, WEEKLY)]
    left = _left_overs(run, "M3-08")
    drill = Drill(run, DrillSpec.of(run.policy.recovery, parts=frozenset({"restore"})), meanwhile=_warm_up)
    try:
        for step in RESTORING:
            _told(drill, step)
    finally:
        _told(drill, drill_steps.clean_up)
    drill.findings += left
    return documented(drill, WEEKLY, link)


def _left_overs(run: Run, procedure: str) -> list[Finding]:
    """What a killed worker left goes on the first end of day after it expired, not only when the next drill begins."""
    from clo_ops.actions.drill.reaper import reap
    from clo_ops.rules import left_overs

    now = datetime.now(UTC)
    earlier = run.ledger.measurements(left_overs.REMOVED, now - LOOK_BACK, now, {"kind": "docker"})
    seen = any(True for _ in earlier)
    try:
        _, answer = reap(run.policy.recovery, now, engine=run.connections.docker)
    except CloOpsError as error:
        return [failed(procedure, left_overs.NAME, error)]
    # An engine's silence is judged here: a drill that follows must not take it for an answer missing of its own.
    run.keep(Answer(answer.measurements))
    return left_overs.judge(answer, procedure=procedure, engine_seen=seen)


def _told(drill: Drill, step: Step) -> None:
    found = step(drill)
    drill.findings += found
    drill.told |= dict.fromkeys(PROCEDURES[step.__name__], worst(found))


def _not_today(day: str) -> Finding:
    return Finding(
        procedure=WEEKLY,
        name="not due today",
        status=Status.NOT_APPLICABLE,
        expected=f"once a week, on {day}",
        actual="another day",
        message=f"The restore test is done on {day}; daily, the backup's bytes are proven (ED-04).",
    )
