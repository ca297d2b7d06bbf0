"""IR-02, IR-03: who is told when, held to the manual's tables; acknowledgements that stop, and expire."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from clo_ops.findings import Severity
from clo_ops.policy import load_policy
from clo_ops.rules.ladders import due_rungs, notices, rungs

POLICY = load_policy()
START = datetime(2026, 11, 23, 8, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
CHAIN = ["System Administrator", "IT Manager", "Director of Technology", "Executive Team", "External communication"]
ON_CALL = ["Primary", "Secondary", "Development Team Lead", "IT Director"]


def ladder(name, severity=Severity.P1):
    return [rung for rung in rungs(severity, START, POLICY) if rung.ladder == name]


@pytest.mark.parametrize(("name", "roles"), [("management", CHAIN), ("on_call", ON_CALL)])
def test_the_rungs_are_the_manuals_in_its_order(name, roles):
    found = ladder(name)
    assert [rung.role for rung in found] == roles
    assert [rung.level for rung in found] == list(range(1, len(roles) + 1))
    assert [rung.at for rung in found] == sorted(rung.at for rung in found)


@pytest.mark.parametrize(
    ("severity", "minutes"),
    [
        (Severity.P1, [0, 15, 120, 180, 240]),
        (Severity.P2, [0, 30, 240, 360, 480]),
        (Severity.P3, [0, 120, 720, 1080, 1440]),
    ],
)
def test_management_hears_when_the_response_time_and_shares_of_the_resolution_target_pass(severity, minutes):
    assert [(rung.at - START) // MINUTE for rung in ladder("management", severity)] == minutes


@pytest.mark.parametrize(
    ("severity", "heard"),
    [
        (Severity.P1, {"system_administrators": 0, "it_management": 0, "business_stakeholders": 0, "end_users": 0}),
        (Severity.P2, {"system_administrators": 0, "it_management": 0, "business_stakeholders": 60, "end_users": 60}),
        (Severity.P3, {"system_administrators": 120}),
        (Severity.P4, {"system_administrators": 1440}),
    ],
)
def test_each_group_hears_as_the_manual_says(severity, heard):
    told = {one.group: (one.at - START) // MINUTE for one in notices(severity, START, POLICY) if one.group != "on_call"}
    assert told == heard


def test_what_users_read_is_released_by_a_person():
    released = {one.group for one in notices(Severity.P1, START, POLICY) if one.released_by_a_person}
    assert released == {"end_users"}


def test_nobody_is_told_a_second_early_and_each_rung_once():
    chain = ladder("management")
    assert [rung.level for rung in due_rungs(chain, {}, START)] == [1]
    told = {1: START}
    assert due_rungs(chain, told, START + 15 * MINUTE - timedelta(seconds=1)) == []
    assert [rung.level for rung in due_rungs(chain, told, START + 15 * MINUTE)] == [2]
    assert due_rungs(chain, told | {2: START + 15 * MINUTE}, START + 16 * MINUTE) == []


def test_after_an_outage_of_our_own_all_that_were_due_are_told_in_order():
    assert [rung.level for rung in due_rungs(ladder("management"), {1: START}, START + 3 * HOUR)] == [2, 3, 4]


def test_after_an_acknowledgement_that_expired_the_next_rung_is_told_and_the_rest_keep_their_distance():
    chain, expired = ladder("management"), START + 3 * HOUR
    told = {1: START}
    assert [rung.level for rung in due_rungs(chain, told, expired, stopped_until=expired)] == [2]
    told[2] = expired
    later = expired + 105 * MINUTE  # as far as the third rung is from the second
    assert due_rungs(chain, told, later - timedelta(seconds=1), stopped_until=expired) == []
    assert [rung.level for rung in due_rungs(chain, told, later, stopped_until=expired)] == [3]
