"""The procedure decorator: one entry of the manual becomes a task an operator can see, read and trust.

    @procedure("DM-05")
    def connection_pool(run: Run) -> list[Finding]:
        answer = run.ask(postgres.connections, run.connections.postgres)
        return connections.judge(answer, run.policy.connections, at=run.at)

The function asks and judges; recording, the task's colour, its documentation and its retries are the decorator's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.definitions.retry_policy import ExceptionRetryPolicy, RetryAction, RetryRule

from clo_ops.findings import (
    CheckFailed,
    ConfigurationError,
    CouldNotCheck,
    Finding,
    Severity,
    Status,
    worst,
)
from clo_ops.orchestration.connections import Connections
from clo_ops.orchestration.run import Run, client_name, run_time
from clo_ops.policy import digest, load_policy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clo_ops.policy import Procedure

Judgement = Callable[[Run], Sequence[Finding]]

# A failed check and a wrong configuration stay what they are however often they are asked; silence may end.
RETRIES = ExceptionRetryPolicy(
    rules=[
        RetryRule(
            exception=CheckFailed, action=RetryAction.FAIL, reason="the check failed; asking again changes nothing"
        ),
        RetryRule(exception=ConfigurationError, action=RetryAction.FAIL, reason="the configuration is wrong"),
        RetryRule(exception=CouldNotCheck, action=RetryAction.RETRY, reason="could not check; asked again"),
    ]
)


class ProcedureOperator(BaseOperator):
    """Ask, judge, record; red when the worst finding is ``fail`` or ``unknown``.

    Raises CheckFailed for a failure (not retried) and CouldNotCheck where nobody answered (retried, then red).
    """

    ui_color = "#dbe9f6"

    def __init__(self, *, procedure_id: str, function: Judgement, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.procedure_id = procedure_id
        self.function = function

    def execute(self, context: Mapping[str, Any]) -> dict[str, int]:
        with open_run(context, self.task_id) as run:
            # Recorded first: a task killed at any instant from here on leaves "unknown", never an old pass.
            record(run, self.procedure_id, [_not_finished(self.procedure_id)])
            findings = self.judge(run)
            record(run, self.procedure_id, findings)
        for finding in findings:
            self.log.info("%s %s %s", finding.status.upper(), finding.name, finding.message)
        raise_if_red(self.procedure_id, findings)
        return tally(findings)

    def judge(self, run: Run) -> list[Finding]:
        """What the procedure found. A procedure that broke off has found out nothing, and that is on the record too."""
        try:
            return list(self.function(run)) or [_nothing_found(self.procedure_id)]
        except Exception as error:
            record(run, self.procedure_id, [_broke_off(self.procedure_id, error)])
            raise


@contextmanager
def open_run(context: Mapping[str, Any], task_id: str) -> Iterator[Run]:
    """This task's run, known to the ledger. Raises LedgerUnavailable, a CouldNotCheck, where it cannot be reached."""
    dag_run, policy = context["dag_run"], load_policy()
    connections = Connections(client_name(dag_run.dag_id, task_id))
    with connections.ledger() as ledger:
        at = run_time(context)
        key = ledger.open_run(dag_run.dag_id, dag_run.run_id, at, digest(policy), str(dag_run.run_type))
        yield Run(
            dag_id=dag_run.dag_id,
            run_id=dag_run.run_id,
            task_id=task_id,
            at=at,
            policy=policy,
            connections=connections,
            ledger=ledger,
            ledger_run=key,
            try_number=context["ti"].try_number,
        )


def record(run: Run, procedure_id: str, findings: Sequence[Finding]) -> None:
    """Keep what was asked as evidence, and findings and measurements in the ledger, in place of an earlier try's."""
    from clo_ops.ledger.evidence import canonical_json

    content = canonical_json({"procedure": procedure_id, "at": run.at.isoformat(), **run.answer.as_json()})
    store = run.connections.evidence()
    evidence = store.put(run.dag_id, run.day, run.run_id, f"{procedure_id}.json", content, "application/json")
    run.ledger.record(run.ledger_run, procedure_id, findings, run.answer, [evidence], run.try_number)


def raise_if_red(procedure_id: str, findings: Sequence[Finding]) -> None:
    status = worst(findings)
    if status not in (Status.FAIL, Status.UNKNOWN):
        return
    red = [finding for finding in findings if finding.status is status] or [_nothing_found(procedure_id)]
    error = CheckFailed if status is Status.FAIL else CouldNotCheck
    raise error(
        f"{procedure_id}: " + " ".join(finding.message for finding in red[:5]),
        allowed="; ".join(dict.fromkeys(finding.expected for finding in red[:5])),
        next_step=red[0].first_action,
    )


def tally(findings: Sequence[Finding]) -> dict[str, int]:
    """How many findings of each status: the task's return value, shown in the UI."""
    return {status.value: sum(finding.status is status for finding in findings) for status in Status}


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


def _not_finished(procedure_id: str) -> Finding:
    return _unknown(
        procedure_id,
        "not finished",
        "started",
        "was started and has not come to an end: it is running, or its worker was killed.",
        "Look at the task's state; where it is not running, clear it to run it again.",
    )


def _nothing_found(procedure_id: str) -> Finding:
    return _unknown(
        procedure_id,
        "nothing was judged",
        "no finding",
        "judged nothing: nobody looked.",
        "Read the task's log; this is a fault in the procedure itself.",
    )


def _broke_off(procedure_id: str, error: Exception) -> Finding:
    said = str(error).strip().splitlines()
    return _unknown(
        procedure_id,
        "broke off",
        type(error).__name__,
        f"broke off: {type(error).__name__}: {said[0] if said else 'no message'}",
        "Read the task's log, mend what it names, and clear the task to run it again.",
    )


def procedure(procedure_id: str, **operator: Any) -> Callable[[Judgement], ProcedureOperator]:
    """Make a function of a Run the task that carries a procedure of the manual.

    The task is named after the function; its documentation is the catalogue's entry and the function's docstring.
    Raises ConfigurationError for an id the catalogue does not know.
    """
    entry = _entry(procedure_id)

    def make(function: Judgement) -> ProcedureOperator:
        return ProcedureOperator(
            task_id=function.__name__,
            procedure_id=procedure_id,
            function=function,
            doc_md=document(entry, function.__doc__ or ""),
            **{**BOUNDS, **operator},
        )

    return make


# Longer than every statement and request timeout of the probes added up; three tries span a restart of a service.
BOUNDS: dict[str, Any] = {
    "execution_timeout": timedelta(minutes=5),
    "retries": 2,
    "retry_delay": timedelta(seconds=20),
    "retry_policy": RETRIES,
}


def _entry(procedure_id: str) -> Procedure:
    catalogue = load_policy().procedures
    if procedure_id not in catalogue:
        raise ConfigurationError(
            f"procedure {procedure_id!r} is not in the catalogue",
            allowed=f"one of the {len(catalogue)} ids of include/policy/procedures.yaml",
        )
    return catalogue[procedure_id]


def document(entry: Procedure, what: str) -> str:
    """The task's page in the UI: which procedure, where in the manual, what it does, what to do when it is red."""
    return "\n".join(
        [
            f"### {entry.id} {entry.title}",
            "",
            " ".join(what.split()),
            "",
            f"- **Manual section:** {' / '.join(entry.section)} ({entry.lines})",
            f"- **Red means:** the finding in the log and in the mail says what was seen and what is allowed; "
            f"*could not check* means {entry.id} got no answer, after {BOUNDS['retries'] + 1} tries.",
            f"- **First thing to do:** {entry.first_action}",
        ]
    )
