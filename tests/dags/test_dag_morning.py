"""The morning in a real Airflow: green and mailed, red for exactly what is broken, and its pages in the API."""

from __future__ import annotations

import re

import pytest

from clo_ops.findings import Status
from clo_ops.policy import load_policy
from demo import switches
from demo.story import Morning

MORNING = "daily_morning_startup"
PROCEDURES = {f"DM-{number:02d}" for number in range(1, 16)}
FAULTS = {"stale-backup": "DM-04", "login-without-mfa": "DM-11", "missing-asset": "DM-14"}
CLOSING = {"mail_operations_centre", "summary"}


@pytest.fixture(scope="module")
def task_of(stack):
    """Procedure id -> task id, read from what the UI shows."""
    pages = stack.api.documentation(MORNING)
    return {found.group(1): task for task, page in pages.items() if (found := re.match(r"### (DM-\d\d) ", page))}


def ran(stack):
    run_id = stack.api.trigger(MORNING)
    state, tasks = stack.whole_run(MORNING, run_id)
    return tasks, Morning.of(stack.launch.ledger_url, MORNING, run_id, state, stack.api.base_url)


def the_summary_of(stack, morning):
    (mail,) = [one for one in stack.mails() if morning.run_id in str(one.get_body(("plain",)).get_content())
               and "operations@" in one["To"]]  # fmt: skip
    return mail, mail.get_body(("plain",)).get_content(), mail.get_body(("html",)).get_content()


def test_a_healthy_morning_is_green_and_its_summary_is_in_the_mail(stack):
    tasks, morning = ran(stack)
    assert morning.state == "success", [one.message for one in morning.findings if one.status is not Status.PASS]
    assert set(tasks.values()) == {"success"}
    assert set(morning.by_procedure()) == PROCEDURES
    assert morning.red() == frozenset()
    _, text, html = the_summary_of(stack, morning)
    assert set(re.findall(r"DM-\d\d", text)) >= PROCEDURES
    assert set(re.findall(r"DM-\d\d", html)) >= PROCEDURES
    assert stack.mails(f"{MORNING} failed", morning.run_id) == []


def test_a_broken_morning_is_red_for_exactly_what_is_broken(stack, task_of):
    for name in FAULTS:
        switches.switch_on(stack.state, name)
    try:
        tasks, morning = ran(stack)
    finally:
        switches.switch_off_all(stack.state)
    assert morning.state == "failed"
    assert morning.red() == set(FAULTS.values())
    red = {task for task, state in tasks.items() if state != "success"}
    assert red == {task_of[procedure] for procedure in FAULTS.values()} | {"summary"}
    mail, text, html = the_summary_of(stack, morning)
    assert "3" in mail["Subject"]
    for finding in morning.findings:
        if finding.status is Status.FAIL:
            assert finding.first_action in text
            assert finding.procedure in html
    # The DAG processor tells them, soon after the run's end.
    stack.until(lambda: stack.mails(f"{MORNING} failed", morning.run_id), "the mail to management")


def test_every_tasks_page_is_in_the_api(stack, task_of):
    assert set(task_of) == PROCEDURES
    policy, pages = load_policy(mode="demo"), stack.api.documentation(MORNING)
    for procedure, task in task_of.items():
        entry = policy.procedures[procedure]
        assert entry.lines in pages[task]
        assert " / ".join(entry.section) in pages[task]
        assert entry.first_action in pages[task]
    assert set(pages) - set(task_of.values()) == CLOSING


def test_airflow_lists_no_import_error_and_would_list_one(stack):
    listed = stack.cli("dags", "list-import-errors", "--output", "plain")
    assert (listed.returncode, "No data found" in listed.stdout) == (0, True), listed.stdout + listed.stderr
    broken = stack.spare_dags / "broken_dag.py"
    broken.write_text("from airflow.sdk import DAG\nraise RuntimeError('broken on purpose')\n")
    try:
        (error,) = stack.until(stack.api.import_errors, "the broken file's error")
        assert "broken on purpose" in error
        listed = stack.cli("dags", "list-import-errors", "--output", "plain")
        assert (listed.returncode, "broken_dag.py" in listed.stdout) == (1, True)
    finally:
        broken.unlink()
