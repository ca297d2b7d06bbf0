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
    (run,) = [one for one in last_due(policy, LONG_AGO, night) if one.dag == "business_hours_monitoring"]
    (one,) = judge([run], {(run.dag, run.at): set()}, policy)
    assert one.missing == tuple(f"AL-0{number}" for number in range(1, 9))
