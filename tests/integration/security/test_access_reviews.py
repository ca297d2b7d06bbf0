"""An access review: the lists of M1-01 before the owners of the roles, and what becomes of answers and of silence."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
from datetime import UTC, datetime, timedelta

import pytest

from clo_ops.escalation.desk import Desk
from clo_ops.escalation.overdue_items import cause
from clo_ops.findings import ConfigurationError, Status
from clo_ops.findings.audit_items import ACTIONS, REVIEW
from clo_ops.orchestration import access_review as reviews
from clo_ops.orchestration.access_audit import accounts
from clo_ops.orchestration.audit_register import improvements
from clo_ops.orchestration.inactive_accounts import FIELD, plan_of, wanted
from clo_ops.orchestration.questions import AnswerRefused
from clo_ops.orchestration.recording import carry_out

SECURITY, COMPLIANCE, DATABASE = "Security Officer", "Compliance Officer", "Database Administrator"
DAY = timedelta(days=1)
DISABLED = "SELECT username FROM app_users WHERE disabled ORDER BY username"
ADMIN_TOO = """INSERT INTO app_user_roles (user_id, role_id, granted_by)
    SELECT user_id, role_id, 'admin' FROM app_users, app_roles WHERE username = 'viewer' AND role_name = 'admin'"""


def answer(run, reviewer, option=reviews.KEEP, by="manager", **said):
    item = reviews.open_items(run)[reviewer]
    return reviews.answer(run, reviewer, option, by, {"list": item.detail, **said})


def lists_of(tmp_path):
    files = {one.name: one.read_bytes() for one in (tmp_path / "evidence").rglob("access-review-*.csv")}
    return {name: (data, list(csv.DictReader(io.StringIO(data.decode())))) for name, data in files.items()}


def owed(site, at=None):
    """What SOX-05 says of access reviews."""
    (found,) = [one for one in site.judged("WF-01", at) if one.subject == "SOX-05"]
    return found.message if "access review by" in found.message else ""


def test_each_list_is_evidence_and_its_hash_is_what_is_asked_about(copy, tmp_path):
    with copy.database() as connection:
        connection.execute("UPDATE app_users SET full_name = '=cmd()' WHERE username = 'admin'")
        connection.execute("UPDATE app_users SET disabled = true WHERE username = 'viewer'")
    with copy.review() as run:
        items = reviews.open_items(run)
        assert list(items) == [SECURITY, COMPLIANCE, DATABASE]
        assert {one.due_at for one in items.values()} == {run.at + 14 * DAY}
        kept = {one.name: one.sha256 for one in run.ledger.evidence(run.ledger_run)}
    found = lists_of(tmp_path)
    for reviewer, item in items.items():
        data, _ = found[reviews.file_of(reviewer)]
        assert hashlib.sha256(data).hexdigest() == item.detail == kept[reviews.file_of(reviewer)]
    security = found[reviews.file_of(SECURITY)][1]
    assert [(row["name"], row["access"], row["full name"]) for row in security] == [("admin", "admin", "'=cmd()")]
    compliance = {row["name"]: row["access"] for row in found[reviews.file_of(COMPLIANCE)][1]}
    assert {"manager": "manager", "analyst": "analyst"}.items() <= compliance.items()
    assert "viewer" not in compliance, "who is disabled has no access to review"
    assert "clo_ops_reader" in {row["name"] for row in found[reviews.file_of(DATABASE)][1]}


def test_nobody_answers_about_themselves_and_nobody_else_than_policy_names(site):
    with site.review() as run:
        for by in ("admin", "viewer", ""):  # on the list; not named in policy; nobody known
            with pytest.raises(AnswerRefused, match="may not"):
                answer(run, SECURITY, by=by)
        with pytest.raises(AnswerRefused, match="manager answered for Compliance Officer, and may not"):
            answer(run, COMPLIANCE)
        assert len(reviews.open_items(run)) == 3
        assert answer(run, COMPLIANCE, by="admin").startswith("admin: all")
    terms = site.policy.audit.review.model_copy(update={"accounts": {"manager": ("admin",)}})
    audit = site.policy.audit.model_copy(update={"review": terms})
    site.policy = site.policy.model_copy(update={"audit": audit})
    with site.review() as run:
        item = reviews.open_items(run)[SECURITY]
        assert reviews.may_answer(run, item, reviews.rows_of(run, item)) == []
        with pytest.raises(AnswerRefused, match="one of nobody"):
            answer(run, SECURITY)


def test_an_answer_holds_for_its_list_and_is_on_record_once(site):
    with site.review() as run:
        item = reviews.open_items(run)[SECURITY]
        for other in ("", "0" * 64):
            with pytest.raises(AnswerRefused, match="the answer is about list"):
                answer(run, SECURITY, list=other)
        assert answer(run, SECURITY, note="asked  them\nall") == "manager: all 1 keep their access"
        assert (
            reviews.answer(run, SECURITY, reviews.KEEP, "manager", {})
            == f"the review of {SECURITY} is answered already"
        )
    (done,) = [one for one in site.ledger.audit_items([REVIEW]) if one.key == SECURITY]
    assert (done.closed_by, done.close_reason) == (
        "manager",
        f"list {item.detail}: all 1 keep their access; asked them all",
    )
    assert [actor for _, actor, _ in site.ledger.item_history(done.id)] == ["clo_ops", "manager"]


def test_revoked_is_a_thing_to_do_for_somebody_and_nobodys_access_is_changed(copy):
    with copy.database() as connection:
        before = connection.execute(DISABLED).fetchall()
    with copy.review() as run:
        for option, names in ((reviews.REVOKE, ""), (reviews.REVOKE, "analyst, nobody"), (reviews.KEEP, "analyst")):
            with pytest.raises(AnswerRefused, match="to be revoked"):
                answer(run, COMPLIANCE, option, by="admin", revoke=names)
        assert copy.ledger.audit_items(ACTIONS) == []
        said = answer(run, COMPLIANCE, reviews.REVOKE, by="admin", revoke="analyst; viewer")
    assert said == "admin: 2 to be revoked: analyst, viewer"
    items = copy.ledger.audit_items(ACTIONS)
    assert {(one.title, one.detail, one.owner) for one in items} == {
        ("Revoke the access of account analyst", "analyst", "System Administrator"),
        ("Revoke the access of account viewer", "viewer", "System Administrator"),
    }
    with copy.database() as connection:
        assert connection.execute(DISABLED).fetchall() == before
        connection.execute(ADMIN_TOO)
    with copy.run("M1-02") as run:
        asking = dataclasses.replace(run, trigger="manual", asked_by="operator", params={FIELD: True})
        (step,) = plan_of(asking).steps
        assert wanted(asking)
    assert step.statement.startswith("disable analyst (revoked by System Administrator, item ")
    with copy.review() as run:
        assert not wanted(dataclasses.replace(run, trigger="manual", params={FIELD: True})), "no run to disable in"


def test_silence_is_a_finding_once_its_date_has_passed_and_until_somebody_answers(copy):
    assert "access review by Security Officer (not asked since" in owed(copy)
    with copy.review() as run:
        asked = run.at
        answer(run, COMPLIANCE, by="admin")
        answer(run, DATABASE, by="admin")
        item = reviews.open_items(run)[SECURITY]
    assert owed(copy, item.due_at) == "", "in time to the very date"
    late = item.due_at + timedelta(minutes=1)
    assert f"access review by {SECURITY} (item {item.id} was to be answered by {item.due_at:%Y-%m-%d})" in owed(
        copy, late
    )
    (found,) = [one for one in copy.judged("M1-09", late) if one.status is Status.FAIL]
    assert f"Access review of {asked:%B %Y}, {SECURITY}: 1 with access" in found.message
    desk = Desk(copy.ledger, copy.policy)
    desk.cycle(late)
    incident = copy.ledger.open_incident_of(cause(item.id))
    assert "with the cadence Access review" in "".join(one.detail for one in copy.ledger.timeline(incident.id))
    with copy.database() as connection:
        connection.execute("UPDATE app_users SET full_name = 'Somebody Else' WHERE username = 'admin'")
    with copy.review(late + DAY) as run:
        again = reviews.open_items(run)[SECURITY]
        assert (again.id, again.due_at, again.opened_at) == (item.id, item.due_at, item.opened_at), "it stays late"
        assert again.detail != item.detail, "with the list of today"
        with pytest.raises(AnswerRefused):
            answer(run, SECURITY, list=item.detail)
        answer(run, SECURITY)
        for other in (COMPLIANCE, DATABASE):
            answer(run, other, by="admin")
        assert owed(copy, late + 2 * DAY) == ""
    desk.cycle(late + DAY)
    assert copy.ledger.open_incident_of(cause(item.id)) is None, "over with it"


def test_the_run_that_asked_says_who_answered_and_fails_for_who_did_not(site, tmp_path):
    with site.review() as run:
        answer(run, SECURITY)
        findings = {one.subject: one for one in carry_out(run, ["M1-09"], improvements)}
    assert {name: one.status for name, one in findings.items()} == {
        SECURITY: Status.PASS,
        COMPLIANCE: Status.FAIL,
        DATABASE: Status.FAIL,
    }
    assert "manager on" in findings[SECURITY].message
    (path,) = (tmp_path / "evidence").rglob("access-reviews.csv")
    rows = {row["owner"]: row for row in csv.DictReader(io.StringIO(path.read_text()))}
    assert (rows[SECURITY]["state"], rows[SECURITY]["closed by"]) == ("closed", "manager")
    assert rows[SECURITY]["reason"] == f"list {rows[SECURITY]['where']}: all 1 keep their access"
    assert rows[COMPLIANCE]["state"] == "open"


def test_a_second_run_leaves_a_list_that_somebody_may_be_reading_and_a_second_try_keeps_its_own(site):
    with site.review() as run:
        before = reviews.open_items(run)
        carry_out(run, ["M1-01"], accounts)
        assert reviews.open_items(run) == before
        assert all(site.ledger.evidence_with(one.detail) for one in before.values())
    with site.review() as second:
        assert reviews.open_items(second) == before
        assert reviews.rows_of(second, before[SECURITY])[0]["name"] == "admin"
        assert answer(second, SECURITY).startswith("manager:")


def test_a_database_that_does_not_answer_puts_no_list_before_anybody(site):
    site.elsewhere["clo_postgres"] = {"host": "127.0.0.1", "port": 1, "login": "x", "schema": "clo", "password": "x"}
    with site.review() as run:
        assert reviews.open_items(run) == {}


def test_an_answer_to_last_months_list_is_none_to_a_list_that_could_not_be_made(site):
    month_ago = site.reviewed().at
    site.elsewhere["clo_postgres"] = {"host": "127.0.0.1", "port": 1, "login": "x", "schema": "clo", "password": "x"}
    with site.review(month_ago + 28 * DAY) as run:
        findings = {one.subject: one for one in carry_out(run, ["M1-09"], improvements)}
    assert {name: one.status for name, one in findings.items()} == dict.fromkeys(
        (SECURITY, COMPLIANCE, DATABASE), Status.UNKNOWN
    )
    assert "see M1-01" in findings[SECURITY].message


def test_no_form_closes_a_review_but_a_date_can_be_moved(site):
    with site.review() as run:
        item = reviews.open_items(run)[SECURITY]
    with site.run("M1-09") as run:
        form = dataclasses.replace(
            run, trigger="manual", asked_by="manager", params={"item": item.id, "item_note": "ok"}
        )
        with pytest.raises(ConfigurationError, match="which no form closes"):
            improvements(form)
        moved = dataclasses.replace(form, params={"item": item.id, "item_due": "2030-01-31"})
        assert improvements(moved)[0].status is Status.PASS
        assert reviews.open_items(run)[SECURITY].due_at == datetime(2030, 1, 31, 23, 59, tzinfo=UTC)


def test_the_audits_report_has_the_answers_of_the_month(site, tmp_path):
    run = site.reviewed()
    site.judged("M1-09", run.at + DAY)
    (page,) = (tmp_path / "evidence").rglob("security-audit.html")
    assert "all 1 keep their access" in page.read_text()
