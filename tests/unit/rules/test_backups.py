from __future__ import annotations

from datetime import UTC, datetime

import pytest

from clo_ops.findings import Answer, Measurement, Severity, Status, Unanswered, worst
from clo_ops.policy import load_policy
from clo_ops.rules import backups

AT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
POLICY = load_policy(mode="demo").backups
PATH = "clo-20261123T020000Z.dump"
HOUR = 3600


def one(name, value, unit="bool", path=PATH, detail=""):
    labels = {"repository": "file:///b"} | ({"path": path} if path else {})
    return Measurement(name, value, unit, AT, labels, detail)


def answer(age=6 * HOUR, size=1000.0, median=1000.0, history=7, matches=1, *more):
    return Answer.of(
        [
            one("backup.count", 8, "count", ""),
            one("backup.succeeded", 1, detail="1000 bytes, SHA-256 00"),
            one("backup.age", age, "s", detail="snapshot of 02:00"),
            one("backup.size", size, "bytes"),
            one("backup.size.matches", matches, detail="manifest 1000 bytes, file 1000 bytes"),
            one("backup.database.matches", 1),
            one("backup.history", history, "count", ""),
            *([one("backup.size.median", median, "bytes", "")] if median else []),
            *more,
        ]
    )


def judged(given, name):
    (found,) = [finding for finding in backups.judge(given, POLICY, at=AT) if finding.name == name]
    return found


def test_a_good_backup_passes_with_path_size_age_and_checksum_on_record():
    findings = backups.judge(answer(), POLICY, at=AT)
    assert [finding.status for finding in findings] == [Status.PASS] * 5
    told = " ".join(finding.message for finding in findings)
    assert all(part in told for part in (PATH, "SHA-256 00", "1000 bytes", "6 h 0 min 0 s"))


@pytest.mark.parametrize(
    ("age", "status"), [(26 * HOUR - 1, Status.PASS), (26 * HOUR, Status.PASS), (26 * HOUR + 1, Status.FAIL)]
)
def test_age_at_its_limit(age, status):
    found = judged(answer(age=age), "backup age")
    assert found.status is status
    assert found.expected == "at most 26 h 0 min 0 s"


@pytest.mark.parametrize(
    ("size", "status"),
    [
        (499, Status.FAIL),
        (500, Status.PASS),
        (501, Status.PASS),
        (1999, Status.PASS),
        (2000, Status.PASS),
        (2001, Status.FAIL),
    ],
)
def test_size_at_the_edges_of_its_band(size, status):
    found = judged(answer(size=size), "backup size band")
    assert found.status is status
    assert f"{size:,}" in found.actual


@pytest.mark.parametrize(("history", "status"), [(2, Status.NOT_APPLICABLE), (3, Status.PASS), (4, Status.PASS)])
def test_too_little_history_excuses_the_band_only(history, status):
    given = answer(history=history)
    assert judged(given, "backup size band").status is status
    assert judged(given, "backup age").status is Status.PASS


def test_no_history_at_all_is_said():
    found = judged(answer(history=0, median=None), "backup size band")
    assert found.status is Status.NOT_APPLICABLE
    assert "0 good backups before this one" in found.message


def test_a_size_its_manifest_does_not_know_fails():
    assert judged(answer(matches=0), "backup size").status is Status.FAIL


def test_no_backup_fails_as_p1():
    (found,) = backups.judge(Answer.of([one("backup.count", 0, "count", "")]), POLICY, at=AT)
    assert (found.status, found.severity) == (Status.FAIL, Severity.P1)


@pytest.mark.parametrize(("age", "status"), [(26 * HOUR, Status.PASS), (26 * HOUR + 1, Status.FAIL)])
def test_a_failed_newest_fails_and_the_good_one_behind_it_is_aged(age, status):
    given = Answer.of(
        [
            one("backup.succeeded", 0, detail="its manifest says failed: disk full"),
            one("backup.age", HOUR, "s"),
            one("backup.last_good.age", age, "s", "clo-old.dump"),
        ]
    )
    failed, aged = judged(given, "backup complete"), judged(given, "backup age")
    assert failed.status is Status.FAIL
    assert "disk full" in failed.message
    assert "clo-old.dump" in failed.message
    assert (aged.status, aged.subject) == (status, "clo-old.dump")


def test_a_failed_newest_with_nothing_good_behind_it():
    given = Answer.of([one("backup.succeeded", 0, detail="no manifest")])
    assert judged(given, "backup age").status is Status.FAIL


def test_what_lies_beside_is_named():
    odd = [
        one("backup.future", 1, path="clo-2030.dump", detail="taken at 2030"),
        one("backup.database.matches", 0, path="clo-test.dump", detail="clo_test"),
        one("backup.incomplete", 1, path="clo-half.dump", detail="there is no manifest beside it"),
    ]
    findings = {
        finding.subject: finding.status
        for finding in backups.judge(answer(6 * HOUR, 1000, 1000, 7, 1, *odd), POLICY, at=AT)
    }
    assert findings["clo-2030.dump"] is Status.FAIL
    assert findings["clo-test.dump"] is Status.WARN
    assert findings["clo-half.dump"] is Status.WARN
    assert findings[PATH] is Status.PASS


def test_a_repository_nobody_could_list_is_unknown_and_names_what_was_tried():
    silent = Answer.of(unanswered=[Unanswered("backups", "file:///b", "listing", "no such directory", AT)])
    (found,) = backups.judge(silent, POLICY, at=AT)
    assert (found.status, found.severity) == (Status.UNKNOWN, Severity.P1)
    assert "listing" in found.message


def test_nothing_measured_and_nothing_said_is_unknown():
    assert worst(backups.judge(Answer(), POLICY, at=AT)) is Status.UNKNOWN


@pytest.mark.parametrize("missing", ["backup.age", "backup.size.matches", "backup.history", "backup.size"])
def test_a_missing_figure_is_unknown_never_a_pass(missing):
    given = answer()
    left = Answer.of(one for one in given.measurements if one.name != missing)
    assert worst(backups.judge(left, POLICY, at=AT)) is Status.UNKNOWN
