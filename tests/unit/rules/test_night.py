from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest

from clo_ops.findings import Severity, Status, Unanswered
from clo_ops.findings.incidents import IncidentEvent, OpenIncident
from clo_ops.policy.morning import Night
from clo_ops.rules import night

AT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
EVENING = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)
POLICY = Night.model_construct(starts=time(18, 0, tzinfo=UTC))
SILENT = Unanswered("incidents of the night", "postgresql://clo_ops@ledger", "PostgreSQL", "connection refused", AT)


def event(kind="opened", at=EVENING, incident="7", title="clo-api is down", severity=Severity.P1):
    return IncidentEvent(incident, kind, at, "monitor", "", severity, title, "DM-03")


def open_incident(due, acknowledged=None, opened=AT - timedelta(minutes=20), severity=Severity.P1):
    return OpenIncident("7", "api-down", "clo-api is down", "DM-03", severity, opened, acknowledged, due, 1)


def only(findings, name):
    return next(one for one in findings if one.name == name)


def test_a_quiet_night_passes_and_says_the_period_looked_at():
    findings = night.judge([], [], POLICY, at=AT)
    assert [one.status for one in findings] == [Status.PASS, Status.PASS]
    assert "From 2026-11-22 18:00 UTC to 2026-11-23 08:00 UTC: nothing." in findings[0].message


def test_what_was_opened_escalated_and_closed_is_counted_and_named():
    events = [
        event("opened"),
        event("escalated", EVENING + timedelta(minutes=15)),
        event("seen", EVENING + timedelta(minutes=20)),
        event("closed", EVENING + timedelta(hours=1)),
        event("opened", EVENING + timedelta(hours=2), "8", "disk is full", Severity.P3),
    ]
    period = only(night.judge(events, [], POLICY, at=AT), "incidents of the night")
    assert period.status is Status.PASS
    assert period.actual == "2 opened, 0 acknowledged, 1 escalated, 1 closed"
    assert "clo-api is down (opened, escalated, closed); disk is full (opened)" in period.message
    assert period.labels["escalated"] == "1"


@pytest.mark.parametrize(
    ("at", "counted"),
    [(EVENING - timedelta(microseconds=1), "nothing"), (EVENING, "1 opened"), (AT, "1 opened")],
)
def test_the_night_begins_with_the_last_end_of_day_run(at, counted):
    period = only(night.judge([event(at=at)], [], POLICY, at=AT), "incidents of the night")
    assert period.actual.startswith(counted)


def test_a_flood_is_cut_and_its_rest_counted():
    events = [event(incident=str(number), title=f"incident {number}") for number in range(11)]
    period = only(night.judge(events, [], POLICY, at=AT), "incidents of the night")
    assert "11 opened" in period.actual
    assert "and 3 more" in period.message


@pytest.mark.parametrize(
    ("due", "status", "told"),
    [
        (AT + timedelta(minutes=5), Status.WARN, "still in time"),
        (AT, Status.WARN, "still in time"),
        (AT - timedelta(seconds=1), Status.FAIL, "overdue by 1 s"),
        (AT - timedelta(minutes=5), Status.FAIL, "overdue by 5 min"),
        (None, Status.WARN, "none set"),
    ],
)
def test_an_unacknowledged_incident_warns_in_time_and_fails_overdue(due, status, told):
    (finding,) = [one for one in night.judge([], [open_incident(due)], POLICY, at=AT) if one.subject]
    assert finding.status is status
    assert finding.severity is Severity.P1
    assert "unacknowledged for 20 min" in finding.message
    assert told in finding.message
    assert finding.labels == {"incident": "7", "cause": "api-down"}


def test_an_acknowledged_incident_is_no_fault_of_this_morning():
    taken = open_incident(AT - timedelta(minutes=5), acknowledged=AT - timedelta(minutes=10))
    findings = night.judge([], [taken], POLICY, at=AT)
    assert {one.status for one in findings} == {Status.PASS}
    assert only(findings, "open incidents").actual == "1 open, none unacknowledged"


def test_what_is_due_first_is_named_first():
    late, later = open_incident(AT + timedelta(hours=1)), open_incident(AT - timedelta(hours=1))
    named = [one.status for one in night.judge([], [late, later], POLICY, at=AT) if one.subject]
    assert named == [Status.FAIL, Status.WARN]


@pytest.mark.parametrize(("events", "incidents"), [(SILENT, []), ([], SILENT), (SILENT, SILENT)])
def test_a_ledger_that_does_not_answer_is_unknown(events, incidents):
    findings = night.judge(events, incidents, POLICY, at=AT)
    unknown = [one for one in findings if one.status is Status.UNKNOWN]
    assert unknown
    assert "connection refused" in unknown[0].message


def test_naive_times_and_unknown_kinds_are_refused():
    with pytest.raises(ValueError, match="time zone"):
        event(at=datetime(2026, 11, 22, 18, 0))  # noqa: DTZ001 - that is the point
    with pytest.raises(ValueError, match="known are"):
        event(kind="vanished")
