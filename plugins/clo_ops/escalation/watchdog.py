"""The watchdog outside Airflow: notices a dead Airflow, keeps the ladders going, and mails by itself (IR-10, D49).

One round: ask Airflow how it is, read the ledger's signs of life, open or close the incident of what is silent, take
in what was put aside, follow every incident, deliver. When the ledger is away too, whoever must know is mailed
directly, once for each outage, and once more when it is back.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy.exc import SQLAlchemyError

from clo_ops.escalation import second_path, tidings
from clo_ops.escalation.desk import WATCHMEN, Desk
from clo_ops.escalation.outbox import DeliveryReport, SmtpTarget, deliver, send_now
from clo_ops.escalation.second_path import Notify, SecondPathRefused
from clo_ops.escalation.sighting import Links, Sighting
from clo_ops.escalation.spool import Spool
from clo_ops.escalation.watchdog_memory import Memory, recall, remember
from clo_ops.findings import CloOpsError, Severity
from clo_ops.ledger import Ledger, Message
from clo_ops.policy import Policy
from clo_ops.reports.templates import render
from clo_ops.rules.rota import people

log = logging.getLogger(__name__)
HEALTH = "/api/v2/monitor/health"
CAUSE = "silent:airflow"
PROCEDURE = "IR-10"
NAME = "watchdog"
AIRFLOW, WATCH = "Airflow's API server", "the watch"
# What Airflow says of itself, and under which name its last sign of life is.
COMPONENTS = {
    "scheduler": "latest_scheduler_heartbeat",
    "triggerer": "latest_triggerer_heartbeat",
    "dag_processor": "latest_dag_processor_heartbeat",
}
ANSWER_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Round:
    """What one round found and did. ``away`` is why the ledger could not be asked; ``unheard`` why nobody was told."""

    silent: tuple[str, ...] = ()
    away: str = ""
    unheard: str = ""
    taken_in: int = 0
    delivered: int = 0
    undelivered: int = 0

    @property
    def code(self) -> int:
        """0 all alive, 1 something is silent and told, 3 the ledger is away and it is told, 4 nobody could be told."""
        if self.unheard:
            return 4
        return 3 if self.away else 1 if self.silent else 0

    def __str__(self) -> str:
        parts = [
            f"silent: {', '.join(self.silent)}" if self.silent else "",
            f"the ledger is away: {self.away}" if self.away else "",
            f"nobody could be told: {self.unheard}" if self.unheard else "",
            f"{self.taken_in} sighting(s) taken in" if self.taken_in else "",
            f"{self.delivered} message(s) delivered" if self.delivered else "",
            f"{self.undelivered} message(s) undelivered" if self.undelivered else "",
        ]
        return "; ".join(part for part in parts if part) or "everything is alive"


@dataclass(frozen=True, slots=True)
class Places:
    """Where the watchdog looks and keeps things. ``airflow`` is where it is asked, empty where there is none to ask;
    ``shown`` is where people open it."""

    memory: Path
    spool: Path
    airflow: str = ""
    shown: str = ""


class Watchdog:
    """``ledger`` is only opened, not asked, until a round begins. ``notify`` is the second path, where there is one."""

    def __init__(  # noqa: PLR0917 - what it stands on
        self, policy: Policy, ledger: Ledger, smtp: SmtpTarget, places: Places, notify: Notify | None, links: Links
    ) -> None:
        self.policy, self.ledger, self.smtp, self.places = policy, ledger, smtp, places
        self.notify, self.links = notify, links

    def round(self, now: datetime) -> Round:
        """One round at ``now`` (aware). Raises OSError where it cannot keep its memory; nothing for a dead server."""
        memory = recall(self.places.memory)
        answered = self._ask_airflow(memory, now)
        try:
            done = self._with_ledger(memory, answered, now)
        except (CloOpsError, SQLAlchemyError) as error:
            log.warning("%s", error)
            done = self._without_ledger(memory, str(error).partition("\n")[0], now)
        remember(memory, self.places.memory)
        return done

    def _ask_airflow(self, memory: Memory, now: datetime) -> frozenset[str]:
        """Note Airflow's signs of life; which names may be judged: of a server that is dead only the server."""
        if not self.places.airflow:
            return frozenset()
        said = health(self.places.airflow)
        memory.sign(AIRFLOW, now if said is not None else None, now)
        if said is None:
            return frozenset({AIRFLOW})
        memory.sign("the metadata database", now if _of(said, "metadatabase").get("status") == "healthy" else None, now)
        for name, key in COMPONENTS.items():
            memory.sign(f"the {name.replace('_', ' ')}", _moment(_of(said, name).get(key)), now)
        return frozenset({AIRFLOW, "the metadata database", *(f"the {name.replace('_', ' ')}" for name in COMPONENTS)})

    def _with_ledger(self, memory: Memory, answered: frozenset[str], now: datetime) -> Round:
        beat = self.ledger.heartbeats().get("watch")
        memory.sign(WATCH, beat.at if beat else None, now)
        silent = tuple(self._silent(memory, answered | {WATCH}, now))
        desk = Desk(self.ledger, self.policy, self.links)
        self._tell_silence(desk, memory, silent, now)
        taken_in = Spool(self.places.spool).take_in(desk.detect)
        self._say_it_is_back(memory, taken_in, now)
        desk.cycle(now)
        report = self._deliver(now)
        late = second_path.overdue(self.ledger, self.policy, now, self.notify, self.links)
        unheard = report.error if report.failed and (late.error or self.notify is None) and late.undelivered else ""
        done = Round(silent, "", unheard, taken_in, report.delivered, late.undelivered)
        self.ledger.beat(NAME, now, str(done))
        return done

    def _silent(self, memory: Memory, names: frozenset[str], now: datetime) -> Iterator[str]:
        """Who has given no sign of life for strictly longer than policy allows."""
        allowed = self.policy.alerting.watch.silent_for
        yield from (name for name in sorted(names) if now - memory.seen[name] > allowed)

    def _tell_silence(self, desk: Desk, memory: Memory, silent: tuple[str, ...], now: datetime) -> None:
        """One incident for one dead Airflow, whatever of it is silent; a sighting only where that has changed."""
        known = self.ledger.open_incident_of(CAUSE)
        if not silent and known is not None:
            desk.clear(CAUSE, now, "Everything the watchdog looks at gives signs of life again")
        elif silent and (known is None or set(silent) - set(memory.silent)):
            desk.detect(self._sighting(memory, silent, now))
        memory.silent = silent

    def _sighting(self, memory: Memory, silent: tuple[str, ...], now: datetime) -> Sighting:
        entry = self.policy.procedures[PROCEDURE]
        minutes = self.policy.alerting.watch.silent_for.total_seconds() / 60
        since = ", ".join(f"{name} since {memory.seen[name]:%Y-%m-%d %H:%M:%S} UTC" for name in silent)
        return Sighting(
            cause=CAUSE,
            severity=Severity.P2,
            title=f"No sign of life of {', '.join(silent)}",
            procedure=PROCEDURE,
            at=now,
            observed=f"silent: {since}. Told by the watchdog outside Airflow; nothing is being watched meanwhile.",
            allowed=f"a sign of life every {minutes:g} min",
            manual=f"{' / '.join(entry.section)} ({entry.lines})",
            first_action="See that Airflow's scheduler, triggerer and API server run and reach their database. "
            "Until then look at the CLO system yourself.",
            link=self.places.shown,
        )

    def _deliver(self, now: datetime) -> DeliveryReport:
        try:
            return deliver(self.ledger, self.smtp, now)
        except CloOpsError as error:
            if _is_ledgers(error):
                raise
            return DeliveryReport(0, 1, 0, error=str(error))

    def _without_ledger(self, memory: Memory, reason: str, now: datetime) -> Round:
        """People are told directly once the ledger is away strictly longer than policy allows, once an outage."""
        memory.away_since = memory.away_since or now
        silent = tuple(self._silent(memory, frozenset(memory.seen) & {AIRFLOW}, now))
        if memory.told or now - memory.away_since <= self.policy.alerting.watch.silent_for:
            return Round(silent, reason)
        unheard = self._mail_directly(self._away(memory, silent, reason, now), now)
        memory.told = not unheard
        return Round(silent, reason, unheard)

    def _mail_directly(self, message: Message, now: datetime) -> str:
        """By mail, and by the second path where mail does not go; why nobody could be told, or nothing."""
        try:
            error = send_now(message, self.smtp, now)
        except CloOpsError as wrong:
            error = str(wrong)
        if not error or self.notify is None:
            return error
        try:
            self.notify(message.subject, message.text)
        except SecondPathRefused as refused:
            return f"{error}; {refused}"
        return ""

    def _away(self, memory: Memory, silent: tuple[str, ...], reason: str, now: datetime) -> Message:
        with_airflow = f"Airflow is silent as well: {', '.join(silent)}." if silent else "Airflow itself still answers."
        text = [
            f"The ledger of CLO Ops does not answer since {memory.away_since:%Y-%m-%d %H:%M:%S} UTC: {reason}",
            with_airflow if self.places.airflow else "",
            "Nothing is put on record, no ladder goes on and no other message goes out until it is back. What is seen "
            f"meanwhile is kept in {self.places.spool} and told then.",
            "First thing to do: see that the ledger's PostgreSQL runs and answers; look at the CLO system yourself.",
            "This is told once; the next message says that it is back.",
        ]
        return self._message("away", f"the ledger does not answer since {memory.away_since:%H:%M} UTC", text, now)

    def _say_it_is_back(self, memory: Memory, taken_in: int, now: datetime) -> None:
        """Into the outbox again, so that the end of an outage that was told is told for certain."""
        if memory.away_since is not None and memory.told:
            text = [
                f"The ledger of CLO Ops answers again. It was away from {memory.away_since:%Y-%m-%d %H:%M:%S} to "
                f"{now:%Y-%m-%d %H:%M:%S} UTC; {taken_in} sighting(s) kept aside meanwhile were taken in just now.",
            ]
            self.ledger.enqueue(self._message("back", "the ledger answers again", text, now))
        memory.away_since, memory.told = None, False

    def _message(self, key: str, headline: str, text: list[str], now: datetime) -> Message:
        whom = people((name for group in WATCHMEN for name in self.policy.contacts.groups[group]), now, self.policy)
        end = render("contacts.txt", support=self.policy.contacts.support)
        return Message(
            dedup_key=f"{NAME}:ledger {key}:{now.isoformat()}",
            recipients=tidings.mailboxes(whom, self.policy),
            subject=f"[CLO Ops] watchdog: {headline}",
            text="\n\n".join([*(part for part in text if part), end]) + "\n",
            html="",
            severity=Severity.P1,
        )


def health(airflow: str) -> Mapping[str, Any] | None:
    """What Airflow says of its parts; None where it does not answer as Airflow does."""
    with suppress(httpx.HTTPError, ValueError):
        reply = httpx.get(f"{airflow.rstrip('/')}{HEALTH}", timeout=ANSWER_SECONDS, trust_env=False)
        said = reply.json() if reply.status_code == 200 else None
        return said if isinstance(said, dict) else None
    return None


def _of(said: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = said.get(name)
    return part if isinstance(part, dict) else {}


def _moment(text: object) -> datetime | None:
    with suppress(ValueError, TypeError):
        at = datetime.fromisoformat(str(text))
        return at if at.tzinfo else None
    return None


def _is_ledgers(error: CloOpsError) -> bool:
    from clo_ops.ledger.errors import LedgerUnavailable

    return isinstance(error, LedgerUnavailable)
