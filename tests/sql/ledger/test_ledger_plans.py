"""Plans, approvals and notices on a real PostgreSQL: kept once, lost to no retry, and nobody decides for themselves."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from clo_ops.findings.plans import Effect, Outcome, Plan, Step
from clo_ops.ledger import LedgerConflict, NoticeRow, plan_tables

MINUTE = timedelta(minutes=1)


def step(name: str, **more: object) -> Step:
    return Step(key=f"reindex {name}", action="reindex", target=name, why="bloat", statement=f"REINDEX {name}", **more)


PLAN = Plan("indexes", "clo", (step("a", seconds=3.0, wal_bytes=10, before={"bytes": 7}), step("b"), step("c")))
APPLIED = Effect(Outcome.APPLIED, "done", 2.0, {"bytes": 5})


@pytest.fixture
def plan(ledger, run):
    return ledger.keep_plan(run, PLAN)


def test_a_plan_is_kept_once_with_what_was_expected(ledger, run, plan):
    assert ledger.keep_plan(run, PLAN) == plan
    (row,) = ledger.plans_of(run)
    assert (row.hash, row.state, [one.step for one in row.steps]) == (PLAN.hash, "planned", list(PLAN.steps))
    assert {one.effect for one in row.steps} == {None}


def test_the_same_plan_in_another_run_is_done_again(ledger, run, plan, at):
    ledger.step_started(plan, "reindex a", at)
    ledger.step_ended(plan, "reindex a", APPLIED, at + MINUTE)
    other = ledger.open_run("morning_startup", "another", at + MINUTE, "policy-1", "scheduled")
    assert ledger.applied_steps(ledger.keep_plan(other, PLAN)) == frozenset()
    assert ledger.applied_steps(plan) == {"reindex a"}


def test_what_is_applied_is_never_begun_again_and_what_was_begun_shows(ledger, run, plan, at):
    ledger.step_started(plan, "reindex a", at)
    (row,) = ledger.plans_of(run)
    assert (row.state, row.steps[0].started_at, row.steps[0].effect, row.steps[0].tries) == ("applying", at, None, 1)
    ledger.step_ended(plan, "reindex a", APPLIED, at + MINUTE)
    with pytest.raises(LedgerConflict, match="not applied yet"):
        ledger.step_started(plan, "reindex a", at)
    with pytest.raises(LedgerConflict, match="no step 'reindex z'"):
        ledger.step_started(plan, "reindex z", at)
    (row,) = ledger.plans_of(run)
    assert row.steps[0].effect == APPLIED


def test_left_over_is_what_the_newest_applied_plan_did_not_come_to(ledger, run, plan, at):
    assert ledger.left_over("indexes", "clo") == [], "a plan that was only shown leaves nothing over"
    ledger.step_started(plan, "reindex b", at)
    ledger.step_ended(plan, "reindex a", Effect(Outcome.FAILED, "lock"), at)
    ledger.step_ended(plan, "reindex c", Effect(Outcome.LEFT_OVER, "no time"), at)
    assert ledger.left_over("indexes", "clo") == ["reindex b", "reindex c"], "one begun and never ended counts"
    assert ledger.left_over("indexes", "clo", run) == [], "a run tried again makes the plan it made before"
    assert ledger.left_over("indexes", "other") == ledger.left_over("cache", "clo") == []
    newer = ledger.open_run("morning_startup", "next", at + MINUTE, "policy-1", "scheduled")
    ledger.keep_plan(newer, Plan("indexes", "clo", (step("z"),)))
    assert ledger.left_over("indexes", "clo") == ["reindex b", "reindex c"], "only shown since"


def test_usual_times_are_medians_of_the_last_ones_applied(ledger, at):
    for day, seconds in enumerate((100.0, 1.0, 2.0, 9.0)):
        when = at + timedelta(days=day)
        run = ledger.open_run("morning_startup", str(day), when, "policy-1", "scheduled")
        number = ledger.keep_plan(run, PLAN)
        ledger.step_started(number, "reindex a", when)
        ledger.step_ended(number, "reindex a", Effect(Outcome.APPLIED, "", seconds), when)
        ledger.step_ended(number, "reindex b", Effect(Outcome.FAILED, "", 50.0), when)
        ledger.plan_ended(number, "ended", when)
    assert ledger.usual_seconds(["reindex a", "reindex b", "reindex c"], 3) == {"reindex a": 2.0}
    assert ledger.usual_total("indexes", "clo", 3) == 52.0
    assert ledger.usual_total("cache", "clo", 3) is None


def ask(ledger, run, at, kind="prior", **more):
    return ledger.ask_approval(
        run, PLAN.hash, [PLAN.hash], kind=kind, authority="manager", requester="ann", reason="disk", at=at, **more
    )


def test_an_approval_is_asked_once_and_decided_once_by_somebody_else(ledger, run, at):
    asked = ask(ledger, run, at)
    assert ask(ledger, run, at + MINUTE) == asked
    with pytest.raises(LedgerConflict, match="ann asked for this change"):
        ledger.decide(asked.id, "approved", "ann", at)
    decided = ledger.decide(asked.id, "approved", "bob", at + MINUTE, "seen")
    assert (decided.decision, decided.decided_by, decided.decided_at) == ("approved", "bob", at + MINUTE)
    with pytest.raises(LedgerConflict, match="decided already"):
        ledger.decide(asked.id, "refused", "eve", at)
    assert ledger.approvals_of(run) == [decided]


def test_the_database_itself_lets_nobody_approve_or_review_their_own(ledger, run, at):
    ask(ledger, run, at)
    approved = {"decision": "approved", "decided_at": at, "decided_by": "ann"}
    for change in (approved, {"reviewed_at": at, "reviewed_by": "ann"}):
        with pytest.raises(IntegrityError), ledger.transaction() as connection:
            connection.execute(plan_tables.approvals.update().values(**change))


def test_a_break_glass_change_stays_open_until_somebody_else_reviewed_it(ledger, run, at):
    with pytest.raises(IntegrityError):
        ask(ledger, run, at, kind="break glass")
    asked = ask(ledger, run, at, kind="break glass", review_due_at=at + timedelta(days=1))
    ledger.decide(asked.id, "approved", "ann", at)
    assert [one.id for one in ledger.unreviewed()] == [asked.id]
    with pytest.raises(LedgerConflict, match="ann asked"):
        ledger.review(asked.id, "ann", at, "fine")
    assert ledger.review(asked.id, "bob", at, "fine").reviewed_by == "bob"
    assert ledger.unreviewed() == []


def test_users_are_told_once_of_each_thing(ledger, at):
    told = NoticeRow("weekly", "ahead", at, at + MINUTE, at - timedelta(days=2))
    assert ledger.record_notice(told) == told
    again = ledger.record_notice(NoticeRow("weekly", "ahead", at, at + MINUTE, at))
    assert again == told, "what users were told first stays"
    assert ledger.notices("weekly", at) == {"ahead": told}
    assert ledger.notices("weekly", at + MINUTE) == {}
