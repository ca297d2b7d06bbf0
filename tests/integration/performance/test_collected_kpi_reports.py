"""The week's and the month's report of everything over the KPI reports of their time, as they were kept (RP-02, RP-03).

Each figure in them is counted again from the raw rows, by SQL that shares nothing with what made it.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from clo_ops.findings import Finding, Status
from clo_ops.rules import looks
from tests.integration.performance.october import AT, DAY, FRIDAY, HOUR, NOVEMBER, OCTOBER, WINDOW, Office

DAG = "reports_and_support"
WEEK = (FRIDAY.replace(hour=0) - 7 * DAY, FRIDAY.replace(hour=0))
BEFORE = OCTOBER - 30 * DAY
Findings = dict[str, list[Finding]]


class Page:
    """A report as it was kept: its tables by procedure, a row by its first cell."""

    def __init__(self, content: Any) -> None:
        self.sections = content["sections"]
        self.content = content

    def rows(self, procedure: str, heading: str = "") -> dict[str, list[str]]:
        """Of the first section of this procedure (and heading) that has a table: its tables' rows."""
        mine = [one for one in self.sections if one["manual"].startswith(procedure) and heading in one["heading"]]
        found = next(one["tables"] for one in mine if one["tables"])
        return {row[0]: row[1:] for table in found for row in table["rows"]}


@pytest.fixture(scope="module")
def month(office: Office, review: Findings, card: list[Finding], capacity_reports: Any) -> tuple[Page, list[Finding]]:
    at = AT + 6 * HOUR
    found = office.judged("of everything", "RP-03", at=at, dag=DAG)["RP-03"]
    return Page(json.loads(office.read(office.run("of everything", at, DAG), "monthly-report.json"))), found


@pytest.fixture(scope="module")
def friday(office: Office, week: Findings, capacity_reports: Any) -> tuple[Page, list[Finding]]:
    at = FRIDAY + 4 * HOUR
    found = office.judged("of a week", "RP-02", at=at, dag=DAG)["RP-02"]
    return Page(json.loads(office.read(office.run("of a week", at, DAG), "weekly-report.json"))), found


def number(cell: str) -> float:
    """``1,234.5 ms`` and ``4 min 12 s`` alike."""
    if " min " in cell:
        minutes, seconds = cell.split(" min ")
        return 60 * float(minutes) + float(seconds.split()[0])
    return float(cell.split(maxsplit=1)[0].replace(",", "")) * (60 if cell.endswith(" min") else 1)


def down(office: Office, since: Any, until: Any) -> float:
    """Minutes: from when an incident became a P1 to its closing, or to the first look that found an answer."""
    ((minutes,),) = office.rows(
        "with p1 as (select i.id, i.closed_at, coalesce((select min(e.at) from clo_ops.incident_events e"
        "  where e.incident_id = i.id and e.kind = 'severity_raised'), i.opened_at) as began"
        "  from clo_ops.incidents i where severity = 'P1')"
        " select sum(extract(epoch from least(closed_at, (select min(m.at) from clo_ops.measurements m"
        "  where m.metric = %s and m.labels = '{}' and m.at > began and m.value > 0)) - began)) / 60"
        " from p1 where began >= %s and began < %s",
        looks.METRIC,
        since,
        until,
    )
    return float(minutes)


def looked(office: Office, since: Any, until: Any) -> float:
    """Minutes somebody looked, a look every five."""
    query = "select 5 * count(*) from clo_ops.measurements where metric = %s and labels = '{}' and at >= %s and at < %s"
    ((minutes,),) = office.rows(query, looks.METRIC, since, until)
    return float(minutes)


def answered(office: Office, since: Any, until: Any) -> tuple[float, float]:
    """Milliseconds of the mean request, and percent that failed."""
    ((seconds, failed, asked),) = office.rows(
        "select sum(value) filter (where metric like '%%.seconds'), sum(value) filter (where metric like '%%.failed'),"
        " sum(value) filter (where metric like '%%.count') from clo_ops.measurements"
        " where metric like 'http.server.request.%%' and at >= %s and at < %s",
        since,
        until,
    )
    return 1000 * seconds / asked, 100 * failed / asked


def took(office: Office, table: str, since: Any, until: Any) -> float:
    """Seconds of the mean job that was completed."""
    ((seconds,),) = office.business(
        f"select avg(extract(epoch from finished_at) - extract(epoch from started_at))::float from {table}"  # noqa: S608
        " where status = 'completed' and requested_by not like 'clo-ops-%%' and finished_at >= %s and finished_at < %s",
        since,
        until,
    )
    return float(seconds)


def test_every_kpi_report_of_the_month_is_taken_as_it_was_kept(
    office: Office, month: tuple[Page, list[Finding]]
) -> None:
    page, found = month
    own = {one.name: one for one in found}
    for name in ("M2-01 performance of a month", "RP-04 kpis of a month against their targets"):
        assert own[name].actual.startswith("RED") or own[name].actual.startswith("YELLOW")
        assert own[name].status is Status.WARN, "what is red there is no green line here"
    assert page.content["colour"] == "RED"
    review = json.loads(office.read(office.run("october"), "performance-review.json"))
    mine = {one["manual"]: one for one in page.sections}
    for section in review["sections"]:
        if not section["manual"].startswith("M2-04"):
            assert mine[section["manual"]] == section
    kept = {one.name: one.sha256 for one in office.ledger.evidence(office.run("october").ledger_run)}
    assert kept["performance-review.html"] in json.dumps(page.content)
    # Its curves are evidence of this run, too.
    curves = {one.sha256 for one in office.ledger.evidence(office.run("of everything", AT + 6 * HOUR, DAG).ledger_run)}
    drawn = [plot["evidence"] for section in page.sections for plot in section["plots"]]
    assert drawn and all(one.removeprefix("SHA-256 ") in curves for one in drawn)


