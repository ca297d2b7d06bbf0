"""M3-05: production's own replication, at its limits."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from clo_ops.findings import Answer, Measurement, Status, Unanswered
from clo_ops.policy import load_policy
from clo_ops.rules import replication

AT = datetime(2026, 11, 23, tzinfo=UTC)
FIGURES = load_policy(mode="demo").recovery.replication
STANDBY, SLOT = {"standby": "one", "address": "10.0.0.2"}, {"slot": "one"}


def answer(lag: float | None = 0, seconds: float | None = 0.0, kept: float = 0, streaming: int = 1, active: int = 1):
    found = [
        Measurement("replication.peer.count", 2, "count", AT),
        Measurement("replication.streaming", streaming, "bool", AT, STANDBY, "catchup, async"),
        Measurement("replication.slot.active", active, "bool", AT, SLOT, "physical, WAL reserved"),
        Measurement("replication.slot.retained", kept, "bytes", AT, SLOT),
    ]
    found += [] if lag is None else [Measurement("replication.lag", lag, "bytes", AT, STANDBY)]
    found += [] if seconds is None else [Measurement("replication.lag.time", seconds, "s", AT, STANDBY)]
    return Answer.of(found)


def judged(given: Answer, figures=FIGURES) -> dict[str, Status]:
    return {one.name: one.status for one in replication.judge(given, figures, at=AT)}


@pytest.mark.parametrize(
    ("given", "name", "status"),
    [
        ({}, "standby streaming", Status.PASS),
        ({"streaming": 0}, "standby streaming", Status.FAIL),
        ({"lag": 16 * 2**20}, "replication lag", Status.PASS),
        ({"lag": 16 * 2**20 + 1}, "replication lag", Status.WARN),
        ({"lag": 256 * 2**20}, "replication lag", Status.WARN),
        ({"lag": 256 * 2**20 + 1}, "replication lag", Status.FAIL),
        ({"lag": None}, "replication lag", Status.UNKNOWN),
        ({"seconds": 30}, "replication lag time", Status.PASS),
        ({"seconds": 30.001}, "replication lag time", Status.WARN),
        ({"seconds": 300}, "replication lag time", Status.WARN),
        ({"seconds": 300.001}, "replication lag time", Status.FAIL),
        ({"seconds": None}, "replication lag time", Status.UNKNOWN),
        ({"kept": 2**30}, "slot", Status.PASS),
        ({"kept": 2**30 + 1}, "slot", Status.WARN),
        ({"kept": 10 * 2**30}, "slot", Status.WARN),
        ({"kept": 10 * 2**30 + 1}, "slot", Status.FAIL),
        ({"active": 0}, "slot in use", Status.WARN),
    ],
)
def test_each_figure_at_its_limit(given, name, status):
    assert judged(answer(**given))[name] is status


def test_no_replication_is_not_applicable_and_says_what_that_means():
    (finding,) = replication.judge(Answer((Measurement("replication.peer.count", 0, "count", AT),)), FIGURES, at=AT)
    assert finding.status is Status.NOT_APPLICABLE
    assert "last backup" in finding.message


def test_a_standby_the_policy_names_must_be_there():
    named = FIGURES.model_copy(update={"standbys": ("one", "two")})
    missing = [one for one in replication.judge(answer(), named, at=AT) if one.status is Status.FAIL]
    assert [one.subject for one in missing] == ["two"]


def test_who_could_not_be_asked_is_unknown():
    asked = Answer((), (Unanswered("replication", "postgresql://x", "a read-only session", "refused", AT),))
    assert set(judged(asked).values()) == set(judged(Answer()).values()) == {Status.UNKNOWN}
