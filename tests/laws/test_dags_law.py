"""Laws 1 to 4: the exact DAGs, each procedure with its task, what DAGs and tasks must carry, one table of schedules."""

from __future__ import annotations

import inspect
import re
from datetime import timedelta

import pytest
from airflow.sdk import TriggerRule
from airflow.sdk.module_loading import import_string

from clo_ops.orchestration.closing import MailOperator, SummaryOperator
from clo_ops.orchestration.coverage import coverage, generated
from clo_ops.orchestration.deadlines import DoneByOfTheCadence, RunAfterDeadline
from clo_ops.orchestration.procedure import RETRIES, ProcedureOperator
from clo_ops.orchestration.procedure_page import words_of
from clo_ops.orchestration.questions import Question
from clo_ops.policy.firing import cadences_of

DAG_IDS = {
    "business_hours_monitoring",
    "daily_end_of_day",
    "daily_morning_startup",
    "incident_response",
    "log_management",
    "maintenance",
    "monthly_week1_security_audit",
    "monthly_week2_performance_review",
    "monthly_week3_dr_test",
    "monthly_week4_system_updates",
    "reports_and_support",
    "weekly_friday_compliance",
    "weekly_wednesday_capacity",
    "weekly_monday_maintenance",
}
HEADINGS = (
    "Manual section",
    "What it does",
    "Done by",
    "What a failure means",
    "First thing to do",
    "Safe to re-run",
)
# DAGs whose procedures nobody has described for operators yet.
WITHOUT_WORDS: set[str] = set()
# Pages whose runs may overlap, with the reason; every other has one run at a time.
OVERLAPPING = {
    "incident_response": "a run lasts as long as its incidents, and others come meanwhile",
    "maintenance": "an emergency that waits for its approval keeps no window from its time; the lock lets one work",
    "monthly_week1_security_audit": "an access review waits for people for days; the next audit and its form do not",
    "log_management": "how the bursts stand does not wait for the evening's analysis",
}
MORNING = [f"DM-{number:02d}" for number in range(1, 16)]


def test_exactly_these_dags_each_named_as_its_file(dags, root):
    files = {path.stem for path in (root / "dags").glob("*.py")}
    assert files == DAG_IDS == set(dags)


def test_airflows_file_scan_sees_every_dag(root):
    """In safe mode a file without both words is never parsed: no run, and no import error either."""
    for name in DAG_IDS:
        text = (root / "dags" / f"{name}.py").read_text(encoding="utf-8").lower()
        assert "airflow" in text, f"{name}: write that it is an Airflow DAG into its title"
        assert "dag" in text, name


def test_function_bears_the_dags_name(root):
    for name in DAG_IDS:
        source = (root / "dags" / f"{name}.py").read_text(encoding="utf-8")
        assert re.search(rf"^@manual_page(\([^@]*\))?\ndef {name}\(\) -> None:", source, re.MULTILINE), name


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
    assert sorted(one for task in tasks for one in task.procedure_ids) == MORNING
    assert len({task.task_id for task in tasks}) == 15


def test_every_task_says_what_it_is_about(dags):
    """A task that carries no procedure and closes no page is a step between them: its page in the UI says what."""
    for dag in dags.values():
        for task in dag.tasks:
            if not isinstance(task, MailOperator | SummaryOperator):
                assert len(task.doc_md or "") >= 20, f"{dag.dag_id}.{task.task_id}"


def test_no_step_is_a_command_line(dags):
    """What a step does is tested code of ours, not text in a DAG."""
    for dag in dags.values():
        for task in dag.tasks:
            function = getattr(task, "python_callable", None)
            home = function.__module__ if function else type(task).__module__
            assert home.startswith("clo_ops"), f"{dag.dag_id}.{task.task_id} is {home}"


@pytest.mark.parametrize("heading", HEADINGS)
def test_every_dag_has_its_page(dags, heading):
    for dag in dags.values():
        assert f"**{heading}:**" in (dag.doc_md or ""), f"{dag.dag_id}: no {heading}"


def test_every_dag_has_owner_tags_limits_deadline_and_failure_callback(dags, policy):
    for dag in dags.values():
        of_dag = cadences_of(policy, dag.dag_id).values()
        assert {task.owner for task in dag.tasks} == {"clo-operations"}
        assert "clo-ops" in dag.tags
        assert dag.max_active_runs == 1 or dag.dag_id in OVERLAPPING
        assert dag.catchup is False
        assert timedelta(0) < dag.dagrun_timeout == max(cadence.timeout for cadence in of_dag)
        assert [callback.__name__ for callback in _as_list(dag.on_failure_callback)] == ["run_failed"]


