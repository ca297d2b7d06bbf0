"""The reports of a day over a demo world and a ledger: their figures counted again from the rows another way."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from clo_ops.findings import CouldNotCheck, Finding, Status
from clo_ops.orchestration import daily_reports
from clo_ops.orchestration.coverage import pages
from clo_ops.orchestration.report_facts import facts
from clo_ops.reports.work_sections import FAILED, failures
from clo_ops.rules.periods import Period
from demo.stack.ports import free_port
from tests.integration.reports.conftest import FRIDAY, Office

DAG = "daily_end_of_day"
DAY = (FRIDAY - timedelta(days=1), FRIDAY)
Sheet = Mapping[str, Any]


@pytest.fixture(scope="module")
def day(office: Office) -> dict[str, Sheet]:
    """Friday's reports by procedure, as they are kept."""
    run = office.run(DAG, "friday")
    office.judged(run, "ED-07", daily_reports.operations)
    office.judged(run, "ED-01", daily_reports.system_status)
    office.judged(run, "ED-02", daily_reports.business_activity)
    names = {"ED-01": "system-status", "ED-02": "business-activity", "ED-07": "daily-operations"}
    return {procedure: json.loads(office.kept(run, f"{name}.json")) for procedure, name in names.items()}


def section(sheet: Sheet, heading: str) -> Any:
    (one,) = [one for one in sheet["sections"] if one["heading"] == heading]
    return one


def figures(sheet: Sheet, heading: str, table: int = 0) -> dict[str, list[str]]:
    """Rows of a table by their first cell."""
    return {row[0]: row[1:] for row in section(sheet, heading)["tables"][table]["rows"]}


def asked(office: Office, query: str, *values: Any) -> Any:
    with office.database("postgres") as connection:
        return connection.execute(query, values).fetchall()


def of_ledger(office: Office, query: str, **values: Any) -> Any:
    from sqlalchemy import text

    with office.ledger.transaction() as connection:
        return connection.execute(text(query), values).one()


def test_people_and_logins_are_those_of_the_rows(office: Office, day: dict[str, Sheet]) -> None:
    shown = figures(day["ED-01"], "User activity")
    ((accepted, refused),) = asked(
        office,
        "SELECT sum(success::int), sum((NOT success)::int) FROM login_attempts"
        " WHERE at BETWEEN %s AND %s AND username NOT LIKE 'clo-ops-%%'",
        *DAY,
    )
    ((people, sessions),) = asked(
        office,
        "SELECT count(DISTINCT user_id), count(*) FROM app_sessions"
        " WHERE tstzrange(created_at, last_seen_at, '[]') && tstzrange(%s, %s, '[)')",
        *DAY,
    )
    assert int(accepted) > 3
    assert shown["logins accepted"][0] == f"{accepted:,}"
    assert shown["logins refused"][0] == f"{refused:,}"
    assert shown["people with a session in use"][0] == f"{people:,}"
    assert shown["sessions in use"][0] == f"{sessions:,}"


def test_every_figure_says_where_it_can_be_read_again(day: dict[str, Sheet]) -> None:
    (people,) = section(day["ED-01"], "User activity")["tables"]
    assert {row[2] for row in people["rows"]} == {"1", "2", "3"}
    assert "3: include/sql/source/session_use.sql at " in people["source"]
    assert people["source"].count("result SHA-256") == 3
    for sheet in day.values():
        for one in sheet["sections"]:
            for table in one["tables"]:
                assert table["source"], one["heading"]


def test_jobs_are_those_of_the_rows(office: Office, day: dict[str, Sheet]) -> None:
    shown = figures(day["ED-02"], "Calculation jobs")
    rows = asked(
        office,
        "SELECT kind, count(*) FILTER (WHERE error IS NULL), count(*) FILTER (WHERE error IS NOT NULL),"
        " max(extract(epoch FROM finished_at) - extract(epoch FROM started_at)) FROM calculation_jobs"
        " WHERE finished_at >= %s AND finished_at < %s GROUP BY kind",
        *DAY,
    )
    assert rows
    for kind, done, failed, longest in rows:
        assert shown[kind][:3] == [f"{done:,}", f"{failed:,}", "0"]
        assert shown[kind][5] == f"{float(longest):.1f} s"
    assert day["ED-02"]["cards"][0][1] == f"{sum(row[1] for row in rows):,}"


