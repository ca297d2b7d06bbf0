"""The gate before a change: each need at its threshold, one below and one above; silence never opens it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from clo_ops.findings import Answer, Measurement, Status
from clo_ops.policy import load_policy
from clo_ops.probes.reaching import nobody_answered
from clo_ops.rules import gate
from clo_ops.rules.gate import ALL, OUTSIDE_THE_DATABASE, Need, Terms, given_way, judge

AT = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)
POLICY = load_policy(mode="demo").maintenance.gate
TERMS = Terms("WM-02", POLICY, timedelta(hours=26), 1.5)
HOUR = 3600.0
LIMIT = POLICY.long_transaction.total_seconds()
LAG = POLICY.replication_behind.total_seconds()
GIB = 2**30


def one(name, value, unit, detail="", **labels):
    return Measurement(name, value, unit, AT, labels, detail)


GOOD = {
    Need.PRIMARY: [one(gate.PRIMARY, 1, "bool", "the primary")],
    Need.BACKUP: [one(gate.BACKUP_AGE, 26 * HOUR, "s", path="clo.dump", level="L2")],
    Need.NO_BACKUP_RUNNING: [one(gate.BACKUP_RUNNING, 0, "count")],
    Need.NO_DRILL_RUNNING: [one(gate.DRILL_RUNNING, 0, "count")],
    Need.NO_LONG_TRANSACTION: [one(gate.TRANSACTION, LIMIT, "s", "psql")],
    Need.ROOM: [
        one(gate.NEEDED, 4 * GIB, "bytes", "public.loans_pkey"),
        one(gate.FREE, 4 * GIB + POLICY.room_beside, "bytes", mount="/"),
    ],
    Need.REPLICATION: [one("replication.peer.count", 1, "count"), one(gate.LAG, LAG, "s", standby="b")],
    Need.WINDOW: [one(gate.WINDOW_LEFT, 600, "s", "Monday"), one(gate.USUAL, 400, "s")],
    Need.ALONE: [one(gate.MAINTAINER, 0, "count")],
}
# What is just over the threshold, and whether it fails or gives way.
BAD = {
    Need.PRIMARY: ([one(gate.PRIMARY, 0, "bool", "a standby")], Status.FAIL),
    Need.BACKUP: ([one(gate.BACKUP_AGE, 26 * HOUR + 1, "s", path="clo.dump", level="L2")], Status.FAIL),
    Need.NO_BACKUP_RUNNING: ([one(gate.BACKUP_RUNNING, 1, "count", "pg_dump since 05:00:00")], Status.WARN),
    Need.NO_DRILL_RUNNING: ([one(gate.DRILL_RUNNING, 1, "count", "dr_test")], Status.WARN),
    Need.NO_LONG_TRANSACTION: ([one(gate.TRANSACTION, LIMIT + 1, "s", "psql")], Status.WARN),
    Need.ROOM: (
        [
            one(gate.NEEDED, 4 * GIB, "bytes", "public.loans_pkey"),
            one(gate.FREE, 4 * GIB + POLICY.room_beside - 1, "bytes", mount="/"),
        ],
        Status.FAIL,
    ),
    Need.REPLICATION: (
        [one("replication.peer.count", 1, "count"), one(gate.LAG, LAG + 1, "s", standby="b")],
        Status.WARN,
    ),
    Need.WINDOW: ([one(gate.WINDOW_LEFT, 0, "s", "Monday is over")], Status.FAIL),
    Need.ALONE: ([one(gate.MAINTAINER, 1, "count", "clo_ops/other")], Status.WARN),
}


def answer(without=None, instead=()):
    kept = [found for need, measured in GOOD.items() if need is not without for found in measured]
    return Answer.of([*kept, *instead])


def of(need, judged):
    return [finding for finding in judged.findings if finding.subject == need.value]


def test_at_every_threshold_it_is_open():
    judged = judge(answer(), TERMS, ALL)
    assert judged.open
    assert {finding.status for finding in judged.findings} == {Status.PASS}
    assert [finding.subject for finding in judged.findings] == [need.value for need in Need]
    assert judged.reasons == []


@pytest.mark.parametrize("need", Need)
def test_just_over_its_threshold_each_need_closes_it(need):
    measured, status = BAD[need]
    judged = judge(answer(need, measured), TERMS, ALL)
    assert not judged.open
    assert judged.closed_by == {need}
    assert [finding.status for finding in of(need, judged)] == [status]
    assert judged.reasons == [finding.message for finding in of(need, judged)]
    assert judged.worth_waiting is (need in gate.PASSING)


@pytest.mark.parametrize("need", Need)
def test_silence_never_opens_it(need):
    silent = answer(need) + nobody_answered([need.value], "db", "a session", "timeout")
    judged = judge(silent, TERMS, ALL)
    assert not judged.open
    assert {finding.status for finding in judged.findings if finding.status is not Status.PASS} == {Status.UNKNOWN}
    assert [finding.status for finding in of(need, judged)] == [Status.UNKNOWN]


@pytest.mark.parametrize("missing", [gate.NEEDED, gate.FREE])
def test_room_needs_both_figures(missing):
    left = [found for found in GOOD[Need.ROOM] if found.name != missing]
    assert judge(answer(Need.ROOM, left), TERMS, ALL).closed_by == {Need.ROOM}


def test_a_backup_not_proven_deep_enough_does_not_count_however_fresh():
    shallow = [one(gate.BACKUP_AGE, 60, "s", path="new.dump", level="L1")]
    judged = judge(answer(Need.BACKUP, shallow), TERMS, ALL)
    assert judged.closed_by == {Need.BACKUP}
    assert of(Need.BACKUP, judged)[0].status is Status.FAIL
    both = judge(answer(Need.BACKUP, shallow + GOOD[Need.BACKUP]), TERMS, ALL)
    assert both.open
    deeper = [one(gate.BACKUP_AGE, 60, "s", path="new.dump", level="L4")]
    assert judge(answer(Need.BACKUP, deeper), TERMS, ALL).open


def test_no_backup_at_all_is_a_failure_and_no_silence():
    none = [one(gate.BACKUP_AGE, 0, "s", path="none", level="")]
    (found,) = of(Need.BACKUP, judge(answer(Need.BACKUP, none), TERMS, ALL))
    assert (found.status, found.actual) == (Status.FAIL, "none")


def test_work_that_usually_takes_longer_than_what_is_left_begins_and_says_so():
    short = [one(gate.WINDOW_LEFT, 600, "s", "Monday"), one(gate.USUAL, 401, "s")]
    judged = judge(answer(Need.WINDOW, short), TERMS, ALL)
    assert judged.open
    assert of(Need.WINDOW, judged)[0].status is Status.WARN
    unknown = [one(gate.WINDOW_LEFT, 1, "s", "Monday")]
    assert judge(answer(Need.WINDOW, unknown), TERMS, ALL).reasons == []


def test_nobody_to_replicate_to_is_no_reason():
    alone = [one("replication.peer.count", 0, "count")]
    assert judge(answer(Need.REPLICATION, alone), TERMS, ALL).open


def test_only_the_needs_that_were_named_are_judged():
    judged = judge(answer(Need.PRIMARY), TERMS, OUTSIDE_THE_DATABASE)
    assert judged.open
    assert {finding.subject for finding in judged.findings} == {need.value for need in OUTSIDE_THE_DATABASE}


def test_something_that_does_not_pass_by_itself_is_not_waited_for():
    mixed = answer(Need.ALONE, BAD[Need.ALONE][0])
    without_primary = Answer.of(found for found in mixed.measurements if found.name != gate.PRIMARY)
    assert not judge(without_primary, TERMS, ALL).worth_waiting


def test_after_waiting_in_vain_the_reason_says_how_long():
    judged = given_way(judge(answer(Need.ALONE, BAD[Need.ALONE][0]), TERMS, ALL), timedelta(minutes=20))
    (found,) = of(Need.ALONE, judged)
    assert "clo_ops/other" in found.message
    assert "waited for 20 min" in found.message
