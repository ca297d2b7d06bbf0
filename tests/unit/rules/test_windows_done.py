"""Who let a change through, whether users were told in time, what a window left: each at its threshold."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from clo_ops.findings import Finding, Severity, Status
from clo_ops.findings.plans import Effect, Outcome, Step
from clo_ops.ledger import ApprovalRow, NoticeRow, PlanRow, StepRow
from clo_ops.rules import windows_done, windows_told

AT = datetime(2026, 11, 22, 2, tzinfo=UTC)
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
ASKED = ApprovalRow(
    7, 1, "a" * 64, ("b" * 64,), "prior", "manager", "ann", "disk", AT, "", "", None, "", None, None, "", ""
)  # fmt: skip
APPROVED = replace(ASKED, decision="approved", decided_by="bob", decided_at=AT)
AT_ONCE = replace(APPROVED, kind="break glass", decided_by="ann", review_due_at=AT)


@pytest.mark.parametrize(
    ("approval", "status"),
    [
        (None, Status.FAIL),
        (ASKED, Status.FAIL),
        (replace(APPROVED, decision="refused"), Status.FAIL),
        (APPROVED, Status.PASS),
        (replace(APPROVED, decided_by="ann"), Status.FAIL),
        (replace(APPROVED, decided_by="eve"), Status.FAIL),
        (AT_ONCE, Status.WARN),
    ],
)
def test_only_somebody_else_who_may_lets_a_change_through(approval, status):
    found = windows_done.authorised(approval, ["bob", "ann"])
    assert found.status is status


@pytest.mark.parametrize(("late", "status"), [(timedelta(0), Status.WARN), (SECOND, Status.FAIL)])
def test_a_review_is_overdue_a_second_after_it_was_due(late, status):
    (found,) = windows_done.reviews([AT_ONCE], AT + late)
    assert (found.status, found.subject) == (status, "change 7")
    assert [one.status for one in windows_done.reviews([], AT)] == [Status.PASS]


@pytest.mark.parametrize(
    ("written", "delivered", "status", "daily"),
    [
        (49 * HOUR, 48 * HOUR, Status.PASS, Status.PASS),
        (72 * HOUR, 48 * HOUR - SECOND, Status.FAIL, Status.FAIL),
        (72 * HOUR, None, Status.FAIL, Status.WARN),
        (48 * HOUR - SECOND, None, Status.FAIL, Status.FAIL),
    ],
)
def test_users_are_told_48_hours_ahead_to_the_second(written, delivered, status, daily):
    """What counts is when the mail was delivered; the daily look says so while something can still be done."""
    notice = NoticeRow("weekly", "ahead", AT, AT + 2 * HOUR, AT - written, 1)
    reached = None if delivered is None else AT - delivered
    found = windows_told.noticed(notice, reached, AT, 48 * HOUR)
    assert found.status is status
    assert found.actual != "48.0 h ahead" or status is Status.PASS
    assert windows_told.announced(notice, reached, 48 * HOUR).status is daily


def test_users_nobody_told_is_a_failure():
    assert windows_told.noticed(None, None, AT, 48 * HOUR).status is Status.FAIL


def test_that_it_is_over_was_told_once_it_is_delivered():
    notice = NoticeRow("weekly", "end", AT, AT + 2 * HOUR, AT, 1)
    assert windows_told.told(notice, AT, "it").status is Status.PASS
    assert windows_told.told(notice, None, "it").status is Status.WARN


def test_an_approval_that_ran_out_is_never_green():
    found = windows_done.ran_out(APPROVED, AT + 2 * HOUR)
    assert (found.procedure, found.status, found.actual) == ("MW-04", Status.FAIL, "ran out at 04:00 UTC")


def test_each_kind_of_work_has_its_way_back():
    found = windows_done.rollback({"indexes": "nothing to take back", "change": "  "})
    assert [(one.subject, one.status) for one in found] == [("indexes", Status.PASS), ("change", Status.FAIL)]


def steps(*outcomes, ended=AT):
    return [
        StepRow(Step(f"s{n}", "reindex", "x", "", ""), one and Effect(one, "because", 1.0), AT, ended, 1)
        for n, one in enumerate(outcomes)
    ]


def plan(*outcomes, state="ended", ended=AT):
    return PlanRow(1, 1, "indexes", "clo", "a" * 64, state, AT, AT, steps(*outcomes, ended=ended))


def work(status=Status.PASS, name="indexes: maintenance", **more):
    severity = None if status is Status.PASS else Severity.P2
    return Finding("MW-05", name, status, "x", "x", "as said", "backup", severity, "look", **more)


WORKED = (work(),)


def of_window(*plans, worked=WORKED, ends=AT):
    return {one.subject: one.status for one in windows_done.window("MW-01", "L374", plans, worked, ends)}


def test_a_window_whose_work_was_done_inside_it():
    assert of_window(plan(Outcome.APPLIED, Outcome.SKIPPED)) == {"": Status.PASS}


def test_a_step_that_ended_after_the_window_is_told_to_the_second():
    assert "late" not in of_window(plan(Outcome.APPLIED), ends=AT)
    assert of_window(plan(Outcome.APPLIED), ends=AT - SECOND)["late"] is Status.WARN


@pytest.mark.parametrize("left", [Outcome.LEFT_OVER, None])
def test_what_is_left_over_or_was_begun_and_never_ended_is_named(left):
    assert of_window(plan(Outcome.APPLIED, left))["left over"] is Status.WARN


def test_what_was_only_planned_is_not_left_over():
    assert of_window(plan(None, state="planned")) == {"": Status.PASS}


@pytest.mark.parametrize("worked", [Status.FAIL, Status.UNKNOWN])
def test_work_that_failed_fails_its_window(worked):
    assert of_window(plan(Outcome.APPLIED), worked=[work(), work(worked)]) == {"": Status.FAIL}


def test_a_window_nobody_worked_in_fails():
    assert of_window(plan(Outcome.APPLIED), worked=[]) == {"": Status.FAIL}


def test_a_duty_whose_gate_stayed_shut_was_not_begun():
    shut = work(Status.WARN, "indexes: gate")
    assert of_window(worked=[work(), shut])["not begun"] is Status.WARN
    open_all_the_same = work(Status.WARN, "indexes: gate", labels={"gate": "open"})
    assert of_window(worked=[open_all_the_same]) == {"": Status.PASS}


def looked(status):
    severity = None if status is Status.PASS else Severity.P1
    return Finding("DM-01", "component health", status, "up", "x", "x", "api", severity, "look")


@pytest.mark.parametrize(
    ("status", "judged"),
    [(Status.PASS, Status.PASS), (Status.WARN, Status.PASS), (Status.FAIL, Status.FAIL), (Status.UNKNOWN, Status.FAIL)],
)
def test_what_is_not_well_after_a_change_stops_the_rest(status, judged):
    assert windows_done.tested("indexes", [looked(Status.PASS), looked(status)]).status is judged


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (Outcome.APPLIED, Status.PASS),
        (Outcome.SKIPPED, Status.WARN),
        (Outcome.FAILED, Status.FAIL),
        (None, Status.FAIL),
    ],
)
def test_what_became_of_a_change_made_by_hand(outcome, status):
    (row,) = steps(outcome)
    assert windows_done.made_by_hand(row).status is status
