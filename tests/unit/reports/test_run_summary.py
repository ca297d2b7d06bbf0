"""The summary believes the ledger only as far as the task ended well, and shows outside text harmless."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from jinja2 import UndefinedError

from clo_ops.findings import Finding, Severity, Status
from clo_ops.policy import load_policy
from clo_ops.reports.run_summary import BrokenStep, ProcedureTask, as_message, assemble
from clo_ops.reports.templates import _environment

AT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


class Record:
    """The two questions the summary puts to the ledger, answered from a list."""

    def __init__(self, *findings: Finding) -> None:
        self._findings = list(findings)

    def run(self, run: int):
        return SimpleNamespace(dag_id="daily_morning_startup", run_id="manual__1", at=AT)

    def findings(self, run: int):
        return self._findings


def finding(status: Status, procedure: str = "DM-05", message: str = "said") -> Finding:
    return Finding(
        procedure, f"n{status}", status, "at most 15", "16", message, severity=Severity.P2, first_action="Look."
    )


def task(procedure: str = "DM-05", state: str = "success") -> ProcedureTask:
    return ProcedureTask(load_policy().procedures[procedure], "connection_pool", state, "http://a/log")


def test_all_passed_is_green():
    summary = assemble(Record(finding(Status.PASS)), 1, [task()], link="http://a")
    assert summary.colour == "GREEN"
    assert summary.headline == "GREEN daily morning startup 2026-11-23: 1 passed."


@pytest.mark.parametrize("status", [Status.WARN, Status.NOT_APPLICABLE])
def test_warnings_and_what_does_not_apply_are_counted_not_hidden(status):
    summary = assemble(Record(finding(status)), 1, [task()], link="http://a")
    assert summary.colour == "GREEN"
    assert summary.counts[status] == 1
    assert summary.counts[Status.PASS] == 0


@pytest.mark.parametrize("status", [Status.FAIL, Status.UNKNOWN])
def test_failed_and_unknown_are_red(status):
    summary = assemble(Record(finding(status)), 1, [task(state="failed")], link="http://a")
    assert summary.colour == "RED"
    assert summary.status is status
    assert summary.first_action == "Look."


def test_a_procedure_without_a_finding_is_red_though_its_task_is_green():
    summary = assemble(Record(), 1, [task(state="success")], link="http://a")
    assert summary.colour == "RED"
    assert "no finding" in summary.red[0].telling.message


@pytest.mark.parametrize("state", ["failed", "upstream_failed", "skipped", "None", "running"])
def test_an_earlier_pass_does_not_cover_a_task_that_did_not_end_well(state):
    summary = assemble(Record(finding(Status.PASS)), 1, [task(state=state)], link="http://a")
    assert summary.colour == "RED"
    assert state in summary.red[0].telling.message


def test_no_procedure_at_all_is_not_green():
    summary = assemble(Record(), 1, [], link="http://a")
    assert summary.colour == "RED"
    assert summary.status is Status.UNKNOWN
    assert "no procedure ran" in summary.headline


def test_the_mail_names_both_numbers_the_manual_and_the_first_step():
    summary = assemble(Record(finding(Status.FAIL, message="16 active.")), 1, [task(state="failed")], link="http://a")
    text = as_message(summary, load_policy()).text
    for said in ("16 active.", "Observed: 16", "Allowed:  at most 15", "Look.", "http://a/log", "Database Validation"):
        assert said in text


def test_text_from_outside_is_escaped_in_the_html_mail():
    evil = '<script>alert("x")</script>'
    message = as_message(
        assemble(Record(finding(Status.FAIL, message=evil)), 1, [task(state="failed")], link="http://a"), load_policy()
    )
    assert evil not in message.html
    assert "&lt;script&gt;" in message.html


def test_the_same_verdict_is_one_mail_and_another_verdict_another():
    def key(status: Status, message: str) -> str:
        return as_message(
            assemble(Record(finding(status, message=message)), 1, [task()], link="http://a"), load_policy()
        ).dedup_key

    assert key(Status.PASS, "14 active") == key(Status.PASS, "13 active")
    assert key(Status.PASS, "14 active") != key(Status.WARN, "16 active")


def test_an_unknown_name_in_a_template_is_an_error():
    with pytest.raises(UndefinedError):
        _environment().from_string("{{ nobody }}").render()


def test_a_step_that_broke_is_red_named_and_mailed_anew():
    clean = assemble(Record(finding(Status.PASS)), 1, [task()], link="http://a")
    broken = [BrokenStep("remove_place", "failed", "http://a/remove")]
    summary = assemble(Record(finding(Status.PASS)), 1, [task()], link="http://a", broken=broken)
    assert (summary.colour, summary.status, summary.severity) == ("RED", Status.UNKNOWN, Severity.P2)
    assert "step remove_place failed" in summary.headline
    assert "remove_place: failed; its log: http://a/remove" in summary.as_text()
    assert "remove_place" in summary.as_html()
    assert summary.digest() != clean.digest()


def test_a_skipped_task_is_not_applicable_only_where_the_record_says_so():
    not_due = assemble(Record(finding(Status.NOT_APPLICABLE)), 1, [task(state="skipped")], link="http://a")
    cut_off = assemble(Record(finding(Status.PASS)), 1, [task(state="skipped")], link="http://a")
    assert (not_due.status, not_due.colour) == (Status.NOT_APPLICABLE, "GREEN")
    assert (cut_off.status, cut_off.colour) == (Status.UNKNOWN, "RED")


def test_of_two_procedures_in_one_task_the_failure_of_one_leaves_the_others_pass():
    both = [replace(task(state="failed"), procedure=load_policy().procedures[one]) for one in ("DM-05", "DM-06")]
    found = [replace(finding(Status.FAIL), procedure="DM-05"), replace(finding(Status.PASS), procedure="DM-06")]
    summary = assemble(Record(*found), 1, both, link="http://a")
    assert [one.status for one in summary.results] == [Status.FAIL, Status.PASS]
    killed = assemble(Record(found[1]), 1, both, link="http://a")
    assert [one.status for one in killed.results] == [Status.UNKNOWN, Status.UNKNOWN]
