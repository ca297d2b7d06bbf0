"""What came of audits stays open, with its age, until somebody closed it; what is late is told between audits too."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from clo_ops.escalation.desk import Desk
from clo_ops.escalation.overdue_items import cause
from clo_ops.findings import ConfigurationError, Status
from clo_ops.findings.audit_items import ACTIONS, GAP, PENETRATION_TEST, Found
from clo_ops.ledger import LedgerConflict
from clo_ops.orchestration.audit_register import improvements

WEEKLY = ("WM-06", "WM-07", "WM-08", "WM-09", *(f"WF-0{n}" for n in range(1, 9)))
AUDIT = tuple(f"M1-0{n}" for n in range(1, 7))
DAY = timedelta(days=1)


def report(*results):
    driver = {"name": "Pentest", "rules": []}
    return json.dumps({"version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": list(results)}]})


def flaw(name, score="9.8", **more):
    return {"guid": name, "message": {"text": f"flaw {name}"}, "properties": {"security-severity": score}, **more}


@pytest.fixture
def tested(site, tmp_path):
    """A site whose policy names one report; ``tested.write(text)`` puts it there."""
    path = tmp_path / "pentest.sarif"
    audit = site.policy.audit
    tests = audit.penetration_tests.model_copy(update={"reports": (str(path),)})
    site.policy = site.policy.model_copy(update={"audit": audit.model_copy(update={"penetration_tests": tests})})
    site.write = path.write_text
    return site


def listing(tmp_path, name):
    newest = max((tmp_path / "evidence").rglob(name), key=lambda one: one.stat().st_mtime_ns)
    return list(csv.DictReader(io.StringIO(newest.read_text())))


@contextmanager
def by_hand(site, user="manager", **form):
    with site.run("M1-09") as run:
        yield dataclasses.replace(run, trigger="manual", asked_by=user, params=form)


# ---------------------------------------------------------------- M1-07


def test_without_any_report_there_is_no_source_and_no_pass(site):
    (found,) = site.judged("M1-07")
    assert (found.status, found.actual) == (Status.NOT_APPLICABLE, "no source")


def test_a_critical_finding_of_a_report_fails_and_the_others_warn_until_their_date(tested, tmp_path):
    tested.write(report(flaw("g1"), flaw("g2", "5.0"), flaw("g3", "9.1", baselineState="absent")))
    found = tested.judged("M1-07")
    assert [one.status for one in found] == [Status.PASS, Status.FAIL, Status.WARN]
    assert "flaw g1 (critical, Security Officer, 0 days old, due" in found[1].message
    assert "flaw g2 (medium" in found[2].message
    assert not [one for one in found if "g3" in one.message]
    rows = {row["title"]: row for row in listing(tmp_path, "penetration-test-findings.csv")}
    assert (rows["flaw g1"]["state"], rows["flaw g1"]["days old"]) == ("open", "0")
    late = tested.judged("M1-07", tested.at + 91 * DAY)
    overdue = [one for one in late if one.actual.startswith("open, 0 days late")]
    assert len(overdue) == 1
    assert "flaw g2" in overdue[0].message


def test_its_age_counts_from_the_first_report_and_a_retest_closes_it(tested, tmp_path):
    tested.write(report(flaw("g1", "5.0")))
    tested.judged("M1-07")
    tested.write(report(flaw("g1", "7.5")))
    found = tested.judged("M1-07", tested.at + 31 * DAY)
    assert "flaw g1 (high, Security Officer, 30 days old" in found[1].message
    tested.write(report(flaw("g1", "7.5", baselineState="absent")))
    found = tested.judged("M1-07", tested.at + 62 * DAY)
    assert [one.status for one in found] == [Status.PASS, Status.PASS]
    (row,) = listing(tmp_path, "penetration-test-findings.csv")
    assert (row["state"], row["closed by"], row["reason"]) == ("closed", "clo_ops", "the report says it is gone")


def test_what_a_person_closed_a_report_read_again_does_not_open_but_a_new_one_does(tested):
    tested.write(report(flaw("g1")))
    tested.judged("M1-07")
    (item,) = tested.ledger.audit_items([PENETRATION_TEST])
    tested.ledger.close_item(item.id, "manager", datetime.now(UTC), "retested by hand, ticket 12")
    assert [one.status for one in tested.judged("M1-07", tested.at + DAY)] == [Status.PASS, Status.PASS]
    tested.write(report(flaw("g1"), flaw("g2", "2.0")))
    again = tested.judged("M1-07", tested.at + 2 * DAY)
    assert [one.status for one in again] == [Status.PASS, Status.FAIL, Status.WARN]
    assert len([one for one in tested.ledger.audit_items([PENETRATION_TEST]) if one.closed_at is None]) == 2


@pytest.mark.parametrize("content", [None, "no report", "{}", "x" * 200])
def test_a_report_that_cannot_be_taken_in_is_unknown_and_hides_nothing(tested, content):
    tested.write(report(flaw("g1")))
    tested.judged("M1-07")
    if content is None:
        reports = (f"{tested.state}/nowhere/pentest.sarif",)
        changed = tested.policy.audit.penetration_tests.model_copy(update={"reports": reports})
        audit = tested.policy.audit.model_copy(update={"penetration_tests": changed})
        tested.policy = tested.policy.model_copy(update={"audit": audit})
    else:
        tested.write(content)
    found = tested.judged("M1-07", tested.at + DAY)
    assert [one.status for one in found] == [Status.UNKNOWN, Status.FAIL, Status.PASS]
    assert "pentest.sarif" in found[0].message


# ---------------------------------------------------------------- M1-08


def test_a_clean_month_has_no_gap_and_says_what_nobody_can_ask(seen, tmp_path):
    site = seen("WM-08", "WM-09", "WF-06", "M1-06")
    for procedure in (*WEEKLY, *AUDIT):
        site.judged(procedure)
    (whole,) = site.judged("M1-08")
    assert whole.status is Status.PASS, whole.message
    assert "nothing can be said yet of CIS-09, CIS-10, PRV-03" in whole.message
    assert site.ledger.audit_items(open_only=True) == []
    rows = {row["control"]: row for row in listing(tmp_path, "compliance-gaps.csv")}
    assert set(rows) == set(site.policy.controls.catalogue)
    assert (rows["SOX-01"]["state"], rows["CIS-09"]["state"]) == ("passed", "cannot be asked")
    (done, *report) = site.judged("M1-09")
    assert (done.status, report) == (Status.PASS, [])


def test_a_failed_control_is_a_gap_with_its_owner_until_it_passes(copy):
    with copy.database() as connection:
        connection.execute(
            "INSERT INTO configuration_changes (changed_by, setting, new_value) VALUES ('admin', 'x', '1')"
        )
    copy.judged("WF-01")
    found = {one.subject: one for one in copy.judged("M1-08")}
    assert found["SOX-03"].status is Status.FAIL
    assert (
        "1 of 1 looks this month failed (0, 0, 0, 1 by month, worse); owner Compliance Officer"
        in found["SOX-03"].message
    )
    assert found["SEC-01"].status is Status.UNKNOWN, "nobody looked"
    (gap,) = [one for one in copy.ledger.audit_items([GAP], open_only=True) if one.key == "SOX-03"]
    assert gap.owner == "Compliance Officer"
    with copy.database() as connection:
        connection.execute("UPDATE configuration_changes SET approved_by = 'manager' WHERE setting = 'x'")
    copy.judged("WF-01")
    mended = {one.subject: one for one in copy.judged("M1-08")}
    assert mended["SOX-03"].status is Status.WARN
    assert "SOX-03" not in [one.key for one in copy.ledger.audit_items([GAP], open_only=True)]
    history = [what for _, _, what in copy.ledger.item_history(gap.id)]
    assert history[-1] == "closed: the control passed when it was last assessed"


# ---------------------------------------------------------------- M1-09


def test_standing_duties_are_opened_once_and_again_after_their_period(site):
    site.judged("M1-09")
    first = site.ledger.audit_items(ACTIONS)
    assert {one.kind for one in first} == {"policy", "monitoring", "training"}
    site.judged("M1-09", site.at + 20 * DAY)
    assert site.ledger.audit_items(ACTIONS) == first, "carried over, not made twice"
    for one in first:
        site.ledger.close_item(one.id, "manager", datetime.now(UTC), "held; list of participants in the shared folder")
    site.judged("M1-09", site.at + 60 * DAY)
    assert len(site.ledger.audit_items(ACTIONS, open_only=True)) == 0
    site.judged("M1-09", site.at + 200 * DAY)
    assert [one.kind for one in site.ledger.audit_items(ACTIONS, open_only=True)] == ["monitoring"]


def test_a_late_action_fails_with_its_owner_and_grows_graver(site):
    found = Found("training", "Phishing training", "Phishing training")
    site.ledger.see_item(found, "IT Manager", site.at + DAY, site.at)
    assert not [one for one in site.judged("M1-09", site.at + DAY) if one.status is Status.FAIL]
    (late,) = [one for one in site.judged("M1-09", site.at + 2 * DAY) if one.status is Status.FAIL]
    assert "Phishing training (IT Manager, 2 days old, overdue since" in late.message
    assert late.severity.value == "P3"
    (late,) = [one for one in site.judged("M1-09", site.at + 32 * DAY) if "Phishing" in one.message]
    assert (late.actual, late.severity.value) == ("open, 31 days late", "P2")


def test_between_audits_the_desk_tells_it_once_for_each_date_and_ends_with_it(site):
    found = Found("recommendation", "Close port 23", "Close port 23")
    item = site.ledger.see_item(found, "System Administrator", site.at, site.at - DAY)
    desk = Desk(site.ledger, site.policy)
    desk.cycle(site.at)
    assert site.ledger.open_incident_of(cause(item.id)) is None, "not late at its very date"
    desk.cycle(site.at + timedelta(minutes=5))
    incident = site.ledger.open_incident_of(cause(item.id))
    assert "Overdue recommendation: Close port 23" in incident.title
    site.ledger.close_incident(incident.id, "manager", site.at + DAY, "seen")
    desk.cycle(site.at + DAY)
    assert site.ledger.open_incident_of(cause(item.id)) is None, "told once for this date"
    site.ledger.move_item(item.id, "System Administrator", site.at + 2 * DAY, by="manager", at=site.at + DAY)
    desk.cycle(site.at + 3 * DAY)
    assert site.ledger.open_incident_of(cause(item.id)) is not None
    site.ledger.close_item(item.id, "manager", site.at + 3 * DAY, "closed, see change 9")
    desk.cycle(site.at + 3 * DAY + timedelta(minutes=5))
    assert site.ledger.open_incident_of(cause(item.id)) is None, "over with it"


def test_the_form_closes_moves_and_adds_in_the_name_of_who_started_it(site):
    with by_hand(site, action_title="Rotate keys", action_kind="monitoring", action_owner="Ann",
                 action_due="2027-01-31") as run:  # fmt: skip
        improvements(run)
        improvements(run)  # tried again
    (item,) = [one for one in site.ledger.audit_items() if one.title == "Rotate keys"]
    assert (item.owner, f"{item.due_at:%Y-%m-%d}") == ("Ann", "2027-01-31")
    with by_hand(site, item=item.id, item_due="2027-02-28") as run:
        improvements(run)
    with by_hand(site, item=item.id) as run, pytest.raises(ConfigurationError, match="closed without a word"):
        improvements(run)
    with by_hand(site, item=item.id, item_note="done; ticket 7") as run:
        assert improvements(run)[0].status is Status.PASS
        improvements(run)
    with by_hand(site, user="viewer", item=item.id, item_note="me too") as run, pytest.raises(LedgerConflict):
        improvements(run)
    said = [(actor, what) for _, actor, what in site.ledger.item_history(item.id)]
    assert said == [
        ("manager", "opened: Ann, due 2027-01-31"),
        ("manager", "moved: Ann, due 2027-02-28"),
        ("manager", "closed: done; ticket 7"),
    ]


@pytest.mark.parametrize(
    "form", [{"action_title": "x"}, {"action_title": "x", "action_owner": "A", "action_due": "2027-01-01"}]
)
def test_an_action_without_kind_owner_or_date_is_refused(site, form):
    with by_hand(site, **form) as run, pytest.raises(ConfigurationError, match="lacks its kind"):
        improvements(run)


def test_nobody_known_changes_nothing(site):
    with (
        by_hand(site, user="", item=1, item_note="x") as run,
        pytest.raises(ConfigurationError, match="nobody is known"),
    ):
        improvements(run)


def test_the_report_has_every_part_and_is_in_the_outbox_escaped(tested, tmp_path):
    tested.write(report(flaw("g1", message={"text": "<script>alert(1)</script>"})))
    with tested.run("M1-09") as run:
        from clo_ops.orchestration.audit_register import penetration_tests
        from clo_ops.orchestration.recording import carry_out

        carry_out(run, ["M1-07"], penetration_tests)
        carry_out(run, ["M1-09"], improvements)
    (page,) = (tmp_path / "evidence").rglob("security-audit.html")
    html = page.read_text()
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "M1-04 left no finding in this run: nobody looked." in html
    with tested.ledger.transaction() as connection:
        subject = connection.execute(text("SELECT subject FROM clo_ops.outbox")).scalar_one()
    assert subject.startswith("[CLO Ops] RED Security audit of")
