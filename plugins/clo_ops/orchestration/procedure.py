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
from airflow.sdk.exceptions import AirflowSkipException

from clo_ops.findings import (
    Answer,
    CheckFailed,
    ConfigurationError,
    CouldNotCheck,
    Finding,
    Status,
    worst,
)
from clo_ops.orchestration.connections import Connections
from clo_ops.orchestration.recording import Judgement, carry_out, not_applicable, nothing_found
from clo_ops.orchestration.run import Run, client_name, run_firing, run_states, run_time
from clo_ops.policy import digest, load_policy, policy_at_parse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clo_ops.policy import Procedure

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

    ``also`` are further procedures that the same question settles; each has findings of its own.
    Raises CheckFailed for a failure (not retried), CouldNotCheck where nobody answered (retried, then red), and
    AirflowSkipException where none of its procedures is due at the cadence that fired.
    """

    ui_color = "#dbe9f6"

    def __init__(self, *, procedure_id: str, function: Judgement, also: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.procedure_id = procedure_id
        self.also = tuple(also)
        self.function = function

    @property
    def procedure_ids(self) -> tuple[str, ...]:
        return (self.procedure_id, *self.also)

    def execute(self, context: Mapping[str, Any]) -> dict[str, int]:
        with open_run(context, self.task_id) as run:
            findings = self._not_due(run)
            due = [one for one in self.procedure_ids if one not in {finding.procedure for finding in findings}]
            if due:
                findings += [one for one in carry_out(run, due, self.judge) if one.procedure in due]
        for finding in findings:
            self.log.info("%s %s %s", finding.status.upper(), finding.name, finding.message)
        if not due:
            raise AirflowSkipException(" ".join(finding.message for finding in findings))
        raise_if_red(self.procedure_id, findings)
        return tally(findings)

    def _not_due(self, run: Run) -> list[Finding]:
        """On the record before anything is asked: a day or cadence that does not want the procedure."""
        reasons = {one: run.why_not_due(one) for one in self.procedure_ids}
        findings = [not_applicable(one, reason) for one, reason in reasons.items() if reason]
        for finding in findings:
            run.ledger.record(run.ledger_run, finding.procedure, [finding], Answer(), [], run.try_number)
        return findings

    def judge(self, run: Run) -> list[Finding]:
        """What the procedure found. Raises ValueError for a finding of a procedure that is not the task's."""
        findings = list(self.function(run))
        if strangers := {finding.procedure for finding in findings} - set(self.procedure_ids):
            raise ValueError(f"{self.task_id} judges {', '.join(self.procedure_ids)}, not {sorted(strangers)}")
        return findings


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
            last_try=context["ti"].try_number > getattr(context["ti"], "max_tries", 0),
            firing=run_firing(policy, dag_run, at),
            params=dict(context.get("params") or {}),
            trigger=str(getattr(dag_run.run_type, "value", dag_run.run_type)),
            asked_by=getattr(dag_run, "triggering_user_name", None) or "",
            state_of=run_states(context),
        )


def raise_if_red(procedure_id: str, findings: Sequence[Finding]) -> None:
    status = worst(findings)
    if status not in (Status.FAIL, Status.UNKNOWN):
        return
    red = [finding for finding in findings if finding.status is status] or [nothing_found(procedure_id)]
    error = CheckFailed if status is Status.FAIL else CouldNotCheck
    raise error(
        f"{procedure_id}: " + " ".join(finding.message for finding in red[:5]),
        allowed="; ".join(dict.fromkeys(finding.expected for finding in red[:5])),
        next_step=red[0].first_action,
    )


def tally(findings: Sequence[Finding]) -> dict[str, int]:
    """How many findings of each status: the task's return value, shown in the UI."""
    return {status.value: sum(finding.status is status for finding in findings) for status in Status}


def procedure(
    procedure_id: str, *, also: Sequence[str] = (), **operator: Any
) -> Callable[[Judgement], ProcedureOperator]:
    """Make a function of a Run the task that carries a procedure of the manual, and those ``also`` settled by it.

    The task is named after the function; its documentation is the catalogue's entries and the function's docstring.
    Raises ConfigurationError for an id the catalogue does not know.
    """
    entries = [_entry(one) for one in (procedure_id, *also)]

    def make(function: Judgement) -> ProcedureOperator:
        return ProcedureOperator(
            task_id=function.__name__,
            procedure_id=procedure_id,
            also=also,
            function=function,
            doc_md="\n\n".join(document(entry, function.__doc__ or "") for entry in entries),
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
    catalogue = policy_at_parse().procedures
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
