"""M3-01: when a drill may start, at each bound."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from clo_ops.findings import Answer, Measurement, Status
from clo_ops.policy import load_policy
from clo_ops.rules.guard import MATRIX, PROOFS, judge_before, judge_parity, judge_proofs, refused
from clo_ops.rules.room import EMPTY_CLUSTER, expected_size, needed_room

AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
GIB = 1024**3


@pytest.fixture(scope="module")
def terms():
    return load_policy(mode="demo").recovery.guard


def room(kind, needed, free):
    return [
        Measurement("guard.room.needed", needed, "bytes", AT, {"kind": kind}, "a database"),
        Measurement("guard.room.free", free, "bytes", AT, {"kind": kind}),
    ]


QUIET = [Measurement("guard.busy", 0, "count", AT, {"kind": kind}) for kind in ("drill", "backup")]


@pytest.mark.parametrize(("kind", "after"), [("disk", 2 * GIB), ("memory", 512 * 1024**2)])
@pytest.mark.parametrize(("short", "status"), [(0, Status.PASS), (1, Status.FAIL)])
def test_room_is_enough_to_the_byte(terms, kind, after, short, status):
    answer = Answer.of([*QUIET, *room(kind, 10 * GIB, 10 * GIB + after - short)])
    (judged,) = [one for one in judge_before(answer, terms) if one.name == "room"]
    assert judged.status is status


def test_an_engine_elsewhere_does_not_tell_its_room(terms):
    answer = Answer.of([*QUIET, room("disk", GIB, 0)[0]])
    (judged,) = [one for one in judge_before(answer, terms) if one.name == "room"]
    assert judged.status is Status.NOT_APPLICABLE


def other(drill, state):
    labels = {"drill": drill, "dag": "dag", "run": "run", "state": state, "expires": "2026-11-23T22:00:00+00:00"}
    return Measurement("guard.other", AT.timestamp(), "s", AT, labels, "volume a")


@pytest.mark.parametrize(
    ("states", "said", "first"),
    [
        (["failed"], "Its run has ended (failed)", "reaper 0000000000;"),
        (["success", "failed"], "Its run has ended (success)", "reaper 0000000000 1111111111;"),
        (["running"], "Its run is running: wait for it", "Wait until"),
        (["failed", "running"], "Its run is running: wait for it", "Wait until"),
        ([""], "where its process was killed, `python -m clo_ops.actions.drill.reaper 0000000000`", "Wait until"),
    ],
    ids=str,
)
def test_a_drill_in_the_way_is_named_with_what_ends_it(terms, states, said, first):
    busy = Measurement("guard.busy", len(states), "count", AT, {"kind": "drill"}, "dag run")
    others = [other(str(number) * 10, state) for number, state in enumerate(states)]
    (judged,) = [one for one in judge_before(Answer.of([busy, QUIET[1], *others]), terms) if one.subject == "drill"]
    assert judged.status is Status.FAIL
    assert said in judged.message and first in judged.first_action
    assert f"Drill 0000000000 (dag run) is there since {AT:%Y-%m-%d %H:%M} UTC: volume a" in judged.message
    assert ("reaper" in judged.message) is (set(states) != {"running"})


def test_what_was_not_asked_is_unknown_and_refuses(terms):
    findings = judge_before(Answer(), terms)
    assert {one.status for one in findings} == {Status.UNKNOWN}
    assert refused(findings) and refused([])


@pytest.mark.parametrize("missing", PROOFS)
def test_each_proof_counts_by_itself(missing):
    made = [Measurement("guard.proof", name != missing, "bool", AT, {"proof": name}) for name in PROOFS]
    status = {one.subject: one.status for one in judge_proofs(Answer.of(made))}
    assert status == {name: Status.FAIL if name == missing else Status.PASS for name in PROOFS}
    without = judge_proofs(Answer.of(one for one in made if one.labels["proof"] != missing))
    assert refused(without)


def test_a_local_place_is_known_by_its_directory_in_place_of_what_only_docker_has():
    own = {*PROOFS, "cluster"} - {"container", "no_way_out"}
    made = [Measurement("guard.proof", 1, "bool", AT, {"proof": name}) for name in own]
    status = {one.subject: one.status for one in judge_proofs(Answer.of(made), kind="local")}
    assert {name for name in status if status[name] is Status.PASS} == own
    assert refused(judge_proofs(Answer.of(one for one in made if one.labels["proof"] != "cluster"), kind="local"))


@pytest.mark.parametrize("aspect", MATRIX)
def test_the_matrix_says_what_refuses_and_what_warns(aspect):
    different = Answer((Measurement("guard.parity", 0, "bool", AT, {"aspect": aspect, "of": ""}, "a, b"),))
    same = Answer((Measurement("guard.parity", 1, "bool", AT, {"aspect": aspect, "of": ""}, "a, a"),))
    (judged,) = judge_parity(different)
    assert judged.status is (Status.FAIL if MATRIX[aspect].refuses else Status.WARN)
    assert judge_parity(same)[0].status is Status.PASS


def test_expected_size_is_the_databases_own_or_the_archives_times_the_factor(terms):
    known = SimpleNamespace(size_bytes=100, database_bytes=1000)
    unknown = SimpleNamespace(size_bytes=100, database_bytes=0)
    assert expected_size(known, terms) == 1000
    assert expected_size(unknown, terms) == 100 * terms.expansion_factor
    assert needed_room(1000, terms, False) == 1300 + EMPTY_CLUSTER
    assert needed_room(1000, terms, True) == 2600 + EMPTY_CLUSTER