def test_roles_and_features_are_those_of_the_rows(office: Office, day: dict[str, Sheet]) -> None:
    shown = figures(day["ED-02"], "Features used")
    rows = asked(
        office,
        "SELECT action, count(*) FROM audit_logs WHERE created_at >= %s AND created_at < %s"
        " AND actor IN (SELECT username FROM app_users WHERE username NOT LIKE 'clo-ops-%%') GROUP BY action",
        *DAY,
    )
    assert {name: cells[0] for name, cells in shown.items()} == {action: f"{times:,}" for action, times in rows}
    roles = figures(day["ED-02"], "Activity by role")
    logins = asked(
        office,
        "SELECT role_name, count(*) FROM login_attempts JOIN app_users USING (username)"
        " JOIN app_user_roles USING (user_id) JOIN app_roles USING (role_id)"
        " WHERE success AND at >= %s AND at < %s GROUP BY role_name",
        *DAY,
    )
    for role, times in logins:
        assert roles[role][5] == f"{times:,}"


def test_portfolio_operations_are_those_of_the_rows(office: Office, day: dict[str, Sheet]) -> None:
    busiest = figures(day["ED-02"], "Portfolio operations", 1)
    ((deal, times),) = asked(
        office,
        "SELECT deal_id, count(*) FROM (SELECT deal_id, finished_at FROM calculation_jobs UNION ALL"
        " SELECT deal_id, finished_at FROM report_jobs) AS jobs WHERE finished_at >= %s AND finished_at < %s"
        " GROUP BY deal_id ORDER BY count(*) DESC, deal_id LIMIT 1",
        *DAY,
    )
    assert next(iter(busiest)) == deal
    assert sum(map(int, busiest[deal][:2])) == times


def test_series_are_those_of_the_raw_measurements(office: Office, day: dict[str, Sheet]) -> None:
    """Means and highest values of the hours add up to those of the samples; so does the time over a level."""
    shown = figures(day["ED-01"], "Resource trends")
    raw = of_ledger(
        office,
        "SELECT avg(value), avg(value) FILTER (WHERE at < :since), count(*) FILTER (WHERE value > 95 AND at >= :since)"
        " FROM clo_ops.measurements WHERE metric = 'system.memory.utilization' AND at >= :earlier AND at < :until",
        since=DAY[0], until=DAY[1], earlier=DAY[0] - timedelta(days=7),
    )  # fmt: skip
    today = of_ledger(
        office,
        "SELECT avg(value) FROM clo_ops.measurements WHERE metric = 'system.memory.utilization'"
        " AND at >= :since AND at < :until",
        since=DAY[0], until=DAY[1],
    )  # fmt: skip
    mean, usual, worst, _, critical, measured = shown["Memory app1"]
    assert float(mean.removesuffix(" %")) == pytest.approx(today[0], abs=0.06)
    assert float(usual.split()[0]) == pytest.approx(raw[1], abs=0.06)
    assert raw[2] == 9
    assert critical == "1 h 30 min"
    assert worst.startswith("97 %")
    assert measured == "100 %"


def test_what_was_over_its_critical_level_warns_and_is_named(office: Office, day: dict[str, Sheet]) -> None:
    (finding,) = section(day["ED-01"], "Resource trends")["findings"]
    assert finding["status"] == "warn"
    assert "Memory app1 for 1 h 30 min" in finding["message"]
    assert day["ED-01"]["colour"] == "YELLOW"
    assert "resources" in day["ED-01"]["verdict"]


def test_what_nobody_measures_has_no_source_and_no_number(day: dict[str, Sheet]) -> None:
    gaps = section(day["ED-01"], "Performance")["gaps"]
    assert "Redis hit rate" in gaps[0].removeprefix("No source on record for this period: ")
    assert not [row for row in section(day["ED-01"], "Performance")["tables"][0]["rows"] if "Redis" in row[0]]


