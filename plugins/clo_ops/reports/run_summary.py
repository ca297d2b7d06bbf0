"""A run's summary, made from the ledger: what every procedure found, the red ones first to be read.

Only ``pass`` is green. A procedure without a finding, or whose task did not end well although its last finding did
(killed, timed out, cleared and not run again), is ``unknown``: nobody looked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING

from clo_ops.findings import Finding, Severity, Status, worst
from clo_ops.findings.finding import RANK
from clo_ops.policy import Policy, Procedure
from clo_ops.reports.templates import render

if TYPE_CHECKING:
    from clo_ops.ledger import Ledger, Message
    from clo_ops.policy.severities import Support

RED = (Status.FAIL, Status.UNKNOWN)


@dataclass(frozen=True, slots=True)
class ProcedureTask:
    """A procedure's task as Airflow sees it: its state and where its log is."""

    procedure: Procedure
    task_id: str
    state: str
    link: str


@dataclass(frozen=True, slots=True)
class BrokenStep:
    """A task between the procedures (set-up, an act, clean-up) that did not end well."""

    task_id: str
    state: str
    link: str


@dataclass(frozen=True, slots=True)
class ProcedureResult:
    """What one procedure found in this run, worst finding first."""

    task: ProcedureTask
    findings: tuple[Finding, ...]

    @property
    def status(self) -> Status:
        return worst(self.findings)

    @property
    def telling(self) -> Finding:
        """The finding that speaks for the procedure."""
        return self.findings[0]


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One run, judged as a whole. ``at`` is the run's own time, UTC."""

    dag_id: str
    run_id: str
    at: datetime
    results: tuple[ProcedureResult, ...]
    link: str
    broken: tuple[BrokenStep, ...] = ()

    @property
    def status(self) -> Status:
        """The worst of the findings; where all are well but a step broke, nobody knows what that left: unknown."""
        found = worst(finding for result in self.results for finding in result.findings)
        return Status.UNKNOWN if self.broken and found is not Status.FAIL else found

    @property
    def counts(self) -> Mapping[Status, int]:
        """Procedures by their worst status."""
        return Counter(result.status for result in self.results)

    @property
    def red(self) -> tuple[ProcedureResult, ...]:
        return tuple(result for result in self.results if result.status in RED)

    @property
    def colour(self) -> str:
        return "RED" if self.red or self.broken or not self.results else "GREEN"

    @property
    def headline(self) -> str:
        said = ", ".join(f"{self.counts[status]} {WORDS[status]}" for status in RANK if self.counts.get(status))
        steps = "".join(f"; step {one.task_id} {one.state}" for one in self.broken)
        return f"{self.colour} {self.title} {self.at:%Y-%m-%d}: {said or 'no procedure ran'}{steps}."

    @property
    def title(self) -> str:
        return self.dag_id.replace("_", " ")

    @property
    def red_titles(self) -> str:
        return " ".join(
            f"{one.task.procedure.id} {one.task.procedure.title}: {one.telling.message}" for one in self.red
        )

    @property
    def first_action(self) -> str:
        if self.red:
            return self.red[0].telling.first_action
        return f"read the log of task {self.broken[0].task_id}" if self.broken else ""

    @property
    def severity(self) -> Severity | None:
        """Of the finding that speaks for the run; a broken step alone is P2."""
        if self.red:
            return self.red[0].telling.severity
        return Severity.P2 if self.broken else None

    def as_text(self, support: Support | None = None) -> str:
        """``support`` are the contacts that stand at the end of what is mailed (SP-01)."""
        return render("run_summary.txt", summary=self, words=WORDS, support=support)

    def as_html(self, support: Support | None = None) -> str:
        return render("run_summary.html", summary=self, words=WORDS, support=support)

    def digest(self) -> str:
        """The same for two runs of the same tasks that found the same, so that nothing is mailed twice."""
        said = [
            f"{one.task.procedure.id} {finding.name} {finding.subject} {finding.status}"
            for one in self.results
            for finding in one.findings
        ]
        said += [f"{step.task_id} {step.state}" for step in self.broken]
        return sha256("\n".join(said).encode()).hexdigest()[:16]


WORDS = {
    Status.PASS: "passed",
    Status.WARN: "with a warning",
    Status.FAIL: "failed",
    Status.UNKNOWN: "could not be checked",
    Status.NOT_APPLICABLE: "not applicable",
}


def assemble(
    ledger: Ledger, run: int, tasks: Sequence[ProcedureTask], *, link: str, broken: Sequence[BrokenStep] = ()
) -> RunSummary:
    """The run's summary from the ledger's findings, in the order of the page."""
    row, found = ledger.run(run), ledger.findings(run)
    of_task = {task.task_id: [one for one in found if one.procedure in _carried(task, tasks)] for task in tasks}
    results = tuple(
        _result(task, [one for one in found if one.procedure == task.procedure.id], of_task[task.task_id])
        for task in tasks
    )
    return RunSummary(row.dag_id, row.run_id, row.at, results, link, tuple(broken))


def _carried(task: ProcedureTask, tasks: Sequence[ProcedureTask]) -> set[str]:
    return {one.procedure.id for one in tasks if one.task_id == task.task_id}


def _result(task: ProcedureTask, findings: list[Finding], of_task: list[Finding]) -> ProcedureResult:
    if not findings or not _accounts_for(task.state, of_task):
        findings = [*findings, _nobody_looked(task, findings)]
    return ProcedureResult(task, tuple(sorted(findings, key=lambda one: RANK.index(one.status))))


def _accounts_for(state: str, findings: Sequence[Finding]) -> bool:
    """Whether what a task left on record fits how it ended: a red task has red findings, a skipped one was not due."""
    if state == "skipped":
        return all(one.status is Status.NOT_APPLICABLE for one in findings)
    return state == "success" or worst(findings) in RED


def _nobody_looked(task: ProcedureTask, findings: Sequence[Finding]) -> Finding:
    on_record = f"{len(findings)} findings of an earlier try" if findings else "no finding"
    return Finding(
        procedure=task.procedure.id,
        name="did not end well",
        status=Status.UNKNOWN,
        severity=Severity.P2,
        expected="task success and a finding of this run",
        actual=f"task {task.state}, {on_record}",
        message=f"{task.procedure.id} has {on_record} on the record and its task is {task.state}: nobody looked.",
        first_action=f"Open the log of task {task.task_id}, then clear the task to run it again.",
    )


def as_message(summary: RunSummary, policy: Policy) -> Message:
    """The mail to the operations centre (procedure IR-02; contacts of manual L459)."""
    from clo_ops.ledger import Message

    return Message(
        dedup_key=f"summary:{summary.dag_id}:{summary.run_id}:{summary.digest()}",
        recipients=[policy.contacts.support.operations_centre],
        subject=f"[CLO Ops] {summary.headline.rstrip('.')}",
        text=summary.as_text(policy.contacts.support),
        html=summary.as_html(policy.contacts.support),
        severity=summary.severity,
    )
