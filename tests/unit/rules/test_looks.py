"""What AL-04 puts on record of the service: up, down, or nothing where nobody looked; and what is an outage."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from clo_ops.findings import Severity
from clo_ops.policy import load_policy
from clo_ops.rules import looks

POLICY = load_policy(mode="demo")
AT = datetime(2026, 10, 20, 10, 0, tzinfo=UTC)
SILENT_FOR = POLICY.alerting.watch.silent_for


@dataclass(frozen=True)
class Alert:
    rule: str
    labels: dict[str, str]
    level: str
    state: dict[str, Any] = field(default_factory=dict)
    value: float | None = None


HEALTH = Alert("response_time", {"endpoint": "health"}, "ok")
SERVER = Alert("database_connections", {"pool": "server"}, "warning")
CPU = Alert("cpu", {"host": "app1"}, "unknown")


def seen(*alerts: Alert, looked_at: datetime | None = AT, at: datetime = AT) -> dict[str, float]:
    return {one.labels.get("part", ""): one.value for one in looks.look(alerts, looked_at, POLICY, at=at)}


def test_the_service_is_up_where_all_that_must_answer_does():
    expected = {"": 100.0, "response_time health": 100.0, "database_connections server": 100.0}
    assert seen(HEALTH, SERVER, CPU) == expected


def test_one_that_does_not_answer_is_down_and_named():
    (service, *_) = looks.look([replace(HEALTH, level="unknown"), SERVER], AT, POLICY, at=AT)
    assert (service.value, service.detail) == (0.0, "response_time health")
    assert seen(replace(HEALTH, level="critical"), SERVER)[""] == 100.0  # slow is not away


@pytest.mark.parametrize(("ago", "counts"), [(SILENT_FOR, True), (SILENT_FOR + timedelta(seconds=1), False)])
def test_a_watch_silent_for_longer_than_policy_lets_it_has_seen_nothing(ago, counts):
    assert bool(seen(HEALTH, at=AT + ago)) is counts


def test_without_a_look_or_an_alert_on_record_nothing_is_said():
    assert seen(HEALTH, looked_at=None) == {}
    assert seen(CPU) == {}


@dataclass(frozen=True)
class Incident:
    cause: str = "alert:response_time:endpoint=health"
    severity: Severity = Severity.P1
    id: int = 7
    title: str = "it does not answer"
    opened_at: datetime = AT
    mitigated_at: datetime | None = None
    closed_at: datetime | None = None


@pytest.mark.parametrize(
    ("incident", "outage"),
    [
        (Incident(), True),
        (Incident(severity=Severity.P2), False),
        (Incident("alert:database_connections:pool=server"), True),
        (Incident("alert:cpu:host=app1"), False),
        (Incident("alert:response_time_of_another:endpoint=health"), False),
        (Incident("run:daily_morning_startup"), False),
    ],
)
def test_an_outage_is_a_p1_of_what_must_answer(incident, outage):
    assert looks.is_outage(incident, POLICY) is outage


def test_an_outage_ends_with_whatever_says_first_that_it_is_over():
    minute = timedelta(minutes=1)
    ended = Incident(mitigated_at=AT + 30 * minute, closed_at=AT + 90 * minute)
    assert looks.outage(ended, None, None).ends == AT + 30 * minute
    assert looks.outage(ended, None, AT + 12 * minute).ends == AT + 12 * minute
    assert looks.outage(Incident(), None, None).ends is None
    assert looks.outage(ended, AT + 10 * minute, None).starts == AT + 10 * minute
    # Service was back before it was called an outage: no time at all, and never less.
    late = looks.outage(ended, AT + 40 * minute, None)
    assert late.ends == late.starts