def test_plots_are_kept_and_named_by_their_sha256(office: Office, day: dict[str, Sheet]) -> None:
    kept = {one.sha256: one for one in office.ledger.evidence(office.run(DAG, "friday").ledger_run)}
    plots = [plot for one in day["ED-01"]["sections"] for plot in one["plots"]]
    assert len(plots) == 5
    for plot in plots:
        assert kept[plot["evidence"].removeprefix("SHA-256 ")].name.startswith("ED-01-")


def test_the_day_is_that_which_ended_at_eighteen(office: Office, day: dict[str, Sheet]) -> None:
    assert (day["ED-01"]["since"], day["ED-01"]["until"]) == ("2026-11-19T18:00:00+00:00", "2026-11-20T18:00:00+00:00")
    early = daily_reports.day_of(office.run(DAG, at=FRIDAY - timedelta(minutes=1)))
    assert early.until == FRIDAY - timedelta(days=1)
    assert math.isclose(early.length.total_seconds(), 86400)


def test_the_reports_are_mailed_with_a_summary_and_the_files(office: Office, day: dict[str, Sheet]) -> None:
    with office.ledger.transaction() as connection:
        mails = connection.exec_driver_sql("SELECT subject, recipients, text, attachments FROM clo_ops.outbox").all()
    by_subject = {one.subject: one for one in mails}
    mail = by_subject["[CLO Ops] YELLOW System status report of 2026-11-20"]
    assert {one.partition("@")[0] for one in mail.recipients} == {"it-manager", "it-director", "system-administrator"}
    assert "People at work:" in mail.text
    assert {one["name"] for one in mail.attachments} == {"system-status.html", "system-status.pdf"}
    for one in mail.attachments:
        assert one["sha256"] in mail.text
    business = next(one for name, one in by_subject.items() if "Business activity" in name)
    assert business.recipients[0].startswith("business-stakeholders")


def test_availability_is_that_of_the_looks(office: Office, day: dict[str, Sheet]) -> None:
    shown = figures(day["ED-07"], "Availability")
    (share,) = of_ledger(
        office,
        "SELECT avg(value) FROM clo_ops.measurements WHERE metric = 'clo.service.availability'"
        " AND at >= :since AND at < :until",
        since=DAY[0], until=DAY[1],
    )  # fmt: skip
    assert share == pytest.approx(100 * 143 / 144)
    assert shown["Availability"][0] == f"{share:.3f} %"
    assert shown["Down"][0] == "10.0 min"
    (finding,) = section(day["ED-07"], "Availability")["findings"]
    assert (finding["status"], finding["actual"]) == ("warn", "99.306 %")
    assert day["ED-07"]["cards"][0][:2] == ["Availability", "99.306 %"]


def test_incidents_of_the_day_are_those_open_within_it(day: dict[str, Sheet]) -> None:
    one = section(day["ED-07"], "Incidents")
    # "events" was closed at midnight: it was open on this day, too.
    assert {row[3] for row in one["tables"][1]["rows"]} == {"AL-04", "AL-07", "WF-08"}
    (finding,) = one["findings"]
    assert finding["status"] == "warn"
    assert "(P2) answered late" in finding["message"]
    assert day["ED-07"]["cards"][-1][1:] == ["3", "1 not over at the end of the day"]


def test_what_people_wrote_is_escaped(office: Office) -> None:
    nasty = "<script>alert(1)</script>"
    with office.database("postgres") as connection:
        connection.execute("SET session_replication_role = replica")
        changed = connection.execute(
            "UPDATE calculation_jobs SET status = 'failed', error = %s, kind = %s WHERE job_id = (SELECT job_id"
            " FROM calculation_jobs WHERE finished_at >= %s AND finished_at < %s LIMIT 1)"
            " RETURNING job_id",
            (nasty, nasty, *DAY),
        ).fetchall()
    assert len(changed) == 1
    run = office.run(DAG)
    office.judged(run, "ED-02", daily_reports.business_activity)
    html = office.kept(run, "business-activity.html").decode()
    assert "<script" not in html
    assert html.count("&lt;script&gt;alert(1)") >= 2
    assert not [word for word in ("@import", "src=", "url(http") if word in html]
    assert office.kept(run, "business-activity.pdf").startswith(b"%PDF")