def test_the_months_kpis_are_those_of_the_raw_rows(office: Office, month: tuple[Page, list[Finding]]) -> None:
    between = (OCTOBER, NOVEMBER)
    for shown in (month[0].rows("M2-01"), month[0].rows("RP-04", "")):
        mean, failed = answered(office, *between)
        assert number(shown["Response time"][1]) == pytest.approx(mean, abs=0.06)
        assert number(shown["Error rate"][1]) == pytest.approx(failed, abs=0.0006)
        for title, table in (("Portfolio calculation", "calculation_jobs"), ("Report generation", "report_jobs")):
            assert number(shown[title][1]) == pytest.approx(took(office, table, *between), abs=0.6)
        before = took(office, "calculation_jobs", BEFORE, OCTOBER)
        assert number(shown["Portfolio calculation"][2]) == pytest.approx(before, abs=0.6)
        ((rated,),) = office.business("select avg(rating)::float from feedback where at >= %s and at < %s", *between)
        assert number(shown["User satisfaction, out of 5.0"][1]) == pytest.approx(rated, abs=0.006)
        ((peak,),) = office.rows(
            "select max(value) from clo_ops.measurements where metric like '%%cpu%%' and at >= %s and at < %s", *between
        )
        assert number(shown["Utilisation at peak"][1]) == pytest.approx(peak, abs=0.06)


def test_the_months_availability_is_that_of_looks_and_incidents(
    office: Office, month: tuple[Page, list[Finding]]
) -> None:
    shown = month[0].rows("M2-08")
    planned = (looked(office, *WINDOW), down(office, *WINDOW))
    seen, lost = looked(office, OCTOBER, NOVEMBER), down(office, OCTOBER, NOVEMBER)
    outside = 100 * (1 - (lost - planned[1]) / (seen - planned[0]))
    assert number(shown["Availability"][0]) == pytest.approx(outside, abs=0.0011)
    assert number(shown["Availability, windows counted"][0]) == pytest.approx(100 * (1 - lost / seen), abs=0.0011)
    assert shown["Error budget"][0] == "44.6 min"  # a thousandth of 31 days
    assert "6.4 min overspent" in shown["Error budget"][1]
    assert lost - planned[1] == pytest.approx(44.64 + 6.36)


def test_the_months_resources_and_incidents_are_those_of_the_raw_rows(
    office: Office, month: tuple[Page, list[Finding]]
) -> None:
    shown = month[0].rows("RP-03", "System health")["CPU app1"]
    query = "select avg(value), max(value) from clo_ops.measurements where metric = %s and at >= %s and at < %s"
    ((mean, highest),) = office.rows(query, "system.cpu.utilization", OCTOBER, NOVEMBER)
    ((earlier, _),) = office.rows(query, "system.cpu.utilization", OCTOBER - 30 * DAY, OCTOBER)
    assert [number(shown[place]) for place in (0, 1, 3)] == pytest.approx([mean, earlier, highest], abs=0.06)
    (told,) = [one for one in month[1] if one.name == "incidents of the month"]
    ((count,),) = office.rows(
        "select count(*) from clo_ops.incidents where opened_at < %s and coalesce(closed_at, 'infinity') >= %s",
        NOVEMBER,
        OCTOBER,
    )
    assert told.actual.startswith(f"{count} incidents") and count == 4


def test_every_kpi_report_of_the_week_is_taken_and_the_others_are_missed(friday: tuple[Page, list[Finding]]) -> None:
    own = {one.name.split()[0]: one.status for one in friday[1]}
    assert {name for name, status in own.items() if status is Status.UNKNOWN} == {"WF-11", "WF-12"}
    taken = {one.name.split()[0]: one.actual.split(",")[0] for one in friday[1] if one.status is not Status.UNKNOWN}
    assert set(taken) == {"WF-09", "WF-10", "WW-09"}
    assert {name for name, colour in taken.items() if colour == "GREEN"} == {
        name for name, status in own.items() if status is Status.PASS
    }
    sections = {one["manual"].split(",")[0] for one in friday[0].sections}
    assert {"WF-09", "WF-10", "WW-01", "WW-09"} <= sections


def test_the_weeks_kpis_are_those_of_the_raw_rows(office: Office, friday: tuple[Page, list[Finding]]) -> None:
    page = friday[0]
    seen, lost = looked(office, *WEEK), down(office, *WEEK)
    assert (seen, lost) == (7 * 24 * 60, 31 + 20)
    availability = page.rows("WF-09")
    assert number(availability["Availability"][0]) == pytest.approx(100 * (1 - lost / seen), abs=0.0006)
    shown = page.rows("WF-10")
    mean, failed = answered(office, *WEEK)
    assert number(shown["Response time"][1]) == pytest.approx(mean, abs=0.06)
    assert number(shown["Error rate"][1]) == pytest.approx(failed, abs=0.0006)
    assert number(shown["Response time"][2]) == pytest.approx(answered(office, WEEK[0] - 7 * DAY, WEEK[0])[0], abs=0.06)
    for title, table in (("Portfolio calculation", "calculation_jobs"), ("Report generation", "report_jobs")):
        assert number(shown[title][1]) == pytest.approx(took(office, table, *WEEK), abs=0.6)
    assert timedelta(days=7) == WEEK[1] - WEEK[0]
