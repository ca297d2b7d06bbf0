"""Asking a page's red procedures again (IR-07): those that only read; of the others it is said why they are not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from clo_ops.findings import CloOpsError, Finding, Status
from clo_ops.orchestration.run import Run
from clo_ops.rules.figures import moment
from clo_ops.rules.verdicts import Case

if TYPE_CHECKING:
    from clo_ops.ledger import IncidentRow, RunRow
    from clo_ops.orchestration.procedure import ProcedureOperator

RED = (Status.FAIL, Status.UNKNOWN)
RUNS_BACK = 50
# Pages that only read, asked again they change nothing; but for the procedures named here, with the reason.
ONLY_READ = {
    "daily_morning_startup",
    "business_hours_monitoring",
    "daily_end_of_day",
    "log_management",
    "reports_and_support",
}
NOT_ASKED = {
    **dict.fromkeys(("ED-01", "ED-02", "ED-07", "RP-01", "RP-02", "RP-03", "RP-04"), "it mails a report"),
    "ED-04": "it reads whole backups, which may take an hour",
    "ED-05": "it restores a backup",
    "ED-06": "it removes backups",
}
ACTS = "its page may change something"


def finding(run: Run, incident: IncidentRow, case: Case) -> list[Finding]:
    """An incident of one finding."""
    entry = run.policy.procedures.get(incident.procedure)
    before = {incident.cause}
    return [_asked(run, case, entry.dag if entry else "", incident.procedure, before)]


def failed(run: Run, incident: IncidentRow, case: Case) -> list[Finding]:
    """An incident of a red run: each procedure red in the last red run before the incident was closed."""
    dag_id = incident.cause.partition(":")[2]
    until = incident.closed_at or datetime.now(UTC)
    runs = run.ledger.recent_runs(dag_id, RUNS_BACK)
    for one in runs:
        red = [found for found in run.ledger.findings(one.id) if found.status in RED] if one.opened_at <= until else []
        if red:
            return list(_each(run, case, one, red, runs))
    return [_without_a_finding(case, dag_id, runs, incident)]


def _each(run: Run, case: Case, last: RunRow, red: Sequence[Finding], runs: Sequence[RunRow]) -> Iterable[Finding]:
    since = [one for one in runs if one.opened_at > last.opened_at]
    for procedure in sorted({one.procedure for one in red}):
        whose = replace(case, subject=f"{case.subject}, {procedure}")
        green = _green_since(run, procedure, since)
        before = {cause_of(one) for one in red if one.procedure == procedure}
        yield _by_a_run(whose, procedure, green) if green else _asked(run, whose, last.dag_id, procedure, before)


def _green_since(run: Run, procedure: str, since: Sequence[RunRow]) -> RunRow | None:
    """The newest later run that judged the procedure, if it found nothing red."""
    for one in since:
        mine = [found for found in run.ledger.findings(one.id) if found.procedure == procedure]
        if mine:
            return None if any(found.status in RED for found in mine) else one
    return None


def _by_a_run(case: Case, procedure: str, green: RunRow) -> Finding:
    return case.passed("green", f"Run {green.run_id} of {green.dag_id} found nothing red of {procedure} since")


def _without_a_finding(case: Case, dag_id: str, runs: Sequence[RunRow], incident: IncidentRow) -> Finding:
    """It was killed, or never came to a procedure: only another run can tell."""
    since = [one for one in runs if one.opened_at > incident.last_seen_at and one.status not in (None, *RED)]
    if since:
        return case.passed("green", f"Run {since[0].run_id} of {dag_id} was not red, {moment(since[0].opened_at)}")
    return case.not_applicable("-", f"The red run of {dag_id} left no finding to be asked again; its next run tells")


def _asked(run: Run, case: Case, dag_id: str, procedure: str, before: set[str]) -> Finding:
    """Its procedure's own judgement of now, where that only reads; nothing of it is recorded as that procedure's."""
    why = NOT_ASKED.get(procedure) or ("" if dag_id in ONLY_READ else ACTS)
    if why:
        return case.not_applicable(
            "-", f"{procedure} is not asked outside its own page, because {why}; the next run tells"
        )
    try:
        again = judge_again(run, dag_id, procedure)
    except CloOpsError as error:
        return unknown(case, f"{procedure} could not be asked again: {error}")
    return _same(again, before, procedure, case)


def judge_again(run: Run, dag_id: str, procedure: str) -> Sequence[Finding]:
    """What the procedure finds at this moment. Raises LookupError where the page has no task for it."""
    now = replace(run, at=datetime.now(UTC), evidence=[])
    findings = _task_of(dag_id, procedure).judge(now)
    run.answer = now.answer
    return [one for one in findings if one.procedure == procedure]


def _task_of(dag_id: str, procedure: str) -> ProcedureOperator:
    from clo_ops.orchestration.coverage import DAGS, pages
    from clo_ops.orchestration.procedure import ProcedureOperator

    for dag in pages(DAGS, only=dag_id):
        for task in dag.tasks:
            if isinstance(task, ProcedureOperator) and procedure in task.procedure_ids:
                return task
    raise LookupError(f"{dag_id} has no task for {procedure}")


def _same(again: Sequence[Finding], before: set[str], procedure: str, case: Case) -> Finding:
    """What was red and is red again; what has nothing to say any more is gone."""
    red = [one for one in again if one.status in RED and cause_of(one) in before]
    if red:
        return case.failed(red[0].actual, f"Asked again, {case.subject} is not over: {red[0].message}")
    return case.passed("green", f"{procedure} was asked again and does not say it any more")


def cause_of(found: Finding) -> str:
    """As ``escalation.sighting.Sighting.of`` names it."""
    return f"finding:{found.procedure}:{found.name}:{found.subject}"


def unknown(case: Case, words: str) -> Finding:
    return replace(case.not_measured(), message=f"{words}.")
