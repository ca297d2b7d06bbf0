"""Days without a backup, at their limits; and which backups are read today."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from clo_ops.findings import Answer, Measurement, Severity, Status
from clo_ops.policy import load_policy
from clo_ops.rules import backup_days, verification
from clo_ops.rules.rereading import Candidate, Remembered, due

POLICY = load_policy(mode="demo")
AT = datetime(2026, 11, 23, 18, tzinfo=UTC)
TERMS = POLICY.recovery.verification
SECOND = timedelta(seconds=1)


def taken(*moments):
    return Answer.of(
        [
            Measurement("backup.count", len(moments), "count", AT),
            *(Measurement("backup.taken", (AT - one).total_seconds(), "s", AT) for one in moments),
        ]
    )


def days(answer, since, at=AT):
    return backup_days.judge(answer, POLICY.backups, since=since, at=at)


TURN = datetime(2026, 11, 23, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "status"),
    [
        (TURN - backup_days.EARLY - SECOND, Status.FAIL),
        (TURN - backup_days.EARLY, Status.PASS),
        (TURN + timedelta(hours=10), Status.PASS),
        (TURN + timedelta(days=1) - backup_days.EARLY, Status.FAIL),
    ],
)
def test_a_days_backup_is_one_between_its_turn_and_the_next(moment, status):
    (found,) = days(taken(moment), AT - timedelta(days=1))
    assert (found.status, found.subject) == (status, "2026-11-23")


def test_a_day_whose_time_is_not_up_is_not_judged_yet():
    grace = POLICY.backups.maximum_age - POLICY.backups.interval
    before = TURN + grace - SECOND
    assert days(taken(), before - timedelta(hours=20), before) == []
    assert len(days(taken(), before - timedelta(hours=20), TURN + grace)) == 1


def test_days_nobody_looked_are_all_judged_and_the_newest_is_the_worst():
    found = days(taken(), AT - timedelta(days=4))
    assert [(one.subject, one.severity) for one in found] == [
        ("2026-11-20", Severity.P2),
        ("2026-11-21", Severity.P2),
        ("2026-11-22", Severity.P2),
        ("2026-11-23", Severity.P1),
    ]


def test_a_repository_nobody_could_list_has_no_missing_days():
    assert days(Answer(), AT - timedelta(days=4)) == []


# ---------------------------------------------------------------- rereading


def known(read_ago, sha256="a" * 64, **more):
    return Remembered(100, TURN, sha256, None if read_ago is None else AT - read_ago, **more)


def candidate(path, remembered=None, **changed):
    facts = {"size": 100, "modified": TURN, "sha256": "a" * 64, "taken": TURN} | changed
    return Candidate(path, facts["size"], facts["modified"], facts["sha256"], facts["taken"], remembered)


DAY = timedelta(days=1)


def test_read_a_moment_ago_and_unchanged_is_not_read():
    assert due([candidate("a", known(timedelta(hours=1)))], TERMS, AT) == []


@pytest.mark.parametrize(
    "changed", [{"size": 99}, {"modified": TURN + SECOND}, {"sha256": "b" * 64}], ids=["size", "time", "manifest"]
)
def test_any_change_is_read(changed):
    assert len(due([candidate("a", known(timedelta(hours=1)), **changed)], TERMS, AT)) == 1


def test_newest_of_the_new_ones_first_then_the_longest_unread():
    some = [
        candidate("old", known(6 * DAY)),
        candidate("older", known(6 * DAY + SECOND)),
        candidate("new", taken=TURN),
        candidate("newer", taken=TURN + DAY),
    ]
    assert [one.path for one in due(some, TERMS, AT)][:3] == ["newer", "new", "older"]


def test_everything_is_read_within_the_policys_days_a_share_each_day():
    """57 backups, 60 days: none is ever older than policy allows, and no day reads much more than its share."""
    names = [f"b{number}" for number in range(57)]
    read = dict.fromkeys(names, AT)
    for day in range(1, 61):
        at = AT + day * DAY
        some = [candidate(name, Remembered(100, TURN, "a" * 64, read[name])) for name in names]
        assert all(at - one <= TERMS.read_within for one in read.values())
        wanted = due(some, TERMS, at)
        if day > TERMS.read_within.days:
            assert len(wanted) <= 9 + 1
        read |= {one.path: at for one in wanted}


def test_bad_ones_wait_for_another_file_or_a_manifest_that_agrees():
    bad = known(None, sha256="b" * 64, failed_at=AT - DAY, failure="hash: SHA-256 differs")
    assert due([candidate("a", bad)], TERMS, AT) == []
    assert candidate("a", bad).failing
    assert len(due([candidate("a", bad, sha256="b" * 64)], TERMS, AT)) == 1
    assert len(due([candidate("a", bad, size=5)], TERMS, AT)) == 1
    broken = known(None, failed_at=AT - DAY, failure="decode: end of file")
    assert due([candidate("a", broken)], TERMS, AT) == []
    passing = known(None, failed_at=AT - DAY, failure="future: taken tomorrow")
    assert len(due([candidate("a", passing)], TERMS, AT)) == 1


# ---------------------------------------------------------------- verification


def looked(**more):
    found = [
        Measurement("backup.count", 1, "count", AT),
        Measurement("backup.verified", 1, "bool", AT, {"path": "a", "level": "L2"}, "every byte decodes"),
        Measurement("backup.depth", 2, "count", AT, {"path": "a"}, "L2 since then"),
        Measurement("backup.described", 1, "bool", AT, {"path": "a"}),
    ]
    return Answer.of(found + list(more.get("besides", [])))


@pytest.mark.parametrize(("over", "status"), [(timedelta(0), Status.PASS), (SECOND, Status.WARN)])
def test_unread_for_longer_than_policy_warns(over, status):
    age = Measurement("backup.read.age", (TERMS.read_within + over).total_seconds(), "s", AT, {"path": "a"})
    found = {one.name: one for one in verification.judge(looked(besides=[age]), TERMS, at=AT)}
    assert found["all backups read"].status is status


@pytest.mark.parametrize(("lost", "rows", "warns"), [(20.0, 100, 0), (20.1, 100, 1), (90, 99, 0)])
def test_shrinking_is_judged_strictly_and_not_for_small_tables(lost, rows, warns):
    labels = {"path": "a", "table": "public.loans"}
    besides = [
        Measurement("backup.table.lost", lost, "percent", AT, labels, "so and so"),
        Measurement("backup.table.rows", rows, "count", AT, labels),
    ]
    found = verification.judge(looked(besides=besides), TERMS, at=AT)
    assert sum(one.status is Status.WARN for one in found) == warns


def test_every_fault_has_words_and_something_to_do():
    for fault in verification.FAULTS:
        bad = Measurement("backup.verified", 0, "bool", AT, {"path": "a", "level": "L1", "fault": fault}, "seen")
        found = verification.judge(Answer.of([Measurement("backup.count", 1, "count", AT), bad]), TERMS, at=AT)
        (failure,) = [one for one in found if one.status is Status.FAIL]
        assert failure.first_action
        assert failure.severity is Severity.P1


def test_an_empty_repository_fails_and_an_unlisted_one_is_unknown():
    empty = Answer.of([Measurement("backup.count", 0, "count", AT)])
    assert [one.status for one in verification.judge(empty, TERMS, at=AT)] == [Status.FAIL]
    assert [one.status for one in verification.judge(Answer(), TERMS, at=AT)] == [Status.UNKNOWN]
