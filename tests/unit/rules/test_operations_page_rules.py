"""The operations page line by line: at the edges of time, with a silent watch, and with nothing on record (RP-05)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from clo_ops.findings import Answer, Measurement, Severity, Status
from clo_ops.policy import load_policy
from clo_ops.rules import operations_page as rules
from clo_ops.rules.operations_page import Line, Part

POLICY = load_policy(mode="demo")
NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)
SECOND = timedelta(seconds=1)
SILENT = POLICY.alerting.watch.silent_for


@dataclass(frozen=True)
class Alert:
    level: str = "ok"
    value: float | None = 30.0
    rule: str = "cpu"
    labels: dict[str, str] = field(default_factory=lambda: {"host": "app1"})
    looked_at: datetime = NOW


@dataclass(frozen=True)
class Incident:
    severity: Severity
    acknowledged_at: datetime | None = None
    mitigated_at: datetime | None = None
    response_due_at: datetime | None = NOW + timedelta(minutes=12)
    resolution_due_at: datetime | None = NOW - timedelta(minutes=3)
    id: int = 1
    title: str = "x"
    acknowledged_by: str | None = None


def lines(*alerts: Alert, quiet: bool = False) -> list[Line]:
    return list(rules.watched(alerts, ("cpu",), POLICY, quiet=quiet, now=NOW))


@pytest.mark.parametrize(
    ("level", "status"),
    [("ok", Status.PASS), ("warning", Status.WARN), ("critical", Status.FAIL), ("unknown", Status.UNKNOWN)],
)
def test_a_level_is_shown_as_what_it_is(level, status):
    (one,) = lines(Alert(level, None if level == "unknown" else 30.0))
    assert (one.status, one.at) == (status, NOW)
    assert one.shown == ("no answer" if level == "unknown" else "30 %")


def test_what_a_silent_watch_left_on_record_is_not_known():
    assert lines(Alert(), quiet=True)[0].status is Status.UNKNOWN
    assert lines(Alert(looked_at=NOW - rules.OF_NOW))[0].status is Status.PASS
    assert lines(Alert(looked_at=NOW - rules.OF_NOW - SECOND))[0].status is Status.UNKNOWN
    (never,) = lines()
    assert (never.status, never.shown, never.at) == (Status.UNKNOWN, "not looked at", None)


@pytest.mark.parametrize(
    ("looked_at", "status"),
    [(None, Status.UNKNOWN), (NOW - SILENT, Status.PASS), (NOW - SILENT - SECOND, Status.UNKNOWN)],
)
def test_the_watch_is_alive_up_to_policys_time(looked_at, status):
    assert rules.watch(looked_at, POLICY, NOW).status is status
    assert rules.silent(looked_at, POLICY, NOW) is (status is Status.UNKNOWN)


def test_a_figure_of_business_hours_says_when_it_was_and_is_no_green_of_now():
    def shown(ago: timedelta) -> Line:
        (one,) = rules.measured(
            [Measurement("clo.user.active", 7, "count", NOW - ago)], {"clo.user.active": "Users"}, NOW
        )
        return one

    assert shown(rules.OF_NOW).status is Status.PASS
    assert shown(rules.OF_NOW + SECOND).status is Status.NOT_APPLICABLE
    (none,) = rules.measured([], {"clo.user.active": "Users"}, NOW)
    assert (none.shown, none.at) == ("no source", None)


@pytest.mark.parametrize(
    ("ago", "status"),
    [(None, Status.UNKNOWN), (rules.PROVEN_WITHIN, Status.PASS), (rules.PROVEN_WITHIN + SECOND, Status.WARN)],
)
def test_a_restore_is_proven_for_a_week_and_a_day(ago, status):
    assert rules.restored("a", "L4", None if ago is None else NOW - ago, NOW).status is status


def test_the_whole_is_the_worst_of_its_parts_and_of_what_is_open():
    well, loose = (
        Part("a", (Line("x", "1", Status.PASS, NOW),)),
        Part("b", (Line("y", "no source", Status.NOT_APPLICABLE),)),
    )
    assert rules.overall([well, loose], []) is Status.PASS
    assert rules.overall([well], [Incident(Severity.P3)]) is Status.WARN
    assert rules.overall([well], [Incident(Severity.P1)]) is Status.FAIL
    unseen = Part("c", (Line("z", "?", Status.UNKNOWN), Line("x", "1", Status.WARN, NOW)))
    assert rules.overall([well, unseen], [Incident(Severity.P2)]) is Status.UNKNOWN
    assert rules.overall([loose], []) is Status.UNKNOWN, "nothing known is not well"


def test_the_clock_that_matters_next():
    assert rules.clock(Incident(Severity.P1), NOW) == "answer: 12 min left"
    assert rules.clock(Incident(Severity.P1, acknowledged_at=NOW), NOW) == "resolution: 3 min overdue"
    assert rules.clock(Incident(Severity.P1, NOW, NOW), NOW) == "service restored"


def test_a_part_without_any_figure_is_unknown():
    there, empty = (
        Part("Users", (Line("x", "1", Status.PASS, NOW),)),
        Part("Business", (Line("y", "no source", Status.UNKNOWN),)),
    )
    found = rules.judge([there, empty], POLICY, looked_back=timedelta(days=4))
    assert [(one.subject, one.status) for one in found] == [("Users", Status.PASS), ("Business", Status.UNKNOWN)]


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (401, Status.PASS),
        (403, Status.PASS),
        (307, Status.PASS),
        (200, Status.FAIL),
        (404, Status.FAIL),
        (0, Status.FAIL),
    ],
)
def test_the_page_must_be_there_and_must_not_open_to_everybody(code, status):
    answer = Answer((Measurement("http.response.status_code", code, "count", NOW, {"path": "/clo-ops/operations"}),))
    (found,) = rules.judge_door(answer, POLICY)
    assert found.status is status
    assert rules.judge_door(Answer(), POLICY)[0].status is Status.UNKNOWN


def test_who_is_on_call_is_named():
    primary, secondary, hand_over = rules.duty(POLICY, NOW)
    assert primary.shown and secondary.shown and hand_over.what == "Next hand-over"
