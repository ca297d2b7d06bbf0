"""The blueprint of a DAG that reads like a page of the manual.

    @manual_page
    def daily_morning_startup() -> None:
        with section("System Health Check"):
            @procedure("DM-01")
            def overall_health(run: Run) -> list[Finding]: ...

Schedule, deadline, time limits, owner, tags and failure callback come from the policy's cadences of that DAG; the
mail to the operations centre and the summary, which is red when anything was, close every page. Tasks of other kinds
(an act, set-up and clean-up by ``as_setup`` and ``as_teardown``) may stand among the procedures.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, overload

from airflow.sdk import DAG, Asset, BaseOperator, MultipleCronTriggerTimetable, Param, TaskGroup, TriggerRule
from airflow.sdk.definitions.callback import AsyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert

from clo_ops.orchestration.closing import Mail, MailOperator, SummaryOperator
from clo_ops.orchestration.deadlines import DoneByOfTheCadence, RunAfterDeadline, deadline_missed
from clo_ops.orchestration.escalate import run_failed
from clo_ops.orchestration.procedure import BOUNDS, ProcedureOperator
from clo_ops.policy import policy_at_parse
from clo_ops.policy.firing import ALL, by_the_clock, cadences_of, default_by_hand

if TYPE_CHECKING:
    from clo_ops.policy import Cadence

# Runs are scheduled from here on; catchup is off, so nothing older is ever made up for.
FIRST_DAY = datetime(2026, 1, 1, tzinfo=UTC)
OWNER = "clo-operations"
Wiring = Callable[[], None]


@overload
def manual_page(wire: Wiring) -> DAG: ...
@overload
def manual_page(
    *,
    params: Mapping[str, Param] | None = None,
    mail: Mail = "every run",
    max_active_runs: int = 1,
    schedule: Asset | None = None,
) -> Callable[[Wiring], DAG]: ...
def manual_page(
    wire: Wiring | None = None,
    *,
    params: Mapping[str, Param] | None = None,
    mail: Mail = "every run",
    max_active_runs: int = 1,
    schedule: Asset | None = None,
) -> DAG | Callable[[Wiring], DAG]:
    """The DAG named after the function: its page (the module's docstring), its wiring, and how every page ends.

    Schedule, deadline and limits are those of all the policy's cadences with this ``dag``. ``params`` are the form of a
    run by hand. ``mail`` says which runs the operations centre is told of. ``schedule`` is the asset whose events start
    a DAG that has no times of its own. Raises ConfigurationError without a cadence.
    """

    def page(wire: Wiring) -> DAG:
        of_dag = cadences_of(policy_at_parse(), wire.__name__)
        terms = {
            **_terms(of_dag),
            "max_active_runs": max_active_runs,
            "params": {**(params or {}), **_asked_for(of_dag)},
        }
        doc_md = inspect.getmodule(wire).__doc__
        started_by = _timetable(of_dag) or schedule
        with DAG(dag_id=wire.__name__, schedule=started_by, doc_md=doc_md, **terms) as dag:
            wire()
            _close(dag, mail)
            _within(dag)
        return dag

    return page if wire is None else page(wire)


def _terms(of_dag: Mapping[str, Cadence]) -> dict[str, Any]:
    return {
        "start_date": FIRST_DAY,
        "catchup": False,
        "dagrun_timeout": max(cadence.timeout for cadence in of_dag.values()),
        "deadline": _deadline(of_dag),
        "on_failure_callback": run_failed,
        "default_args": {"owner": OWNER, **BOUNDS},
        "tags": ["clo-ops", next(iter(of_dag.values())).dag.partition("_")[0]],
    }


def _timetable(of_dag: Mapping[str, Cadence]) -> MultipleCronTriggerTimetable | None:
    crons = dict.fromkeys(cron for one in of_dag.values() if by_the_clock(one.dag) for cron in one.cron)
    return MultipleCronTriggerTimetable(*crons, timezone="UTC") if crons else None


def _deadline(of_dag: Mapping[str, Cadence]) -> DeadlineAlert:
    """One alert: the runs of a DAG overlap in time, and one that stands for two cadences is late once, not twice."""
    different = sorted({cadence.done_by for cadence in of_dag.values()})
    longest = different[-1]
    alone = len(different) == 1
    return DeadlineAlert(
        reference=RunAfterDeadline() if alone else DoneByOfTheCadence(otherwise=longest.total_seconds()),
        interval=longest if alone else timedelta(0),
        callback=AsyncCallback(deadline_missed),
        name="done within " + ", ".join(f"{cadence.done_by} ({cadence.title})" for cadence in of_dag.values()),
    )


def _asked_for(of_dag: Mapping[str, Cadence]) -> dict[str, Param]:
    """Which cadence a run by hand stands for, where there is a choice."""
    if len(of_dag) == 1:
        return {}
    titles = {name: cadence.title for name, cadence in of_dag.items()} | {ALL: "All of them"}
    described = "What a run by hand stands for. A run on schedule goes by its time."
    return {
        "cadence": Param(
            default_by_hand(of_dag),
            type="string",
            title="Cadence",
            description=described,
            enum=list(titles),
            values_display=titles,
        )
    }


def section(heading: str) -> TaskGroup:
    """A heading of the manual as a task group. Task ids stay short: the group does not prefix them."""
    group_id = "_".join(heading.lower().replace("-", " ").split())
    return TaskGroup(group_id=group_id, group_display_name=heading, prefix_group_id=False)


def one_after_another(*steps: BaseOperator | Sequence[BaseOperator]) -> None:
    """Each step after the one before it, whether that one was green or red: every procedure of a page runs."""
    for before, after in pairwise(steps):
        for task in [after] if isinstance(after, BaseOperator) else after:
            task.trigger_rule = TriggerRule.ALL_DONE
            task.set_upstream(before)


def _within(dag: DAG) -> None:
    """No task may take longer than its run: it is told by its own time limit, which leaves word, not by the run's."""
    longest = dag.dagrun_timeout or BOUNDS["execution_timeout"]
    for task in dag.tasks:
        task.execution_timeout = min(task.execution_timeout or longest, longest)


def _close(dag: DAG, when: Mail) -> None:
    """The mail waits for every procedure and every loose end, clean-up included: what broke there is told as well."""
    before = [task for task in dag.tasks if isinstance(task, ProcedureOperator) or not task.downstream_task_ids]
    with TaskGroup(group_id="summary_and_mail", group_display_name="Summary and mail", prefix_group_id=False):
        mail = MailOperator(task_id="mail_operations_centre", when=when, trigger_rule="all_done", **BOUNDS)
        summary = SummaryOperator(task_id="summary", trigger_rule="all_done", **BOUNDS)
    before >> mail >> summary
