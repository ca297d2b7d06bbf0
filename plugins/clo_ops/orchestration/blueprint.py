"""The blueprint of a DAG that reads like a page of the manual.

    @manual_page
    def daily_morning_startup() -> None:
        with section("System Health Check"):
            @procedure("DM-01")
            def overall_health(run: Run) -> list[Finding]: ...

Schedule, deadline, time limits, owner, tags and failure callback come from the policy's cadence of that name; the
mail to the operations centre and the summary, which is red when anything was, close every page.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from airflow.sdk import DAG, MultipleCronTriggerTimetable, TaskGroup, TriggerRule
from airflow.sdk.definitions.callback import AsyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert

from clo_ops.orchestration.closing import MailOperator, SummaryOperator
from clo_ops.orchestration.deadlines import RunAfterDeadline, deadline_missed
from clo_ops.orchestration.escalate import run_failed
from clo_ops.orchestration.procedure import BOUNDS, ProcedureOperator
from clo_ops.policy import Cadence, load_policy

# Runs are scheduled from here on; catchup is off, so nothing older is ever made up for.
FIRST_DAY = datetime(2026, 1, 1, tzinfo=UTC)
OWNER = "clo-operations"


def manual_page(wire: Callable[[], None]) -> DAG:
    """The DAG named after the function: its page (the module's docstring), its wiring, and how every page ends."""
    cadence = load_policy().cadences[wire.__name__]
    page = inspect.getmodule(wire).__doc__
    with DAG(dag_id=wire.__name__, schedule=_timetable(cadence), doc_md=page, **_terms(cadence)) as dag:
        wire()
        _close(dag)
    return dag


def _timetable(cadence: Cadence) -> MultipleCronTriggerTimetable:
    return MultipleCronTriggerTimetable(*cadence.cron, timezone="UTC")


def _terms(cadence: Cadence) -> dict[str, Any]:
    return {
        "start_date": FIRST_DAY,
        "catchup": False,
        "max_active_runs": 1,
        "dagrun_timeout": cadence.timeout,
        "deadline": DeadlineAlert(
            reference=RunAfterDeadline(),
            interval=cadence.done_by,
            callback=AsyncCallback(deadline_missed),
            name=f"done within {cadence.done_by}",
        ),
        "on_failure_callback": run_failed,
        "default_args": {"owner": OWNER},
        "tags": ["clo-ops", cadence.dag.partition("_")[0]],
    }


def section(heading: str) -> TaskGroup:
    """A heading of the manual as a task group. Task ids stay short: the group does not prefix them."""
    group_id = "_".join(heading.lower().replace("-", " ").split())
    return TaskGroup(group_id=group_id, group_display_name=heading, prefix_group_id=False)


def one_after_another(*steps: ProcedureOperator | list[ProcedureOperator]) -> None:
    """Each step after the one before it, whether that one was green or red: every procedure of a page runs."""
    for before, after in pairwise(steps):
        for task in after if isinstance(after, list) else [after]:
            task.trigger_rule = TriggerRule.ALL_DONE
            task.set_upstream(before)


def _close(dag: DAG) -> None:
    judged = [task for task in dag.tasks if isinstance(task, ProcedureOperator)]
    with TaskGroup(group_id="summary_and_mail", group_display_name="Summary and mail", prefix_group_id=False):
        mail = MailOperator(task_id="mail_operations_centre", trigger_rule="all_done", **BOUNDS)
        summary = SummaryOperator(task_id="summary", trigger_rule="all_done", **BOUNDS)
    judged >> mail >> summary
