"""What is on record of an incident beyond its being open: clocks, steps told once, timeline, actions; and alerts."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from clo_ops.findings import Severity
from clo_ops.ledger import AlertRow, Ledger, LedgerConflict, Message

MINUTE = timedelta(minutes=1)


@pytest.fixture
def incident(ledger: Ledger, at: datetime) -> int:
    return ledger.open_incident("disk app-1 /", Severity.P2, "Disk is full", "BH-01", at).id


def kinds(ledger: Ledger, incident: int) -> list[str]:
    return [event.kind for event in ledger.timeline(incident)]


def test_a_step_is_told_once(ledger: Ledger, incident: int, at: datetime) -> None:
    assert ledger.mark_step_told(incident, "management 1", at)
    assert not ledger.mark_step_told(incident, "management 1", at + MINUTE)
    assert ledger.steps_told(incident) == {"management 1": at}
    assert kinds(ledger, incident) == ["opened", "told"]


def test_an_acknowledgement_expires_and_the_ladder_goes_on_from_there(
    ledger: Ledger, incident: int, at: datetime
) -> None:
    ledger.set_incident_clocks(incident, at + 30 * MINUTE, at + 480 * MINUTE, at + 120 * MINUTE)
    assert ledger.expire_acknowledgement(incident, at).acknowledgement_expired_at is None
    ledger.acknowledge_incident(incident, "ana", at + MINUTE)
    silent = ledger.expire_acknowledgement(incident, at + 121 * MINUTE)
    assert (silent.acknowledged_at, silent.acknowledgement_expired_at) == (None, at + 121 * MINUTE)
    taken = ledger.acknowledge_incident(incident, "ben", at + 125 * MINUTE)
    assert taken.acknowledged_by == "ben"
    assert kinds(ledger, incident) == ["opened", "acknowledged", "acknowledgement_expired", "acknowledged"]
    assert "ana gave no update by 2026-07-06 10:00 UTC" in ledger.timeline(incident)[2].detail


def test_severity_is_changed_by_a_person_with_a_reason(ledger: Ledger, incident: int, at: datetime) -> None:
    with pytest.raises(ValueError, match="reason"):
        ledger.change_severity(incident, Severity.P4, "ana", "  ", at)
    assert ledger.change_severity(incident, Severity.P3, "ana", "one user only", at).severity is Severity.P3
    ledger.change_severity(incident, Severity.P3, "ana", "again", at)
    ledger.change_severity(incident, Severity.P1, "ana", "all users", at)
    assert kinds(ledger, incident) == ["opened", "severity_lowered", "severity_raised"]


def test_service_restored_is_noted_once_and_an_update_moves_the_next(
    ledger: Ledger, incident: int, at: datetime
) -> None:
    ledger.mitigate_incident(incident, "ana", at + MINUTE, "space made")
    assert ledger.mitigate_incident(incident, "ben", at + 2 * MINUTE, "again").mitigated_at == at + MINUTE
    told = ledger.update_incident(incident, "ana", "half done", at, at + 60 * MINUTE)
    assert told.update_due_at == at + 60 * MINUTE
    ledger.close_incident(incident, "ana", at + 3 * MINUTE, "done")
    late = ledger.update_incident(incident, "ana", "too late", at, at + 90 * MINUTE)
    assert late.update_due_at == at + 60 * MINUTE
    assert kinds(ledger, incident) == ["opened", "mitigated", "updated", "closed"]


def test_actions_of_a_review_have_an_owner_and_a_date(ledger: Ledger, incident: int, at: datetime) -> None:
    first = ledger.add_action(incident, "alert at 70 %", "ana", at + 9 * MINUTE, at=at)
    assert ledger.add_action(incident, "alert at 70 %", "ben", at + 5 * MINUTE, at=at) == first
    ledger.add_action(incident, "write it down", "ana", at + MINUTE, at=at)
    assert [one.title for one in ledger.actions()] == ["write it down", "alert at 70 %"]
    done = ledger.finish_action(first, "ben", at)
    assert ledger.finish_action(first, "zoe", at + MINUTE) == done
    assert [one.owner for one in ledger.actions(incident, open_only=True)] == ["ana"]
    with pytest.raises(LedgerConflict):
        ledger.finish_action(999, "ana", at)


def test_a_message_and_what_caused_it_are_kept_or_lost_together(ledger: Ledger, incident: int, at: datetime) -> None:
    message = Message("incident 1", ["a@b.test"], "subject", "text")
    with pytest.raises(RuntimeError), ledger.transaction():
        ledger.mark_step_told(incident, "management 1", at)
        ledger.enqueue(message)
        raise RuntimeError("killed")
    assert (ledger.steps_told(incident), ledger.outbox_state().waiting) == ({}, 0)
    with ledger.transaction():
        ledger.mark_step_told(incident, "management 1", at)
        ledger.enqueue(message)
    assert (len(ledger.steps_told(incident)), ledger.outbox_state().waiting) == (1, 1)


def test_an_alert_is_as_last_looked_at_and_never_as_before(ledger: Ledger, at: datetime) -> None:
    def alert(looked: datetime, level: str) -> AlertRow:
        return AlertRow("disk", {"host": "a", "mount": "/"}, {"level": level}, level, 91.5, looked)

    ledger.record_alerts([alert(at + MINUTE, "critical")])
    ledger.record_alerts([alert(at, "ok")])
    assert ledger.alerts() == [alert(at + MINUTE, "critical")]
    ledger.record_alerts([alert(at + 2 * MINUTE, "ok")])
    assert [one.level for one in ledger.alerts()] == ["ok"]


def test_a_heartbeat_only_goes_forward(ledger: Ledger, at: datetime) -> None:
    ledger.beat("watch", at + MINUTE, "rule 7")
    ledger.beat("watch", at, "late")
    assert ledger.heartbeats()["watch"].at == at + MINUTE
    assert ledger.heartbeats()["watch"].detail == "rule 7"
