"""AL-01 to AL-08 as the record shows them; a watch that does not look is never green."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from clo_ops.findings import Severity, Status, worst
from clo_ops.policy import load_policy
from clo_ops.rules import watching

POLICY = load_policy()
AT = datetime(2026, 11, 23, 8, tzinfo=UTC)
SILENT = POLICY.alerting.watch.silent_for
SECOND = timedelta(seconds=1)
ALERTS = {f"AL-0{n}" for n in range(1, 8)}


def alert(rule="disk", level="ok", value=None, told=None, **labels):
    state = {"since": (AT - timedelta(hours=1)).isoformat(), "told": told or level}
    return SimpleNamespace(rule=rule, labels=labels, state=state, level=level, value=value)


def incident(cause="alert:disk:host=app1,mount=/", acknowledged=None, due=AT):
    return SimpleNamespace(
        id=7, cause=cause, title="Disk", severity=Severity.P2, acknowledged_at=acknowledged, response_due_at=due
    )


DISK = {"host": "app1", "mount": "/"}


def status(procedure, *alerts, looked=AT):
    return worst(watching.judge(procedure, alerts, looked, POLICY, at=AT))


@pytest.mark.parametrize(
    ("level", "expected"),
    [("ok", Status.PASS), ("warning", Status.WARN), ("critical", Status.FAIL), ("unknown", Status.UNKNOWN)],
)
def test_each_level_has_its_status(level, expected):
    assert status("AL-03", alert("disk", level, 91.0, **DISK)) is expected


def test_host_and_mount_both_numbers_and_the_manual_are_in_the_finding():
    (finding,) = watching.judge("AL-03", [alert("disk", "critical", 91.4, **DISK)], AT, POLICY, at=AT)
    assert finding.subject == "app1, /"
    assert "91.4 %" in finding.message
    assert "at most 80 %, never over 90 %" in finding.message
    assert "L331-L333" in finding.message


@pytest.mark.parametrize("procedure", sorted(ALERTS))
def test_a_watch_that_never_looked_leaves_every_alert_unknown(procedure):
    assert status(procedure, looked=None) is Status.UNKNOWN
    assert status(procedure, looked=AT - SILENT - SECOND) is Status.UNKNOWN


@pytest.mark.parametrize("procedure", sorted(ALERTS))
def test_rules_that_left_no_record_are_unknown_and_not_green(procedure):
    assert status(procedure) is Status.UNKNOWN


def test_a_look_exactly_as_old_as_allowed_still_counts():
    assert status("AL-03", alert(**DISK), looked=AT - SILENT) is Status.PASS


def test_every_alert_procedure_has_a_rule():
    assert {one for rule in POLICY.thresholds.values() for one in rule.procedures if one.startswith("AL-")} == ALERTS


def priorities(alerts, incidents, looked=AT, at=AT):
    return watching.judge_priorities(alerts, incidents, looked, POLICY, at=at)


def test_nothing_stands_is_a_pass_and_a_silent_watch_is_not():
    assert worst(priorities([alert(**DISK)], [])) is Status.PASS
    assert worst(priorities([alert(**DISK)], [], looked=None)) is Status.UNKNOWN


def test_an_alert_that_was_told_has_its_incident():
    raised = alert("disk", "critical", 91.0, **DISK)
    assert worst(priorities([raised], [incident(acknowledged=AT)])) is Status.PASS
    findings = priorities([raised], [])
    assert worst(findings) is Status.FAIL
    assert "nobody is being told" in findings[0].message


@pytest.mark.parametrize(
    ("cause", "expected"), [("alert:silence:host=app1", Status.PASS), ("alert:disk:host=app1,mount=/", Status.FAIL)]
)
def test_a_silent_hosts_alerts_have_the_incident_of_its_silence(cause, expected):
    silent = [alert("disk", "unknown", **DISK), alert("log_errors", "unknown", source="api")]
    assert worst(priorities(silent, [incident(cause, acknowledged=AT)])) is expected


def test_what_is_counted_in_a_silent_database_needs_no_incident_of_its_own_until_that_is_back():
    counts = alert("failed_logins", "unknown")
    dead, back = (alert("database_connections", level, pool="server") for level in ("unknown", "ok"))
    outage = incident("alert:database_connections:pool=server", acknowledged=AT)
    assert worst(priorities([counts, dead], [outage])) is Status.PASS
    assert worst(priorities([counts, back], [])) is Status.FAIL


@pytest.mark.parametrize(("after", "expected"), [(0 * SECOND, Status.WARN), (SECOND, Status.FAIL)])
def test_an_answer_is_late_strictly_after_its_time(after, expected):
    assert worst(priorities([alert("disk", "critical", 91.0, **DISK)], [incident()], at=AT + after)) is expected


def test_an_alerts_own_finding_has_its_incident_and_nothing_else_has():
    own = watching.judge("AL-03", [alert("disk", "critical", 91.0, **DISK)], AT, POLICY, at=AT)
    late = priorities([alert("disk", "critical", 91.0, **DISK)], [incident()], at=AT + SECOND)
    told = [one for one in [*own, *late] if one.status is Status.FAIL]
    assert [watching.has_incident(one, POLICY) for one in told] == [True, True]
    silent = watching.judge("AL-03", [], None, POLICY, at=AT)
    nobody = priorities([alert("disk", "critical", 91.0, **DISK)], [])
    assert not any(watching.has_incident(one, POLICY) for one in [*silent, *nobody])
