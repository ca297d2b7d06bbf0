"""IR-09: turns, hand-overs to the minute and over changes of the clocks, overrides."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from clo_ops.policy import load_policy
from clo_ops.policy.alerting import Rota
from clo_ops.rules.rota import next_hand_over, on_call

CALENDAR = load_policy().business_calendar
SECOND = timedelta(seconds=1)


def rota(**more):
    given = {"hand_over": "Mon 09:00", "primary": ["ann", "bob", "eve"], "secondary": ["zoe"], "resolution": "D40"}
    return Rota.model_validate(given | more)


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# 09:00 in New York on Monday: 14:00 UTC in winter, 13:00 in summer.
@pytest.mark.parametrize("monday", ["2026-11-23T14:00", "2027-03-08T14:00", "2027-03-15T13:00", "2026-11-02T14:00"])
def test_the_next_in_turn_takes_over_at_the_second_of_the_hand_over(monday):
    before, after = (on_call("primary", at(monday) - step, rota(), CALENDAR) for step in (SECOND, 0 * SECOND))
    assert (before, after) in {("ann", "bob"), ("bob", "eve"), ("eve", "ann")}
    assert next_hand_over(at(monday) - SECOND, rota(), CALENDAR) == at(monday)


def test_everybody_has_a_week_in_turn():
    turns = [
        on_call("primary", at("2026-11-24T12:00") + week * timedelta(days=7), rota(), CALENDAR) for week in range(6)
    ]
    assert turns[:3] == turns[3:]
    assert sorted(turns[:3]) == ["ann", "bob", "eve"]


def test_hand_over_may_be_on_any_day():
    friday = rota(hand_over="Fri 17:30")
    assert next_hand_over(at("2026-11-23T14:00"), friday, CALENDAR) == at("2026-11-27T22:30")
    assert next_hand_over(at("2026-11-27T22:30"), friday, CALENDAR) == at("2026-12-04T22:30")


def test_an_override_holds_on_its_local_days_and_for_its_role_only():
    swapped = rota(overrides=[{"from": "2026-12-24", "until": "2026-12-25", "role": "primary", "person": "zoe"}])
    assert on_call("primary", at("2026-12-24T04:59"), swapped, CALENDAR) != "zoe"
    assert on_call("primary", at("2026-12-24T05:00"), swapped, CALENDAR) == "zoe"
    assert on_call("primary", at("2026-12-26T04:59"), swapped, CALENDAR) == "zoe"
    assert on_call("primary", at("2026-12-26T05:00"), swapped, CALENDAR) != "zoe"
    assert on_call("secondary", at("2026-12-24T12:00"), swapped, CALENDAR) == "zoe"


@pytest.mark.parametrize("hand_over", ["Monday 09:00", "Mon", "Mon 25:00", 9])
def test_a_hand_over_nobody_could_keep_is_refused(hand_over):
    with pytest.raises(ValidationError, match=r"Mon 09:00|a time of day"):
        rota(hand_over=hand_over)
