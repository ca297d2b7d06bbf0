"""What an answered control says: pass, fail, excused, not assessed; and what an exception that ended is worth."""

from __future__ import annotations

from datetime import date

import pytest

from clo_ops.findings import Status
from clo_ops.findings.performed import Judged, Performed, Violation, digest
from clo_ops.policy import load_policy
from clo_ops.policy.controls import Control
from clo_ops.rules import controls
from clo_ops.rules.control_answers import JUDGES, WITH_A_PAST

DAY = date(2026, 11, 27)
UNTIL = "2026-11-27"


def control(**changed):
    given = {
        "id": "SOX-01", "title": "Nobody decides on their own", "standard": "SOX", "clause": "section 404",
        "shows": "who asked is not who approved", "procedure": "WF-01", "query": "source/self_approved",
        "frequency": "weekly", "owner": "Compliance Officer", "evidence": "ids", "severity": "P1",
        "first_action": "Look at it.", "manual": "L139",
    }  # fmt: skip
    return Control.model_validate(given | changed)


def excused(**changed):
    given = {"keys": ["calculation *"], "reason": "old", "approved_by": "CFO", "until": UNTIL}
    return [given | changed]


def judge(one, *keys, looked_at=5, day=DAY, mode="production", not_assessed=""):
    violations = tuple(Violation(key, "seen") for key in keys)
    return controls.judge(one, Judged(looked_at, violations, not_assessed), day=day, mode=mode)


def test_nothing_against_it_is_a_pass_and_never_says_compliant():
    found = judge(control())
    assert found.status is Status.PASS
    assert found.expected.startswith("evidence for SOX section 404")
    assert "5 looked at" in found.message
    assert "compliant" not in (found.message + found.expected).lower()


def test_a_violation_fails_and_is_named():
    found = judge(control(), "calculation 7")
    assert (found.status, found.severity, found.subject) == (Status.FAIL, "P1", "SOX-01")
    assert "calculation 7 (seen)" in found.message


def test_of_many_violations_the_first_are_named_and_all_are_counted():
    found = judge(control(), *(f"calculation {n:03}" for n in range(25)))
    assert "and 5 more" in found.message
    assert found.actual == "25 of 5 looked at"


@pytest.mark.parametrize(
    ("exceptions", "day", "mode", "status"),
    [
        (excused(), date(2026, 11, 26), "production", Status.WARN),
        (excused(), date(2026, 11, 27), "production", Status.WARN),
        (excused(), date(2026, 11, 28), "production", Status.FAIL),
        (excused(keys=["calculation 8"]), DAY, "production", Status.FAIL),
        (excused(mode="demo"), DAY, "production", Status.FAIL),
        (excused(mode="demo"), DAY, "demo", Status.WARN),
    ],
)
def test_an_exception_excuses_until_its_day_has_ended(exceptions, day, mode, status):
    assert judge(control(exceptions=exceptions), "calculation 7", day=day, mode=mode).status is status


def test_an_exception_that_ended_is_named_with_whoever_gave_it():
    found = judge(control(exceptions=excused()), "calculation 7", day=date(2026, 12, 1))
    assert "the exception by CFO ended on 2026-11-27" in found.message


def test_one_excused_and_one_not_fails_for_the_one_that_is_not():
    found = judge(control(exceptions=excused(keys=["calculation 7"])), "calculation 7", "calculation 8")
    assert found.status is Status.FAIL
    assert "calculation 8" in found.message
    assert "calculation 7" not in found.message


@pytest.mark.parametrize(("looked_at", "status"), [(2, Status.FAIL), (3, Status.PASS), (4, Status.PASS)])
def test_silence_is_a_finding(looked_at, status):
    assert judge(control(at_least=3), looked_at=looked_at).status is status


def test_not_assessed_is_neither_passed_nor_failed_and_says_why():
    found = judge(control(), not_assessed="the first look")
    assert found.status is Status.NOT_APPLICABLE
    assert "the first look" in found.message
    silent = controls.nobody_answered(control(), "no privilege")
    assert silent.status is Status.UNKNOWN
    assert "no privilege" in silent.message


def test_a_baseline_changed_since_it_was_signed_off_fails():
    policy = load_policy(mode="demo").controls
    assert controls.signed_off(policy, "WM-09").status is Status.PASS
    other = policy["CFG-02"].model_copy(update={"parameters": {"allowed": ("postgres", "mallory")}})
    changed = policy.model_copy(update={"catalogue": {**policy.catalogue, "CFG-02": other}})
    assert controls.signed_off(changed, "WM-09").status is Status.FAIL


def test_the_rows_of_a_plain_answer_must_say_how_many_were_looked_at():
    rows = [{"kind": "looked at", "key": "2", "reason": ""}, {"kind": "violation", "key": "a", "reason": "b"}]
    assert Judged.plainly(rows) == Judged(2, (Violation("a", "b"),))
    for wrong in ([], [*rows, rows[0]]):
        with pytest.raises(ValueError, match="looked at"):
            Judged.plainly(wrong)


def test_the_same_rows_have_the_same_digest_whatever_the_order_of_their_columns():
    assert digest([{"a": 1, "b": "ü"}]) == digest([{"b": "ü", "a": 1}])
    assert digest([{"a": 1}, {"a": 2}]) != digest([{"a": 2}, {"a": 1}])
    one = Performed("query", "x", "select 1", {}, {}, [{"a": 1}])
    assert one.result_sha256 == digest([{"a": 1}])
    assert "rows" not in repr(one)
    with pytest.raises(TypeError):
        digest([{"a": object()}])


def test_every_judge_of_the_catalogue_is_written_and_every_one_is_used():
    used = {one.judge for one in load_policy(mode="demo").controls.catalogue.values()}
    assert used == set(JUDGES)
    assert set(JUDGES) >= WITH_A_PAST
