"""Ask Prometheus, where a site has one (HTTP API, ``/api/v1/query``): what it knows now, and what it knew.

No data now is no answer; no data then is a gap.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from clo_ops.findings import Answer, Measurement
from clo_ops.probes.exchange import Browser, NoReply, Reply
from clo_ops.probes.reaching import nobody_answered
from clo_ops.probes.targets import HostTarget, PrometheusTarget, WebTarget

QUERY, RANGE = "/api/v1/query", "/api/v1/query_range"
SHOWN = 160
CONNECTING = 5.0  # seconds, of which the target's own timeout may allow fewer
# File systems that are memory or somebody else's disk.
NOT_DISKS = "tmpfs|ramfs|overlay|squashfs|devtmpfs|iso9660|nfs.*|fuse.*"


@dataclass(frozen=True, slots=True)
class Resource:
    """One figure: the measurement's name and unit, and the query for it. Of a series' labels those in ``labels``
    (theirs to ours) are kept, or all. INSTANCE in a query stands for a host's instance label."""

    name: str
    unit: str
    query: str
    labels: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Series:
    labels: Mapping[str, str]
    value: float
    at: datetime


# df's own arithmetic: what is reserved for root counts neither as used nor as available.
FILESYSTEM = (
    "100 * (node_filesystem_size_bytes{S} - node_filesystem_free_bytes{S}) / "
    "(node_filesystem_size_bytes{S} - node_filesystem_free_bytes{S} + node_filesystem_avail_bytes{S})"
).replace("{S}", f'{{instance=INSTANCE,fstype!~"{NOT_DISKS}"}}')
FREE = f'node_filesystem_avail_bytes{{instance=INSTANCE,fstype!~"{NOT_DISKS}"}}'
# Idle time as a share of all time: of a host just begun, whose rates are not yet right, the share is.
CPU = (
    '100 * (1 - sum(rate(node_cpu_seconds_total{mode="idle",instance=INSTANCE}[5m]))'
    " / sum(rate(node_cpu_seconds_total{instance=INSTANCE}[5m])))"
)
RESOURCES = (
    Resource("host.up", "bool", "max(up{instance=INSTANCE})", {}),
    Resource(
        "system.cpu.utilization",
        "percent",
        CPU,
        {},
    ),
    Resource(
        "system.memory.utilization",
        "percent",
        "100 * (1 - node_memory_MemAvailable_bytes{instance=INSTANCE} / node_memory_MemTotal_bytes{instance=INSTANCE})",
        {},
    ),
    Resource("system.filesystem.utilization", "percent", FILESYSTEM, {"mountpoint": "mount"}),
    Resource("system.filesystem.free", "bytes", FREE, {"mountpoint": "mount"}),
    Resource(
        "system.uptime",
        "s",
        "node_time_seconds{instance=INSTANCE} - node_boot_time_seconds{instance=INSTANCE}",
        {},
    ),
    Resource("system.load.5m", "count", "node_load5{instance=INSTANCE}", {}),
)


def instant(
    target: PrometheusTarget,
    query: str,
    *,
    name: str = "prometheus.value",
    unit: str = "count",
    labels: Mapping[str, str] | None = None,
) -> Answer:
    """What ``query`` (an instant vector or a scalar) is now: one measurement called ``name`` per series.

    A series' labels become the measurement's; with ``labels`` (theirs to ours) only those do. No series, NaN, a range
    vector or an error of Prometheus are no answer.
    """
    with Browser(_web(target)) as browser:
        return _asked(browser, Resource(name, unit, query, labels))


def host_resources(target: PrometheusTarget, host: HostTarget) -> Answer:
    """The host's figures as node_exporter knows them, under the names the SSH probe uses; labels host and mount.

    The instance label is the host's address, or its name. Of a host that is down (``host.up`` 0) nothing else is
    asked: what Prometheus still has of it is old.
    """
    answer = Answer()
    with Browser(_web(target)) as browser:
        for one in RESOURCES:
            query = one.query.replace("INSTANCE", json.dumps(host.address or host.name))
            answer += _of_host(_asked(browser, replace(one, query=query)), host)
            if answer.value("host.up") != 1:
                break
    return answer


