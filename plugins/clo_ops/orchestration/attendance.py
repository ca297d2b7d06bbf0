"""A round of the watch: planned runs that never began, and procedures nobody came to, become incidents.

A run that people have heard of already, as late or as failed, is not told a second time for what is missing of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING

from clo_ops.escalation.sighting import Sighting
from clo_ops.findings import Severity
from clo_ops.orchestration.escalate import failed_cause, late_cause
from clo_ops.policy.firing import by_the_clock
from clo_ops.rules.expected import Expected, judge, last_due
from clo_ops.rules.figures import age, moment

if TYPE_CHECKING:
    from clo_ops.escalation.desk import Desk
    from clo_ops.ledger import IncidentRow
    from clo_ops.policy import Policy

FIRST_LOOK = "first look"
EVERY = timedelta(seconds=30)
# Airflow tells of a run that is late by itself, a moment after its time.
AFTER_AIRFLOW = timedelta(seconds=20)
# A procedure begun so lately is at work: somebody has cleared its task, or the run is late and told as that.
AT_WORK = timedelta(minutes=30)


@dataclass
class ExpectedRuns:
    """Called with the time of each look; looks itself every half minute."""

    desk: Desk
    _looked: datetime | None = field(default=None, init=False)

    def __call__(self, now: datetime) -> int:
        """How many planned runs are not as they should be. Raises LedgerUnavailable."""
        if self._looked is not None and now - self._looked < EVERY:
            return 0
        self._looked = now
        ledger, policy = self.desk.ledger, self.desk.policy
        due = [one for one in last_due(policy, self._since(now), now - AFTER_AIRFLOW) if by_the_clock(one.dag)]
        recorded = ledger.attendance({(one.dag, one.at) for one in due}, at_work_since=now - AT_WORK)
        of_dag = groupby(judge(due, recorded, policy), key=lambda one: one.cause)
        return sum(self._told(list(runs), now) for _, runs in of_dag)

    def _since(self, now: datetime) -> datetime:
        """When this installation began to watch; what was due before that is nobody's fault."""
        known = self.desk.ledger.heartbeats().get(FIRST_LOOK)
        if known is None:
            self.desk.ledger.beat(FIRST_LOOK, now, "nothing due before this is missed")
        return known.at if known else now

    def _told(self, runs: Sequence[Expected], now: datetime) -> int:
        """How many of the DAG's runs are not as they should be; the all-clear is given when none of them is."""
        broken = [one for one in runs if not one.sound]
        if not broken:
            said = ", ".join(f"{one.name} of {moment(one.at)}" for one in runs)
            self.desk.clear(runs[0].cause, now, f"on record with all that was due by now: {said}")
            return 0
        newest = max(broken, key=lambda one: one.done_by)
        seen = _sighting(newest, self.desk.policy, now)
        if self._is_news(newest, seen, now):
            self.desk.detect(seen)
        return len(broken)

    def _is_news(self, one: Expected, seen: Sighting, now: datetime) -> bool:
        """Once for each planned run, also where a person closed its incident; again where it has become another."""
        known = self.desk.ledger.last_incident_of(one.cause)
        if known is not None and known.last_seen_at > one.done_by:
            return known.open and known.title != seen.title
        return not self._told_as_late(one, now) and not (one.started and self._told_as_failed(one))

    def _told_as_late(self, one: Expected, now: datetime) -> bool:
        """From its own time on; a run of another cadence was late before that."""
        late = late_cause(one.dag, "")
        return any(
            known.cause.startswith(late) and known.last_seen_at >= one.done_by
            for known in self.desk.ledger.open_incidents(now)
        )

    def _told_as_failed(self, one: Expected) -> bool:
        """Whoever closed that incident has heard of it as well."""
        cause = failed_cause(one.dag)
        known = self.desk.ledger.open_incident_of(cause)
        if known is None:
            known = self.desk.ledger.incident_opened_again(cause, one.at)
        return known is not None and _since(known, one)


def _since(known: IncidentRow, one: Expected) -> bool:
    return known.last_seen_at >= one.at


def _sighting(one: Expected, policy: Policy, now: datetime) -> Sighting:
    if not one.started:
        title, seen = f"{one.name} never began", f"no run of {one.name} is on record for {moment(one.at)}"
        first = "See whether the DAG is paused, the scheduler runs, and Airflow lists an import error."
    else:
        title = f"{one.name} left out {', '.join(one.missing)}"
        seen = f"the run of {one.name} for {moment(one.at)} has no finding for {', '.join(one.missing)}"
        first = "Open the run and look at the tasks named: not started, killed, or still at work."
    entries = [policy.procedures[key] for key in one.missing or one.wanted]
    stands_for = ", ".join(f"{entry.id} {entry.title}" for entry in entries)
    return Sighting(
        cause=one.cause,
        severity=Severity.P2,
        title=title,
        procedure=entries[0].id if entries else "IR-10",
        at=now,
        observed=f"{seen}, {age(now - one.done_by)} after its time. It stands for: {stands_for}",
        allowed=f"on record, with all that was due of it, by {moment(one.done_by)}",
        manual=f"{' / '.join(entries[0].section)} ({entries[0].lines})" if entries else "",
        first_action=first,
    )
