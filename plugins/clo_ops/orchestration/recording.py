"""What a procedure leaves on record, whoever carries it out: a task of Airflow, or a program of our own without it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from clo_ops.findings import Answer, Finding, Severity, Status
from clo_ops.orchestration.run import Run

Judgement = Callable[[Run], Sequence[Finding]]


def carry_out(run: Run, procedure_ids: Sequence[str], judgement: Judgement) -> list[Finding]:
    """Ask, judge, record. A procedure that broke off has found out nothing: that is on record before the error goes on.

    Recorded first: killed at any instant from here on it leaves "unknown", never an old pass.
    """
    record_each(run, procedure_ids, [not_finished(one) for one in procedure_ids])
    try:
        findings = list(judgement(run))
    except Exception as error:
        record_each(run, procedure_ids, [broke_off(one, error) for one in procedure_ids])
        raise
    said = {finding.procedure for finding in findings}
    findings += [nothing_found(one) for one in procedure_ids if one not in said]
    record_each(run, procedure_ids, findings)
    return findings


def record(run: Run, procedure_id: str, findings: Sequence[Finding]) -> None:
    """Keep what was asked as evidence, and findings and measurements in the ledger, in place of an earlier try's."""
    record_each(run, [procedure_id], findings)


def record_each(run: Run, procedure_ids: Sequence[str], findings: Sequence[Finding]) -> None:
    """The same for several procedures settled by one question: its measurements are on record once, with the first."""
    from clo_ops.ledger.evidence import canonical_json

    first = procedure_ids[0]
    content = canonical_json({"procedure": first, "at": run.at.isoformat(), **run.answer.as_json()})
    store = run.connections.evidence()
    evidence = store.put(run.dag_id, run.day, run.run_id, f"{first}.json", content, "application/json")
    for one in procedure_ids:
        own = [finding for finding in findings if finding.procedure == one]
        answer = run.answer if one == first else Answer()
        run.ledger.record(
            run.ledger_run, one, own, answer, [evidence, *run.evidence] if one == first else [evidence], run.try_number
        )


def _unknown(procedure_id: str, name: str, actual: str, message: str, first_action: str) -> Finding:
    return Finding(
        procedure=procedure_id,
        name=name,
        status=Status.UNKNOWN,
        severity=Severity.P2,
        expected="the procedure to run to its end and judge something",
        actual=actual,
        message=f"{procedure_id} {message}",
        first_action=first_action,
    )


def not_applicable(procedure_id: str, reason: str) -> Finding:
    return Finding(
        procedure=procedure_id,
        name="not due",
        status=Status.NOT_APPLICABLE,
        expected="asked at its own cadence",
        actual="another cadence",
        message=f"{procedure_id} is not asked in this run: {reason}",
    )


def not_finished(procedure_id: str) -> Finding:
    return _unknown(
        procedure_id,
        "not finished",
        "started",
        "was started and has not come to an end: it is running, or its worker was killed.",
        "Look at the task's state; where it is not running, clear it to run it again.",
    )


def nothing_found(procedure_id: str) -> Finding:
    return _unknown(
        procedure_id,
        "nothing was judged",
        "no finding",
        "judged nothing: nobody looked.",
        "Read the task's log; this is a fault in the procedure itself.",
    )


def broke_off(procedure_id: str, error: Exception) -> Finding:
    said = str(error).strip().splitlines()
    return _unknown(
        procedure_id,
        "broke off",
        type(error).__name__,
        f"broke off: {type(error).__name__}: {said[0] if said else 'no message'}",
        "Read the task's log, mend what it names, and clear the task to run it again.",
    )
