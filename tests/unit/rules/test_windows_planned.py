"""Which window a run belongs to, and which come next."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from clo_ops.policy import load_policy
from clo_ops.rules.windows_planned import coming, occasion_of

POLICY = load_policy(mode="demo")


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_a_monday_is_its_own_window_to_the_second():
    monday = occasion_of(POLICY, ["weekly_monday_maintenance"], at("2026-11-23T05:00"))
    assert (monday.name, monday.starts, monday.ends) == ("monday", at("2026-11-23T05:00"), at("2026-11-23T07:00"))
    assert not monday.covers(at("2026-11-23T04:59:59"))
    assert monday.covers(at("2026-11-23T05:00"))
    assert monday.covers(at("2026-11-23T06:59:59"))
    assert not monday.covers(at("2026-11-23T07:00"))


@pytest.mark.parametrize(
    ("day", "cadences", "name"),
    [
        ("2026-11-22", ["maintenance_weekly"], "weekly"),
        ("2026-12-06", ["maintenance_monthly"], "monthly"),
        ("2026-12-06", ["maintenance_weekly", "maintenance_monthly"], "monthly"),
        ("2026-11-22", ["maintenance_weekly", "maintenance_monthly"], "weekly"),
    ],
)
def test_the_window_of_a_sunday(day, cadences, name):
    assert occasion_of(POLICY, cadences, at(f"{day}T03:00")).name == name


@pytest.mark.parametrize(
    ("day", "cadence"),
    [
        ("2026-11-24", "weekly_monday_maintenance"),
        ("2026-11-23", "maintenance_weekly"),
        ("2026-11-22", "maintenance_monthly"),
        ("2026-11-22", "maintenance_emergency"),
    ],
)
def test_no_window_on_another_day_nor_for_an_emergency(day, cadence):
    assert occasion_of(POLICY, [cadence], at(f"{day}T03:00")) is None


def test_the_windows_that_come_with_the_first_sunday_in_place_of_the_weekly_one():
    found = [
        (one.name, one.starts) for one in coming(POLICY, "maintenance", at("2026-11-20T00:00"), at("2026-12-14T00:00"))
    ]
    assert found == [
        ("weekly", at("2026-11-22T02:00")),
        ("weekly", at("2026-11-29T02:00")),
        ("monthly", at("2026-12-06T02:00")),
        ("weekly", at("2026-12-13T02:00")),
    ]
    assert all(
        one.ends - one.starts == timedelta(hours=2)
        for one in coming(POLICY, "weekly_monday_maintenance", at("2026-11-23T00:00"), at("2026-11-24T00:00"))
    )
