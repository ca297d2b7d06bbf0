from __future__ import annotations

from datetime import UTC, datetime

import pytest

from clo_ops.findings import Answer, Measurement, Severity, Status, Unanswered, worst
from clo_ops.policy import load_policy
from clo_ops.policy.system import Service
from clo_ops.rules import services

AT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
POLICY = load_policy(mode="demo").services


def up(name, value=1, detail="HTTP 200"):
    return Measurement("service.up", value, "bool", AT, {"service": name, "check": "http"}, detail)


def judged(*measurements, unanswered=(), policy=POLICY):
    return services.judge(Answer.of(measurements, unanswered), policy, at=AT)


def test_all_running_passes_one_by_one():
    findings = judged(*(up(one.name) for one in POLICY))
    assert [one.subject for one in findings] == [one.name for one in POLICY]
    assert worst(findings) is Status.PASS


def test_a_stopped_one_is_named_with_its_own_severity_and_what_was_seen():
    findings = judged(*(up(one.name, one.name != "worker", "connection refused") for one in POLICY))
    (stopped,) = [one for one in findings if one.status is Status.FAIL]
    assert (stopped.subject, stopped.severity) == ("worker", Severity.P2)
    assert "worker is stopped (connection refused)" in stopped.message
    assert len(findings) == len(POLICY)


def test_a_service_nobody_could_ask_about_is_unknown_once_and_hides_no_other():
    silent = Unanswered("whether service worker runs", "http://w:1", "http check", "name does not resolve", AT)
    findings = judged(*(up(one.name) for one in POLICY if one.name != "worker"), unanswered=[silent])
    assert [one.status for one in findings].count(Status.UNKNOWN) == 1
    assert [one.status for one in findings].count(Status.PASS) == len(POLICY) - 1
    assert "http://w:1" in findings[0].message
    assert findings[0].severity is Severity.P1


def test_one_that_was_forgotten_is_unknown():
    findings = judged(*(up(one.name) for one in POLICY[1:]))
    assert [one.status for one in findings if one.subject == POLICY[0].name] == [Status.UNKNOWN]


def test_nothing_to_ask_is_unknown():
    assert worst(judged(policy=())) is Status.UNKNOWN


@pytest.mark.parametrize("severity", ["P1", "P3"])
def test_where_it_runs_is_in_what_was_expected(severity):
    unit = Service(name="worker", component="worker", check="systemd", host="app1", unit="clo.service",
                   severity=Severity(severity), critical=False, manual="L15")  # fmt: skip
    (found,) = judged(up("worker", 0, "unit clo.service is failed"), policy=[unit])
    assert found.expected == "running on app1 (systemd check)"
    assert found.severity == severity
