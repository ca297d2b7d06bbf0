"""A round of the watch: planned runs that never began, and procedures nobody came to, become incidents."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from clo_ops.escalation.sighting import Sighting
from clo_ops.findings import Severity
from clo_ops.policy.firing import by_the_clock
from clo_ops.rules.expected import LOOK_BACK, Expected, judge, last_due
from clo_ops.rules.figures import age, moment

if TYPE_CHECKING:
    from clo_ops.escalation.desk import Desk

FIRST_LOOK = "first look"
EVERY = timedelta(seconds=30)


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
        due = [one for one in last_due(policy, self._since(now), now) if by_the_clock(one.dag)]
        recorded = ledger.attendance(now - LOOK_BACK, now) if due else {}
        return sum(not self._told(one, now) for one in judge(due, recorded, policy))

    def _since(self, now: datetime) -> datetime:
        """When this installation began to watch; what was due before that is nobody's fault."""
        known = self.desk.ledger.heartbeats().get(FIRST_LOOK)
        if known is None:
            self.desk.ledger.beat(FIRST_LOOK, now, "nothing due before this is missed")
        return known.at if known else now

    def _told(self, one: Expected, now: datetime) -> bool:
        if one.sound:
            self.desk.clear(one.cause, now, f"the run due at {moment(one.at)} is on record with all its procedures")
        else:
            self.desk.detect(_sighting(one, now))
        return one.sound


def _sighting(one: Expected, now: datetime) -> Sighting:
    if not one.started:
        title, seen = f"{one.dag} never began", f"no run of {one.dag} is on record for {moment(one.at)}"
        first = "See whether the DAG is paused, the scheduler runs, and Airflow lists an import error."
    else:
        title = f"{one.dag} left out {', '.join(one.missing)}"
        seen = f"the run of {one.dag} for {moment(one.at)} has no finding for {', '.join(one.missing)}"
        first = "Open the run and look at the tasks named: not started, killed, or still at work."
    return Sighting(
        cause=one.cause,
        severity=Severity.P2,
        title=title,
        procedure=one.missing[0] if one.missing else "IR-10",
        at=now,
        observed=f"{seen}, {age(now - one.done_by)} after its time",
        allowed=f"every procedure on record by {moment(one.done_by)}",
        first_action=first,
    )
