"""Runs that never began and procedures nobody came to: told strictly after their time, and not before we watched."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from clo_ops.policy import load_policy
from clo_ops.rules.expected import judge, last_due

POLICY = load_policy()
MORNING = datetime(2026, 11, 23, 8, tzinfo=UTC)
DONE_BY = MORNING + timedelta(minutes=30)
SECOND = timedelta(seconds=1)
LONG_AGO = MORNING - timedelta(days=300)
DAG = "daily_morning_startup"
ALL_FIFTEEN = {f"DM-{number:02d}" for number in range(1, 16)}


def morning(now, since=LONG_AGO, policy=POLICY):
    return next((run for run in last_due(policy, since, now) if run.dag == DAG), None)


def of(cadence, now, since=LONG_AGO, policy=POLICY):
    """The run of this cadence whose time has passed, if there is one."""
    return next((run for run in last_due(policy, since, now) if run.cadence == cadence), None)


def what_became_of(cadence, now, procedures):
    """Its run with these procedures on record; None where there is no run."""
    run = of(cadence, now)
    (one,) = judge([run], {} if procedures is None else {(run.dag, run.at): procedures}, POLICY)
    return one


def test_a_run_is_asked_for_strictly_after_its_time_to_be_done():
    assert morning(DONE_BY).at == MORNING - timedelta(days=1)
    assert morning(DONE_BY + SECOND).at == MORNING


@pytest.mark.parametrize(("since", "asked"), [(MORNING, True), (MORNING + SECOND, False)])
def test_what_was_due_before_we_watched_is_not_asked_for(since, asked):
    assert (morning(DONE_BY + SECOND, since) is not None) is asked


def test_only_pages_that_are_built_are_asked_for():
    built = {entry.dag for entry in POLICY.procedures.values() if entry.built}
    assert {run.dag for run in last_due(POLICY, LONG_AGO, DONE_BY + SECOND)} <= built


def outcome(recorded):
    (one,) = judge([morning(DONE_BY + SECOND)], recorded, POLICY)
    return one


def test_a_run_that_never_began_is_not_sound():
    never = outcome({})
    assert (never.started, never.sound, never.cause) == (False, False, f"expected:{DAG}")


def test_a_procedure_nobody_came_to_is_named():
    one = outcome({(DAG, MORNING): ALL_FIFTEEN - {"DM-07", "DM-12"}})
    assert (one.started, one.missing, one.sound) == (True, ("DM-07", "DM-12"), False)


def test_all_there_is_sound():
    assert outcome({(DAG, MORNING): ALL_FIFTEEN}).sound


def test_a_procedure_whose_cadence_did_not_fire_is_not_missed():
    """At night business hours ask for the alerts only."""
    built = {
        key: entry.model_copy(update={"built": True}) if entry.dag == "business_hours_monitoring" else entry
        for key, entry in POLICY.procedures.items()
    }
    policy = POLICY.model_copy(update={"procedures": built})
    night = datetime(2026, 11, 24, 2, 4, 30, tzinfo=UTC)
    run = of("business_hours_alerts", night, policy=policy)
    (one,) = judge([run], {(run.dag, run.at): set()}, policy)
    assert one.missing == tuple(f"AL-0{number}" for number in range(1, 9))


REVIEW = datetime(2026, 12, 7, 16, tzinfo=UTC)
BEGUN, ANSWERED = REVIEW + timedelta(hours=6), REVIEW + timedelta(days=15)


def test_a_run_that_waits_for_people_has_to_be_begun_soon_all_the_same():
    assert of("access_review", BEGUN) is None
    never = what_became_of("access_review", BEGUN + SECOND, None)
    assert (never.at, never.done_by, never.started, never.sound) == (REVIEW, BEGUN, False, False)
    assert never.name == "monthly_week1_security_audit (Access review)"
    assert what_became_of("access_review", BEGUN + SECOND, set()).sound, "it has two weeks for the rest"


def test_a_run_that_waited_for_people_is_whole_in_the_end():
    assert of("access_review", ANSWERED) is None
    assert what_became_of("access_review", ANSWERED + SECOND, {"M1-01"}).missing == ("M1-09",)
    assert what_became_of("access_review", ANSWERED + SECOND, {"M1-01", "M1-09"}).sound
    assert of("access_review", ANSWERED + timedelta(days=3) + SECOND) is None, "it was told in its time"


def test_the_run_of_another_cadence_of_the_page_says_nothing_of_it():
    """Friday's weekly report, missed, is still missed when the evening's daily one is there."""
    friday = datetime(2026, 11, 27, tzinfo=UTC)
    evening = friday + timedelta(hours=20, seconds=1)
    due = [one for one in last_due(POLICY, LONG_AGO, evening) if one.dag == "reports_and_support"]
    assert [(one.cadence, one.at.hour) for one in due][-2:] == [("reports_weekly", 14), ("reports_daily", 19)]
    daily = {("reports_and_support", friday + timedelta(hours=19)): {"RP-01", "RP-05", "SP-01", "SP-02"}}
    assert [one.sound for one in judge(due[-2:], daily, POLICY)] == [False, True]


def test_a_run_of_two_cadences_has_for_each_procedure_the_time_of_its_own():
    """At 18:30 the logs of the day and those of the last minutes are one run; the day's have an hour."""
    soon = datetime(2026, 11, 23, 18, 34, 1, tzinfo=UTC)
    assert what_became_of("log_management_real_time", soon, {"LM-02"}).sound
    later = soon + timedelta(minutes=56)
    assert what_became_of("log_management_daily", later, {"LM-02"}).missing == ("LM-01", "LM-03")
