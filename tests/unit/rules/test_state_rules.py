"""States against the last look, settings against demands, data use against habit."""

from __future__ import annotations

import pytest

from clo_ops.rules import data_use, states

BEFORE = {"role a": "LOGIN", "role b": "NOLOGIN", "role c": ""}


def rows(**state):
    return [{"key": key.replace("_", " "), "value": value} for key, value in state.items()]


def told(judged):
    return {one.key: one.reason for one in judged.violations}


def test_what_is_new_gone_or_otherwise_is_told_with_both_values():
    found = told(states.changed(rows(role_a="LOGIN", role_b="SUPERUSER", role_d="LOGIN"), BEFORE, "Monday"))
    assert found == {
        "role b": "was NOLOGIN, is SUPERUSER; since the look of Monday",
        "role c": "is gone; since the look of Monday",
        "role d": "is new: LOGIN; since the look of Monday",
    }


def test_the_same_state_is_no_violation_and_the_first_look_no_pass():
    same = states.changed([{"key": key, "value": value} for key, value in BEFORE.items()], BEFORE)
    assert (same.looked_at, same.violations, same.not_assessed) == (3, (), "")
    assert states.changed(rows(role_a="LOGIN"), None).not_assessed == states.FIRST
    assert states.noted([], None).not_assessed == states.FIRST


def state(key, value, kind="state"):
    return {"kind": kind, "key": key, "value": value}


@pytest.mark.parametrize(
    ("now", "trail", "broken"),
    [
        ("on", [], {}),
        ("off", ["postgresql.x"], {}),
        ("off", [], {"postgresql.x": "trail does not speak of it"}),
        ("on", ["postgresql.x"], {"postgresql.x": "it is as it was"}),
    ],
)
def test_every_change_has_an_entry_and_every_entry_a_change(now, trail, broken):
    found = [state("postgresql.x", now), *(state(one, "off by ann", "noted") for one in trail)]
    judged = told(states.noted(found, {"postgresql.x": "on"}, "Friday"))
    assert set(judged) == set(broken)
    for key, words in broken.items():
        assert words in judged[key]


def setting(name, value, *, pending=False):
    return {"name": name, "setting": value, "unit": None, "source": "default", "pending_restart": pending}


@pytest.mark.parametrize(
    ("value", "demand", "meets"),
    [
        ("on", {"is": "on"}, True),
        ("off", {"is": "on"}, False),
        ("mod", {"is": ("ddl", "mod")}, True),
        ("none", {"is": ("ddl", "mod")}, False),
        ("md5", {"is_not": "md5"}, False),
        ("scram-sha-256", {"is_not": "md5"}, True),
        ("%m [%p] %u", {"holds": ("%m", "%u")}, True),
        ("%m [%p]", {"holds": ("%m", "%u")}, False),
        ("9", {"at_least": 10}, False),
        ("10", {"at_least": 10}, True),
        ("11", {"at_least": 10}, True),
        ("9", {"at_most": 10}, True),
        ("10", {"at_most": 10}, True),
        ("11", {"at_most": 10}, False),
        ("many", {"at_most": 10}, False),
        ("", {"is": ""}, True),
    ],
)
def test_what_a_demand_means(value, demand, meets):
    judged = states.settings([setting("x", value)], {"x": demand})
    assert (told(judged) == {}) is meets


def test_a_setting_the_server_does_not_have_or_has_not_taken_yet_is_told():
    judged = told(states.settings([setting("x", "on", pending=True)], {"x": {"is": "on"}, "y": {"is": "on"}}))
    assert set(judged) == {"setting x", "setting y"}
    assert "restarted" in judged["setting x"]


HABIT = {"times": 8, "least": 500, "days": 3}


def used(day, count, username="ann", kind="export"):
    return {"username": username, "kind": kind, "day": f"2026-11-{day:02}", "rows": count}


@pytest.mark.parametrize(("count", "found"), [(799, []), (800, []), (801, ["export by ann"])])
def test_more_than_so_many_times_the_habit(count, found):
    past = [used(day, 100) for day in (2, 3, 4)]
    judged = data_use.habits([*past, used(20, count)], HABIT, "2026-11-16T00:00:00+00:00")
    assert (list(told(judged)), judged.looked_at) == (found, 1)


@pytest.mark.parametrize(("count", "found"), [(500, []), (501, ["export by ann"])])
def test_few_rows_are_never_told(count, found):
    past = [used(day, 1) for day in (2, 3, 4)]
    assert list(told(data_use.habits([*past, used(20, count)], HABIT, "2026-11-16"))) == found


def test_a_newcomer_is_held_against_everybody():
    past = [used(day, 200, "ben") for day in (2, 3, 4)] + [used(2, 1)]
    assert list(told(data_use.habits([*past, used(20, 1500)], HABIT, "2026-11-16"))) == []
    assert list(told(data_use.habits([*past, used(20, 1601)], HABIT, "2026-11-16"))) == ["export by ann"]
    assert list(told(data_use.habits([used(20, 501)], HABIT, "2026-11-16"))) == ["export by ann"]


def test_reading_is_another_habit_than_exporting():
    past = [used(day, 5000, kind="read") for day in (2, 3, 4)] + [used(day, 100) for day in (2, 3, 4)]
    judged = data_use.habits([*past, used(20, 5000, kind="read"), used(20, 5000)], HABIT, "2026-11-16")
    assert list(told(judged)) == ["export by ann"]
