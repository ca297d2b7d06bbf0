"""Alertmanager's webhook, version 4, as sightings and all-clears: a site's own alerts take the way of ours (IR-02).

An alert of the rules we generate has the same cause as the watch's own alert, so that both make one incident. Any
other is known by its fingerprint. The same alert delivered twice is one sighting: it is known by when it began.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from clo_ops.escalation.desk import Desk
from clo_ops.escalation.sighting import Sighting
from clo_ops.findings import CloOpsError, Severity
from clo_ops.policy import Policy
from clo_ops.policy.thresholds import Threshold
from clo_ops.reports.prometheus_rules import ALIVE, LEVEL, NO_DATA, RULE, allowed, severity_of
from clo_ops.rules.watching import cause_of, silence_of

MOST_ALERTS = 2000
TITLE, TEXT = 160, 2000
PROCEDURE = "AL-08"
HEARTBEAT = "prometheus"
# What others call their severities, on the manual's scale (D35); what is called otherwise is a P3.
SEVERITIES = {
    **{one.value.lower(): one for one in Severity},
    "page": Severity.P1,
    "critical": Severity.P2,
    "high": Severity.P2,
    "error": Severity.P2,
    "warning": Severity.P3,
    "info": Severity.P4,
    "none": Severity.P4,
}
IN_WORDS = {"warning": "is over its warning level", "critical": "is critical", "no data": "cannot be measured"}


class NotUnderstood(CloOpsError):
    """This is no notification of Alertmanager, version 4."""


class Alert(BaseModel):
    """One alert of a notification; what we do not use is not looked at."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    status: Literal["firing", "resolved"]
    labels: Mapping[str, str]
    annotations: Mapping[str, str] = Field(default_factory=dict)
    starts_at: Annotated[AwareDatetime, Field(alias="startsAt")]
    ends_at: Annotated[AwareDatetime, Field(alias="endsAt")]
    generator: Annotated[str, Field(alias="generatorURL")] = ""
    fingerprint: Annotated[str, Field(min_length=1, max_length=64)]


