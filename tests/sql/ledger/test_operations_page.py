"""The operations page on a real ledger: what is on record is on it, escaped, and what is not is not made up (RP-05)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from clo_ops.findings import Answer, Finding, Measurement, Severity, Status
from clo_ops.ledger import AlertRow, BackupRow, Ledger
from clo_ops.policy import load_policy
from clo_ops.reports.operations_page import OperationsPage, assemble
from clo_ops.reports.templates import render
from tests.integration.reports.browser import CHROMIUM, fits

POLICY = load_policy(mode="demo")
NOW = datetime(2026, 7, 6, 10, 0, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
NASTY = "<script>alert(1)</script>"


def finding(procedure: str, status: Status, name: str = "looked", subject: str = "", actual: str = "seen") -> Finding:
    grave = status in (Status.WARN, Status.FAIL, Status.UNKNOWN)
    severity, action = (Severity.P3, "look") if grave else (None, "")
    return Finding(procedure, name, status, "well", actual, "said", subject, severity, action)


def put(ledger: Ledger, dag: str, at: datetime, *found: Finding, measured: tuple[Measurement, ...] = ()) -> None:
    run = ledger.open_run(dag, f"run {at:%H:%M}", at, "policy")
    for one in dict.fromkeys(one.procedure for one in found):
        mine = [each for each in found if each.procedure == one]
        ledger.record(run, one, mine, Answer(measured if one.startswith("BH") else ()))


def a_morning(ledger: Ledger) -> None:
    components = [
        finding("DM-01", Status.PASS, "component health", "API", "healthy"),
        finding("DM-01", Status.FAIL, "component health", "Redis", "down"),
    ]
    put(ledger, "daily_morning_startup", NOW - 2 * HOUR, *components, finding("DM-02", Status.WARN))
    users = (Measurement("clo.user.active", 7, "count", NOW - 4 * MINUTE),)
    put(ledger, "business_hours_monitoring", NOW - 9 * MINUTE, finding("BH-02", Status.FAIL))
    put(ledger, "business_hours_monitoring", NOW - 4 * MINUTE, finding("BH-02", Status.PASS), measured=users)
    put(ledger, "business_hours_monitoring", NOW - MINUTE, finding("BH-02", Status.NOT_APPLICABLE, "not due"))
    ledger.record_alerts([AlertRow("cpu", {"host": "app1"}, {}, "critical", 91.0, NOW - 4 * timedelta(seconds=1))])
    ledger.beat("watch", NOW - timedelta(seconds=3))
    one = ledger.open_incident("alert:cpu:host=app1", Severity.P2, f"CPU {NASTY}", "AL-01", NOW - 10 * MINUTE)
    ledger.set_incident_clocks(one.id, NOW + 20 * MINUTE, NOW + 8 * HOUR, NOW + HOUR)
    late = ledger.open_incident("late:daily_end_of_day:x", Severity.P2, "daily_end_of_day is late", "ED-01", NOW - HOUR)
    ledger.close_incident(late.id, "the watch", NOW - MINUTE, "over")
    level = {"L0": NOW - 3 * HOUR, "L4": NOW - 2 * HOUR}
    ledger.record_backup(BackupRow("file:///backups", "clo.dump", proven=level))


def part(page: OperationsPage, name: str) -> dict[str, tuple[str, Status]]:
    (found,) = [one for one in page.parts if one.name == name]
    return {line.what: (line.shown, line.status) for line in found.lines}


def shown(page: OperationsPage) -> str:
    return render("operations.html", title="Operations", page=page, user=NASTY, root="/clo-ops")


def test_what_is_on_record_is_on_the_page(ledger: Ledger) -> None:
    a_morning(ledger)
    page = assemble(ledger, POLICY, NOW)
    assert page.status is Status.FAIL
    assert part(page, "System health")["Redis"] == ("down", Status.FAIL)
    assert part(page, "Resources")["CPU use of a host app1"] == ("91 %", Status.FAIL)
    assert part(page, "Users")["Active users, last hour"] == ("7", Status.PASS)
    assert part(page, "Business")["Portfolio calculations running"] == ("no source", Status.NOT_APPLICABLE)
    assert [(one.dag_id, one.status) for one in page.today] == [
        ("daily_morning_startup", Status.FAIL), ("business_hours_monitoring", Status.PASS)
    ]  # fmt: skip
    assert [clock for _, clock in page.incidents] == ["answer: 20 min left"]
    assert [one.title for one in page.late] == ["daily_end_of_day is late"]
    assert (page.restored.status, page.restored.note) == (Status.PASS, "clo.dump, L4")


def test_text_from_outside_is_escaped_and_each_status_is_a_word(ledger: Ledger) -> None:
    a_morning(ledger)
    html = shown(assemble(ledger, POLICY, NOW))
    assert "<script" not in html and html.count("&lt;script&gt;") == 2
    for word in ("CRITICAL", "WELL", "20 min left", "DM-01", "daily_end_of_day is late", "1 open incident,"):
        assert word in html


def test_an_empty_ledger_is_not_known(ledger: Ledger) -> None:
    page = assemble(ledger, POLICY, NOW)
    assert page.status is Status.UNKNOWN
    assert (page.restored.status, page.restored.shown) == (Status.UNKNOWN, "none on record")
    assert all(one.status is not Status.PASS for one in page.parts)
    assert "No procedure has run since midnight" in shown(page)


@pytest.mark.parametrize(("later", "status"), [(timedelta(), Status.FAIL), (2 * HOUR, Status.UNKNOWN)])
def test_a_watch_that_stopped_makes_its_figures_unknown(ledger: Ledger, later: timedelta, status: Status) -> None:
    a_morning(ledger)
    assert part(assemble(ledger, POLICY, NOW + later), "Resources")["CPU use of a host app1"] == ("91 %", status)


def test_yesterdays_runs_are_not_todays_and_the_morning_before_is_not_this_one(ledger: Ledger) -> None:
    a_morning(ledger)
    page = assemble(ledger, POLICY, NOW + timedelta(days=1))
    assert page.today == ()
    assert part(page, "System health")["API"] == ("healthy", Status.UNKNOWN)


def test_a_procedure_at_work_is_not_unknown_and_one_whose_worker_died_is(ledger: Ledger) -> None:
    now = datetime.now(UTC)
    begin = now - HOUR
    put(ledger, "log_management", begin, finding("LM-02", Status.PASS))
    put(ledger, "log_management", now, finding("LM-02", Status.UNKNOWN, "not finished"))
    until = now + MINUTE
    (at_work,) = ledger.procedures_seen(begin, until, begin)
    (died,) = ledger.procedures_seen(begin, until, until)
    assert (at_work.statuses, died.statuses) == ({Status.PASS}, {Status.UNKNOWN})


@pytest.mark.skipif(CHROMIUM is None, reason="a browser looks at the page only where there is one")
def test_the_page_fits_a_phone_and_a_desk(ledger: Ledger, tmp_path: Path) -> None:
    a_morning(ledger)
    fits(shown(assemble(ledger, POLICY, NOW)), tmp_path)
