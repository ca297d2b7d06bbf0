"""The queries of the Prometheus probe, answered by a real Prometheus."""

from __future__ import annotations

import pytest

from clo_ops.probes import prometheus
from clo_ops.probes.targets import HostTarget


@pytest.fixture
def host(exporter):
    return HostTarget("app1", "prometheus", f"127.0.0.1:{exporter}")


def test_a_hosts_resources(target, host):
    answer = prometheus.host_resources(target, host)
    assert answer.unanswered == ()
    assert all(one.labels["host"] == "app1" for one in answer.measurements)
    assert answer.value("host.up") == 1
    assert answer.value("system.cpu.utilization") == pytest.approx(25, abs=5)
    assert answer.value("system.memory.utilization") == 25
    assert answer.value("system.filesystem.utilization", mount="/") == pytest.approx(80)
    assert len(list(answer.select("system.filesystem.utilization"))) == 1, "memory file systems are no disks"
    assert answer.value("system.uptime") == pytest.approx(3600, abs=1)
    assert answer.value("system.load.5m") == 1.5


def test_a_host_nobody_reaches_is_down_and_nothing_more(target):
    (silent_port,) = [
        one.labels["instance"]
        for one in prometheus.instant(target, "up == 0").measurements
    ]  # fmt: skip
    answer = prometheus.host_resources(target, HostTarget("gone", "prometheus", silent_port))
    assert [(one.name, one.value) for one in answer.measurements] == [("host.up", 0)]
    assert answer.unanswered == ()


def test_a_host_prometheus_does_not_know_is_unanswered(target):
    answer = prometheus.host_resources(target, HostTarget("nobody", "prometheus"))
    assert [(one.question, one.reason) for one in answer.unanswered] == [("host.up", "no data")]


def test_no_data_and_nan_are_no_answer(target):
    assert prometheus.instant(target, "clo_unheard_of").unanswered[0].reason == "no data"
    assert prometheus.instant(target, "clo_nothing").unanswered[0].reason.startswith("the value is nan")


def test_a_wrong_query_says_what_prometheus_says(target):
    (silent,) = prometheus.instant(target, "sum(").unanswered
    assert silent.reason.startswith("HTTP 400")
    assert "parse error" in silent.reason


def test_a_range_is_no_answer(target):
    assert "matrix" in prometheus.instant(target, "up[1m]").unanswered[0].reason
