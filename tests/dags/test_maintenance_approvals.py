"""An emergency on a real Airflow: asked for, approved by somebody else, backed up, made by a person, tested, told."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.parse
from pathlib import Path

import pytest

from clo_ops.findings import Status
from demo.stack.airflow_api import AirflowApi, AirflowSaid

ROOT = Path(__file__).resolve().parents[2]
DAG = "maintenance"
FORM = {
    "reason": "disk is <filling>",
    "change": "move the archive to the new volume",
    "rollback": "mount the old volume again",
}


@pytest.fixture(scope="module")
def people(stack):
    """``op`` is the manager of this policy; ``viewer`` may look."""
    passwords = stack.state / "airflow" / "passwords.json"
    passwords.write_text(json.dumps(json.loads(passwords.read_text()) | {"op": "op", "viewer": "viewer"}))
    return {name: AirflowApi(stack.api.base_url, name, name) for name in ("op", "viewer")} | {"admin": stack.api}


@pytest.fixture(scope="module")
def run_id(stack):
    return stack.api.trigger(DAG, FORM)


ENDED = ("success", "failed", "skipped", "upstream_failed")


def passes_by(stack, run_id, *tasks):
    """Each task one after the other, so that patience is for one task and not for all of them."""
    for task in tasks:
        stack.until(lambda task=task: stack.api.tasks(DAG, run_id).get(task) in ENDED, f"the end of {task}")


def waits(stack, run_id, task):
    """Until the task asks; the question as Airflow shows it."""
    states = ("awaiting_input", "deferred")
    stack.until(lambda: stack.api.tasks(DAG, run_id).get(task) in states, f"{task} asking")
    asked = stack.api._send("GET", f"/api/v2/dags/{DAG}/dagRuns/{urllib.parse.quote(run_id)}/hitlDetails")
    return next(one for one in asked["hitl_details"] if one["task_instance"]["task_id"] == task)


def answer(api, run_id, task, option, note=""):
    path = f"/api/v2/dags/{DAG}/dagRuns/{urllib.parse.quote(run_id)}/taskInstances/{task}/-1/hitlDetails"
    return api._send("PATCH", path, {"chosen_options": [option], "params_input": {"note": note}})


def is_refused(api, run_id, task, option):
    with pytest.raises(AirflowSaid, match=r": 403 "):
        answer(api, run_id, task, option)


def approvals(stack, run_id):
    with stack.ledger() as ledger:
        (run,) = [one for one in ledger.recent_runs(DAG) if one.run_id == run_id]
        return ledger.approvals_of(run.id)


def test_the_question_shows_the_plans_and_who_may_answer(stack, run_id, people):
    passes_by(stack, run_id, "what_is_planned")
    question = waits(stack, run_id, "who_approves")
    assert question["options"] == ["Approve", "Refuse"]
    assert "move the archive" in question["body"]
    assert "mount the old volume again" in question["body"]
    (asked,) = approvals(stack, run_id)
    assert (asked.requester, asked.kind, asked.decision) == ("admin", "prior", "")
    assert asked.hash in question["body"]
    assert {one["name"] for one in question["assigned_users"]} >= {"op"}
    assert "admin" not in {one["name"] for one in question["assigned_users"]}


def test_who_asked_for_it_cannot_approve_it_nor_can_who_only_looks(stack, run_id, people):
    is_refused(people["viewer"], run_id, "who_approves", "Approve")
    is_refused(people["admin"], run_id, "who_approves", "Approve")
    assert approvals(stack, run_id)[0].decision == ""


def test_approved_by_somebody_else_it_is_backed_up_and_the_person_is_asked(stack, run_id, people):
    answer(people["op"], run_id, "who_approves", "Approve", "seen")
    passes_by(stack, run_id, "who_approves", "emergency_authorised", "before")
    question = waits(stack, run_id, "change_by_hand")
    (asked,) = approvals(stack, run_id)
    assert (asked.decision, asked.decided_by, asked.note) == ("approved", "op", "seen")
    assert "move the archive" in question["subject"]
    before = {one.name: one for one in stack.findings(DAG, run_id) if one.procedure == "MW-04"}
    assert before["backup before the change"].status is Status.PASS
    assert not [one for one in before.values() if one.status in (Status.FAIL, Status.UNKNOWN)], before


def test_made_tested_documented_and_told_when_it_is_over(stack, run_id, people):
    answer(people["admin"], run_id, "change_by_hand", "Made", "archive on /new")
    passes_by(stack, run_id, "change_by_hand", "during", "after", "mail_operations_centre")
    state, tasks = stack.whole_run(DAG, run_id)
    found = stack.findings(DAG, run_id)
    red = [one.message for one in found if one.status in (Status.FAIL, Status.UNKNOWN)]
    assert (state, red) == ("success", []), (tasks, red)
    said = {(one.procedure, one.name): one for one in found}
    assert "approved by op" in said["MW-03", "authorisation"].actual
    assert "Made by admin: archive on /new" in said["MW-05", "change by hand"].message
    assert said["MW-05", "tested after it"].status is Status.PASS
    assert said["MW-06", "documents"].status is Status.PASS
    assert {one for one, how in tasks.items() if how == "skipped"} == {"weekly", "monthly"}
    for words in ("Maintenance has begun", "Maintenance is over"):
        assert stack.mails(words), words


def test_make_plan_shows_what_monday_would_do_and_changes_nothing(stack):
    command = [sys.executable, str(ROOT / "demo" / "plan.py"), "--state", str(stack.state)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode in (0, 1), done.stderr
    assert "indexes: " in done.stdout
    with stack.ledger() as ledger:
        (run, *_) = ledger.recent_runs("make_plan")
        assert {one.state for one in ledger.plans_of(run.id)} == {"planned"}
