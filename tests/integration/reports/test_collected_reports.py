"""Reports put together from reports, and reports made again: the same figures, the same bytes but for the stamp."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from clo_ops.findings import Finding, Status
from clo_ops.orchestration import collected_reports, daily_reports, weekly_reports
from clo_ops.orchestration.run import Run
from clo_ops.reports import __main__ as command
from clo_ops.reports.again import kept
from tests.integration.reports.browser import CHROMIUM, fits
from tests.integration.reports.conftest import FRIDAY, Office

DAG = "reports_and_support"
EVENING = FRIDAY + timedelta(hours=1)


@pytest.fixture(scope="module")
def evening(office: Office) -> tuple[Run, list[Finding]]:
    """Friday at 19:00, after the end of day."""
    end_of_day = office.run("daily_end_of_day", "before-19")
    office.judged(end_of_day, "ED-01", daily_reports.system_status)
    office.judged(end_of_day, "ED-02", daily_reports.business_activity)
    office.judged(end_of_day, "ED-07", daily_reports.operations)
    run = office.run(DAG, "evening", EVENING)
    return run, office.judged(run, "RP-01", collected_reports.daily)


def content(office: Office, run: Run, name: str) -> Any:
    return json.loads(office.kept(run, f"{name}.json"))


def test_the_days_report_holds_what_its_reports_hold(office: Office, evening: tuple[Run, list[Finding]]) -> None:
    sheet = content(office, evening[0], "daily-report")
    mine = {(one["heading"], one["manual"]): one for one in sheet["sections"]}
    theirs = content(office, office.run("daily_end_of_day", "before-19"), "daily-operations")
    for one in theirs["sections"]:
        assert mine[one["heading"], one["manual"]] == one
    assert ("Resource trends", "ED-01, L69") in mine
    assert ("Calculation jobs", "ED-02, L73, L443") in mine
    assert {what for what, _, _ in sheet["cards"]} >= {"Availability", "Incidents", "Calculations"}


def test_each_part_is_named_with_the_sha256_of_its_page(office: Office, evening: tuple[Run, list[Finding]]) -> None:
    sheet = content(office, evening[0], "daily-report")
    made = {one.name: one for one in office.ledger.evidence(office.run("daily_end_of_day", "before-19").ledger_run)}
    sources = " ".join(table["source"] for one in sheet["sections"] for table in one["tables"])
    for name in ("daily-operations", "system-status", "business-activity"):
        assert made[f"{name}.html"].sha256 in sources


def test_only_its_own_findings_are_the_tasks(evening: tuple[Run, list[Finding]]) -> None:
    assert {one.procedure for one in evening[1]} == {"RP-01"}
    by_name = {one.name: one for one in evening[1]}
    assert by_name["ED-01 system status of a day"].actual.startswith("YELLOW")
    assert by_name["errors in logs"].status is Status.NOT_APPLICABLE


def test_a_day_nobody_reported_on_is_unknown(office: Office) -> None:
    run = office.run(DAG, at=EVENING - timedelta(days=2))
    found = office.judged(run, "RP-01", collected_reports.daily)
    missing = [one for one in found if one.status is Status.UNKNOWN]
    assert len(missing) == 3
    assert all("left one for this time" in one.message for one in missing)
    assert content(office, run, "daily-report")["colour"] == "RED"


def test_a_report_that_was_altered_is_red_and_not_taken(office: Office) -> None:
    end_of_day = office.run("daily_end_of_day", "altered", FRIDAY - timedelta(days=1))
    office.judged(end_of_day, "ED-02", daily_reports.business_activity)
    (one,) = [one for one in office.ledger.evidence(end_of_day.ledger_run) if one.name == "business-activity.json"]
    path = Path(one.uri.removeprefix("file://"))
    path.write_bytes(path.read_bytes().replace(b"Portfolio", b"Portf0lio"))
    run = office.run(DAG, at=EVENING - timedelta(days=1))
    found = {one.name: one for one in office.judged(run, "RP-01", collected_reports.daily)}
    business = found["ED-02 business activity of a day"]
    assert (business.status, business.actual) == (Status.FAIL, "altered")


def test_the_weeks_report_says_what_is_missing_and_takes_what_is_there(office: Office) -> None:
    friday = office.run("weekly_friday_compliance", "week", FRIDAY - timedelta(hours=8))
    office.judged(friday, "WF-11", weekly_reports.security_incidents)
    office.judged(friday, "WF-12", weekly_reports.user_activity)
    run = office.run(DAG, at=FRIDAY - timedelta(hours=4))
    found = {one.name: one for one in office.judged(run, "RP-02", collected_reports.weekly)}
    security = found["WF-11 security incidents of a week"]
    assert (security.status, security.actual[:6]) == (Status.WARN, "YELLOW")
    assert found["WF-12 user activity of a week"].status is Status.PASS
    assert found["WW-09 capacity, forecasts, recommendations"].status is Status.UNKNOWN
    headings = [one["heading"] for one in content(office, run, "weekly-report")["sections"]]
    assert "Security incidents" in headings
    assert "Activity by role" in headings


def test_the_months_report_counts_incidents_and_figures_of_the_month(office: Office) -> None:
    """November's, in December's second week; its series against the raw measurements of the month."""
    run = office.run(DAG, at=datetime(2026, 12, 14, 16, tzinfo=UTC))
    found = {one.name: one for one in office.judged(run, "RP-03", collected_reports.monthly)}
    sheet = content(office, run, "monthly-report")
    assert (sheet["since"], sheet["until"]) == ("2026-11-01T00:00:00+00:00", "2026-12-01T00:00:00+00:00")
    (health,) = [one for one in sheet["sections"] if one["heading"] == "System health"]
    rows = {row[0]: row[1:] for row in health["tables"][0]["rows"]}
    with office.ledger.transaction() as connection:
        mean, highest = connection.exec_driver_sql(
            "SELECT avg(value), max(value) FROM clo_ops.measurements WHERE metric = 'system.cpu.utilization'"
        ).one()
    assert float(rows["CPU app1"][0].removesuffix(" %")) == pytest.approx(mean, abs=0.06)
    assert float(rows["CPU app1"][3].removesuffix(" %")) == pytest.approx(highest, abs=0.06)
    assert rows["CPU app1"][1] == "not measured"
    assert found["incidents of the month"].actual == "5 incidents, 2 late, 1 not over"
    assert found["compliance status"].status is not Status.UNKNOWN


def test_made_again_it_is_the_very_page_that_was_kept(office: Office, evening: tuple[Run, list[Finding]]) -> None:
    read = evening[0].connections.evidence().read
    for name in ("daily-report", "system-status"):
        again = kept(office.ledger, name, FRIDAY.date(), read)
        assert again.same()
        assert again.sheet.as_html(again.made_at).encode() == read(again.files["html"])
        assert again.sheet.as_json(again.made_at) == read(again.files["json"])
        assert again.sheet.as_pdf(again.made_at) == read(again.files["pdf"])


def test_a_report_of_years_ago_is_found_by_its_day(office: Office) -> None:
    at = FRIDAY - timedelta(days=800)
    run = office.run("daily_end_of_day", at=at)
    office.judged(run, "ED-02", daily_reports.business_activity)
    again = kept(office.ledger, "business-activity", at.date(), run.connections.evidence().read)
    assert again.run.at == at and again.same()


def test_with_another_stamp_only_the_stamp_differs(office: Office, evening: tuple[Run, list[Finding]]) -> None:
    """Also of a page made in the very second in which its tables were asked, as on a quick machine."""
    again = kept(office.ledger, "system-status", FRIDAY.date(), evening[0].connections.evidence().read)
    page = again.sheet.as_html(again.made_at)
    (asked, *_) = re.findall(r"session_use\.sql at (\S+ \S+) UTC", page)
    stamps = (again.made_at, datetime.fromisoformat(f"{asked}+00:00"), datetime(2030, 1, 1, tzinfo=UTC))
    pages = [again.sheet.as_html(at).split(f"Report made {at:%Y-%m-%d %H:%M:%S} UTC.") for at in stamps]
    assert {len(one) for one in pages} == {2}
    assert pages[0] == pages[1] == pages[2]


@pytest.fixture
def environment(office: Office) -> dict[str, str]:
    return {"CLO_OPS_LEDGER_URL": office.cluster.url("ledger", "clo_ops")}


def test_the_command_writes_the_three_files_and_says_that_they_are_the_same(
    evening: tuple[Run, list[Finding]],
    environment: dict[str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = ["system-status", "--date", "2026-11-20", "--into", str(tmp_path / "out")]
    assert command.main(given, environment) == 0
    said = capsys.readouterr()
    assert sorted(one.name for one in (tmp_path / "out").iterdir()) == [
        f"system-status-2026-11-20.{ending}" for ending in ("html", "json", "pdf")
    ]
    assert "The same as was kept at" in said.out


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["system-statsu"], "did you mean system-status?"),
        (["system-status", "--date", "2025-01-01"], "2026-11-20"),
        (["monthly-report", "--date", "2026-11-20"], "airflow dags trigger"),
    ],
)
def test_the_command_says_what_there_is(
    evening: object, given: list[str], said: str, environment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(given, environment) == 2
    assert said in capsys.readouterr().err


def test_the_command_lists_every_report_with_its_newest(
    evening: object, environment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main([], environment) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(re.match(r"system-status +ED-01 .*newest 2026-11-20", line) for line in lines)
    assert any(line.startswith("capacity-report") and "none made yet" in line for line in lines)


def test_a_ledger_that_does_not_answer_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    gone = {"CLO_OPS_LEDGER_URL": "postgresql://nobody@127.0.0.1:1/none"}
    assert command.main(["system-status"], gone) == 3
    assert "127.0.0.1" in capsys.readouterr().err


def test_a_page_made_by_other_templates_is_said_to_differ(
    evening: tuple[Run, list[Finding]],
    environment: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from clo_ops.reports import sheet

    monkeypatch.setitem(sheet.WORDS, Status.PASS, "well")
    assert command.main(["system-status", "--into", str(tmp_path)], environment) == 1
    assert "Not the page that was kept" in capsys.readouterr().err


@pytest.mark.skipif(CHROMIUM is None, reason="a browser looks at the page only where there is one")
def test_nothing_hangs_over_the_edge_of_a_phone_or_a_desk(
    office: Office, evening: tuple[Run, list[Finding]], tmp_path: Path
) -> None:
    fits(office.kept(evening[0], "daily-report.html").decode(), tmp_path)
