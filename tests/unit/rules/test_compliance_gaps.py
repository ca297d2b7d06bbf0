"""How a control stood this month and before: failed, mended, passed, or assessed by nobody."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from clo_ops.findings import Status
from clo_ops.policy import load_policy
from clo_ops.rules.compliance_gaps import MONTH, Look, closed_gaps, judge, open_gaps, standings

AT = datetime(2026, 12, 7, 10, tzinfo=UTC)
P, F, U, N = Status.PASS, Status.FAIL, Status.UNKNOWN, Status.NOT_APPLICABLE


@pytest.fixture(scope="module")
def catalogue():
    return load_policy(mode="demo").controls.catalogue


def stands(catalogue, *looks, control="SOX-01", months=3):
    given = [Look(control, AT - timedelta(days=days), status) for days, status in looks]
    (one,) = standings([catalogue[control]], given, months, AT)
    return one


@pytest.mark.parametrize(
    ("looks", "state"),
    [
        ([], "not assessed"),
        ([(0, P)], "passed"),
        ([(7, P), (0, F)], "failed"),
        ([(7, F), (0, P)], "mended"),
        ([(7, P), (0, U)], "not assessed"),
        ([(7, P), (0, N)], "passed"),
        ([(0, N)], "first look"),
        ([(0, P), (0, F)], "failed"),
        ([(31, F)], "not assessed"),
        ([(30.9, F)], "failed"),
    ],
)
def test_the_newest_look_of_the_month_decides(catalogue, looks, state):
    assert stands(catalogue, *looks).state == state


def test_a_control_nobody_can_ask_is_neither(catalogue):
    assert stands(catalogue, (0, N), control="CIS-09").state == "cannot be asked"


def test_the_trend_counts_each_month_by_itself(catalogue):
    one = stands(catalogue, (100, F), (95, F), (40, F), (35, P), (1, F), (0, F))
    assert (one.trend, one.direction, one.looks) == ("2, 0, 1, 2", "as before", 2)
    assert stands(catalogue, (40, F), (0, P)).direction == "better"
    assert stands(catalogue, (0, F)).direction == "worse"


def test_each_state_has_its_colour_and_the_whole_is_never_green_beside_a_gap(catalogue):
    given = {"SOX-01": F, "SOX-02": P, "SOX-03": U}
    looks = [Look(name, AT, status) for name, status in given.items()] + [Look("SOX-02", AT - timedelta(days=2), F)]
    every = standings([catalogue[name] for name in (*given, "SOX-04", "CIS-09")], looks, 3, AT)
    found = {one.subject or "whole": one.status for one in judge(every, "L172", "Give each an owner")}
    expected = {"SOX-01": F, "SOX-02": Status.WARN, "SOX-03": U, "SOX-04": U, "whole": Status.WARN}
    assert found == expected
    assert [(one.key, one.owner) for one in open_gaps(every)] == [
        (name, catalogue[name].owner) for name in ("SOX-01", "SOX-03", "SOX-04")
    ]
    assert closed_gaps(every) == {"SOX-02"}


def test_all_passed_is_a_pass_that_names_what_cannot_be_asked(catalogue):
    every = standings([catalogue["SOX-01"], catalogue["CIS-09"]], [Look("SOX-01", AT, P)], 3, AT)
    (whole,) = judge(every, "L172", "x")
    assert whole.status is P
    assert "nothing can be said yet of CIS-09" in whole.message
    assert timedelta(days=31) == MONTH
