from __future__ import annotations

from datetime import UTC, datetime

import pytest

from clo_ops.findings import Answer, Measurement, Severity, Status, Unanswered, worst
from clo_ops.policy import load_policy
from clo_ops.rules import health

AT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
POLICY = load_policy(mode="demo")
NAMES = [name for name, _ in health.expected(POLICY)]
HOST = POLICY.hosts[0].name


def component(name, up=1, sound=1, ms=20.0, *, detail="answers", faults=""):
    labels = {"component": name, "kind": "host" if name == HOST else name}
    yield Measurement("component.up", up, "bool", AT, labels, detail)
    if up:
        yield Measurement("component.sound", sound, "bool", AT, labels, faults)
        yield Measurement("component.latency", ms, "ms", AT, labels)
    if name == HOST and up:
        yield Measurement("system.cpu.utilization", 99.0, "percent", AT, {"host": HOST})
        yield from resources()


def resources(memory=40.0, disk=50.0):
    yield Measurement("system.memory.utilization", memory, "percent", AT, {"host": HOST})
    yield Measurement("system.filesystem.utilization", disk, "percent", AT, {"host": HOST, "mount": "/"})


def answer(changed="", measured=(), unanswered=()):
    """Everything healthy but ``changed``, of which only what is given was measured."""
    parts = [one for name in NAMES if name != changed for one in component(name)]
    return Answer.of([*parts, *measured], unanswered)


def judged(given, subject):
    (found,) = [one for one in health.judge(given, POLICY, at=AT) if one.subject == subject]
    return found


def whole(given):
    return judged(given, health.WHOLE)


def test_one_status_for_each_component_and_one_for_the_whole():
    findings = health.judge(answer(), POLICY, at=AT)
    assert [one.subject for one in findings] == [*NAMES, health.WHOLE]
    assert {"api", "frontend", "websocket", "postgresql", "redis", "backups", HOST} == set(NAMES)
    assert worst(findings) is Status.PASS
    assert {one.actual for one in findings} == {"healthy"}


@pytest.mark.parametrize("name", NAMES)
def test_each_component_down_is_a_failure_of_the_whole(name):
    given = answer(name, component(name, up=0, detail="connection refused"))
    found = judged(given, name)
    assert (found.status, found.actual) == (Status.FAIL, "down")
    assert "connection refused" in found.message
    assert (whole(given).status, whole(given).actual) == (Status.FAIL, "down")
    assert f"{name} down" in whole(given).message
    assert whole(given).severity == found.severity


@pytest.mark.parametrize("name", NAMES)
def test_each_component_unreachable_is_unknown(name):
    silent = Unanswered(f"health of {name}", f"target-of-{name}", "one question", "name does not resolve", AT)
    given = answer(name, unanswered=[silent])
    assert (judged(given, name).status, judged(given, name).actual) == (Status.UNKNOWN, "unreachable")
    assert f"target-of-{name}" in judged(given, name).message
    assert whole(given).status is Status.UNKNOWN


@pytest.mark.parametrize("name", NAMES)
def test_each_component_nobody_looked_at_is_unknown(name):
    assert judged(answer(name), name).status is Status.UNKNOWN


def test_a_component_that_says_itself_it_is_not_well_is_degraded():
    given = answer("api", component("api", sound=0, faults="status is degraded: worker down"))
    found = judged(given, "api")
    assert (found.status, found.actual, found.severity) == (Status.WARN, "degraded", Severity.P3)
    assert "worker down" in found.message
    assert (whole(given).status, whole(given).actual) == (Status.WARN, "degraded")


@pytest.mark.parametrize(("ms", "status"), [(999.9, Status.PASS), (1000, Status.PASS), (1000.1, Status.WARN)])
def test_latency_at_the_critical_response_time(ms, status):
    assert judged(answer("redis", component("redis", ms=ms)), "redis").status is status


@pytest.mark.parametrize(
    ("memory", "disk", "status"),
    [
        (94.9, 50, Status.PASS),
        (95, 50, Status.PASS),
        (95.1, 50, Status.WARN),
        (40, 89.9, Status.PASS),
        (40, 90, Status.PASS),
        (40, 90.1, Status.WARN),
    ],
)
def test_a_hosts_memory_and_disk_at_their_critical_levels(memory, disk, status):
    own = [one for one in component(HOST) if not one.name.startswith("system.")]
    given = answer(HOST, [*own, *resources(memory, disk)])
    found = judged(given, HOST)
    assert found.status is status
    if status is Status.WARN:
        assert f"{max(memory, disk)} percent, over the critical" in found.message


def test_cpu_is_not_judged_by_one_look():
    assert judged(answer(), HOST).status is Status.PASS


def test_a_mount_nobody_could_look_at_is_unknown():
    silent = Unanswered(f"health of {HOST}: disk use of /data", "local:app1", "df", "no such file", AT)
    found = judged(answer(unanswered=[silent]), HOST)
    assert found.status is Status.UNKNOWN
    assert "disk use of /data (no such file; tried: df)" in found.message


def test_a_host_without_its_memory_is_unknown():
    own = [one for one in component(HOST) if one.name != "system.memory.utilization"]
    assert judged(answer(HOST, own), HOST).status is Status.UNKNOWN


def test_the_worst_speaks_for_all_and_a_failure_outranks_not_knowing():
    silent = Unanswered("health of redis", "redis://x", "PING", "no route", AT)
    measured = [*component("backups", up=0, detail="refused"), *component("api", sound=0, faults="slow")]
    parts = [one for name in NAMES if name not in ("redis", "backups", "api") for one in component(name)]
    found = whole(Answer.of([*parts, *measured], [silent]))
    assert (found.status, found.severity) == (Status.FAIL, Severity.P2)
    assert "api degraded, redis unreachable, backups down" in found.message


def test_nothing_measured_is_unknown_throughout():
    assert {one.status for one in health.judge(Answer(), POLICY, at=AT)} == {Status.UNKNOWN}
