"""A world in which nobody did anything wrong: every control passes, or says why it was not assessed."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from clo_ops.findings import Status
from clo_ops.orchestration.controls import values_of
from clo_ops.orchestration.security_review import security_configuration

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
    if days_ago is not None:
        site.ledger.open_run("weekly_monday_maintenance", "earlier", site.at - timedelta(days=days_ago), "")
    with site.run("WM-06", site.at) as run:
        since = values_of(run, site.policy.controls["ACC-01"])["since"]
    assert datetime.fromisoformat(since) == site.at - timedelta(days=looked_back)
