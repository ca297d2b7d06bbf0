"""A report as one thing: escaped where it is shown, the same bytes again, and no formula in a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta

import pytest

from clo_ops.findings import Finding, Severity, Status
from clo_ops.reports.sheet import Plot, Section, Sheet, Table, as_csv, findings_table

AT = datetime(2026, 11, 25, 10, tzinfo=UTC)
NASTY = "<script>alert(1)</script> & =cmd|' /C calc'!A0"


def finding(status: Status) -> Finding:
    needs = status in (Status.WARN, Status.FAIL, Status.UNKNOWN)
    severity, action = (Severity.P3, "look") if needs else (None, "")
    return Finding("WW-01", "trend", status, "at most 70 %", "80 %", NASTY, "host=app1", severity, action)


def sheet(*statuses: Status) -> Sheet:
    table = Table(("user", "count"), ((NASTY, "3"), ("=1+1", "-4")), "clo_ops.daily, clo.user.active", frozenset({1}))
    section = Section(
        NASTY, "L119", (NASTY,), (table,), (Plot("<svg></svg>", NASTY),), tuple(map(finding, statuses)), (NASTY,)
    )
    return Sheet("Report of a day", AT - timedelta(days=1), AT, NASTY, (section,), ((NASTY, "1", NASTY),))


def test_what_came_from_outside_is_escaped_everywhere() -> None:
    html = sheet(*Status).as_html(AT)
    assert "<script" not in html
    assert html.count("&lt;script&gt;") >= 10
    assert "<svg></svg>" in html, "our own plots are drawn"


@pytest.mark.parametrize(
    ("statuses", "colour"),
    [
        ((Status.PASS, Status.NOT_APPLICABLE), "GREEN"),
        ((Status.PASS, Status.WARN), "YELLOW"),
        ((Status.WARN, Status.UNKNOWN), "RED"),
        ((Status.FAIL,), "RED"),
    ],
)
def test_unknown_is_never_green(statuses: tuple[Status, ...], colour: str) -> None:
    assert sheet(*statuses).colour == colour
    assert sheet(*statuses).as_text().splitlines()[2].startswith(f"{colour}: ")


def test_json_holds_everything_and_is_the_same_again() -> None:
    content = json.loads(sheet(*Status).as_json(AT))
    (section,) = content["sections"]
    assert section["tables"][0]["rows"][0] == [NASTY, "3"]
    assert section["tables"][0]["source"] == "clo_ops.daily, clo.user.active"
    assert len(section["findings"]) == len(Status)
    assert (content["since"], content["made_at"]) == ("2026-11-24T10:00:00+00:00", "2026-11-25T10:00:00+00:00")
    assert sheet(*Status).as_json(AT) == sheet(*Status).as_json(AT)


def test_the_mail_says_what_is_red_and_what_to_do_and_leaves_out_what_passed() -> None:
    text = sheet(Status.PASS, Status.FAIL, Status.WARN).as_text()
    assert text.count("WW-01") == 2
    assert "[FAILED] WW-01" in text
    assert "First: look" in text


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("=1+1", "'=1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("+x", "'+x"),
        ("-x", "'-x"),
        ("\tx", "'\tx"),
        ("\n=1+1", "'\n=1+1"),
        ("-4", "-4"),
        ("a", "a"),
    ],
)
def test_a_cell_of_csv_is_never_a_formula(cell: str, shown: str) -> None:
    data = as_csv(Table(("name",), ((cell,),))).decode()
    assert list(csv.reader(io.StringIO(data, newline=""))) == [["name"], [shown]]


def test_findings_become_a_table() -> None:
    table = findings_table([finding(Status.PASS), finding(Status.FAIL)])
    assert table.rows[1] == ("host=app1", "FAILED", "at most 70 %", "80 %")
