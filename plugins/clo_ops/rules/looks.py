"""Whether the service answered, by the watch's record: a look every five minutes, round the clock (AL-04, D34, D45).

An alert whose silence is an outage (``no_data: high`` in thresholds.yaml) stands at "unknown" while what it asks does
not answer. A watch that does not look has seen nothing, neither up nor down.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from clo_ops.findings import Measurement, Severity
from clo_ops.policy import Policy
from clo_ops.rules.availability import HOUR, Look, Outage
from clo_ops.rules.watching import Alert

METRIC = "clo.service.availability"
UP, DOWN = 100.0, 0.0


class Incident(Protocol):
    """An incident as the ledger has it."""

    @property
    def id(self) -> int: ...
    @property
    def cause(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def severity(self) -> Severity: ...
    @property
    def opened_at(self) -> datetime: ...
    @property
    def mitigated_at(self) -> datetime | None: ...
    @property
    def closed_at(self) -> datetime | None: ...


class Hour(Protocol):
    """An hour's figures of ``METRIC``."""

    @property
    def starts_at(self) -> datetime: ...
    @property
    def covered(self) -> timedelta: ...
    @property
    def mean(self) -> float: ...


def rules_of_outages(policy: Policy) -> list[str]:
    """The alert rules whose silence is an outage."""
    classes = policy.severities.alert_classes
    return [
        name
        for name, rule in policy.thresholds.items()
        if rule.no_data is not None and classes[rule.no_data].severity is Severity.P1
    ]


def look(alerts: Sequence[Alert], looked_at: datetime | None, policy: Policy, *, at: datetime) -> Iterator[Measurement]:
    """``clo.service.availability``: 100 % where all that must answer did at the watch's last look, else 0 %.

    One without labels for the service, one for each {part}. None at all where the watch is silent or has no record.
    """
    if looked_at is None or at - looked_at > policy.alerting.watch.silent_for:
        return
    rules = rules_of_outages(policy)
    parts = {part_of(one.rule, one.labels.values()): one.level != "unknown" for one in alerts if one.rule in rules}
    if not parts:
        return
    silent = sorted(part for part, answered in parts.items() if not answered)
    yield Measurement(METRIC, DOWN if silent else UP, "percent", looked_at, detail=", ".join(silent))
    for part, answered in sorted(parts.items()):
        yield Measurement(METRIC, UP if answered else DOWN, "percent", looked_at, {"part": part})


def part_of(rule: str, values: Iterable[str]) -> str:
    return " ".join([rule, *values])


def hourly(hours: Iterable[Hour]) -> list[Look]:
    """Hours of the series without labels, as looks."""
    return [Look(one.starts_at, min(one.covered, HOUR), one.mean / UP) for one in hours]


def is_outage(incident: Incident, policy: Policy) -> bool:
    """Whether this incident's alert is one of an outage, at the priority of one."""
    rules = rules_of_outages(policy)
    return incident.severity is Severity.P1 and incident.cause.startswith(tuple(f"alert:{rule}:" for rule in rules))


def outage(incident: Incident, worst_since: datetime | None, answered_at: datetime | None) -> Outage:
    """The time the service did not answer: from the sighting that made it a P1, to the first of: service restored, the
    incident's end, a look that found it answering."""
    starts = worst_since or incident.opened_at
    ends = [one for one in (incident.mitigated_at, incident.closed_at, answered_at) if one is not None]
    return Outage(starts, max(starts, min(ends)) if ends else None, incident.title, incident.cause, incident.id)
