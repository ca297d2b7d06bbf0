"""What a task's colour means, and which errors are worth another try."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from airflow.sdk.definitions.retry_policy import RetryAction

from clo_ops.findings import Answer, CheckFailed, ConfigurationError, CouldNotCheck, Finding, Severity, Status
from clo_ops.orchestration.procedure import RETRIES, ProcedureOperator, document, procedure, raise_if_red, tally
from clo_ops.orchestration.recording import carry_out
from clo_ops.orchestration.run import run_time
from clo_ops.policy import load_policy


def finding(status: Status, message: str = "said") -> Finding:
    return Finding("DM-05", "n", status, "at most 15", "16", message, severity=Severity.P2, first_action="Look.")


@pytest.mark.parametrize("status", [Status.PASS, Status.WARN, Status.NOT_APPLICABLE])
def test_these_do_not_turn_a_task_red(status):
    raise_if_red("DM-05", [finding(status)])


def test_a_failure_says_what_was_seen_what_is_allowed_and_what_to_do_first():
    with pytest.raises(CheckFailed, match=r"16 active\. Allowed: at most 15\. Next: Look\."):
        raise_if_red("DM-05", [finding(Status.PASS), finding(Status.FAIL, "16 active.")])


def test_nobody_answering_is_another_error_than_a_failure():
    with pytest.raises(CouldNotCheck, match="timed out"):
        raise_if_red("DM-05", [finding(Status.WARN), finding(Status.UNKNOWN, "timed out")])


def test_a_failure_outranks_what_could_not_be_asked():
    with pytest.raises(CheckFailed):
        raise_if_red("DM-05", [finding(Status.UNKNOWN), finding(Status.FAIL)])


def test_no_finding_at_all_is_red():
    with pytest.raises(CouldNotCheck, match="nobody looked"):
        raise_if_red("DM-05", [])


@pytest.mark.parametrize(
    ("error", "action"),
    [
        (CheckFailed("x"), RetryAction.FAIL),
        (ConfigurationError("x"), RetryAction.FAIL),
        (CouldNotCheck("x"), RetryAction.RETRY),
        (ValueError("x"), RetryAction.DEFAULT),
    ],
)
def test_retries_go_by_the_kind_of_error(error, action):
    assert RETRIES.evaluate(error, 1, 3).action is action


def test_an_unknown_id_is_refused_with_what_is_allowed():
    with pytest.raises(ConfigurationError, match=r"'DM-99' is not in the catalogue.*procedures\.yaml"):
        procedure("DM-99")


def test_the_decorator_makes_a_task_named_after_the_function_with_its_page():
    def connection_pool(run):
        """Connections by state."""

    task = procedure("DM-05")(connection_pool)
    assert isinstance(task, ProcedureOperator)
    assert task.task_id == "connection_pool"
    assert task.procedure_id == "DM-05"
    assert "Connections by state." in task.doc_md
    assert "Database Validation" in task.doc_md


def test_a_procedure_that_says_nothing_or_breaks_off_is_unknown_not_green():
    recorded = []
    run = SimpleNamespace(
        dag_id="d", run_id="r", day=None, at=datetime(2026, 11, 23, 8, tzinfo=UTC), answer=Answer(), evidence=[]
    )
    run.connections = SimpleNamespace(evidence=lambda: SimpleNamespace(put=lambda *_: None))
    run.ledger = SimpleNamespace(record=lambda run, procedure, findings, *_: recorded.append(findings[0]))
    run.ledger_run = run.try_number = 1
    assert [one.status for one in carry_out(run, ["DM-05"], lambda _: [])] == [Status.UNKNOWN]
    with pytest.raises(ZeroDivisionError):
        carry_out(run, ["DM-05"], lambda _: 1 // 0)
    assert [one.name for one in recorded] == ["not finished", "nothing was judged", "not finished", "broke off"]


def _named(name, function):
    function.__name__ = name
    return function


def test_the_runs_own_time_is_its_logical_date_or_when_it_was_due():
    at, due = datetime(2026, 11, 23, 8, tzinfo=UTC), datetime(2026, 11, 24, 9, tzinfo=UTC)
    assert run_time({"dag_run": SimpleNamespace(logical_date=at, run_after=due)}) == at
    assert run_time({"dag_run": SimpleNamespace(logical_date=None, run_after=due)}) == due


def test_the_return_value_counts_findings_by_status():
    assert tally([finding(Status.PASS), finding(Status.PASS), finding(Status.WARN)]) == {
        "pass": 2,
        "warn": 1,
        "fail": 0,
        "unknown": 0,
        "not_applicable": 0,
    }


def test_the_page_of_a_task_names_id_section_and_first_action():
    entry = load_policy().procedures["DM-04"]
    page = document(entry, "What it does.")
    assert page.startswith("### DM-04 ")
    assert entry.first_action in page
    assert entry.lines in page


def test_one_question_may_settle_several_procedures():
    both = procedure("DM-05", also=("DM-06",))(_named("both", lambda _: [finding(Status.PASS)]))
    assert both.procedure_ids == ("DM-05", "DM-06")
    assert "### DM-05" in both.doc_md
    assert "### DM-06" in both.doc_md


def test_a_finding_of_somebody_elses_procedure_is_refused():
    stray = procedure("DM-06")(_named("stray", lambda _: [finding(Status.PASS)]))
    with pytest.raises(ValueError, match=r"stray judges DM-06, not \['DM-05'\]"):
        stray.judge(SimpleNamespace())