def test_every_dag_has_one_deadline_and_it_is_the_policys(dags, policy):
    for dag in dags.values():
        done_by = {cadence.done_by for cadence in cadences_of(policy, dag.dag_id).values()}
        (alert,) = dag.deadline
        if len(done_by) == 1:
            assert {alert.interval} == done_by
            assert isinstance(alert.reference, RunAfterDeadline)
        else:
            assert alert.interval == timedelta(0), "the reference works it out for each run"
            assert isinstance(alert.reference, DoneByOfTheCadence)
            assert alert.reference.otherwise == max(done_by).total_seconds()


def test_every_procedure_of_a_page_with_several_cadences_is_in_one(dags, policy):
    for dag in dags.values():
        of_dag = cadences_of(policy, dag.dag_id).values()
        if all(cadence.procedures for cadence in of_dag):
            named = {one for cadence in of_dag for one in cadence.procedures}
            carried = {one for task in dag.tasks if isinstance(task, ProcedureOperator) for one in task.procedure_ids}
            assert carried <= named, dag.dag_id


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
            for one in task.procedure_ids if isinstance(task, ProcedureOperator) else ():
                entry = policy.procedures[one]
                assert entry.id in task.doc_md
                assert " / ".join(entry.section) in task.doc_md
                assert entry.lines in task.doc_md
                assert entry.first_action in task.doc_md


def test_all_procedures_run_even_when_one_fails_and_the_last_task_knows_them_all(dags):
    """A chain of procedures only goes on whatever the one before said. Behind a step that makes something (a set-up,
    an act) a procedure may wait for its success; what then did not run is unknown in the summary."""
    for dag in dags.values():
        leaves = [task.task_id for task in dag.tasks if not task.downstream_task_ids]
        assert leaves == ["summary"]
        mail = dag.get_task("mail_operations_centre")
        assert mail.downstream_task_ids == {"summary"}
        procedures = {task.task_id for task in dag.tasks if isinstance(task, ProcedureOperator)}
        assert procedures <= mail.upstream_task_ids
        assert _all_before(mail) == set(dag.task_dict) - {"mail_operations_centre", "summary"}
        for task in dag.tasks:
            closing = isinstance(task, MailOperator | SummaryOperator)
            if closing or (task.upstream_task_ids and task.upstream_task_ids <= procedures and not task.is_teardown):
                assert TriggerRule(task.trigger_rule) is TriggerRule.ALL_DONE, task.task_id


def test_every_question_shows_its_own_fields_whatever_the_form_of_its_dag_has(dags):
    questions = [task for dag in dags.values() for task in dag.tasks if isinstance(task, Question)]
    assert len(questions) >= 8
    assert [task.task_id for task in questions if "note" not in task.serialized_params] == []


def _all_before(task):
    return {one.task_id for one in task.get_flat_relatives(upstream=True)}


def test_what_is_set_up_is_cleaned_up(dags):
    for dag in dags.values():
        for task in dag.tasks:
            if task.is_setup:
                after = task.get_flat_relatives(upstream=False)
                assert any(one.is_teardown for one in after), f"{dag.dag_id}.{task.task_id} has no teardown"


def test_schedules_are_those_of_the_one_table(dags, policy):
    for dag in dags.values():
        expected = {cron for cadence in cadences_of(policy, dag.dag_id).values() for cron in cadence.cron}
        expressions = [timetable.expression for timetable in _crons(dag.timetable)] if expected else []
        assert sorted(expressions) == sorted(expected)


def _crons(timetable):
    return getattr(timetable, "timetables", None) or [timetable]


def test_the_pages_made_from_the_dags_are_fresh(dags, policy, root):
    pages = generated(policy, list(dags.values()))
    for path, text in pages.items():
        assert path.is_file(), f"run 'make coverage' and commit {path.relative_to(root)}"
        assert path.read_text(encoding="utf-8") == text, f"run 'make coverage' and commit {path.relative_to(root)}"
    assert set((root / "docs" / "procedures").glob("*.md")) == {path for path in pages if path.parent.name != "dags"}


def test_what_each_status_of_a_procedure_means_is_written_down(dags, root):
    """include/procedures/<dag>.yaml: every procedure of the DAG, and no other."""
    for dag in dags.values():
        carried = {one for task in dag.tasks if isinstance(task, ProcedureOperator) for one in task.procedure_ids}
        assert set(words_of(dag.dag_id)) == (set() if dag.dag_id in WITHOUT_WORDS else carried), dag.dag_id
    assert {path.stem for path in (root / "include" / "procedures").glob("*.yaml")} <= DAG_IDS
