"""What the watch tells of its alerts: each event as an incident opened, followed or closed (AL-01 to AL-08).

A host that falls silent takes many alerts with it, and is one cause: one incident stands for all its silent series.
So does the database, with what is counted in it. And of one rule that is broken by many series at once (an attack on
many accounts) one incident stands for all that have none yet.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from clo_ops.escalation.sighting import Sighting
from clo_ops.rules.alerts import Event, Level, State
from clo_ops.rules.figures import figure
from clo_ops.rules.watching import DATABASE, SILENCE, cause_of, counted, is_database, silence_of

if TYPE_CHECKING:
    from clo_ops.escalation.desk import Desk
    from clo_ops.policy import Policy
    from clo_ops.policy.thresholds import Threshold

log = logging.getLogger(__name__)
Labels = tuple[tuple[str, str], ...]
Key = tuple[str, Labels]
WATCH = "the watch"
# More series of one rule than this are one incident: nobody reads a hundred mails.
MOST = 10
FLAPS = "is flapping: quiet until it has settled"


@dataclass(frozen=True, slots=True)
class Opened:
    """An incident this look opened."""

    incident: int
    cause: str
    severity: str


@dataclass(frozen=True, slots=True)
class Teller:
    """``states`` are how all alerts stand after this look."""

    policy: Policy
    desk: Desk
    states: Mapping[Key, State]

    def told(self, key: Key, event: Event, now: datetime) -> Opened | None:
        """Take one event to the desk; the incident it opened, if it opened one."""
        if event.level is not Level.UNKNOWN:
            self._answers_again(key, now)
        elif counted(key[0], self.policy) and self._no_database():
            log.info("%s has no data, and neither has the database: that is told by itself", self._title(key))
            return None
        seen = self._sighting(key, event, now)
        if event.level is Level.OK and event.kind != "flapping":
            self.desk.clear(seen.cause, now, seen.observed)
            self._end_of_storm(key, now)
            return None
        known = self.desk.ledger.open_incident_of(seen.cause)
        if known is None and (storm := self._storm(key, seen)) is not None:
            return self._opened(storm, changed=False)
        if known is not None and event.kind in {"flapping", "flapping ended", "eased"}:
            self.desk.say(known.id, WATCH, f"{seen.title}: {seen.observed}", now)
            return None
        # Several series that fall silent in one look are one piece of news.
        return self._opened(seen, changed=known is not None and known.last_seen_at < now)

    def _opened(self, seen: Sighting, *, changed: bool) -> Opened | None:
        known = self.desk.ledger.open_incident_of(seen.cause)
        if known is not None and known.last_seen_at == seen.at and known.severity <= seen.severity:
            return None  # the rest of a storm: it was seen in this very look
        incident = self.desk.detect(seen, changed=changed)
        return Opened(incident.id, seen.cause, incident.severity.value) if known is None else None

    def _storm(self, key: Key, seen: Sighting) -> Sighting | None:
        """The same as one of many; None where it is one of few, or already stands for several."""
        cause, wrong = cause_of(key[0], {}), self._wrong(key[0])
        if not key[1] or seen.cause != cause_of(key[0], dict(key[1])):
            return None
        if len(wrong) <= MOST and self.desk.ledger.open_incident_of(cause) is None:
            return None
        title = f"{self.policy.thresholds[key[0]].title}: many at once"
        some = "; ".join(self._title(one) for one in wrong[:MOST])
        return replace(seen, cause=cause, title=title, observed=f"{len(wrong)} at once: {some}; {seen.observed}")

    def _end_of_storm(self, key: Key, now: datetime) -> None:
        if key[1] and not self._wrong(key[0]):
            self.desk.clear(cause_of(key[0], {}), now, "None of them is over its level any more")

    def _wrong(self, rule: str) -> list[Key]:
        return [key for key, state in self.states.items() if key[0] == rule and state.told is not Level.OK]

    def clear_silences(self, now: datetime, reason: str) -> None:
        """The end of every silence of a host of which no series is left that is silent."""
        for one in self.desk.ledger.open_incidents(now):
            if _of_a_host(one.cause) and not self._silent(one.cause):
                self.desk.clear(one.cause, now, reason)

    def _answers_again(self, key: Key, now: datetime) -> None:
        """The end of a host's silence, once none of its series is silent."""
        silence = self._silence(key)
        if _of_a_host(silence) and not self._silent(silence):
            self.desk.clear(silence, now, "All of it is measured again")

    def _no_database(self) -> bool:
        silent = (key for key, state in self.states.items() if state.told is Level.UNKNOWN)
        return any(is_database(name, dict(labels)) for name, labels in silent)

    def _silence(self, key: Key) -> str:
        return silence_of(key[0], dict(key[1]), self.policy)

    def _silent(self, silence: str) -> list[Key]:
        """The series without data that this cause stands for."""
        untold = (key for key, state in self.states.items() if state.told is Level.UNKNOWN)
        return sorted(key for key in untold if key[0] in self.policy.thresholds and self._silence(key) == silence)

    def _sighting(self, key: Key, event: Event, now: datetime) -> Sighting:
        name, labels = key
        threshold = self.policy.thresholds[name]
        # The procedure that is about alerts, where the threshold is also one of a page that looks by itself (BH-01).
        procedure = min(threshold.procedures, key=lambda one: not one.startswith("AL-"))
        entry = self.policy.procedures[procedure]
        seen = Sighting(
            cause=cause_of(name, dict(labels)),
            severity=self.policy.severities.alert_classes[_alert_class(event, threshold)].severity,
            title=f"{self._title(key)} {_verdict(event)}",
            procedure=procedure,
            at=now,
            observed=_in_words(event, threshold),
            allowed=_allowed(threshold),
            manual=f"{' / '.join(entry.section)} ({entry.lines})",
            first_action=entry.first_action,
            component=self._component(threshold, dict(labels)),
        )
        return self._as_silence(seen, key, event) if event.level is Level.UNKNOWN else seen

    def _as_silence(self, seen: Sighting, key: Key, event: Event) -> Sighting:
        silence = self._silence(key)
        if silence == seen.cause and key[0] != DATABASE:
            return seen
        every = self._silent(silence)
        whose = f"host {silence.rpartition('=')[2]}" if _of_a_host(silence) else "the database"
        if len(every) < 2:
            return replace(seen, cause=silence)
        verdict = FLAPS.replace("is", "are", 1) if event.kind == "flapping" else "cannot be measured"
        return replace(
            seen,
            cause=silence,
            title=f"{len(every)} figures of {whose} {verdict}",
            observed=f"no data of: {'; '.join(map(self._title, every))}",
            allowed="an answer to every look",
        )

    def _title(self, key: Key) -> str:
        return " ".join([self.policy.thresholds[key[0]].title, ", ".join(value for _, value in key[1])]).strip()

    def _component(self, threshold: Threshold, labels: Mapping[str, str]) -> str:
        """What it is about, as vendors.yaml names it; of a log what writes it."""
        logs = {one.name: one.component for one in self.policy.alerting.error_logs}
        return threshold.component or logs.get(labels.get("source", "")) or ""


