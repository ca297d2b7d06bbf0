"""The incident desk: opens, follows and closes incidents, and tells everybody the ladders name (IR-01 to IR-04).

Whatever is told goes into the outbox in the same transaction as what caused it. Every call may be repeated, and
``cycle`` may be made by several at once: each step is told once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from clo_ops.escalation import overdue_actions, overdue_items, tidings
from clo_ops.escalation.sighting import Links, NoLinks, Sighting
from clo_ops.findings import Severity
from clo_ops.rules.clocks import clocks, update_due
from clo_ops.rules.ladders import Notice, Rung, due_rungs, handed_over, notices, rungs, step_name
from clo_ops.rules.phases import GATHERED
from clo_ops.rules.rota import people

if TYPE_CHECKING:
    from clo_ops.ledger import IncidentRow, Ledger
    from clo_ops.policy import Policy

WATCHMEN = ("on_call", "it_management")
OURSELVES = "clo_ops"


@dataclass(frozen=True, slots=True)
class Cycle:
    """What one round did: how many steps were told, updates found overdue, acknowledgements expired."""

    open: int = 0
    told: int = 0
    overdue: int = 0
    expired: int = 0


class Desk:
    """``links`` say where a person is sent. Raises LedgerUnavailable where the ledger does not answer."""

    def __init__(self, ledger: Ledger, policy: Policy, links: Links | None = None) -> None:
        self.ledger, self.policy = ledger, policy
        self.links: Links = links or NoLinks()

    def detect(self, seen: Sighting, *, changed: bool = False) -> IncidentRow:
        """Open an incident for this cause, or count the sighting on the one that is open; tell who is due at once.

        Where it is graver than the incident was, or ``changed`` says that it is news, whoever was told hears of it.
        """
        with self.ledger.transaction():
            before = self.ledger.held_incident_of(seen.cause)
            incident = self.ledger.open_incident(
                seen.cause, seen.severity, seen.title, seen.procedure, seen.at, seen.run
            )
            graver = before is None or before.severity is not incident.severity
            if graver or changed:
                story = tidings.story(seen, self.policy)
                self.ledger.note_incident(incident.id, "diagnosed", seen.at, OURSELVES, story)
                incident = self._start_clocks(incident, seen.at) if graver else incident
                self._tell_news(incident, seen, graver=graver)
            return incident

    def _tell_news(self, incident: IncidentRow, seen: Sighting, *, graver: bool) -> None:
        """To whoever is due by now, the whole of it; to those who know of it, how it is now."""
        know = self._told_people(incident)
        steps = self._tell_due(incident, seen.at) if graver else []
        due = tidings.mailboxes((who for step in steps for who in step.people), self.policy)
        news = tidings.changed(incident, seen.title, self.story(incident), self.policy)
        self._tell(incident, news, [one for one in know if one not in due], seen.at)

    def cycle(self, now: datetime) -> Cycle:
        """One round over all open incidents, and over what reviews decided: whatever has become due since the last."""
        overdue_actions.escalate(self, now)
        overdue_items.escalate(self, now)
        done = Cycle()
        for incident in self.ledger.open_incidents(now):
            with self._held(incident.id) as held:
                if held.open:
                    done = _sum(done, self._follow(held, now))
        return done

    def acknowledge(self, incident: int, by: str, at: datetime) -> IncidentRow:
        """A person takes it: the ladders stop, and the next status update is due at its cadence."""
        with self._held(incident) as held:
            taken = self.ledger.acknowledge_incident(incident, by, at)
            if taken.open and held.acknowledged_at is None:
                taken = self._next_update(taken, at)
                self._tell(taken, tidings.acknowledged(taken, by, self.policy), self._told_people(taken), at)
            return taken

    def update(self, incident: int, by: str, text: str, at: datetime) -> IncidentRow:
        """A status update for everybody who was told. Raises ValueError for an empty one."""
        if not text.strip():
            raise ValueError(f"incident {incident}: a status update says something")
        with self._held(incident) as held:
            if not held.open:
                return held
            due = update_due(held.severity, at, held.resolution_due_at or at, self.policy)
            told = self.ledger.update_incident(incident, by, text, at, due)
            self._tell(told, tidings.updated(told, by, text, self.policy), self._told_people(told), at)
            return told

    def say(self, incident: int, by: str, text: str, at: datetime) -> None:
        """What a machine saw, for everybody who was told; a person's update is due all the same."""
        with self._held(incident) as held:
            if held.open:
                self.ledger.note_incident(incident, "updated", at, by, text)
                self._tell(held, tidings.updated(held, by, text, self.policy), self._told_people(held), at)

    def note(self, incident: int, by: str, text: str, at: datetime) -> None:
        """A line in the timeline that nobody is told."""
        self.ledger.note_incident(incident, "noted", at, by, text)

    def change_severity(self, incident: int, severity: Severity, by: str, reason: str, at: datetime) -> IncidentRow:
        """A person judges it otherwise; the new severity's clocks start now. Raises ValueError without a reason."""
        with self._held(incident) as before:
            after = self.ledger.change_severity(incident, severity, by, reason, at)
            if after.open and after.severity is not before.severity:
                after = self._start_clocks(after, at)
                text = f"{before.severity} is now {after.severity}: {reason}"
                self._tell(after, tidings.updated(after, by, text, self.policy), self._told_people(after), at)
                self._tell_due(after, at)
            return after

    def mitigate(self, incident: int, by: str, detail: str, at: datetime) -> IncidentRow:
        """Service is restored: the resolution clock and the ladders stop (D42); it stays open until it is resolved."""
        with self._held(incident) as held:
            after = self.ledger.mitigate_incident(incident, by, at, detail)
            if held.mitigated_at is None and after.open:
                text = f"Service is restored: {detail}"
                self._tell(after, tidings.updated(after, by, text, self.policy), self._told_people(after), at)
            return after

    def resolve(self, incident: int, by: str, reason: str, at: datetime) -> IncidentRow:
        """Over; the all-clear goes to everybody who was told. Raises ValueError without a reason."""
        with self._held(incident) as held:
            after = self.ledger.close_incident(incident, by, at, reason)
            if held.open:
                self._tell(after, tidings.all_clear(after, by, reason, self.policy), self._told_people(held), at)
            return after

    def clear(self, cause: str, at: datetime, reason: str) -> IncidentRow | None:
        """What caused it has gone by itself: the all-clear. None where no incident of this cause is open."""
        known = self.ledger.open_incident_of(cause)
        return None if known is None else self.resolve(known.id, OURSELVES, reason, at)

    @contextmanager
    def _held(self, incident: int) -> Iterator[IncidentRow]:
        """The incident, nobody else's until this is done."""
        with self.ledger.transaction():
            yield self.ledger.held_incident(incident)

    def _start_clocks(self, incident: IncidentRow, at: datetime) -> IncidentRow:
        clock = clocks(incident.severity, at, self.policy)
        update = update_due(incident.severity, at, clock.resolution_due, self.policy)
        return self.ledger.set_incident_clocks(incident.id, clock.response_due, clock.resolution_due, update)

    def _next_update(self, incident: IncidentRow, at: datetime) -> IncidentRow:
        due = update_due(incident.severity, at, incident.resolution_due_at or at, self.policy)
        response, resolution = incident.response_due_at or at, incident.resolution_due_at or at
        return self.ledger.set_incident_clocks(incident.id, response, resolution, due)

    def _follow(self, incident: IncidentRow, now: datetime) -> Cycle:
        overdue = incident.update_due_at is not None and now > incident.update_due_at
        expired = overdue and incident.acknowledged_at is not None
        if overdue:
            incident = self._update_overdue(incident, now)
        return Cycle(1, len(self._tell_due(incident, now)), int(overdue), int(expired))

    def _update_overdue(self, incident: IncidentRow, now: datetime) -> IncidentRow:
        """An overdue update is itself an alert (IR-04), and whoever took the incident no longer holds the ladder."""
        silent = tidings.update_overdue(incident, self.policy)
        self.ledger.note_incident(incident.id, "update_overdue", now, OURSELVES, silent.headline)
        self._tell(incident, silent, tidings.mailboxes(self._group(WATCHMEN, now), self.policy), now)
        incident = self.ledger.expire_acknowledgement(incident.id, now)
        return self._next_update(incident, now)

    def _tell_due(self, incident: IncidentRow, now: datetime) -> list[Rung | Notice]:
        """Tell every rung and notice that is due and was not told; these steps."""
        told = self.ledger.steps_told(incident.id)
        since = self._clock_began(incident)
        every = [
            *notices(incident.severity, since, self.policy, told_at=now),
            *handed_over(incident.severity, told, now, self.policy),
        ]
        steps: list[Rung | Notice] = [one for one in every if one.at <= now and step_name(one) not in told]
        if incident.acknowledged_at is None and incident.mitigated_at is None:
            steps += self._due_rungs(incident, since, told, now)
        self._tell_steps(incident, steps, now)
        return steps

    def _due_rungs(
        self, incident: IncidentRow, since: datetime, told: dict[str, datetime], now: datetime
    ) -> Iterator[Rung]:
        every = rungs(incident.severity, since, self.policy, told_at=now)
        for name in self.policy.ladders:
            ladder = [rung for rung in every if rung.ladder == name]
            levels = {rung.level: told[step_name(rung)] for rung in ladder if step_name(rung) in told}
            yield from due_rungs(ladder, levels, now, stopped_until=incident.acknowledgement_expired_at)

    def _tell_steps(self, incident: IncidentRow, steps: Iterable[Rung | Notice], now: datetime) -> None:
        """One message to everybody due now, however many steps name them; a text for users goes to who releases it."""
        whom: dict[str, list[str]] = {}
        for step in steps:
            if not self.ledger.mark_step_told(incident.id, step_name(step), now, self._step_detail(step)):
                continue
            if isinstance(step, Rung):
                self.ledger.escalate_incident(incident.id, step.level, step.role, now)
            elif step.released_by_a_person:
                draft = tidings.draft_for_users(incident, step.condition, self.policy)
                self._tell(incident, draft, tidings.mailboxes(step.people, self.policy), now)
                continue
            for person in step.people:
                whom.setdefault(person, []).append(step_name(step))
        if whom:
            link = self.links.acknowledge(incident.id, tuple(whom), now)
            opened = tidings.opened(incident, self.story(incident), whom, link, self.policy)
            self._tell(incident, opened, tidings.mailboxes(whom, self.policy), now)

    def _tell(self, incident: IncidentRow, news: tidings.News, recipients: Sequence[str], at: datetime) -> None:
        if recipients:
            link = self.links.incident(incident.id)
            self.ledger.enqueue(tidings.message(incident, news, recipients, at, self.policy, link))

    def _clock_began(self, incident: IncidentRow) -> datetime:
        """Detection, or the last time the severity was raised (D70)."""
        changed = self.ledger.timeline(incident.id, ["severity_raised", "severity_lowered"])
        return changed[-1].at if changed else incident.opened_at

    def story(self, incident: IncidentRow) -> str:
        """What was seen, as it was told last."""
        noted = (one for one in self.ledger.timeline(incident.id, ["diagnosed"]) if one.actor == OURSELVES)
        stories = [one.detail for one in noted if not one.detail.startswith(GATHERED)]
        return stories[-1] if stories else ""

    def _told_people(self, incident: IncidentRow) -> list[str]:
        """The addresses it was ever told to, whatever its severity and whoever was on call; never whom only a draft
        went to."""
        opened = f"incident:{incident.id}:{tidings.OPENED}:"
        sent = (one.message for one in self.ledger.incident_messages(incident.id))
        addresses = (who for one in sent if one.dedup_key.startswith(opened) for who in one.recipients)
        return list(dict.fromkeys(addresses))

    def _group(self, groups: Iterable[str], at: datetime) -> tuple[str, ...]:
        return people((name for group in groups for name in self.policy.contacts.groups[group]), at, self.policy)

    def _step_detail(self, step: Rung | Notice) -> str:
        names = ", ".join(self.policy.contacts.people[name].name for name in step.people)
        return f"{step_name(step)}: {names}"


def _sum(first: Cycle, second: Cycle) -> Cycle:
    return Cycle(
        first.open + second.open,
        first.told + second.told,
        first.overdue + second.overdue,
        first.expired + second.expired,
    )
