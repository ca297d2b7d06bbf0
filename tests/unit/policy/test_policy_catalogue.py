"""The catalogue holds every procedure of the manual, and the figures are those of the manual and its resolutions."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta

from clo_ops.policy import Period, Policy
from clo_ops.policy.show import rows
from clo_ops.policy.units import as_text

# An id is for life: this list only ever grows.
IDS = {
    "daily_morning_startup": "DM-01 DM-02 DM-03 DM-04 DM-05 DM-06 DM-07 DM-08 DM-09 DM-10 DM-11 DM-12 DM-13 DM-14 "
    "DM-15",
    "business_hours_monitoring": "BH-01 BH-02 BH-03 BH-04 AL-01 AL-02 AL-03 AL-04 AL-05 AL-06 AL-07 AL-08",
    "daily_end_of_day": "ED-01 ED-02 ED-03 ED-04 ED-05 ED-06 ED-07",
    "weekly_monday_maintenance": "WM-01 WM-02 WM-03 WM-04 WM-05 WM-06 WM-07 WM-08 WM-09",
    "weekly_wednesday_capacity": "WW-01 WW-02 WW-03 WW-04 WW-05 WW-06 WW-07 WW-08 WW-09",
    "weekly_friday_compliance": "WF-01 WF-02 WF-03 WF-04 WF-05 WF-06 WF-07 WF-08 WF-09 WF-10 WF-11 WF-12",
    "monthly_week1_security_audit": "M1-01 M1-02 M1-03 M1-04 M1-05 M1-06 M1-07 M1-08 M1-09",
    "monthly_week2_performance_review": "M2-01 M2-02 M2-03 M2-04 M2-05 M2-06 M2-07 M2-08",
    "monthly_week3_dr_test": "M3-01 M3-02 M3-03 M3-04 M3-05 M3-06 M3-07 M3-08",
    "monthly_week4_system_updates": "M4-01 M4-02 M4-03 M4-04 M4-05 M4-06",
    "incident_response": "IR-01 IR-02 IR-03 IR-04 IR-05 IR-06 IR-07 IR-08 IR-09 IR-10",
    "maintenance": "MW-01 MW-02 MW-03 MW-04 MW-05 MW-06",
    "log_management": "LM-01 LM-02 LM-03 LM-04 LM-05",
    "reports_and_support": "RP-01 RP-02 RP-03 RP-04 RP-05 SP-01 SP-02",
}


def test_every_procedure_is_there_once_with_its_dag(policy: Policy) -> None:
    expected = {identifier: dag for dag, ids in IDS.items() for identifier in ids.split()}
    assert len(expected) == 123
    assert {identifier: procedure.dag for identifier, procedure in policy.procedures.items()} == expected
    assert all(identifier == procedure.id for identifier, procedure in policy.procedures.items())


def test_titles_and_first_actions_say_something(policy: Policy) -> None:
    titles = Counter(procedure.title for procedure in policy.procedures.values())
    assert [title for title, count in titles.items() if count > 1] == []
    assert all(len(procedure.first_action) > 15 for procedure in policy.procedures.values())


def test_every_dag_has_a_cadence_of_its_name_or_cadences_that_share_its_procedures(policy: Policy) -> None:
    for dag, ids in IDS.items():
        own = [cadence for cadence in policy.cadences.values() if cadence.dag == dag]
        assert own, dag
        if all(cadence.procedures for cadence in own):
            assert {one for cadence in own for one in cadence.procedures} == set(ids.split())


def test_alert_levels_of_the_manual(policy: Policy) -> None:
    found = {
        name: (one.warning.above, one.critical.above, one.unit, as_text(one.window))
        for name, one in policy.thresholds.items()
    }
    assert found == {
        "cpu": (70, 85, "percent", "5 min"),
        "memory": (80, 95, "percent", "5 min"),
        "disk": (80, 90, "percent", "5 min"),
        "response_time": (500, 1000, "ms", "5 min"),
        "failed_calculations": (5, 10, "count", "1 h"),
        "failed_logins": (10, 20, "count", "5 min"),
        "failed_logins_of_one": (5, 10, "count", "5 min"),
        "database_connections": (75, 90, "percent", "5 min"),
        "log_errors": (10, 50, "count", "1 min"),
    }


def test_connections_are_15_and_18_of_20(policy: Policy) -> None:
    pool, alert = policy.connections, policy.thresholds["database_connections"]
    assert (pool.pool_size * pool.warning_percent / 100, pool.pool_size * pool.critical_percent / 100) == (15, 18)
    assert (alert.warning.above, alert.critical.above) == (pool.warning_percent, pool.critical_percent)


def test_clocks_of_the_manual(policy: Policy) -> None:
    found = {
        severity.value: f"{level.response} / {level.resolution_target}"
        for severity, level in policy.severities.levels.items()
    }
    assert found == {
        "P1": "15 min / 4 h",
        "P2": "30 min / 8 h",
        "P3": "2 h / 1 day",
        "P4": "next business day / 5 business days",
    }
    classes = {name: (one.severity.value, str(one.response)) for name, one in policy.severities.alert_classes.items()}
    assert classes == {"high": ("P1", "15 min"), "medium": ("P2", "30 min"), "low": ("P3", "2 h")}


def test_both_ladders(policy: Policy) -> None:
    assert [(level.role, str(level.after)) for level in policy.ladders["on_call"].levels] == [
        ("Primary", "at once"),
        ("Secondary", "100 % of response"),
        ("Development Team Lead", "50 % of resolution"),
        ("IT Director", "75 % of resolution"),
    ]
    assert [level.role for level in policy.ladders["management"].levels] == [
        "System Administrator",
        "IT Manager",
        "Director of Technology",
        "Executive Team",
        "External communication",
    ]


def test_retention_of_the_manual(policy: Policy) -> None:
    classes = policy.retention.classes
    assert {name: str(one.keep) for name, one in classes.items()} == {
        "application_logs": "90 days",
        "access_logs": "1 year",
        "security_logs": "2 years",
        "audit_logs": "7 years",
        "system_logs": "30 days",
        "evidence": "7 years",
        "task_logs": "90 days",
        "measurements": "2 years 1 month",
    }
    assert classes["audit_logs"].hot_for == Period(days=90)
    backups = policy.retention.backups
    assert (backups.daily, backups.monthly, backups.yearly) == (30, 12, 7)


def test_windows_kpis_vendors_and_recovery(policy: Policy) -> None:
    assert policy.windows["weekly"].length == timedelta(hours=2)
    assert policy.windows["monthly"].length == timedelta(hours=4)
    assert {name: kpi.target for name, kpi in policy.kpis.items() if kpi.target is not None} == {
        "availability": 99.9,
        "response_time": 100,
        "error_rate": 0.1,
        "user_satisfaction": 4.5,
        "calculation_time": 300,
        "report_time": 120,
    }
    responses = {name: one.response for name, one in policy.vendors.items()}
    assert responses["database"] == timedelta(hours=2)
    assert responses["security"] == timedelta(minutes=30)
    assert (policy.recovery.targets.rto, policy.recovery.targets.rpo) == (timedelta(hours=4), timedelta(hours=1))


def test_every_figure_has_a_source(policy: Policy) -> None:
    uncited = []
    for section in type(policy).model_fields:
        if section in ("mode", "procedures"):
            continue
        uncited += [
            f"{section}: {row.key}" for row in rows(getattr(policy, section)) if not row.manual + row.resolution
        ]
    # Groups of people and the levels that a log calls errors are names, not figures.
    assert [key for key in uncited if ": groups." not in key and "logs: errors." not in key] == []


def test_the_morning_measures_what_it_records(policy: Policy) -> None:
    recorded = set(policy.baseline.names())
    assert set(policy.anomalies.minimum_band) == recorded
    assert {resource.metric for resource in policy.trend.resources} <= recorded


def test_minimum_mornings_are_seven_tenths_rounded_up(policy: Policy) -> None:
    assert [policy.trend.minimum_mornings(window) for window in (7, 10, 28)] == [5, 7, 20]


def test_trend_levels_are_filled_in_from_the_thresholds(policy: Policy) -> None:
    levels = {one.metric: one.warning_level for one in policy.trend.resources}
    assert levels["system.cpu.utilization"] == 70
    assert levels["http.client.request.duration"] == 500
    assert levels["postgresql.connection.count"] == 15
    assert levels["redis.memory.used"] is None
    critical = {one.metric: one.critical_level for one in policy.trend.resources}
    assert (critical["system.cpu.utilization"], critical["postgresql.connection.count"]) == (85, 18)


def test_bands_are_absolute_or_relative(policy: Policy) -> None:
    assert policy.anomalies.minimum_width("system.cpu.utilization", 10) == 30
    assert policy.anomalies.minimum_width("redis.memory.used", 200) == 100
    assert policy.anomalies.minimum_width("no.such.metric", 200) == 0


def test_the_night_begins_at_18_00_of_the_day_before(policy: Policy) -> None:
    at = datetime(2026, 11, 23, 8, 3, tzinfo=UTC)
    assert policy.night.window(at) == (datetime(2026, 11, 22, 18, tzinfo=UTC), at)
    assert policy.night.starts == time(18, tzinfo=UTC)
    assert policy.night.window(at)[0].date() == date(2026, 11, 22)


def test_sections_follow_the_manual_down_to_its_numbered_headings(policy: Policy) -> None:
    morning = [one for one in policy.procedures.values() if one.dag == "daily_morning_startup"]
    assert {one.section[:2] for one in morning} == {("Daily Operations", "Morning Startup Procedures")}
    groups = Counter(one.section[2:] for one in morning)
    assert groups == {
        ("System Health Check", "Verify System Status"): 3,
        ("System Health Check", "Database Validation"): 3,
        ("System Health Check", "Performance Baseline"): 3,
        ("User Access Verification", "Authentication Systems"): 3,
        ("User Access Verification", "Service Availability"): 3,
    }
