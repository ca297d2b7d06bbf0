"""Sections from the ledger's record: errors of logs, runs, reviews of a month; nothing on record is no source."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from clo_ops.findings import Finding, Severity, Status
from clo_ops.ledger import RunRow
from clo_ops.ledger.log_days import SignatureDay
from clo_ops.orchestration.recording import not_applicable
from clo_ops.policy import load_policy
from clo_ops.reports import record_sections
from clo_ops.reports.facts import Facts
from clo_ops.rules.log_tally import LogDay, Requests
from clo_ops.rules.periods import Period

UNTIL = datetime(2026, 11, 20, 18, tzinfo=UTC)
DAY = timedelta(days=1)
FACTS = Facts("RP-01", load_policy(mode="demo"), Period(UNTIL - DAY, UNTIL), UNTIL)
MONTHLY = Facts("RP-03", FACTS.policy, Period(UNTIL - 30 * DAY, UNTIL), UNTIL)


def row(dag_id: str, status: Status | None, at: datetime = UNTIL) -> RunRow:
    return RunRow(1, dag_id, "r", at, "", "", at, None, status, {})


def finding(procedure: str, status: Status) -> Finding:
    needs = status in (Status.WARN, Status.FAIL, Status.UNKNOWN)
    severity, action = (Severity.P3, "look") if needs else (None, "")
    return Finding(procedure, f"control {status}", status, "held", "not held", "said", "", severity, action)


def signature(level: str, text: str, count: int) -> SignatureDay:
    return SignatureDay("worker", level, text, date(2026, 11, 1), date(2026, 11, 20), count)


def test_only_error_lines_are_counted_and_the_most_frequent_come_first() -> None:
    day = LogDay(lines=100, levels=Counter({"INFO": 90, "ERROR": 7, "CRITICAL": 3}))
    day.requests = {"/a": Requests(40, 2), "/b": Requests(10, 1)}
    met = [signature("ERROR", "rare", 2), signature("INFO", "fine", 90), signature("ERROR", "often", 5)]
    section = record_sections.log_errors(FACTS, {"worker": day}, met, "RP-01, L420")
    assert section.tables[0].rows == (("worker", "100", "10", "50", "3"),)
    assert [one[1] for one in section.tables[1].rows] == ["often", "rare"]
    assert section.findings[0].actual == "10 error lines"


def test_logs_nobody_read_have_no_source() -> None:
    section = record_sections.log_errors(FACTS, {}, [], "RP-01, L420")
    assert section.findings[0].status is Status.NOT_APPLICABLE
    assert "no source" in section.gaps[0]
    assert section.tables == ()


@pytest.mark.parametrize(
    ("statuses", "expected", "cells"),
    [
        ((Status.PASS, None), Status.PASS, ("2", "0", "0", "1")),
        ((Status.WARN, Status.UNKNOWN), Status.WARN, ("2", "1", "1", "0")),
        ((Status.FAIL, Status.PASS), Status.WARN, ("2", "1", "0", "0")),
    ],
)
def test_runs_are_counted_by_page(
    statuses: tuple[Status | None, ...], expected: Status, cells: tuple[str, ...]
) -> None:
    section = record_sections.runs(FACTS, [row("log_management", one) for one in statuses], "RP-01, L420")
    assert section.findings[0].status is expected
    assert section.tables[0].rows == (("log_management", *cells),)


def test_a_day_without_a_run_and_a_run_that_never_ended_are_told() -> None:
    (nobody,) = record_sections.runs(FACTS, [], "RP-01, L420").findings
    assert nobody.status is Status.WARN
    monitoring = FACTS.policy.cadences["business_hours_alerts"].timeout
    for ago, expected in ((monitoring, Status.PASS), (monitoring + timedelta(seconds=1), Status.WARN)):
        made = [row("business_hours_monitoring", None, UNTIL - ago)]
        assert record_sections.runs(FACTS, made, "RP-01, L420").findings[0].status is expected
    by_hand = replace(row("business_hours_monitoring", None, UNTIL - DAY), opened_at=UNTIL)
    assert record_sections.runs(FACTS, [by_hand], "RP-01, L420").findings[0].status is Status.PASS


def test_compliance_is_a_column_for_each_friday_and_judged_by_the_newest() -> None:
    first = (row("weekly_friday_compliance", Status.FAIL, UNTIL - 7 * DAY), [finding("WF-01", Status.FAIL)])
    second = (row("weekly_friday_compliance", Status.PASS), [finding("WF-01", Status.PASS)])
    section = record_sections.compliance(MONTHLY, [first, second], ("WF-01", "WF-02"), "RP-03, L431")
    assert section.tables[0].heading == ("control group", "13 Nov", "20 Nov")
    assert section.tables[0].rows[0][1:] == ("1 FAILED", "1 passed")
    assert section.tables[0].rows[1][1:] == ("nobody looked", "nobody looked")
    assert section.findings[0].status is Status.PASS
    worse = record_sections.compliance(MONTHLY, [second, first], ("WF-01",), "RP-03, L431")
    assert worse.findings[0].status is Status.WARN


def test_of_the_newest_run_only_the_wanted_procedures_are_told() -> None:
    old = (row("reports_and_support", Status.WARN, UNTIL - DAY), [finding("SP-02", Status.FAIL)])
    new = (row("reports_and_support", Status.WARN), [finding("SP-02", Status.WARN), finding("SP-01", Status.PASS)])
    section = record_sections.told_before(MONTHLY, "Vendors", [old, new], ("SP-02",), "RP-03, L432")
    assert [one[0] for one in section.tables[0].rows] == ["SP-02"]
    assert section.findings[0].actual == "1 to know of"


@pytest.mark.parametrize(
    ("status", "expected"),
    [(Status.PASS, Status.PASS), (Status.WARN, Status.WARN), (Status.FAIL, Status.WARN), (Status.UNKNOWN, Status.WARN)],
)
def test_a_drill_that_failed_is_no_green_section(status: Status, expected: Status) -> None:
    drill = (row("monthly_week3_dr_test", status), [finding("M3-07", status)])
    section = record_sections.told_before(MONTHLY, "Last recovery drill", [drill], ("M3-07",), "RP-03, L429")
    assert section.findings[0].status is expected


def test_a_run_in_which_it_was_not_due_tells_nothing_of_it() -> None:
    due = (row("reports_and_support", Status.WARN, UNTIL - DAY), [finding("SP-02", Status.WARN)])
    friday = (row("reports_and_support", Status.PASS), [not_applicable("SP-02", "it is Friday's run")])
    section = record_sections.told_before(MONTHLY, "Vendors", [due, friday], ("SP-02",), "RP-03, L432")
    assert section.tables[0].rows[0][2] == "warning"


def test_a_month_without_reviews_has_no_source() -> None:
    for section in (
        record_sections.compliance(MONTHLY, [], ("WF-01",), "RP-03, L431"),
        record_sections.told_before(MONTHLY, "Vendors", [], ("SP-02",), "RP-03, L432"),
        record_sections.months(MONTHLY, [], [], {}, "RP-03, L429"),
    ):
        assert section.findings[0].status is Status.WARN
        assert "no source" in section.gaps[0]
