"""AL-01 to AL-08: levels at their thresholds and one step either side, holding, clearing, flapping, no data."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clo_ops.policy import load_policy
from clo_ops.rules.alerts import Level, State, step

START = datetime(2026, 11, 23, 8, tzinfo=UTC)
DAMPING = load_policy().alerting.flapping
SECOND = timedelta(seconds=1)
THRESHOLDS = load_policy().thresholds
LEVELS = [
    ("cpu", 70, 85),
    ("memory", 80, 95),
    ("disk", 80, 90),
    ("response_time", 500, 1000),
    ("failed_calculations", 5, 10),
    ("failed_logins", 10, 20),
    ("failed_logins_of_one", 5, 10),
    ("log_errors", 10, 50),
    ("database_connections", 75, 90),
]


def look(name, values, *, every=timedelta(minutes=5), state=None):
    """The events of values seen one after another, as (minutes since the start, kind, level)."""
    state, told = state or State(), []
    for number, value in enumerate(values):
        now = START + number * every
        state, event = step(state, value, THRESHOLDS[name], DAMPING, now)
        if event:
            told.append(((event.at - START) // timedelta(minutes=1), event.kind, event.level))
    return told, state


def held(name, value):
    """The level after the value has been there for a day."""
    return look(name, [value, value, value], every=timedelta(hours=12))[1].level


@pytest.mark.parametrize(("name", "warning", "critical"), LEVELS)
def test_levels_are_strictly_above_the_manuals_figures(name, warning, critical):
    assert held(name, warning) is Level.OK
    assert held(name, warning + 0.001) is Level.WARNING
    assert held(name, critical) is Level.WARNING
    assert held(name, critical + 0.001) is Level.CRITICAL


def test_a_value_counts_when_it_has_been_there_long_enough_and_not_a_second_before():
    cpu = THRESHOLDS["cpu"]
    state, event = step(State(), 71, cpu, DAMPING, START)
    assert event is None
    state, event = step(state, 71, cpu, DAMPING, START + cpu.hold_for - SECOND)
    assert event is None
    state, event = step(state, 71, cpu, DAMPING, START + cpu.hold_for)
    assert (event.kind, event.level) == ("raised", Level.WARNING)
    assert step(state, 71, cpu, DAMPING, START + 2 * cpu.hold_for)[1] is None


def test_a_dip_before_it_was_held_starts_the_time_again():
    assert look("cpu", [71, 70, 71, 71])[0] == []
    assert look("cpu", [71, 70, 71, 71, 71])[0] == [(20, "raised", Level.WARNING)]


def test_it_stays_until_the_clearing_level():
    told, _ = look("cpu", [71, 71, 71, 65.001, 65])
    assert told == [(10, "raised", Level.WARNING), (20, "cleared", Level.OK)]


def test_critical_hides_warning_and_eases_to_it():
    told, _ = look("disk", [91, 91, 91, 88.5, 88, 78.5, 78])
    assert told == [
        (5, "raised", Level.CRITICAL),
        (20, "eased", Level.WARNING),
        (30, "cleared", Level.OK),
    ]


def test_a_warning_that_grows_is_raised_again():
    assert look("disk", [81, 81, 91, 91])[0] == [(5, "raised", Level.WARNING), (15, "raised", Level.CRITICAL)]


def test_no_data_is_an_alert_of_its_own_and_never_ok():
    told, state = look("disk", [50, None, None, 50])
    assert told == [(5, "no data", Level.UNKNOWN), (15, "cleared", Level.OK)]
    assert state.level is Level.OK
    assert look("disk", [None])[0] == [(0, "no data", Level.UNKNOWN)]


def test_no_data_takes_the_place_of_an_alert_and_gives_it_back():
    told, _ = look("disk", [91, 91, None, 91, 91])
    assert told[1:] == [(10, "no data", Level.UNKNOWN), (15, "raised", Level.CRITICAL)]


def test_flapping_is_told_at_its_start_and_at_its_end_and_nothing_between():
    swinging = [6, 0] * 10
    told, state = look("failed_calculations", [*swinging, *[0] * 5])
    assert told == [
        (0, "raised", Level.WARNING),
        (5, "cleared", Level.OK),
        (10, "flapping", Level.WARNING),
        (110, "flapping ended", Level.OK),
    ]
    assert not state.flapping


def test_flapping_that_ends_high_says_where_it_rests():
    told, _ = look("failed_calculations", [*[6, 0] * 3, *[6] * 6])
    assert told[-2:] == [(10, "flapping", Level.WARNING), (45, "flapping ended", Level.WARNING)]


def test_up_and_down_again_is_no_flapping_whatever_levels_are_on_the_way():
    assert [kind for _, kind, _ in look("failed_calculations", [6, 11, 8, 4])[0]] == [
        "raised",
        "raised",
        "eased",
        "cleared",
    ]


def test_two_alerts_further_apart_than_flapping_are_two_alerts():
    apart = DAMPING.within
    assert [kind for _, kind, _ in look("failed_calculations", [6, 0, 6], every=apart / 2)[0]][-1] == "raised"
    assert [kind for _, kind, _ in look("failed_calculations", [6, 0, 6], every=apart / 2 - SECOND)[0]][
        -1
    ] == "flapping"


def test_flapping_hides_nothing_that_is_worse_than_what_was_told():
    told, _ = look("failed_calculations", [6, 0, 6, 11, 6, 11, None, 0])
    assert told[2:] == [
        (10, "flapping", Level.WARNING),
        (15, "raised", Level.CRITICAL),
        (30, "no data", Level.UNKNOWN),
    ]


def test_what_was_not_held_before_no_data_is_not_held_by_it():
    told, _ = look("disk", [70, 91, None, 89, 89, 89], every=timedelta(minutes=4))
    assert told == [(8, "no data", Level.UNKNOWN), (12, "raised", Level.WARNING)]


def test_after_no_data_it_stays_critical_until_the_clearing_level():
    told, _ = look("disk", [91, 91, None, 89, 89, 88])
    assert told == [
        (5, "raised", Level.CRITICAL),
        (10, "no data", Level.UNKNOWN),
        (15, "raised", Level.CRITICAL),
        (25, "eased", Level.WARNING),
    ]


@given(st.lists(st.one_of(st.none(), st.floats(0, 200)), max_size=60))
def test_whatever_comes_the_state_stays_small_and_what_was_told_adds_up(values):
    told, state = look("disk", values)
    assert len(state.changed) <= DAMPING.changes
    if not state.flapping:
        assert state.told is state.level
        assert not told or told[-1][2] is state.level