def test_a_database_that_does_not_answer_is_unknown_and_the_rest_is_told(office: Office) -> None:
    office.postgres = {"host": "127.0.0.1", "port": free_port(), "login": "nobody", "schema": "clo"}
    run = office.run(DAG)
    try:
        found = office.judged(run, "ED-01", daily_reports.system_status)
    finally:
        office.postgres = {}
    by_name: dict[str, Finding] = {one.name: one for one in found}
    assert by_name["user activity"].status is Status.UNKNOWN
    assert by_name["security events"].status is Status.UNKNOWN
    assert by_name["resources"].status is Status.WARN
    html = office.kept(run, "system-status.html").decode()
    assert "could not ask" in html
    assert ">0<" not in html, "no number is made up"


def test_a_report_that_airflow_makes_again_is_mailed_once(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """The task as Airflow carries it out: a try that ends unknown, and the last one."""
    monkeypatch.setenv("AIRFLOW_CONN_CLO_LEDGER", office.cluster.url("ledger", "clo_ops"))
    monkeypatch.setenv("AIRFLOW_CONN_CLO_POSTGRES", f"postgresql://nobody:none@127.0.0.1:{free_port()}/clo")
    monkeypatch.setenv("AIRFLOW_CONN_CLO_API", "http://clo-ops-probe:none@127.0.0.1:1")
    (page,) = pages(only=DAG)
    when = {"run_type": "manual", "logical_date": FRIDAY, "run_after": FRIDAY, "conf": {}}
    dag_run = SimpleNamespace(dag_id=DAG, run_id="tried again", **when)
    mails = []
    for number in (1, 2):
        context = {"dag_run": dag_run, "ti": SimpleNamespace(try_number=number, max_tries=1), "params": {}}
        with pytest.raises(CouldNotCheck):
            page.get_task("business_activity").execute(context)
        (sent,) = of_ledger(
            office, "SELECT count(*) FROM clo_ops.outbox WHERE dedup_key LIKE :mine", mine="%:tried again:%"
        )
        mails.append(sent)
    assert mails == [0, 1]


def test_a_job_that_failed_without_an_error_on_record_is_told(office: Office) -> None:
    with office.database("postgres") as connection:
        connection.execute("SET session_replication_role = replica")
        changed = "UPDATE calculation_jobs SET status = %s, error = %s WHERE job_id = %s"
        ((job, status, error),) = connection.execute(
            "SELECT job_id, status, error FROM calculation_jobs WHERE finished_at >= %s AND finished_at < %s LIMIT 1",
            DAY,
        ).fetchall()
        connection.execute(changed, ("failed", None, job))
        try:
            found = failures(facts(office.run(DAG), "ED-07", Period(*DAY), questions=(FAILED,)), "ED-07, L420")
        finally:
            connection.execute(changed, (status, error, job))
    (failed,) = found.findings
    assert failed.status is Status.WARN
    assert "1 of them without an error on record" in failed.message


def test_a_day_nobody_looked_at_is_no_green_one(office: Office) -> None:
    run = office.run(DAG, at=FRIDAY - timedelta(days=30))
    found = {one.name: one for one in office.judged(run, "ED-07", daily_reports.operations)}
    assert (found["availability"].status, found["availability"].actual) == (Status.WARN, "no source")


def test_a_question_that_breaks_hides_no_other(office: Office) -> None:
    with office.database("postgres") as connection:
        connection.execute("REVOKE SELECT ON security_events FROM clo_ops_reader")
    try:
        found = office.judged(office.run(DAG), "ED-01", daily_reports.system_status)
    finally:
        with office.database("postgres") as connection:
            connection.execute("GRANT SELECT ON security_events TO clo_ops_reader")
    by_name = {one.name: one for one in found}
    assert by_name["security events"].status is Status.UNKNOWN
    assert "security_events" in by_name["security events"].message
    assert by_name["user activity"].status is Status.PASS
