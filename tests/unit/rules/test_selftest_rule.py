"""A fault is caught by the check that is there for it, or it is not caught."""

from __future__ import annotations

import pytest

from clo_ops.findings import Finding, Severity, Status
from clo_ops.rules.selftest import CONTROL, judge, row


def finding(procedure, name, status):
    bad = status in (Status.FAIL, Status.UNKNOWN, Status.WARN)
    return Finding(
        procedure,
        name,
        status,
        "x",
        "y",
        "said",
        severity=Severity.P1 if bad else None,
        first_action="do" if bad else "",
    )


RIGHT = finding("M3-02", "restore messages", Status.FAIL)
OTHER = finding("M3-02", "restore ended", Status.FAIL)
GREEN = finding("M3-02", "restore messages", Status.PASS)
UNKNOWN = finding("M3-02", "restore messages", Status.UNKNOWN)


@pytest.mark.parametrize(
    ("found", "caught"),
    [([RIGHT], True), ([OTHER, RIGHT], True), ([OTHER], False), ([GREEN], False), ([UNKNOWN], False), ([], False)],
)
def test_only_the_right_finding_with_the_right_status_catches(found, caught):
    made = row("a fault", "M3-02", "restore messages", Status.FAIL, found)
    assert made.caught is caught
    assert judge([made])[0].status is (Status.PASS if caught else Status.FAIL)


@pytest.mark.parametrize(
    ("found", "caught"), [([GREEN], True), ([GREEN, OTHER], False), ([UNKNOWN], False), ([], False)]
)
def test_the_control_is_caught_where_something_was_judged_and_nothing_is_red(found, caught):
    assert row(CONTROL, "", "", Status.FAIL, found).caught is caught


def test_no_table_at_all_is_no_self_test():
    (judged,) = judge([])
    assert judged.status is Status.UNKNOWN
