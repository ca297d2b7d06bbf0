"""DM-02 on the ledger's own incidents."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from clo_ops.findings import Severity, Status
from clo_ops.policy import load_policy
from clo_ops.rules import night

AT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
POLICY = load_policy(mode="demo").night


@pytest.fixture
def incidents(ledger):
    """One closed in the night, one nobody took whose 15 minutes are over, one still in time, one from last week."""
    evening = AT - timedelta(hours=10)
    closed = ledger.open_incident("api-down", Severity.P1, "API is down", "DM-13", evening, None, timedelta(minutes=15))
    ledger.acknowledge_incident(closed.id, "ana", evening + timedelta(minutes=5))
    ledger.close_incident(closed.id, "ana", evening + timedelta(minutes=50), "restarted")
    late = ledger.open_incident("disk", Severity.P1, "disk is full", "DM-01", AT - timedelta(minutes=20), None)
    ledger.open_incident(
        "disk", Severity.P1, "disk is full", "DM-01", AT - timedelta(minutes=20), None, timedelta(minutes=15)
    )
    ledger.escalate_incident(late.id, 1, "secondary on-call", AT - timedelta(minutes=5))
    ledger.open_incident(
        "mail", Severity.P3, "mail waits", "DM-01", AT - timedelta(minutes=2), None, timedelta(hours=2)
    )
    old = ledger.open_incident("old", Severity.P4, "old one", "DM-05", AT - timedelta(days=5), None)
    ledger.acknowledge_incident(old.id, "ben", AT - timedelta(days=4))
    return ledger


def test_the_night_is_reviewed_from_the_ledger(incidents):
    events = incidents.incident_events(night.begins(POLICY, AT), AT)
    period, late, waiting = night.judge(events, incidents.open_incidents(AT), POLICY, at=AT)
    assert period.actual == "3 opened, 1 acknowledged, 1 escalated, 1 closed"
    assert "API is down (opened, acknowledged, closed)" in period.message
    assert (late.status, waiting.status) == (Status.FAIL, Status.WARN)
    assert "unacknowledged for 20 min, against its response time which is 15 min, overdue by 5 min" in late.message
    assert "rung 1" in late.message
    assert "old one" not in " ".join(one.message for one in (period, late, waiting))
