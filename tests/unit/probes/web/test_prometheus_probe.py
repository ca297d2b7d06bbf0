"""What counts as an answer of Prometheus, and that nothing else becomes a number."""

from __future__ import annotations

import json
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest

from clo_ops.probes import prometheus
from clo_ops.probes.targets import HostTarget, PrometheusTarget


def page(answer, status=200, content_type="application/json"):
    return SimpleNamespace(status=status, body=json.dumps(answer).encode(), content_type=content_type, headers={})


def success(kind, result):
    return page({"status": "success", "data": {"resultType": kind, "result": result}})


def series(value, **labels):
    return {"metric": labels, "value": [1_700_000_000.5, value]}


@pytest.fixture
def ask(serve):
    def run(answer, **more):
        site = serve({"/api/v1/query": answer})
        return prometheus.instant(PrometheusTarget(site.url, timeout=1.0), "up == 1", **more)

    return run


def test_each_series_becomes_a_measurement(ask):
    given = [series("1", __name__="up", job="a"), series("0.5", __name__="up", job="b")]
    answer = ask(success("vector", given), name="x.y", unit="ratio")
    assert [(one.name, one.value, one.unit, dict(one.labels)) for one in answer.measurements] == [
        ("x.y", 1.0, "ratio", {"job": "a"}),
        ("x.y", 0.5, "ratio", {"job": "b"}),
    ]
    assert answer.measurements[0].at.timestamp() == 1_700_000_000.5


def test_labels_are_chosen_and_renamed(ask):
    answer = ask(success("vector", [series("1", mountpoint="/", fstype="ext4")]), labels={"mountpoint": "mount"})
    assert answer.measurements[0].labels == {"mount": "/"}


def test_a_scalar_is_an_answer(ask):
    assert ask(success("scalar", [1_700_000_000, "42"])).measurements[0].value == 42


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (success("vector", []), "no data"),
        (success("vector", [series("NaN")]), "the value is nan"),
        (success("vector", [series("+Inf")]), "the value is inf"),
        (success("matrix", [{"metric": {}, "values": []}]), "the result is a matrix"),
        (page({"status": "error", "error": "parse error"}, 400), "HTTP 400, parse error"),
        (page({"status": "success"}), "the result is a None"),
        (page(["not", "prometheus"]), "HTTP 200, not an answer of Prometheus"),
        (page({}, 502), "HTTP 502, not an answer of Prometheus"),
    ],
)
def test_anything_else_is_unanswered_and_says_why(ask, given, said):
    answer = ask(given, name="x.y")
    assert answer.measurements == ()
    (silent,) = answer.unanswered
    assert silent.reason.startswith(said)
    assert (silent.question, silent.tried) == ("x.y", "query up == 1")


def test_one_odd_series_does_not_hide_the_others(ask):
    answer = ask(success("vector", [series("NaN", mount="/empty"), series("7", mount="/")]))
    assert [one.value for one in answer.measurements] == [7]
    assert "/empty" in answer.unanswered[0].reason


def test_an_unreachable_prometheus_is_unanswered(closed_port):
    target = PrometheusTarget(f"http://127.0.0.1:{closed_port}", timeout=1.0)
    assert prometheus.instant(target, "up").unanswered[0].reason == "connection refused"
    (silent,) = prometheus.host_resources(target, HostTarget("db1", "prometheus")).unanswered
    assert silent.question == "host.up"


def test_of_a_host_that_is_down_only_that_is_told(serve):
    site = serve({"/api/v1/query": success("vector", [series("0")])})
    answer = prometheus.host_resources(PrometheusTarget(site.url), HostTarget("db1", "prometheus", "db1:9100"))
    assert [(one.name, one.value, dict(one.labels)) for one in answer.measurements] == [("host.up", 0, {"host": "db1"})]
    assert len(site.seen) == 1


def test_an_instance_cannot_break_out_of_its_query(serve):
    site = serve({"/api/v1/query": success("vector", [series("0")])})
    prometheus.host_resources(PrometheusTarget(site.url), HostTarget("x", "prometheus", 'a"} or up{job="b'))
    (query,) = parse_qs(urlsplit(site.seen[0]["path"]).query)["query"]
    assert query == r'max(up{instance="a\"} or up{job=\"b"})'
