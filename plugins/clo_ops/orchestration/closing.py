"""How every page ends: the mail to the operations centre, then the summary, which is red when anything was."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from airflow.sdk import BaseOperator

from clo_ops.findings import CheckFailed, CloOpsError, Status
from clo_ops.orchestration.escalate import run_ended, run_link
from clo_ops.orchestration.incidents import desk
from clo_ops.orchestration.procedure import ProcedureOperator, open_run

if TYPE_CHECKING:
    from clo_ops.orchestration.run import Run
    from clo_ops.reports.run_summary import RunSummary

# How a task that carries no procedure may end; a clean-up that fell over left something behind and is no such end.
WELL = ("success", "skipped")
Mail = Literal["every run", "when red"]


class CouldNotTell(CloOpsError):
    """A message is in the outbox and could not be delivered yet. Worth another try; it is kept either way."""


def summarise(run: Run, context: Mapping[str, Any]) -> RunSummary:
    """What the ledger says of this run, held against what Airflow says of its tasks."""
    from clo_ops.reports.run_summary import BrokenStep, ProcedureTask, assemble

    states = _states(run, context)
    tasks, broken = [], []
    for task in context["task"].dag.tasks:
        state, link = states[task.task_id], run_link(run.dag_id, run.run_id, task.task_id)
        if isinstance(task, ProcedureOperator):
            tasks += [
                ProcedureTask(run.policy.procedures[one], task.task_id, state, link) for one in task.procedure_ids
            ]
        elif not isinstance(task, MailOperator | SummaryOperator) and state not in WELL:
            broken.append(BrokenStep(task.task_id, state, link))
    return assemble(run.ledger, run.ledger_run, tasks, link=run_link(run.dag_id, run.run_id), broken=broken)


def _states(run: Run, context: Mapping[str, Any]) -> Mapping[str, str]:
    """Every task of the run with its state, "None" for one that has none yet."""
    found = context["ti"].get_task_states(dag_id=run.dag_id, run_ids=[run.run_id]).get(run.run_id, {})
    return defaultdict(lambda: "None", {task_id: str(state) for task_id, state in found.items()})


class MailOperator(BaseOperator):
    """Put the run's summary into the outbox for the operations centre and deliver what is due.

    ``when`` red, a run that is not is not told: a page that is asked every few minutes would bury what matters.
    Raises CouldNotTell while the message is undelivered; it stays in the outbox and goes with a later delivery.
    """

    ui_color = "#f7efd6"

    def __init__(self, *, when: Mail = "every run", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.when = when

    def execute(self, context: Mapping[str, Any]) -> dict[str, int]:
        from clo_ops.escalation.outbox import deliver
        from clo_ops.reports.run_summary import as_message

        with open_run(context, self.task_id) as run:
            summary = summarise(run, context)
            if self.when == "when red" and summary.colour != "RED":
                self.log.info("%s Nobody is told: this page mails when it is red.", summary.headline)
                return {"delivered": 0, "waiting": 0, "failed": 0}
            message_id = run.ledger.enqueue(as_message(summary, run.policy))
            report = deliver(run.ledger, run.connections.smtp, datetime.now(UTC))
            self.log.info("%s: %s", summary.headline, report)
            if not run.ledger.is_delivered(message_id):
                raise CouldNotTell(
                    f"the summary of {run.run_id} is in the outbox, undelivered: {report}",
                    allowed="delivered to the operations centre",
                    next_step="check the mail server of the connection clo_smtp; the message is kept until it goes out",
                )
        return {"delivered": report.delivered, "waiting": report.waiting, "failed": report.failed}


class SummaryOperator(BaseOperator):
    """Write the run's verdict to the ledger. Raises CheckFailed when any procedure was red or the mail did not go."""

    ui_color = "#e3f1df"

    def execute(self, context: Mapping[str, Any]) -> dict[str, int]:
        with open_run(context, self.task_id) as run:
            summary = summarise(run, context)
            run.ledger.close_run(run.ledger_run, summary.status, summary.counts)
            mailed = self._mail_state(run, context)
            red = summary.colour == "RED" or mailed != "success"
            run_ended(desk(run.ledger, run.policy), run.dag_id, run.run_id, red=red)
        self.log.info("%s", summary.as_text())
        if red:
            raise CheckFailed(
                f"{summary.headline} {summary.red_titles} The mail to the operations centre: {mailed}.",
                allowed="every procedure judged and none red, and the operations centre told",
                next_step=summary.first_action or "check the mail server of the connection clo_smtp",
            )
        return {status.value: summary.counts.get(status, 0) for status in Status}

    def _mail_state(self, run: Run, context: Mapping[str, Any]) -> str:
        return _states(run, context)["mail_operations_centre"]