def _of_a_host(cause: str) -> bool:
    return cause.startswith(f"alert:{SILENCE}:")


def _alert_class(event: Event, threshold: Threshold) -> Any:
    if event.level is Level.UNKNOWN:
        return threshold.no_data
    return threshold.critical.alert if event.level is Level.CRITICAL else threshold.warning.alert


def _verdict(event: Event) -> str:
    if event.kind == "flapping":
        return FLAPS
    level = {Level.OK: "is back", Level.WARNING: "is over its warning level", Level.CRITICAL: "is critical"}
    settled = " and has settled there" if event.kind == "flapping ended" else ""
    return ("cannot be measured" if event.level is Level.UNKNOWN else level[event.level]) + settled


def _in_words(event: Event, threshold: Threshold) -> str:
    if event.value is None:
        return f"no data of {threshold.metric}: nobody answered as expected"
    statistic = "counted" if threshold.statistic == "sum" else threshold.statistic
    return f"{figure(event.value, threshold.unit)} ({statistic} over {_minutes(threshold.window)})"


def _allowed(threshold: Threshold) -> str:
    low, high = threshold.warning, threshold.critical
    return (
        f"at most {figure(low.above, threshold.unit)}, never over {figure(high.above, threshold.unit)}; "
        f"clear at {figure(low.clear_at, threshold.unit)}"
    )


def _minutes(window: timedelta) -> str:
    return f"{window.total_seconds() / 60:g} min"
