"""Fire times of every cadence, pinned to dates written down by hand or by calendar arithmetic, never by cron."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from croniter import croniter

from clo_ops.policy import Policy, load_policy
from clo_ops.policy.calendar import fire_times, planned
from clo_ops.policy.paths import INCLUDE

# Six years of the n-th Sunday and Mondays of each month.
FIRST_SUNDAYS = """
2025: 01-05 02-02 03-02 04-06 05-04 06-01 07-06 08-03 09-07 10-05 11-02 12-07
2026: 01-04 02-01 03-01 04-05 05-03 06-07 07-05 08-02 09-06 10-04 11-01 12-06
2027: 01-03 02-07 03-07 04-04 05-02 06-06 07-04 08-01 09-05 10-03 11-07 12-05
2028: 01-02 02-06 03-05 04-02 05-07 06-04 07-02 08-06 09-03 10-01 11-05 12-03
2029: 01-07 02-04 03-04 04-01 05-06 06-03 07-01 08-05 09-02 10-07 11-04 12-02
2030: 01-06 02-03 03-03 04-07 05-05 06-02 07-07 08-04 09-01 10-06 11-03 12-01
"""
FIRST_MONDAYS = """
2025: 01-06 02-03 03-03 04-07 05-05 06-02 07-07 08-04 09-01 10-06 11-03 12-01
2026: 01-05 02-02 03-02 04-06 05-04 06-01 07-06 08-03 09-07 10-05 11-02 12-07
2027: 01-04 02-01 03-01 04-05 05-03 06-07 07-05 08-02 09-06 10-04 11-01 12-06
2028: 01-03 02-07 03-06 04-03 05-01 06-05 07-03 08-07 09-04 10-02 11-06 12-04
2029: 01-01 02-05 03-05 04-02 05-07 06-04 07-02 08-06 09-03 10-01 11-05 12-03
2030: 01-07 02-04 03-04 04-01 05-06 06-03 07-01 08-05 09-02 10-07 11-04 12-02
"""
SECOND_MONDAYS = """
2025: 01-13 02-10 03-10 04-14 05-12 06-09 07-14 08-11 09-08 10-13 11-10 12-08
2026: 01-12 02-09 03-09 04-13 05-11 06-08 07-13 08-10 09-14 10-12 11-09 12-14
2027: 01-11 02-08 03-08 04-12 05-10 06-14 07-12 08-09 09-13 10-11 11-08 12-13
2028: 01-10 02-14 03-13 04-10 05-08 06-12 07-10 08-14 09-11 10-09 11-13 12-11
2029: 01-08 02-12 03-12 04-09 05-14 06-11 07-09 08-13 09-10 10-08 11-12 12-10
2030: 01-14 02-11 03-11 04-08 05-13 06-10 07-08 08-12 09-09 10-14 11-11 12-09
"""
THIRD_MONDAYS = """
2025: 01-20 02-17 03-17 04-21 05-19 06-16 07-21 08-18 09-15 10-20 11-17 12-15
2026: 01-19 02-16 03-16 04-20 05-18 06-15 07-20 08-17 09-21 10-19 11-16 12-21
2027: 01-18 02-15 03-15 04-19 05-17 06-21 07-19 08-16 09-20 10-18 11-15 12-20
2028: 01-17 02-21 03-20 04-17 05-15 06-19 07-17 08-21 09-18 10-16 11-20 12-18
2029: 01-15 02-19 03-19 04-16 05-21 06-18 07-16 08-20 09-17 10-15 11-19 12-17
2030: 01-21 02-18 03-18 04-15 05-20 06-17 07-15 08-19 09-16 10-21 11-18 12-16
"""
FOURTH_MONDAYS = """
2025: 01-27 02-24 03-24 04-28 05-26 06-23 07-28 08-25 09-22 10-27 11-24 12-22
2026: 01-26 02-23 03-23 04-27 05-25 06-22 07-27 08-24 09-28 10-26 11-23 12-28
2027: 01-25 02-22 03-22 04-26 05-24 06-28 07-26 08-23 09-27 10-25 11-22 12-27
2028: 01-24 02-28 03-27 04-24 05-22 06-26 07-24 08-28 09-25 10-23 11-27 12-25
2029: 01-22 02-26 03-26 04-23 05-28 06-25 07-23 08-27 09-24 10-22 11-26 12-24
2030: 01-28 02-25 03-25 04-22 05-27 06-24 07-22 08-26 09-23 10-28 11-25 12-23
"""


def dates(table: str) -> list[date]:
    lines = [line.split(": ") for line in table.strip().splitlines()]
    return [date.fromisoformat(f"{year}-{day}") for year, days in lines for day in days.split()]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def times(policy: Policy, name: str, start: str, end: str) -> list[datetime]:
    return list(fire_times(policy.cadences[name], utc(start), utc(end), policy.business_calendar))


@pytest.mark.parametrize(
    ("name", "table", "clock"),
    [
        ("maintenance_monthly", FIRST_SUNDAYS, "02:00"),
        ("monthly_week1_security_audit", FIRST_MONDAYS, "10:00"),
        ("access_review", FIRST_MONDAYS, "16:00"),
        ("monthly_week2_performance_review", SECOND_MONDAYS, "10:00"),
        ("monthly_week3_dr_test", THIRD_MONDAYS, "10:00"),
        ("monthly_week4_system_updates", FOURTH_MONDAYS, "10:00"),
        ("log_management_monthly", FIRST_MONDAYS, "12:00"),
        ("reports_monthly", SECOND_MONDAYS, "16:00"),
    ],
)
def test_six_years_of_monthly_cadences(policy: Policy, name: str, table: str, clock: str) -> None:
    expected = [utc(f"{day}T{clock}") for day in dates(table)]
    assert len(expected) == 72
    assert times(policy, name, "2025-01-01", "2031-01-01") == expected


def test_the_monthly_window_supersedes_the_weekly_one_on_every_first_sunday_of_six_years(policy: Policy) -> None:
    first = date(2025, 1, 5)
    sundays = [first + timedelta(weeks=week) for week in range(313)]
    assert sundays[-1] == date(2030, 12, 29)
    expected = [utc(f"{day}T02:00") for day in sundays if day not in set(dates(FIRST_SUNDAYS))]
    assert len(expected) == 313 - 72
    assert times(policy, "maintenance_weekly", "2025-01-01", "2031-01-01") == expected


def test_one_maintenance_run_on_a_first_sunday(policy: Policy) -> None:
    runs = [run for run in planned(policy, utc("2026-12-06"), utc("2026-12-07")) if run.dag == "maintenance"]
    runs = [run for run in runs if run.cadence != "maintenance_reviews"]
    assert [(run.at, run.cadence) for run in runs] == [(utc("2026-12-06T02:00"), "maintenance_monthly")]
    assert runs[0].done_by == utc("2026-12-06T06:00")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("daily_morning_startup", [f"2026-12-{day:02d}T08:00" for day in range(1, 15)]),
        ("daily_end_of_day", [f"2026-12-{day:02d}T18:00" for day in range(1, 15)]),
        ("log_management_daily", [f"2026-12-{day:02d}T18:30" for day in range(1, 15)]),
        ("reports_daily", [f"2026-12-{day:02d}T19:00" for day in range(1, 15)]),
        ("weekly_monday_maintenance", ["2026-12-07T05:00", "2026-12-14T05:00"]),
        ("weekly_wednesday_capacity", ["2026-12-02T10:00", "2026-12-09T10:00"]),
        ("weekly_friday_compliance", ["2026-12-04T10:00", "2026-12-11T10:00"]),
        ("log_management_weekly", ["2026-12-04T11:00", "2026-12-11T11:00"]),
        ("reports_weekly", ["2026-12-04T14:00", "2026-12-11T14:00"]),
        ("maintenance_weekly", ["2026-12-13T02:00"]),
        ("maintenance_reviews", [f"2026-12-{day:02d}T08:30" for day in range(1, 15)]),
        ("incident_response", []),
        ("maintenance_emergency", []),
    ],
)
def test_two_weeks_of_every_daily_and_weekly_cadence(policy: Policy, name: str, expected: list[str]) -> None:
    assert times(policy, name, "2026-12-01", "2026-12-15") == [utc(text) for text in expected]


def test_every_cadence_is_pinned_by_this_file(policy: Policy) -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    assert [name for name in policy.cadences if f'"{name}"' not in source] == []


def test_business_hours_are_every_five_minutes_with_18_00_included(policy: Policy) -> None:
    friday = times(policy, "business_hours_monitoring", "2026-11-20", "2026-11-21")
    assert len(friday) == 121
    assert friday[:2] == [utc("2026-11-20T08:00"), utc("2026-11-20T08:05")]
    assert friday[-2:] == [utc("2026-11-20T17:55"), utc("2026-11-20T18:00")]


def test_business_hours_leave_out_week_ends_and_holidays(policy: Policy) -> None:
    days = Counter(at.date() for at in times(policy, "business_hours_monitoring", "2026-12-19", "2027-01-03"))
    # The 25th and the 1st are holidays in the United States; both fall on a Friday.
    working = ["21", "22", "23", "24", "28", "29", "30", "31"]
    assert days == {date.fromisoformat(f"2026-12-{day}"): 121 for day in working}


def test_a_cadence_of_business_days_asks_whose(policy: Policy) -> None:
    with pytest.raises(ValueError, match="which calendar"):
        list(fire_times(policy.cadences["business_hours_monitoring"], utc("2026-12-01"), utc("2026-12-02")))


def test_naive_bounds_are_refused(policy: Policy) -> None:
    with pytest.raises(ValueError, match="aware"):
        list(fire_times(policy.cadences["daily_end_of_day"], datetime(2026, 1, 1), utc("2026-12-02")))  # noqa: DTZ001


def test_alerts_and_log_bursts_run_round_the_clock(policy: Policy) -> None:
    saturday = times(policy, "business_hours_alerts", "2026-12-05", "2026-12-06")
    assert saturday == [utc("2026-12-05") + timedelta(minutes=5 * count) for count in range(288)]
    around = times(policy, "log_management_real_time", "2026-12-05T23:53", "2026-12-06T00:07")
    assert around == [utc("2026-12-05T23:55"), utc("2026-12-06"), utc("2026-12-06T00:05")]


def test_the_start_counts_and_the_end_does_not(policy: Policy) -> None:
    assert times(policy, "daily_morning_startup", "2026-12-01T08:00", "2026-12-02T08:00") == [utc("2026-12-01T08:00")]
    assert times(policy, "daily_morning_startup", "2026-12-01T08:01", "2026-12-02T08:00") == []


@pytest.mark.parametrize(
    ("zone", "days"),
    [
        ("Europe/Berlin", ("2027-03-27", "2027-03-28", "2027-03-29")),
        ("Europe/Berlin", ("2027-10-30", "2027-10-31", "2027-11-01")),
        ("America/New_York", ("2027-03-13", "2027-03-14", "2027-03-15")),
        ("America/New_York", ("2027-11-06", "2027-11-07", "2027-11-08")),
    ],
)
def test_both_clock_changes_leave_utc_alone(policy: Policy, zone: str, days: tuple[str, ...]) -> None:
    after = (date.fromisoformat(days[-1]) + timedelta(days=1)).isoformat()
    start, end = (utc(day).astimezone(ZoneInfo(zone)) for day in (days[0], after))
    fired = list(fire_times(policy.cadences["daily_morning_startup"], start, end))
    assert fired == [utc(f"{day}T08:00") for day in days]
    assert len(list(fire_times(policy.cadences["business_hours_alerts"], start, end))) == 3 * 288


def test_the_morning_is_done_by_half_past_eight(policy: Policy) -> None:
    runs = [run for run in planned(policy, utc("2026-12-01"), utc("2026-12-02")) if "morning" in run.dag]
    assert [(run.at, run.done_by) for run in runs] == [(utc("2026-12-01T08:00"), utc("2026-12-01T08:30"))]


POLICY = load_policy(INCLUDE / "policy", "demo")
CRONS = sorted({cron for cadence in POLICY.cadences.values() for cron in cadence.cron})


@pytest.mark.parametrize("cron", CRONS)
def test_fire_times_agree_with_croniter_itself(cron: str) -> None:
    start = utc("2026-02-20T07:31")
    plain = croniter(cron, start - timedelta(microseconds=1), ret_type=datetime)
    expected = [plain.get_next() for _ in range(200)]
    cadence = POLICY.cadences["daily_morning_startup"].model_copy(update={"cron": (cron,)})
    assert list(fire_times(cadence, start, expected[-1] + timedelta(seconds=1))) == expected
