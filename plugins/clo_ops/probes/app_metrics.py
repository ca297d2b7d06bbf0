"""Ask the application what it counted of its own requests (BH-03, manual L43): its metrics in Prometheus text format.

Counters say nothing by themselves: two snapshots and the time between them do, which ``rules.requests`` judges.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Protocol

from clo_ops.findings import Answer, Measurement
from clo_ops.probes.exchange import Browser, NoReply
from clo_ops.probes.reaching import nobody_answered
from clo_ops.probes.targets import WebTarget

QUESTION = "requests counted by the application"


class Where(Protocol):
    """``policy.alerting.application_metrics``."""

    @property
    def path(self) -> str: ...
    @property
    def requests(self) -> str: ...
    @property
    def status_label(self) -> str: ...
    @property
    def failed(self) -> str: ...
    @property
    def duration(self) -> str: ...


def counters(target: WebTarget, where: Where) -> Answer:
    """Counters since the application's start: app.request.count, app.request.failed, app.request.seconds (s), and
    app.request.bucket {le}: requests that took at most ``le`` seconds. Unanswered where any of them is missing."""
    tried = f"GET {where.path}"
    with Browser(target) as browser:
        reply = browser.ask("GET", where.path)
    if isinstance(reply, NoReply):
        return nobody_answered([QUESTION], target, tried, reply.reason)
    if reply.status != 200:
        return nobody_answered([QUESTION], target, tried, f"status {reply.status}")
    try:
        return Answer.of(_measured(_samples(reply.text()), where))
    except ValueError as error:
        return nobody_answered([QUESTION], target, tried, str(error))


def _samples(text: str) -> Iterator[Any]:
    """Raises ValueError for what is no Prometheus text."""
    from prometheus_client.parser import text_string_to_metric_families

    for family in text_string_to_metric_families(text):
        yield from family.samples


def _measured(samples: Iterable[Any], where: Where) -> list[Measurement]:
    at, total = datetime.now(UTC), Counter[str]()
    buckets: Counter[str] = Counter()
    for one in samples:
        if one.name == where.requests:
            total["app.request.count"] += one.value
            total["app.request.failed"] += one.value * one.labels.get(where.status_label, "").startswith(where.failed)
        elif one.name == f"{where.duration}_sum":
            total["app.request.seconds"] += one.value
        elif one.name == f"{where.duration}_bucket":
            buckets[one.labels["le"]] += one.value
    missing = [name for name in ("app.request.count", "app.request.seconds") if name not in total]
    if missing or not buckets:
        raise ValueError(f"no {where.requests} or {where.duration} among its metrics")
    units = {"app.request.seconds": "s"}
    found = [Measurement(name, value, units.get(name, "count"), at) for name, value in total.items()]
    return found + [Measurement("app.request.bucket", value, "count", at, {"le": le}) for le, value in buckets.items()]
