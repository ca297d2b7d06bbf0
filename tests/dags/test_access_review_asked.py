"""An access review on a real Airflow: asked in Required Actions, answered by who may, and on record."""

from __future__ import annotations

import json
import urllib.parse

import pytest

from clo_ops.findings import Status
from clo_ops.findings.audit_items import ACTIONS, REVIEW
from demo.stack.airflow_api import AirflowApi, AirflowSaid

DAG = "monthly_week1_security_audit"
SECURITY, COMPLIANCE, DATABASE = (
    f"review_by_{one}" for one in ("security_officer", "compliance_officer", "database_administrator")
)


@pytest.fixture(scope="module")
def people(stack):
    """``op`` may answer for the owners of roles and is on no list; ``admin`` may too, and has an account."""
    passwords = stack.state / "airflow" / "passwords.json"
    passwords.write_text(json.dumps(json.loads(passwords.read_text()) | {"op": "op", "viewer": "viewer"}))
    return {"op": AirflowApi(stack.api.base_url, "op", "op"), "admin": stack.api}


def asked(stack, run_id, task):
    """Until the task waits for its answer; the question as Airflow shows it."""
    stack.until(lambda: stack.api.tasks(DAG, run_id).get(task) == "awaiting_input", f"{task} asking")
    asked = stack.api._send("GET", f"/api/v2/dags/{DAG}/dagRuns/{urllib.parse.quote(run_id)}/hitlDetails")
    return next(one for one in asked["hitl_details"] if one["task_instance"]["task_id"] == task)


def answer(api, run_id, task, option, said):
    path = f"/api/v2/dags/{DAG}/dagRuns/{urllib.parse.quote(run_id)}/taskInstances/{task}/-1/hitlDetails"
    return api._send("PATCH", path, {"chosen_options": [option], "params_input": said})


def field(question, name):
    return question["params"][name]["value"]


def test_each_reviewer_is_asked_about_their_list_and_the_answers_are_on_record(stack, people):
    run_id = stack.api.trigger(DAG, {"cadence": "access_review"})
    security, compliance, database = (asked(stack, run_id, one) for one in (SECURITY, COMPLIANCE, DATABASE))
    with stack.ledger() as ledger:
        items = {one.owner: one for one in ledger.audit_items([REVIEW])}
    assert {one["name"] for one in security["assigned_users"]} == {"op"}, "admin is on that list"
    assert "`admin`" in security["body"]
    assert field(security, "list") == items["Security Officer"].detail
    with pytest.raises(AirflowSaid, match=r": 403 "):
        answer(people["admin"], run_id, SECURITY, "Keep all", {"list": field(security, "list")})
    answer(people["op"], run_id, SECURITY, "Keep all", {"list": field(security, "list"), "note": "asked each"})
    said = {"list": field(compliance, "list"), "revoke": "viewer"}
    answer(people["op"], run_id, COMPLIANCE, "Revoke those named", said)
    answer(people["admin"], run_id, DATABASE, "Keep all", {"list": field(database, "list")})
    state, tasks = stack.whole_run(DAG, run_id)
    reviewed = {one.subject: one for one in stack.findings(DAG, run_id) if one.procedure == "M1-09"}
    assert {one.status for one in reviewed.values()} == {Status.PASS}, reviewed
    assert "op on" in reviewed["Security Officer"].message
    assert f"list {field(security, 'list')}" in reviewed["Security Officer"].message
    assert (tasks["improvements"], tasks["inactive_accounts"], tasks["who_approves"]) == (
        "success",
        "skipped",
        "skipped",
    )
    assert state == ("success" if tasks["accounts"] == "success" else "failed"), tasks
    with stack.ledger() as ledger:
        assert ledger.audit_items([REVIEW], open_only=True) == []
        assert [one.title for one in ledger.audit_items(ACTIONS)] == ["Revoke the access of account viewer"]
