"""The week's security incidents and user activity: times against what was due, people and features by role."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from clo_ops.findings import Status
from clo_ops.orchestration import weekly_reports
from tests.integration.reports.conftest import FRIDAY, Office

DAG = "weekly_friday_compliance"
WEEK = (datetime(2026, 11, 13, tzinfo=UTC), datetime(2026, 11, 20, tzinfo=UTC))


@pytest.fixture(scope="module")
def week(office: Office) -> dict[str, Any]:
    run = office.run(DAG, "friday", FRIDAY - timedelta(hours=8))
    office.judged(run, "WF-11", weekly_reports.security_incidents)
    office.judged(run, "WF-12", weekly_reports.user_activity)
    names = {"WF-11": "security-incidents", "WF-12": "user-activity"}
    return {procedure: json.loads(office.kept(run, f"{name}.json")) for procedure, name in names.items()}


def section(sheet: Any, heading: str) -> Any:
    (one,) = [one for one in sheet["sections"] if one["heading"] == heading]
    return one


def by_first(table: Any) -> dict[str, list[str]]:
    return {row[0]: row[1:] for row in table["rows"]}


def test_the_week_is_the_seven_whole_days_before(week: dict[str, Any]) -> None:
    for sheet in week.values():
        assert (sheet["since"], sheet["until"]) == tuple(one.isoformat() for one in WEEK)


def test_times_of_incidents_stand_against_what_was_due(week: dict[str, Any]) -> None:
    added, each = section(week["WF-11"], "Security incidents")["tables"]
    assert by_first(added)["P2"] == ["1", "0", "15 min", "15 min", "0", "2 h 0 min", "2 h 0 min", "0"]
    # 3 h of 2 h, and 30 h of 24 h: at the week's end, Thursday midnight, it had only been answered, and was late.
    assert by_first(added)["P3"] == ["1", "1", "3 h 0 min", "3 h 0 min", "1", "-", "-", "1"]
    late = next(row for row in each["rows"] if "events" in row[2])
    assert late[5:] == ["3 h 0 min of 2 h 0 min, LATE", "not yet of 1 d 0 h, LATE"]


def test_only_incidents_of_policys_procedures_are_security_incidents(week: dict[str, Any]) -> None:
    _, mine = section(week["WF-11"], "Security incidents")["tables"]
    _, others = section(week["WF-11"], "Other incidents")["tables"]
    assert {row[3] for row in mine["rows"]} == {"AL-06", "WF-08"}
    assert {row[3] for row in others["rows"]} == {"AL-03"}, "Friday's incidents are the next week's"


def test_what_was_late_warns_and_is_named(week: dict[str, Any]) -> None:
    (finding,) = section(week["WF-11"], "Security incidents")["findings"]
    assert finding["status"] == "warn"
    assert "(P3) answered and resolved late" in finding["message"]
    cards = {what: figure for what, figure, _ in week["WF-11"]["cards"]}
    assert (cards["Security incidents"], cards["Late"]) == ("2", "1")


def test_security_events_are_those_of_the_rows(office: Office, week: dict[str, Any]) -> None:
    events, changes = section(week["WF-11"], "Security events")["tables"]
    with office.database("postgres") as connection:
        (times,) = connection.execute(
            "SELECT count(*) FROM security_events WHERE at >= %s AND at < %s", WEEK
        ).fetchone()
        rows = connection.execute(
            "SELECT 'role ' || action, count(*) FROM permission_changes WHERE at >= %s AND at < %s GROUP BY action",
            WEEK,
        ).fetchall()
    assert sum(int(row[3]) for row in events["rows"]) == times > 0
    shown = by_first(changes)
    assert {what: shown[what][0] for what, _ in rows} == {what: str(count) for what, count in rows}


def test_titles_of_incidents_are_escaped(office: Office, week: dict[str, Any]) -> None:
    run = office.run(DAG, "friday", FRIDAY - timedelta(hours=8))
    html = office.kept(run, "security-incidents.html").decode()
    assert "&lt;b&gt;events&lt;/b&gt; &amp; co" in html
    assert "<b>events" not in html


def test_people_by_role_are_those_of_the_rows(office: Office, week: dict[str, Any]) -> None:
    (roles,) = section(week["WF-12"], "Activity by role")["tables"]
    with office.database("postgres") as connection:
        rows = connection.execute(
            "SELECT role_name, count(DISTINCT s.user_id), count(*), count(*) FILTER (WHERE s.created_at >= %s)"
            " FROM app_sessions s JOIN app_user_roles USING (user_id) JOIN app_roles USING (role_id)"
            " WHERE s.created_at < %s AND s.last_seen_at >= %s GROUP BY role_name",
            (WEEK[0], WEEK[1], WEEK[0]),
        ).fetchall()
    assert len(rows) > 2
    shown = by_first(roles)
    for role, users, sessions, opened in rows:
        assert shown[role][1:4] == [f"{users:,}", f"{sessions:,}", f"{opened:,}"]


def test_features_by_role_are_those_of_the_trail(office: Office, week: dict[str, Any]) -> None:
    (table,) = section(week["WF-12"], "Features used")["tables"]
    with office.database("postgres") as connection:
        times, users = connection.execute(
            "SELECT count(*), count(DISTINCT actor) FROM audit_logs JOIN app_users ON username = actor"
            " JOIN app_user_roles USING (user_id) JOIN app_roles USING (role_id) WHERE role_name = 'manager'"
            " AND action = 'calculation_approved' AND audit_logs.created_at >= %s AND audit_logs.created_at < %s",
            WEEK,
        ).fetchone()
    place = table["heading"].index("manager")
    row = next(row for row in table["rows"] if row[0] == "calculation_approved")
    assert row[place] == f"{times} ({users})"


def test_a_login_as_nobody_we_know_is_told_apart(office: Office) -> None:
    with office.database("postgres") as connection:
        connection.execute(
            "INSERT INTO login_attempts (username, success, reason, at) VALUES (%s, false, 'no such user', %s)",
            ("<i>eve</i>", WEEK[0] + timedelta(hours=1)),
        )
    run = office.run(DAG, at=FRIDAY)
    found = office.judged(run, "WF-12", weekly_reports.user_activity)
    assert {one.status for one in found} == {Status.PASS}
    (roles,) = section(json.loads(office.kept(run, "user-activity.json")), "Activity by role")["tables"]
    assert by_first(roles)["(no such account)"][-1] == "1"
