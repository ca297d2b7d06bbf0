"""Laws 1 to 4: the exact DAGs, each procedure with its task, what DAGs and tasks must carry, one table of schedules."""

from __future__ import annotations

import inspect
import re
from datetime import timedelta

import pytest
from airflow.sdk import TriggerRule
from airflow.sdk.module_loading import import_string

from clo_ops.orchestration.closing import MailOperator, SummaryOperator
from clo_ops.orchestration.coverage import coverage, schedule_page
from clo_ops.orchestration.procedure import RETRIES, ProcedureOperator

DAG_IDS = {"daily_morning_startup"}
HEADINGS = (
    "Manual section",
    "What it does",
    "Done by",
    "What a failure means",
    "First thing to do",
    "Safe to re-run",
)
MORNING = [f"DM-{number:02d}" for number in range(1, 16)]


def test_exactly_these_dags_each_named_as_its_file(dags, root):
    files = {path.stem for path in (root / "dags").glob("*.py")}
    assert files == DAG_IDS == set(dags)


def test_function_bears_the_dags_name(root):
    for name in DAG_IDS:
        source = (root / "dags" / f"{name}.py").read_text(encoding="utf-8")
        assert re.search(rf"^@manual_page\ndef {name}\(\) -> None:", source, re.MULTILINE), name


def test_every_dag_file_is_a_page_of_wiring(root):
    for name in DAG_IDS:
        lines = (root / "dags" / f"{name}.py").read_text(encoding="utf-8").splitlines()
        assert 65 <= len(lines) <= 140, f"{name}: {len(lines)} lines"
        imports = [line for line in lines if re.match(r"(from|import) ", line)]
        assert not [line for line in imports if re.search(r"from (dags|\.)", line)], "dags never import dags"


def test_every_built_procedure_has_a_task_and_no_other_has(policy, dags):
    rows = coverage(policy, list(dags.values()))
    assert [row for row in rows if row.gap] == []
    carried = [row.procedure_id for row in rows if row.task_id]
    assert sorted(carried) == sorted(entry.id for entry in policy.procedures.values() if entry.built)


def test_the_morning_carries_all_fifteen_each_in_a_task_of_its_own(dags):
    tasks = [task for task in dags["daily_morning_startup"].tasks if isinstance(task, ProcedureOperator)]
    assert sorted(task.procedure_id for task in tasks) == MORNING
    assert len({task.task_id for task in tasks}) == 15


def test_every_task_judges_a_procedure_or_closes_the_page(dags):
    for dag in dags.values():
        for task in dag.tasks:
            assert isinstance(task, ProcedureOperator | MailOperator | SummaryOperator), task.task_id


@pytest.mark.parametrize("heading", HEADINGS)
def test_every_dag_has_its_page(dags, heading):
    for dag in dags.values():
        assert f"**{heading}:**" in (dag.doc_md or ""), f"{dag.dag_id}: no {heading}"


def test_every_dag_has_owner_tags_limits_deadline_and_failure_callback(dags, policy):
    for dag in dags.values():
        cadence = policy.cadences[dag.dag_id]
        assert {task.owner for task in dag.tasks} == {"clo-operations"}
        assert "clo-ops" in dag.tags
        assert dag.max_active_runs == 1
        assert dag.catchup is False
        assert timedelta(0) < dag.dagrun_timeout == cadence.timeout
        assert [alert.interval for alert in dag.deadline] == [cadence.done_by]
        assert [callback.__name__ for callback in _as_list(dag.on_failure_callback)] == ["run_failed"]


def _as_list(value):
    return value if isinstance(value, list) else [value]


def test_deadline_callbacks_can_be_imported_by_the_triggerer(dags):
    for dag in dags.values():
        for alert in dag.deadline:
            assert alert.callback.path.startswith("clo_ops.")
            assert inspect.iscoroutinefunction(import_string(alert.callback.path))


def test_every_task_is_bounded_and_retried_by_kind_of_error(dags):
    for dag in dags.values():
        for task in dag.tasks:
            assert task.execution_timeout, task.task_id
            assert task.execution_timeout <= dag.dagrun_timeout
            assert task.retries >= 1
            assert task.retry_policy is RETRIES


def test_every_task_says_which_procedure_it_is_and_where_the_manual_asks_it(dags, policy):
    for dag in dags.values():
        for task in dag.tasks:
            if isinstance(task, ProcedureOperator):
                entry = policy.procedures[task.procedure_id]
                assert entry.id in task.doc_md
                assert " / ".join(entry.section) in task.doc_md
                assert entry.lines in task.doc_md
                assert entry.first_action in task.doc_md


def test_all_procedures_run_even_when_one_fails_and_the_last_task_knows_them_all(dags):
    for dag in dags.values():
        leaves = [task.task_id for task in dag.tasks if not task.downstream_task_ids]
        assert leaves == ["summary"]
        upstream = dag.get_task("mail_operations_centre").upstream_task_ids
        assert upstream == {task.task_id for task in dag.tasks if isinstance(task, ProcedureOperator)}
        for task in dag.tasks:
            if task.upstream_task_ids:
                assert TriggerRule(task.trigger_rule) is TriggerRule.ALL_DONE, task.task_id


def test_schedules_are_those_of_the_one_table(dags, policy):
    for dag in dags.values():
        expressions = sorted(timetable.expression for timetable in _crons(dag.timetable))
        assert expressions == sorted(policy.cadences[dag.dag_id].cron)


def _crons(timetable):
    return getattr(timetable, "timetables", None) or [timetable]


def test_the_page_of_schedules_is_fresh(dags, policy, root):
    written = (root / "dags" / "README.md").read_text(encoding="utf-8")
    assert written == schedule_page(policy, list(dags.values())), "run 'make coverage' and commit dags/README.md"
