"""What became of a plan, told: applied, left over, failed, or only shown."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from clo_ops.findings import Status
from clo_ops.findings.plans import Effect, Outcome, Plan, Step, hash_of
from clo_ops.rules.maintenance import expected_time, judge, measured, only_shown, span

AT = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)


def step(key, seconds=None, **before):
    return Step(key, "reindex", key, f"{key} is bloated", f"REINDEX {key}", seconds, before=before)


PLAN = Plan("indexes", "clo", (step("a", 60.0), step("b"), step("c")))


def told(*outcomes):
    done = [(one, Effect(outcome, "because", 2.0)) for one, outcome in zip(PLAN.steps, outcomes, strict=True)]
    return {one.subject: one for one in judge("WM-02", "L94", PLAN, done)}


def test_all_applied_is_one_green_finding():
    found = told(Outcome.APPLIED, Outcome.APPLIED, Outcome.SKIPPED)
    assert {name: one.status for name, one in found.items()} == {"indexes": Status.PASS}
    assert found["indexes"].actual == "2 applied, 1 skipped"
    assert PLAN.hash[:12] in found["indexes"].message


def test_each_step_that_failed_is_red_by_itself_with_its_reason():
    found = told(Outcome.FAILED, Outcome.APPLIED, Outcome.FAILED)
    assert [name for name, one in found.items() if one.status is Status.FAIL] == ["a", "c"]
    assert "because" in found["a"].message
    assert found["a"].first_action


def test_what_is_left_over_is_named_once():
    found = told(Outcome.APPLIED, Outcome.LEFT_OVER, Outcome.LEFT_OVER)
    assert found["indexes left over"].status is Status.WARN
    assert "b, c" in found["indexes left over"].message


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.LEFT_OVER])
def test_nothing_done_has_no_green_finding(outcome):
    assert Status.PASS not in {one.status for one in told(outcome, outcome, outcome).values()}


def test_many_left_over_are_counted_not_listed():
    plan = Plan("indexes", "clo", tuple(step(f"i{n}") for n in range(8)))
    (found,) = judge("WM-02", "L94", plan, [(one, Effect(Outcome.LEFT_OVER, "late")) for one in plan.steps])
    assert "i0, i1, i2, i3, i4 and 3 more" in found.message


def test_only_shown_is_neither_green_nor_red_and_says_why():
    found = only_shown("WM-02", "L94", PLAN, "the run was asked for its plan")
    assert found.status is Status.NOT_APPLICABLE
    for words in ("the run was asked for its plan", "3 reindex", "at least 60 s", "REINDEX a", "a is bloated"):
        assert words in found.message
    assert only_shown("WM-02", "L94", Plan("indexes", "clo"), "asked").status is Status.PASS


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        ([60.0, 61.0], "about 2 min"),
        ([60.0, 59.0], "about 119 s"),
        ([None, 5.0], "at least 5 s"),
        ([None], "an unknown time"),
    ],
)
def test_how_long_a_plan_takes(seconds, words):
    assert expected_time([step(str(n), one) for n, one in enumerate(seconds)]) == words
    assert span(120) == "2 min"


def test_sizes_before_and_after_are_measured_and_what_was_not_begun_has_no_duration():
    steps = (step("a", before_bytes=10, rows=3), step("b"))
    plan = Plan("indexes", "clo", steps)
    done = [
        (steps[0], Effect(Outcome.APPLIED, "", 4.0, {"before_bytes": 6})),
        (steps[1], Effect(Outcome.LEFT_OVER, "")),
    ]
    found = [(one.name, one.value, one.labels.get("when", "")) for one in measured(plan, done, AT)]
    assert found == [
        ("maintenance.step.duration", 4.0, ""),
        ("maintenance.size", 10.0, "before"),
        ("maintenance.size", 6.0, "after"),
        ("maintenance.planned", 2.0, ""),
    ]


def test_one_hash_for_several_plans_whatever_their_order():
    assert hash_of(["b", "a"]) == hash_of(["a", "b"]) != hash_of(["a"])
