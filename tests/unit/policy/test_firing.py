"""Which cadences a run stands for: by its time, by hand, on holidays, on a first Sunday, after the policy changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from clo_ops.findings import ConfigurationError
from clo_ops.policy import load_policy
from clo_ops.policy.firing import ALL, SCHEDULED, by_hand, by_the_clock, cadences_of, default_by_hand, on_schedule

POLICY = load_policy()
MINUTES = timedelta(minutes=1)


def fired(dag: str, *when: int) -> tuple[str, ...]:
    return on_schedule(POLICY, dag, datetime(*when, tzinfo=UTC)).fired


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ((2026, 11, 23, 10, 5), ("business_hours_monitoring", "business_hours_alerts")),
        ((2026, 11, 23, 18, 0), ("business_hours_monitoring", "business_hours_alerts")),
        ((2026, 11, 23, 18, 5), ("business_hours_alerts",)),
        ((2026, 11, 23, 7, 55), ("business_hours_alerts",)),
        ((2026, 11, 22, 10, 0), ("business_hours_alerts",)),
        ((2026, 11, 26, 16, 0), ("business_hours_alerts",)),
    ],
    ids=["in hours", "last", "after", "before", "Sunday", "Thanksgiving"],
)
def test_monitoring_is_for_business_hours_and_alerts_are_round_the_clock(when, expected):
    assert fired("business_hours_monitoring", *when) == expected


def test_a_holiday_is_named_in_the_reason():
    thanksgiving = on_schedule(POLICY, "business_hours_monitoring", datetime(2026, 11, 26, 16, tzinfo=UTC))
    assert "for business days, and Thu 2026-11-26 is Thanksgiving" in thanksgiving.why_not_due("BH-01")
    assert thanksgiving.why_not_due("AL-01") == ""


def test_on_a_first_sunday_the_month_stands_in_for_the_week():
    assert fired("maintenance", 2026, 11, 29, 2) == ("maintenance_weekly",)
    first = on_schedule(POLICY, "maintenance", datetime(2026, 12, 6, 2, tzinfo=UTC))
    assert first.fired == ("maintenance_monthly",)
    assert "Monthly maintenance window stands in for Weekly" in first.why_not_due("MW-01")
    assert first.why_not_due("MW-02") == first.why_not_due("MW-04") == ""


def test_a_run_that_stands_for_two_is_done_by_the_longer():
    minutes = on_schedule(POLICY, "log_management", datetime(2026, 11, 24, 9, 15, tzinfo=UTC))
    evening = on_schedule(POLICY, "log_management", datetime(2026, 11, 24, 18, 30, tzinfo=UTC))
    assert (minutes.fired, minutes.done_by) == (("log_management_real_time",), 4 * MINUTES)
    assert evening.fired == ("log_management_real_time", "log_management_daily")
    assert evening.done_by == 60 * MINUTES
    assert minutes.why_not_due("LM-01") == (
        "Log analysis of the day, and retention is not due on Tue 2026-11-24 at 09:15 UTC."
    )


def test_seconds_late_is_still_that_minute_and_the_next_minute_is_not():
    at = datetime(2026, 11, 29, 2, 0, 59, tzinfo=UTC)
    assert on_schedule(POLICY, "maintenance", at).fired == ("maintenance_weekly",)
    assert on_schedule(POLICY, "maintenance", at + timedelta(seconds=1)).fired == tuple(
        cadences_of(POLICY, "maintenance")
    )


def test_a_time_no_cadence_knows_asks_everything():
    stray = on_schedule(POLICY, "reports_and_support", datetime(2026, 11, 24, 3, 33, tzinfo=UTC))
    assert stray.fired == ("reports_daily", "reports_weekly", "reports_monthly")
    assert stray.why_not_due("RP-02") == ""


def test_by_hand_the_emergency_is_meant_else_all_unless_one_is_named():
    assert by_hand(POLICY, "maintenance").fired == ("maintenance_emergency",)
    assert by_hand(POLICY, "reports_and_support").fired == ("reports_daily", "reports_weekly", "reports_monthly")
    weekly = by_hand(POLICY, "reports_and_support", "reports_weekly")
    assert weekly.fired == ("reports_weekly",)
    assert weekly.why_not_due("RP-03") == "The run was asked for Weekly reports only."
    assert by_hand(POLICY, "maintenance", ALL).fired == tuple(cadences_of(POLICY, "maintenance"))
    assert by_hand(POLICY, "incident_response").done_by == timedelta(days=10)


def test_by_hand_a_holiday_does_not_count():
    assert by_hand(POLICY, "business_hours_monitoring").why_not_due("BH-01") == ""


def test_a_cadence_of_another_dag_is_refused_with_those_there_are():
    with pytest.raises(ConfigurationError, match=r"'reports_daily'.*all, maintenance_weekly"):
        by_hand(POLICY, "maintenance", "reports_daily")
    with pytest.raises(ConfigurationError, match=r"no cadence is for the DAG 'mornings'.*daily_morning_startup"):
        cadences_of(POLICY, "mornings")


def test_a_dag_of_one_cadence_is_asked_for_all_of_it():
    morning = cadences_of(POLICY, "daily_morning_startup")
    assert default_by_hand(morning) == ALL
    assert fired("daily_morning_startup", 2026, 11, 26, 8) == ("daily_morning_startup",)


@pytest.mark.parametrize(
    ("named", "expected"), [(None, True), ("", False), ("maintenance", False), ("maintenance, incident_response", True)]
)
def test_an_installation_may_leave_dags_to_people_and_events(
    monkeypatch: pytest.MonkeyPatch, named: str | None, *, expected: bool
) -> None:
    monkeypatch.delenv(SCHEDULED, raising=False)
    if named is not None:
        monkeypatch.setenv(SCHEDULED, named)
    assert by_the_clock("incident_response") is expected


def test_by_hand_the_audit_is_meant_where_nothing_else_is_said_and_a_review_asks_two_procedures():
    assert by_hand(POLICY, "monthly_week1_security_audit").fired == ("monthly_week1_security_audit",)
    review = by_hand(POLICY, "monthly_week1_security_audit", "access_review")
    asked = [one for one in (f"M1-0{n}" for n in range(1, 10)) if not review.why_not_due(one)]
    assert (asked, review.done_by) == (["M1-01", "M1-09"], timedelta(days=15))
