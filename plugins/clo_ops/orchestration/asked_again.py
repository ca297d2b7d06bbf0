"""IR-07: is it over? The checks that failed are asked again, and must have stayed quiet (L273-L277)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from clo_ops.findings import CloOpsError, Finding, Status
from clo_ops.orchestration.diagnosis import rule_of
from clo_ops.orchestration.response import none_left, of_run
from clo_ops.orchestration.run import Run
from clo_ops.rules.figures import age, moment
from clo_ops.rules.verdicts import Case
from clo_ops.rules.watching import cause_of

if TYPE_CHECKING:
    from clo_ops.ledger import IncidentRow
    from clo_ops.orchestration.procedure import ProcedureOperator

# Their procedures only read; asked again they change nothing. Of every other page the next run tells.
ONLY_READ = ("daily_morning_startup", "business_hours_monitoring")


def resolution(run: Run) -> list[Finding]:
    """The fix is noted, the check that failed is green again, and the cause stayed away for the policy's time."""
    findings: list[Finding] = []
    for one in of_run(run):
        if one.open:
            findings.append(_case(run, one, "resolved", "closed with a reason").failed("open", _still_open(one)))
            continue
        findings += [_fix_noted(run, one), _checked_again(run, one), _stayed_away(run, one)]
    return findings or [none_left("IR-07")]


def _still_open(incident: IncidentRow) -> str:
    return f"Incident {incident.id} is still open and the run could wait no longer"


def _case(run: Run, incident: IncidentRow, name: str, expected: str) -> Case:
    entry = run.policy.procedures["IR-07"]
    whose = f"incident {incident.id}"
    return Case("IR-07", name, expected, incident.severity, entry.first_action, entry.lines, whose)


def _fix_noted(run: Run, incident: IncidentRow) -> Finding:
    reason = f"closed by {incident.closed_by}: {incident.close_reason}"
    sentence = f"Incident {incident.id} was {reason}".rstrip(".")
    return _case(run, incident, "fix noted", "who closed it, and why").passed(reason, sentence)


def _stayed_away(run: Run, incident: IncidentRow) -> Finding:
    quiet = run.policy.alerting.response.stable_for
    case = _case(run, incident, "stable", f"the same cause stays away for {age(quiet)}")
    closed = incident.closed_at or datetime.now(UTC)
    again = run.ledger.incident_opened_again(incident.cause, closed)
    if again is not None and again.opened_at - closed <= quiet:
        return case.failed(
            f"back as incident {again.id}", f"The cause of incident {incident.id} was back at {moment(again.opened_at)}"
        )
    return case.passed("stayed away", f"The cause of incident {incident.id} stayed away for {age(quiet)}")


def _checked_again(run: Run, incident: IncidentRow) -> Finding:
    case = _case(run, incident, "checked again", "the check that failed is green")
    if incident.cause.startswith("alert:"):
        return _alert(run, incident, case)
    if incident.cause.startswith("finding:"):
        return _finding(run, incident, case)
    words = f"Incident {incident.id} came of no check that could be asked again; who closed it answers for it"
    return _not_applicable(case, words)


def _not_applicable(case: Case, words: str) -> Finding:
    return Finding(case.procedure, case.name, Status.NOT_APPLICABLE, case.expected, "-", f"{words}.", case.subject)


def _alert(run: Run, incident: IncidentRow, case: Case) -> Finding:
    """As the watch last saw it; a watch that does not look any more knows nothing."""
    from clo_ops.orchestration.watch import HEARTBEAT

    beat, now = run.ledger.heartbeats().get(HEARTBEAT), datetime.now(UTC)
    if beat is None or now - beat.at > run.policy.alerting.watch.silent_for:
        return replace(
            case.not_measured(), message=f"The watch does not look: nobody knows how {incident.cause} stands."
        )
    rule, labels = rule_of(incident.cause)
    mine = [one for one in run.ledger.alerts() if one.rule == rule and cause_of(rule, one.labels) == incident.cause]
    level = mine[0].level if mine else "ok"
    sentence = f"{rule} {', '.join(labels.values())}".strip() + f" of incident {incident.id} is {level}"
    return case.passed(level, sentence) if level == "ok" else case.failed(level, sentence)


def _finding(run: Run, incident: IncidentRow, case: Case) -> Finding:
    """Its procedure's own judgement of now, where that only reads; nothing of it is recorded as that procedure's."""
    procedure = incident.procedure
    entry = run.policy.procedures.get(procedure)
    if entry is None or entry.dag not in ONLY_READ:
        return _not_applicable(case, f"{procedure} is not asked outside its own page, whose next run tells")
    try:
        again = _judge_again(run, entry.dag, procedure)
    except CloOpsError as error:
        return replace(case.not_measured(), message=f"{procedure} could not be asked again: {error}")
    return _same(again, incident, case)


def _judge_again(run: Run, dag_id: str, procedure: str) -> Sequence[Finding]:
    now = replace(run, at=datetime.now(UTC), evidence=[])
    findings = _task_of(dag_id, procedure).judge(now)
    run.answer = now.answer
    return findings


def _task_of(dag_id: str, procedure: str) -> ProcedureOperator:
    from clo_ops.orchestration.coverage import DAGS, pages
    from clo_ops.orchestration.procedure import ProcedureOperator

    for dag in pages(DAGS, only=dag_id):
        for task in dag.tasks:
            if isinstance(task, ProcedureOperator) and procedure in task.procedure_ids:
                return task
    raise LookupError(f"{dag_id} has no task for {procedure}")


def _same(again: Sequence[Finding], incident: IncidentRow, case: Case) -> Finding:
    """The finding of the incident's cause, if it is there again; one that has nothing to say any more is gone."""
    red = [
        one
        for one in again
        if one.status in (Status.FAIL, Status.UNKNOWN)
        and incident.cause == f"finding:{one.procedure}:{one.name}:{one.subject}"
    ]
    if red:
        return case.failed(red[0].actual, f"Asked again, incident {incident.id} is not over: {red[0].message}")
    return case.passed("green", f"{incident.procedure} was asked again and does not say it any more")
