"""A world in which nobody did anything wrong: every control passes, or says why it was not assessed."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest

from clo_ops.findings import Answer, Status
from clo_ops.orchestration.controls import assess, values_of
from clo_ops.orchestration.security_review import security_configuration
from clo_ops.rules.controls import case_of, nobody_answered

MONDAY = ("WM-06", "WM-07", "WM-08", "WM-09")
FRIDAY = ("WF-01", "WF-02", "WF-03", "WF-04", "WF-05", "WF-06", "WF-07", "WF-08")

MONTH = ("M1-01", "M1-02", "M1-03", "M1-04", "M1-05", "M1-06")


def test_a_clean_world_gives_no_finding_and_every_control_was_asked(seen):
    site = seen(*MONDAY, "WF-06", "M1-06")
    findings = [one for procedure in (*MONDAY, *FRIDAY, *MONTH) for one in site.judged(procedure)]
    assert {one.subject for one in findings if one.subject} == set(site.policy.controls.catalogue)
    assert not [one.message for one in findings if not one.subject and one.status is not Status.PASS]
    for one in (one for one in findings if one.subject):
        unasked = site.policy.controls[one.subject].not_assessed
        assert one.status is (Status.NOT_APPLICABLE if unasked else Status.PASS), one.message


def test_a_first_look_at_a_state_is_not_assessed_and_says_so(site):
    found = {one.subject: one for one in site.judged("WM-08")}
    assert {name for name, one in found.items() if one.status is Status.NOT_APPLICABLE} == {
        "PER-03",
        "PER-04",
        "PER-05",
    }
    assert "the first look" in found["PER-04"].message


def test_the_signed_baseline_is_told_with_the_configuration(site):
    with site.run("WM-09") as run:
        findings = security_configuration(run)
    assert (findings[0].name, findings[0].status) == ("baseline signed off", Status.PASS)


@pytest.mark.parametrize(("days_ago", "looked_back"), [(None, 7), (3, 7), (10, 10), (34, 34), (60, 35)])
def test_nothing_falls_between_two_reviews(site, days_ago, looked_back):
    """A review in which nobody answered, a week ago, reviewed nothing."""
    asked = site.policy.controls["ACC-01"]
    answers = [(7, nobody_answered(asked, "the database was down"))]
    if days_ago is not None:
        answers.append((days_ago, case_of(asked).passed("none", "looked at")))
    for days, found in answers:
        key = site.ledger.open_run("weekly_monday_maintenance", f"{days}", site.at - timedelta(days=days), "")
        site.ledger.record(key, "WM-06", [found], Answer())
    with site.run("WM-06", site.at) as run:
        since = values_of(run, site.policy.controls["ACC-01"])["since"]
    assert datetime.fromisoformat(since) == site.at - timedelta(days=looked_back)


@contextmanager
def done(site, what, undone, *values):
    """In the world that all of these tests share."""
    with site.database("postgres") as connection:
        connection.execute(what, values or None)
        try:
            yield
        finally:
            connection.execute(undone)


def test_what_a_killed_worker_saw_and_told_nobody_is_no_look(site):
    site.judged("WM-08")
    with done(site, "GRANT DELETE ON feedback TO clo_backup", "REVOKE DELETE ON feedback FROM clo_backup"):
        with site.run("WM-08") as killed:
            assess(killed, "WM-08")
        assert "DELETE on table public.feedback for clo_backup" in site.broken("WM-08")["PER-04"]
        assert site.broken("WM-08") == {}, "told once"


def test_an_attack_under_way_between_two_reviews_is_counted_whole(site, monkeypatch):
    tries = (
        "INSERT INTO login_attempts (username, success, source_ip, at) SELECT 'manager', false, '198.51.100.7', "
        "%s::timestamptz + n * interval '1 minute' FROM generate_series(-14, 14) n"
    )
    gone = "DELETE FROM login_attempts WHERE source_ip = '198.51.100.7'"
    with done(site, tries, gone, site.at - timedelta(days=7)):
        assert "manager (29 refused" in site.broken("WM-07")["AUT-01"]
        monkeypatch.setattr("clo_ops.probes.performing.MOST_ROWS", 40)
        found = {one.subject: one for one in (*site.judged("WM-06"), *site.judged("WM-07"))}
    assert {name: one.status for name, one in found.items() if one.status is not Status.UNKNOWN} == {
        "AUT-01": Status.FAIL
    }, "an attack does not hide behind its size, and what was not read is no pass"
    assert "manager (29 refused" in found["AUT-01"].message
    assert "login_outcomes.sql has more than 40 rows" in found["AUT-02"].message


def test_what_is_open_and_in_time_is_named_and_nothing_against_it(site):
    due = site.at + timedelta(days=9)
    opened = (
        "WITH event AS (INSERT INTO security_events (event_type, severity, owner, event_class) "
        "VALUES ('odd', 'info', 'desk', 'look')) INSERT INTO subject_requests (kind, subject, due_at, handled_by) "
        "VALUES ('erasure', 's', %s, 'dpo')"
    )
    gone = "DELETE FROM security_events WHERE event_type = 'odd'; DELETE FROM subject_requests WHERE subject = 's'"
    with done(site, opened, gone, due):
        (events,) = site.judged("WF-08")
        requests = next(one for one in site.judged("WF-03") if one.subject == "GDP-02")
    assert (events.status, requests.status) == (Status.PASS, Status.PASS)
    assert "look, owned by desk)" in events.message
    assert f"due {due:%Y-%m-%d}, looked after by dpo)" in requests.message


def test_a_change_made_after_the_time_looked_at_is_the_next_looks(site):
    changed = (
        "INSERT INTO app_settings (setting, value, updated_at, updated_by) VALUES "
        "('later', '2', now() + interval '1 hour', 'admin');"
        "INSERT INTO configuration_changes (at, changed_by, setting, new_value, approved_by) VALUES "
        "(now() - interval '20 days', 'admin', 'later', '1', 'manager'), "
        "(now() + interval '1 hour', 'admin', 'later', '2', 'manager')"
    )
    gone = "DELETE FROM app_settings WHERE setting = 'later'; DELETE FROM configuration_changes WHERE setting = 'later'"
    with done(site, changed, gone):
        assert site.broken("WF-06") == {}