class Notification(BaseModel):
    """What Alertmanager posts."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: Literal["4"]
    group: Annotated[str, Field(alias="groupKey")] = ""
    left_out: Annotated[int, Field(alias="truncatedAlerts")] = 0
    alerts: Annotated[tuple[Alert, ...], Field(max_length=MOST_ALERTS)]


@dataclass(frozen=True, slots=True)
class Cleared:
    """An alert that is over: its cause, since when, and who says so."""

    cause: str
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Translation:
    """What a notification says. ``alive``: Prometheus has shown that its alerts reach us."""

    seen: tuple[Sighting, ...] = ()
    cleared: tuple[Cleared, ...] = ()
    alive: bool = False


def understood(body: bytes) -> Notification:
    """Raises NotUnderstood, with the place and never the content."""
    try:
        return Notification.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(one) for one in first["loc"])
        raise NotUnderstood(
            f"not a notification of Alertmanager: {place or 'the body'}: {first['msg']}",
            allowed="its webhook, version 4",
        ) from None


def translate(notification: Notification, policy: Policy, now: datetime) -> Translation:
    """Sightings, the gravest of each cause, and all-clears; a cause that still fires at another level is not over."""
    alive = any(one.labels.get("alertname") in {ALIVE, "Watchdog"} for one in notification.alerts)
    alerts = [one for one in notification.alerts if one.labels.get("alertname") not in {ALIVE, "Watchdog"}]
    seen: dict[str, Sighting] = {one.cause: one for one in _left_out(notification, policy, now)}
    for one in (alert for alert in alerts if alert.status == "firing"):
        sighting = _sighting(one, policy, now)
        if sighting.cause not in seen or sighting.severity.value < seen[sighting.cause].severity.value:
            seen[sighting.cause] = sighting
    over = {_cause(one, policy): one for one in alerts if one.status == "resolved"}
    cleared = [
        Cleared(cause, min(one.ends_at, now), f"Alertmanager: {_name(one)} is resolved")
        for cause, one in over.items()
        if cause not in seen
    ]
    return Translation(tuple(seen.values()), tuple(cleared), alive)


def receive(desk: Desk, said: Translation, now: datetime) -> dict[str, int]:
    """Hand it to the desk; how many incidents it opened or saw again, and closed. Safe to repeat."""
    if said.alive:
        desk.ledger.beat(HEARTBEAT, now, "its Watchdog alert arrived")
    seen = sum(_seen(desk, one) for one in said.seen)
    return {"seen": seen, "cleared": sum(_cleared(desk, one) for one in said.cleared)}


def _seen(desk: Desk, one: Sighting) -> bool:
    """Not where this very alert had its incident and somebody closed it: Alertmanager repeats itself."""
    before = one.at - timedelta(microseconds=1)
    known = desk.ledger.open_incident_of(one.cause)
    if known is None and desk.ledger.incident_opened_again(one.cause, before) is not None:
        return False
    desk.detect(one)
    return True


def _cleared(desk: Desk, one: Cleared) -> bool:
    """Not where the incident began only after that: an all-clear that comes late is about an earlier one."""
    known = desk.ledger.open_incident_of(one.cause)
    if known is None or known.opened_at > one.at:
        return False
    return desk.clear(one.cause, one.at, one.reason) is not None


def _left_out(notification: Notification, policy: Policy, now: datetime) -> Iterator[Sighting]:
    """Alertmanager sent fewer alerts than there are: which ones nobody here knows, so a person must look."""
    if notification.left_out > 0:
        entry = policy.procedures[PROCEDURE]
        yield Sighting(
            cause=f"alertmanager:left out:{hashlib.sha256(notification.group.encode()).hexdigest()[:16]}",
            severity=Severity.P2,
            title="Alertmanager has more alerts than it sent",
            procedure=PROCEDURE,
            at=now,
            observed=f"{notification.left_out} alert(s) of the group {notification.group[:TITLE]} were left out",
            allowed="every alert in the notification",
            manual=f"{' / '.join(entry.section)} ({entry.lines})",
            first_action="Look at the group in Alertmanager itself; group by more labels, or raise max_alerts.",
        )


def _rule(alert: Alert, policy: Policy) -> tuple[str, Threshold] | None:
    name = alert.labels.get(RULE, "")
    threshold = policy.thresholds.get(name)
    return (name, threshold) if threshold and alert.labels.get(LEVEL) in IN_WORDS else None


def _cause(alert: Alert, policy: Policy) -> str:
    ours = _rule(alert, policy)
    if ours is None:
        return f"alertmanager:{alert.fingerprint}"
    name, threshold = ours
    labels = {label: alert.labels.get(label, "") for label in threshold.per}
    return silence_of(name, labels, policy) if alert.labels[LEVEL] == NO_DATA else cause_of(name, labels)


def _name(alert: Alert) -> str:
    return alert.labels.get("alertname", "an alert without a name")[:TITLE]


def _sighting(alert: Alert, policy: Policy, now: datetime) -> Sighting:
    ours = _rule(alert, policy)
    procedure = PROCEDURE if ours is None else min(ours[1].procedures, key=lambda one: not one.startswith("AL-"))
    entry = policy.procedures[procedure]
    facts = _of_others(alert) if ours is None else _of_ours(alert, ours[1], policy)
    return Sighting(
        cause=_cause(alert, policy),
        procedure=procedure,
        at=min(alert.starts_at, now),
        manual=f"{' / '.join(entry.section)} ({entry.lines})",
        first_action=entry.first_action,
        link=alert.generator if alert.generator.startswith(("http://", "https://")) else "",
        observed=_observed(alert),
        **facts,
    )


def _of_ours(alert: Alert, threshold: Threshold, policy: Policy) -> dict[str, Any]:
    subject, level = ", ".join(alert.labels.get(label, "") for label in threshold.per), alert.labels[LEVEL]
    return {
        "title": f"{threshold.title}{f' {subject}' if subject else ''} {IN_WORDS[level]}"[:TITLE],
        "severity": severity_of(threshold, level, policy),
        "allowed": allowed(threshold),
        "component": threshold.component or "",
    }


def _of_others(alert: Alert) -> dict[str, Any]:
    said = alert.annotations.get("summary") or alert.annotations.get("message") or ""
    return {
        "title": " ".join(f"{_name(alert)}{f': {said}' if said else ''}".split())[:TITLE],
        "severity": SEVERITIES.get(alert.labels.get("severity", "").lower(), Severity.P3),
        "allowed": "that this alert of the site's own does not fire",
        "component": alert.labels.get("component", "")[:TITLE],
    }


def _observed(alert: Alert) -> str:
    labels = ", ".join(f"{name}={text}" for name, text in sorted(alert.labels.items()) if name != "alertname")
    said = alert.annotations.get("description") or alert.annotations.get("summary") or "the alert fires"
    return f"{' '.join(said.split())[:TEXT]} (Alertmanager, {_name(alert)}; {labels[:TEXT]})"
