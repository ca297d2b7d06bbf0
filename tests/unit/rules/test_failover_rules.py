"""M3-04, M3-05: the failover is judged at its limits, and a step not measured is never green."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial

import pytest

from clo_ops.findings import Answer, Measurement, Status, Unanswered
from clo_ops.policy import load_policy
from clo_ops.rules import failover

AT = datetime(2026, 11, 23, tzinfo=UTC)
FIGURES = load_policy(mode="demo").recovery.failover
GOOD = {
    ("failover.standby.built", ()): 1,
    ("failover.caught_up", ()): 1,
    ("failover.synchronous", ()): 1,
    ("failover.timeline", (("when", "before"),)): 1,
    ("failover.lag", (("when", "built"),)): 1000,
    ("failover.lag", (("when", "cut"),)): 100,
    ("failover.promoted", ()): 1,
    ("failover.writable", ()): 1,
    ("failover.promote.duration", ()): 0.5,
    ("failover.timeline", (("when", "after"),)): 2,
    ("failover.identity.matches", ()): 1,
    ("failover.marker.committed", ()): 500,
    ("failover.marker.found", ()): 500,
    ("failover.marker.in_flight", ()): 1,
    ("failover.old_primary.fenced", ()): 1,
}


def answer(changed: dict[str, float | None] | None = None) -> Answer:
    """``name`` or ``name when`` to another value; None leaves it out."""
    values = dict(GOOD)
    for key, value in (changed or {}).items():
        name, _, when = key.partition(" ")
        values[name, (("when", when),) if when else ()] = value
    return Answer.of(
        Measurement(name, value, "count", AT, dict(labels))
        for (name, labels), value in values.items()
        if value is not None
    )


def judged(given: Answer) -> dict[str, Status]:
    both = failover.judge_activation(given, FIGURES, at=AT) + failover.judge_synchronisation(given, FIGURES, at=AT)
    return {one.name: one.status for one in both}


def test_a_good_failover_passes_everywhere():
    assert set(judged(answer()).values()) == {Status.PASS}
    assert len(judged(answer())) == 12


@pytest.mark.parametrize(
    ("changed", "name", "status"),
    [
        ({"failover.promote.duration": 15}, "time to promote", Status.PASS),
        ({"failover.promote.duration": 15.001}, "time to promote", Status.WARN),
        ({"failover.promote.duration": 60}, "time to promote", Status.WARN),
        ({"failover.promote.duration": 60.001}, "time to promote", Status.FAIL),
        ({"failover.promote.duration": None}, "time to promote", Status.UNKNOWN),
        ({"failover.lag cut": 16 * 2**20}, "lag at the cut", Status.PASS),
        ({"failover.lag cut": 16 * 2**20 + 1}, "lag at the cut", Status.WARN),
        ({"failover.lag cut": 256 * 2**20}, "lag at the cut", Status.WARN),
        ({"failover.lag cut": 256 * 2**20 + 1}, "lag at the cut", Status.FAIL),
        ({"failover.lag cut": None}, "lag at the cut", Status.UNKNOWN),
        ({"failover.marker.found": 499}, "acknowledged markers", Status.FAIL),
        ({"failover.marker.found": None}, "acknowledged markers", Status.UNKNOWN),
        ({"failover.marker.committed": 50, "failover.marker.found": 50}, "markers written", Status.PASS),
        ({"failover.marker.committed": 49, "failover.marker.found": 49}, "markers written", Status.UNKNOWN),
        ({"failover.marker.committed": 49, "failover.marker.found": 48}, "acknowledged markers", Status.FAIL),
        ({"failover.timeline after": 1}, "new timeline", Status.FAIL),
        ({"failover.timeline after": None}, "new timeline", Status.UNKNOWN),
        ({"failover.identity.matches": 0}, "same cluster", Status.FAIL),
        ({"failover.identity.matches": None}, "same cluster", Status.UNKNOWN),
        ({"failover.old_primary.fenced": 0}, "old primary fenced", Status.FAIL),
        ({"failover.old_primary.fenced": None}, "old primary fenced", Status.UNKNOWN),
        ({"failover.synchronous": 0}, "commits wait for the standby", Status.FAIL),
        ({"failover.synchronous": None}, "commits wait for the standby", Status.UNKNOWN),
        ({"failover.caught_up": 0}, "caught up", Status.FAIL),
        ({"failover.caught_up": None}, "caught up", Status.UNKNOWN),
    ],
)
def test_each_figure_at_its_limit(changed, name, status):
    assert judged(answer(changed))[name] is status


@pytest.mark.parametrize(
    ("metric", "name", "not_judged"),
    [
        ("failover.standby.built", "standby built", "standby promoted"),
        ("failover.promoted", "standby promoted", "takes writes"),
        ("failover.writable", "takes writes", "time to promote"),
    ],
)
def test_a_step_that_failed_is_said_once_and_what_comes_after_it_is_not_judged(metric, name, not_judged):
    found = partial(lambda value: judged(answer({metric: value})))
    assert found(0)[name] is Status.FAIL
    assert found(None)[name] is Status.UNKNOWN
    assert not_judged not in found(0)


def test_a_drill_that_was_to_be_asynchronous_only_warns():
    wished = Measurement("failover.synchronous", 0, "bool", AT, {"wished": "asynchronous"}, "async")
    found = judged(Answer((wished,)) + answer({"failover.synchronous": None}))
    assert found["commits wait for the standby"] is Status.WARN


def test_nothing_measured_is_unknown_and_an_open_question_is_told():
    assert set(judged(Answer()).values()) == {Status.UNKNOWN}
    open_question = Answer((), (Unanswered("building a standby", "drill", "pg_basebackup", "no engine", AT),))
    assert set(judged(open_question).values()) == {Status.UNKNOWN}
