"""A plan applied step by step: what is on record before and after each, what is not begun, what a fault leaves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from clo_ops.actions.maintenance.applying import Pace, apply
from clo_ops.actions.maintenance.plan import Effect, Outcome, Plan, Step
from clo_ops.findings import CheckFailed

NOW = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)


def step(key, seconds=60.0):
    return Step(key, "reindex", key, "bloat", f"REINDEX {key}", seconds)


PLAN = Plan("indexes", "clo", (step("a"), step("b"), step("c")))


class Book:
    """Keeps what it is told in memory, in the order it is told."""

    def __init__(self, applied=()):
        self.applied, self.told = set(applied), []

    def keep_plan(self, run, plan):
        return 1

    def applied_steps(self, plan):
        return self.applied

    def step_started(self, plan, key, at):
        self.told.append(("started", key))

    def step_ended(self, plan, key, effect, at):
        self.told.append((effect.outcome.value, key))

    def plan_ended(self, plan, state, at):
        self.told.append((state,))


class Clock:
    def __init__(self):
        self.now = NOW

    def __call__(self):
        return self.now


def act_of(clock, log, takes=60.0):
    def act(one):
        log.append(one.key)
        clock.now += timedelta(seconds=takes)
        return Effect(Outcome.APPLIED, "done", takes)

    return act


def run(plan=PLAN, book=None, ends=timedelta(hours=1), takes=60.0, **more):
    clock, log, book = Clock(), [], book or Book()
    act = more.pop("act", None) or act_of(clock, log, takes)
    done = apply(plan, act, ledger=book, run=1, ends=NOW + ends, clock=clock, **more)
    return {one.key: effect.outcome for one, effect in done}, log, book


def test_each_step_is_on_record_before_it_begins_and_after_it_ended():
    outcomes, log, book = run()
    assert (set(outcomes.values()), log) == ({Outcome.APPLIED}, ["a", "b", "c"])
    assert book.told == [(what, key) for key in "abc" for what in ("started", "applied")] + [("ended",)]


def test_what_this_run_has_applied_already_is_not_done_again():
    outcomes, log, _ = run(book=Book(applied={"a", "b"}))
    assert (set(outcomes.values()), log) == ({Outcome.APPLIED}, ["c"])


@pytest.mark.parametrize(("left", "begun"), [(90.0, ["a"]), (89.9, []), (150.0, ["a", "b"]), (149.9, ["a"])])
def test_nothing_starts_that_cannot_end_inside(left, begun):
    """With safety 1.5 a step of 60 s needs 90; the first one leaves 60 s less."""
    outcomes, log, _ = run(ends=timedelta(seconds=left), pace=Pace(1.5))
    assert log == begun
    assert [key for key, one in outcomes.items() if one is Outcome.LEFT_OVER] == [
        key for key in "abc" if key not in begun
    ]


@pytest.mark.parametrize(("left", "begun"), [(300, ["a"]), (299, [])])
def test_a_step_whose_time_nobody_knows_needs_the_policys(left, begun):
    _, log, _ = run(Plan("indexes", "clo", (step("a", None),)), ends=timedelta(seconds=left))
    assert log == begun


def test_a_short_step_still_fits_behind_one_that_does_not():
    plan = Plan("indexes", "clo", (step("long", 1000.0), step("short", 10.0)))
    outcomes, log, _ = run(plan, ends=timedelta(minutes=5))
    assert (log, outcomes["long"]) == (["short"], Outcome.LEFT_OVER)


def test_once_it_may_not_go_on_nothing_more_begins():
    reasons = iter([None, "a backup has started", None])
    outcomes, log, book = run(may_go_on=lambda: next(reasons))
    assert log == ["a"]
    assert book.told[-1] == ("stopped",)
    assert {key for key, one in outcomes.items() if one is Outcome.LEFT_OVER} == {"b", "c"}


def test_a_step_that_fails_fails_alone():
    def act(one):
        if one.key == "a":
            raise CheckFailed("lock not granted")
        return Effect(Outcome.APPLIED, "done")

    outcomes, _, book = run(act=act)
    assert outcomes == {"a": Outcome.FAILED, "b": Outcome.APPLIED, "c": Outcome.APPLIED}
    assert ("failed", "a") in book.told


def test_a_fault_of_ours_ends_the_run_with_the_step_on_record():
    def act(one):
        raise KeyError("x")

    book = Book()
    with pytest.raises(KeyError):
        run(act=act, book=book)
    assert book.told == [("started", "a"), ("failed", "a")]


def test_the_hash_is_of_what_is_done_and_of_nothing_else():
    assert PLAN.hash == Plan("indexes", "clo", (step("a", 5.0), step("b"), step("c"))).hash
    others = [
        Plan("statistics", "clo", PLAN.steps),
        Plan("indexes", "other", PLAN.steps),
        Plan("indexes", "clo", PLAN.steps[:2]),
        PLAN.with_first(["c"]),
        Plan("indexes", "clo", (step("a"), step("b"), Step("c", "reindex", "c", "bloat", "REINDEX other"))),
    ]
    assert len({PLAN.hash, *(one.hash for one in others)}) == 6


def test_a_plan_knows_each_step_once_and_puts_first_what_was_left_over():
    with pytest.raises(ValueError, match="the same step twice: a"):
        Plan("indexes", "clo", (step("a"), step("a")))
    assert [one.key for one in PLAN.with_first(["c", "gone"]).steps] == ["c", "a", "b"]
