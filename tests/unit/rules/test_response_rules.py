"""IR-01 to IR-05, IR-09, IR-10: each rule at its edge, just below and just above."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from clo_ops.findings import Severity, Status
from clo_ops.policy import load_policy
from clo_ops.rules import response
from clo_ops.rules.response import Step

POLICY = load_policy()
AT = datetime(2026, 7, 6, 8, 0, tzinfo=UTC)
MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)
GRACE = timedelta(minutes=2)
IMMEDIATE = POLICY.alerting.response.immediate_within


@dataclass(frozen=True)
class Incident:
    id: int = 7
    title: str = "Disk"
    severity: Severity = Severity.P1
    opened_at: datetime = AT
    response_due_at: datetime | None = AT + 15 * MINUTE
    resolution_due_at: datetime | None = AT + 240 * MINUTE
    update_due_at: datetime | None = AT + 30 * MINUTE
    closed_at: datetime | None = None


@dataclass(frozen=True)
class Event:
    kind: str
    at: datetime
    detail: str = ""
    actor: str = ""


@dataclass(frozen=True)
class Sent:
    id: int = 1
    state: str = "delivered"
    pending: tuple[str, ...] = ()
    refused: dict[str, str] = field(default_factory=dict)
    attempts: int = 1
    last_error: str = ""


@pytest.mark.parametrize(
    ("later", "status"), [(-SECOND, Status.PASS), (0 * SECOND, Status.PASS), (SECOND, Status.FAIL)]
)
def test_clocks_are_the_severitys_or_tighter(later, status):
    for name in ("response_due_at", "resolution_due_at"):
        one = replace(Incident(), **{name: getattr(Incident(), name) + later})
        assert response.judge_clocks(one, AT, POLICY).status is status


def test_an_incident_without_clocks_fails():
    assert response.judge_clocks(replace(Incident(), response_due_at=None), AT, POLICY).status is Status.FAIL


@pytest.mark.parametrize(
    ("told", "status"),
    [
        (AT - MINUTE, Status.PASS),
        (AT + GRACE, Status.PASS),
        (AT + GRACE + SECOND, Status.FAIL),
        (None, Status.FAIL),
    ],
)
def test_a_notice_is_told_when_due(told, status):
    (found,) = response.judge_notices(
        Incident(), [Step("notice on_call", AT, told)], POLICY, until=AT + 60 * MINUTE, grace=GRACE
    )
    assert found.status is status


def test_a_notice_due_after_the_end_need_not_be_told():
    step = Step("notice business_stakeholders", AT + 60 * MINUTE, None)
    (found,) = response.judge_notices(Incident(), [step], POLICY, until=AT + 59 * MINUTE, grace=GRACE)
    assert (found.status, found.actual) == (Status.PASS, "none due")


def rungs(*told: timedelta | None) -> list[Step]:
    dues = (0, 15, 120, 180)
    return [
        Step(f"on_call {level} role", AT + due * MINUTE, None if at is None else AT + at, "on_call", level)
        for level, (due, at) in enumerate(zip(dues, told, strict=True), start=1)
    ]


def ladder(steps, *events: Event, until: timedelta = 200 * MINUTE):
    (found,) = response.judge_ladder(Incident(), steps, events, POLICY, until=AT + until, grace=GRACE)
    return found


def test_a_ladder_told_in_time_and_order_passes():
    assert ladder(rungs(0 * MINUTE, 15 * MINUTE, 120 * MINUTE, 180 * MINUTE)).status is Status.PASS


def test_a_rung_left_out_or_late_fails_and_says_which():
    left_out = ladder(rungs(0 * MINUTE, None, None, None), until=15 * MINUTE + GRACE + SECOND)
    assert left_out.status is Status.FAIL
    assert "level 2 was due at 2026-07-06 08:15 UTC, never told" in left_out.message
    assert ladder(rungs(0 * MINUTE, None, None, None), until=15 * MINUTE + GRACE).status is Status.PASS
    assert ladder(rungs(0 * MINUTE, 15 * MINUTE + GRACE, None, None), until=16 * MINUTE).status is Status.PASS
    late = rungs(0 * MINUTE, 15 * MINUTE + GRACE + SECOND, None, None)
    assert "told late" in ladder(late, until=20 * MINUTE).message


def test_whoever_takes_it_stops_the_ladder():
    taken = Event("acknowledged", AT + 5 * MINUTE)
    assert ladder(rungs(0 * MINUTE, None, None, None), taken).status is Status.PASS


def test_a_rung_told_twice_or_before_the_one_below_fails():
    twice = [Event("told", AT, "on_call 1 role: A"), Event("told", AT, "on_call 1 role: A")]
    assert "told 2 times" in ladder(rungs(0 * MINUTE, None, None, None), *twice, until=MINUTE).message
    upside_down = rungs(10 * MINUTE, 5 * MINUTE, None, None)
    assert "level 2 was told before level 1" in ladder(upside_down, until=15 * MINUTE).message


@pytest.mark.parametrize(("after", "status"), [(GRACE, Status.PASS), (GRACE + SECOND, Status.FAIL)])
def test_an_update_overdue_that_nobody_noticed_fails(after, status):
    until = AT + 30 * MINUTE + after
    assert response.judge_updates(Incident(), [], POLICY, until=until, grace=GRACE).status is status


def test_updates_are_counted_and_an_overdue_one_fails_for_good():
    closed = replace(Incident(), closed_at=AT + 90 * MINUTE)
    events = [Event("updated", AT), Event("updated", AT)]
    good = response.judge_updates(closed, events, POLICY, until=AT + 99 * MINUTE, grace=GRACE)
    assert (good.status, good.actual) == (Status.PASS, "2 given, 0 overdue")
    bad = response.judge_updates(
        closed, [*events, Event("update_overdue", AT)], POLICY, until=AT + 99 * MINUTE, grace=GRACE
    )
    assert (bad.status, bad.actual) == (Status.FAIL, "2 given, 1 overdue")


@pytest.mark.parametrize(("after", "status"), [(IMMEDIATE, Status.PASS), (IMMEDIATE + SECOND, Status.FAIL)])
def test_immediate_actions_end_after_a_quarter_of_an_hour(after, status):
    events = [Event("opened", AT), Event("diagnosed", AT), Event("told", AT + after)]
    found = response.judge_immediate(Incident(), events, POLICY, at=AT + after)
    assert {one.name: one.status for one in found} == {
        "start on record": Status.PASS,
        "team called": status,
        "scope noted": Status.PASS,
    }


@pytest.mark.parametrize(("after", "status"), [(IMMEDIATE, Status.WARN), (IMMEDIATE + SECOND, Status.FAIL)])
def test_what_is_still_to_be_done_warns_while_there_is_time(after, status):
    found = response.judge_immediate(Incident(), [Event("opened", AT)], POLICY, at=AT + after)
    assert [one.status for one in found] == [Status.PASS, status, status]


def test_who_was_not_reached_is_named():
    (good,) = response.judge_messages(Incident(), [Sent()], POLICY)
    (refused,) = response.judge_messages(Incident(), [Sent(), Sent(refused={"a@clo.test": "550 unknown"})], POLICY)
    (waiting,) = response.judge_messages(Incident(), [Sent(pending=("b@clo.test",), last_error="refused")], POLICY)
    (nobody,) = response.judge_messages(Incident(), [], POLICY)
    assert [one.status for one in (good, refused, waiting, nobody)] == [Status.PASS, *[Status.FAIL] * 3]
    assert "a@clo.test (550 unknown)" in refused.message
    assert "b@clo.test (tried 1 times: refused)" in waiting.message


def test_who_is_on_call_is_named_with_the_next_hand_over():
    found = response.judge_on_call(POLICY, at=AT)
    assert {one.status for one in found} == {Status.PASS}
    assert "System Administrator on duty" in found[0].actual
    assert "next hand-over 2026-07-" in found[0].actual
    assert len(found) == 1 + len(POLICY.ladders)


def test_one_person_as_primary_and_secondary_warns():
    rota = POLICY.alerting.rota.model_copy(update={"secondary": POLICY.alerting.rota.primary})
    alerting = POLICY.alerting.model_copy(update={"rota": rota})
    found = response.judge_on_call(POLICY.model_copy(update={"alerting": alerting}), at=AT)
    assert found[0].status is Status.WARN
