"""One cause, one open incident; and what a backup has proven."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from clo_ops.findings import Severity
from clo_ops.ledger import BackupRow, IncidentRow, Ledger

MINUTE = timedelta(minutes=1)


def opened(ledger: Ledger, at: datetime, severity: Severity = Severity.P2, **more: object) -> IncidentRow:
    return ledger.open_incident("disk app-1 /", severity, "Disk is full", "BH-01", at, **more)  # type: ignore[arg-type]


def test_a_cause_seen_again_is_the_same_incident(ledger: Ledger, run: int, at: datetime) -> None:
    first = opened(ledger, at, run=run, response_due_at=timedelta(minutes=15))
    again = opened(ledger, at + 5 * MINUTE, response_due_at=timedelta(minutes=15))
    assert (again.id, again.opened_at, again.seen_count) == (first.id, at, 2)
    assert (again.last_seen_at, again.response_due_at) == (at + 5 * MINUTE, at + 15 * MINUTE)
    assert (first.run_id, first.severity, first.escalation_level) == (run, Severity.P2, 0)


def test_the_same_sighting_counts_once(ledger: Ledger, at: datetime) -> None:
    opened(ledger, at)
    opened(ledger, at + MINUTE)
    assert opened(ledger, at + MINUTE).seen_count == 2
    assert opened(ledger, at).seen_count == 2


def test_severity_is_raised_and_never_eased(ledger: Ledger, at: datetime) -> None:
    opened(ledger, at, response_due_at=timedelta(hours=1))
    worse = opened(ledger, at + MINUTE, Severity.P1, response_due_at=timedelta(minutes=15))
    assert (worse.severity, worse.response_due_at) == (Severity.P1, at + 16 * MINUTE)
    better = opened(ledger, at + 2 * MINUTE, Severity.P4, response_due_at=timedelta(hours=9))
    assert (better.severity, better.response_due_at) == (Severity.P1, at + 16 * MINUTE)
    events = ledger.incident_events(at, at + timedelta(hours=1))
    assert [event.kind for event in events] == ["opened", "seen", "severity_raised", "seen"]
    assert events[2].detail == "P2 raised to P1: Disk is full"


def test_from_opening_to_closing_each_step_counts_once(ledger: Ledger, at: datetime) -> None:
    number = opened(ledger, at).id
    for _ in range(2):
        ledger.escalate_incident(number, 1, "lead", at + MINUTE)
        ledger.acknowledge_incident(number, "ana", at + 2 * MINUTE)
        done = ledger.close_incident(number, "ana", at + 3 * MINUTE, "disk grown")
    assert ledger.acknowledge_incident(number, "ben", at + 4 * MINUTE) == done
    assert ledger.escalate_incident(number, 2, "head", at + 4 * MINUTE) == done
    assert ledger.close_incident(number, "ben", at + 4 * MINUTE, "again") == done == ledger.incident(number)
    assert (done.acknowledged_by, done.escalated_to, done.closed_by, done.close_reason) == (
        "ana",
        "lead",
        "ana",
        "disk grown",
    )
    kinds = [(event.kind, event.actor) for event in ledger.incident_events(at, at + timedelta(hours=1))]
    assert kinds == [("opened", ""), ("escalated", ""), ("acknowledged", "ana"), ("closed", "ana")]


def test_a_cause_that_comes_back_is_a_new_incident(ledger: Ledger, at: datetime) -> None:
    first = opened(ledger, at)
    with pytest.raises(ValueError, match="needs the reason"):
        ledger.close_incident(first.id, "ana", at + MINUTE, " ")
    ledger.close_incident(first.id, "ana", at + MINUTE, "disk grown")
    second = opened(ledger, at + 9 * MINUTE)
    assert (second.id != first.id, second.seen_count) == (True, 1)
    assert ledger.incidents_opened(at, at + timedelta(hours=1)) == 2


def test_what_was_open_at_a_time(ledger: Ledger, at: datetime) -> None:
    low = ledger.open_incident("b", Severity.P3, "t", "DM-05", at)
    high = ledger.open_incident("a", Severity.P1, "t", "DM-05", at + MINUTE)
    ledger.close_incident(low.id, "ana", at + 5 * MINUTE, "done")
    assert [one.id for one in ledger.open_incidents(at - MINUTE)] == []
    assert [one.id for one in ledger.open_incidents(at)] == [low.id]
    assert [one.id for one in ledger.open_incidents(at + 4 * MINUTE)] == [high.id, low.id]
    assert [one.id for one in ledger.open_incidents(at + 5 * MINUTE)] == [high.id]


def backup(at: datetime, path: str = "clo-1.dump", **more: object) -> BackupRow:
    return BackupRow("file:///backups", path, snapshot_at=at, sha256="a" * 64, **more)  # type: ignore[arg-type]


def test_each_level_keeps_since_when_it_is_proven(ledger: Ledger, at: datetime) -> None:
    ledger.record_backup(backup(at, proven={"L0": at, "L1": at}, size_bytes=10, database="clo"))
    known = ledger.record_backup(backup(at, proven={"L0": at + MINUTE, "L3": at + MINUTE}))
    assert known.proven == {"L0": at, "L1": at, "L3": at + MINUTE}
    assert (known.level, known.size_bytes, known.database) == ("L3", 10, "clo")
    assert ledger.recent_backups("file:///backups") == [known]


def test_other_bytes_under_the_same_name_have_proven_nothing(ledger: Ledger, at: datetime) -> None:
    ledger.record_backup(backup(at, proven={"L4": at}))
    other = BackupRow("file:///backups", "clo-1.dump", snapshot_at=at, sha256="b" * 64, proven={"L0": at + MINUTE})
    assert ledger.record_backup(other).level == "L0"


def test_a_failed_verification_stays_visible_until_the_next(ledger: Ledger, at: datetime) -> None:
    ledger.record_backup(backup(at, proven={"L1": at}, failed_at=at, failure="incorrect data check"))
    assert ledger.record_backup(backup(at, proven={"L0": at})).failure == "incorrect data check"


def test_the_newest_backups_come_first(ledger: Ledger, at: datetime) -> None:
    for number in (2, 3, 1):
        ledger.record_backup(backup(at + number * MINUTE, f"clo-{number}.dump"))
    ledger.record_backup(BackupRow("s3://other", "x.dump", snapshot_at=at))
    paths = [one.path for one in ledger.recent_backups("file:///backups", limit=2)]
    assert paths == ["clo-3.dump", "clo-2.dump"]
    with pytest.raises(ValueError, match="L9"):
        backup(at, proven={"L9": at})