def past(
    target: PrometheusTarget, host: HostTarget, since: datetime, until: datetime, step: timedelta
) -> Iterator[Answer]:
    """What Prometheus kept of the host's figures, day by day (UTC, oldest first), a sample every ``step``.

    An answer holds one day of one figure, none where it knows none; silence and errors are unanswered.
    """
    with Browser(_web(target)) as browser:
        for begin in _days(since, until):
            end = min(begin + timedelta(days=1), until) - timedelta(microseconds=1)
            for one in RESOURCES:
                query = one.query.replace("INSTANCE", json.dumps(host.address or host.name))
                answer = _ranged(browser, replace(one, query=query), begin, end, step)
                yield _of_host(answer, host)


def _days(since: datetime, until: datetime) -> Iterator[datetime]:
    begin = since.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    while begin < until:
        yield begin
        begin += timedelta(days=1)


def _ranged(browser: Browser, wanted: Resource, begin: datetime, end: datetime, step: timedelta) -> Answer:
    asked = {"query": wanted.query, "start": begin.timestamp(), "end": end.timestamp(), "step": step.total_seconds()}
    data, problem = _data(browser.ask("GET", f"{RANGE}?{urlencode(asked)}"))
    if not problem and data.get("resultType") != "matrix":
        problem = f"the result is a {data.get('resultType')}, not a matrix"
    if problem:
        return nobody_answered([f"{wanted.name} of {begin:%Y-%m-%d}"], browser.target, f"query {wanted.query}", problem)
    found = (
        _one({"metric": series["metric"], "value": value}) for series in data["result"] for value in series["values"]
    )
    return Answer.of(_measured(one, wanted) for one in found if math.isfinite(one.value))


def _of_host(answer: Answer, host: HostTarget) -> Answer:
    named = [
        Measurement(one.name, one.value, one.unit, one.at, {**one.labels, "host": host.name}, one.detail)
        for one in answer.measurements
    ]
    return Answer(tuple(named), answer.unanswered)


def _web(target: PrometheusTarget) -> WebTarget:
    connecting = min(CONNECTING, target.timeout)
    return WebTarget(target.base_url, target.client_name, connecting, target.timeout)


def _asked(browser: Browser, wanted: Resource) -> Answer:
    reply = browser.ask("GET", f"{QUERY}?{urlencode({'query': wanted.query})}")
    series, problem = _series(reply)
    answer = Answer.of(_measured(one, wanted) for one in series if math.isfinite(one.value))
    odd = [f"the value is {one.value} for {dict(one.labels)}" for one in series if not math.isfinite(one.value)]
    for reason in odd + ([problem] if problem else []):
        answer += nobody_answered([wanted.name], browser.target, f"query {wanted.query}", reason)
    return answer


def _measured(one: Series, wanted: Resource) -> Measurement:
    names = {label: label for label in one.labels} if wanted.labels is None else wanted.labels
    kept = {ours: one.labels[theirs] for theirs, ours in names.items() if theirs in one.labels}
    return Measurement(wanted.name, one.value, wanted.unit, one.at, kept)


def _series(reply: Reply | NoReply) -> tuple[list[Series], str]:
    """The series of an instant vector or scalar, or why there is none."""
    data, problem = _data(reply)
    return ([], problem) if problem else _vector(str(data.get("resultType")), data.get("result") or [])


def _data(reply: Reply | NoReply) -> tuple[dict[str, Any], str]:
    """What Prometheus answered, or why it did not."""
    if isinstance(reply, NoReply):
        return {}, reply.reason
    answer = reply.json()
    if not isinstance(answer, dict) or "status" not in answer:
        return {}, f"HTTP {reply.status}, not an answer of Prometheus"
    if answer["status"] != "success":
        return {}, f"HTTP {reply.status}, {str(answer.get('error'))[:SHOWN]}"
    return answer.get("data") or {}, ""


def _vector(kind: str, result: list[Any]) -> tuple[list[Series], str]:
    if kind == "scalar":
        return [_one({"metric": {}, "value": result})], ""
    if kind != "vector":
        return [], f"the result is a {kind}, not a vector or scalar"
    return [_one(each) for each in result], "" if result else "no data"


def _one(series: Mapping[str, Any]) -> Series:
    moment, text = series["value"]
    labels = {key: label for key, label in series["metric"].items() if key != "__name__"}
    return Series(labels, float(text), datetime.fromtimestamp(moment, tz=UTC))
