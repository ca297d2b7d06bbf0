"""Runs that should be there by now, and procedures that should have a finding by now (IR-10, resolution D49, D68).

Airflow tells of a run that is late. Of one that never began (a paused DAG, a dead scheduler, a file that no longer
parses) it cannot; nor of a procedure that a green-looking run never came to.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from clo_ops.policy.calendar import Run, fire_times
from clo_ops.policy.firing import on_schedule

if TYPE_CHECKING:
    from clo_ops.policy import Policy
    from clo_ops.policy.cadences import Cadence

LOOK_BACK = timedelta(days=3)
# A run that has longer than LOOK_BACK (it waits for people) has to be there soon all the same.
BEGUN_WITHIN = timedelta(hours=6)
# What a page says of a run: the procedures with a finding on record that is their own, by (DAG, business time).
Recorded = Mapping[tuple[str, datetime], Collection[str]]


@dataclass(frozen=True, slots=True)
class Expected:
    """One planned run whose time to be done has passed, and what is not there of it.

    ``started`` is False where there is no run at all; ``missing`` are procedures without a finding of their own;
    ``wanted`` are all it stands for, also of one that only has to be begun. ``name`` is the DAG's, with the cadence's
    title where the DAG has several.
    """

    dag: str
    at: datetime
    done_by: datetime
    started: bool
    missing: tuple[str, ...]
    name: str
    wanted: tuple[str, ...] = ()

    @property
    def sound(self) -> bool:
        return self.started and not self.missing

    @property
    def cause(self) -> str:
        """The same for every run of the DAG: one incident however often it does not come."""
        return f"expected:{self.dag}"


def last_due(policy: Policy, since: datetime, now: datetime) -> list[Run]:
    """Of each cadence whose DAG has procedures built, the newest run that had to be done strictly before ``now``.

    A cadence's own, since runs of another cadence say nothing of it. One that has longer than LOOK_BACK comes twice:
    the newest that had to be begun (``done_by`` is then the end of BEGUN_WITHIN), and the newest that had to be done.
    Nothing due before ``since`` (when this installation began to watch) is asked for, nor what is older than LOOK_BACK:
    it was told in its time.
    """
    built = {entry.dag for entry in policy.procedures.values() if entry.built}
    asked = [(name, one) for name, one in policy.cadences.items() if one.dag in built]
    found = [_newest(policy, name, span, since, now) for name, one in asked for span in _spans(one)]
    return sorted((one for one in found if one), key=lambda one: (one.dag, one.done_by, one.cadence))


def _spans(cadence: Cadence) -> tuple[timedelta, ...]:
    return (cadence.done_by,) if cadence.done_by <= LOOK_BACK else (BEGUN_WITHIN, cadence.done_by)


def _newest(policy: Policy, name: str, span: timedelta, since: datetime, now: datetime) -> Run | None:
    cadence = policy.cadences[name]
    back = LOOK_BACK if span <= LOOK_BACK else LOOK_BACK + span
    fires = fire_times(cadence, max(since, now - back), now, policy.business_calendar)
    due = [at for at in fires if at + span < now]
    return Run(due[-1], name, cadence.dag, due[-1] + span) if due else None


def judge(due: Iterable[Run], recorded: Recorded, policy: Policy) -> Iterator[Expected]:
    """What became of each planned run."""
    for run in due:
        wanted, found = _wanted(policy, run), recorded.get((run.dag, run.at))
        over = run.done_by >= run.at + policy.cadences[run.cadence].done_by
        missing = tuple(sorted(wanted - set(found))) if over and found is not None else ()
        name = _name(policy, run)
        yield Expected(run.dag, run.at, run.done_by, found is not None, missing, name, tuple(sorted(wanted)))


def _name(policy: Policy, run: Run) -> str:
    of_dag = [one for one in policy.cadences.values() if one.dag == run.dag and one.cron]
    return run.dag if len(of_dag) == 1 else f"{run.dag} ({policy.cadences[run.cadence].title})"


def _wanted(policy: Policy, run: Run) -> set[str]:
    """The procedures built that this cadence asks for in this run."""
    cadence = policy.cadences[run.cadence]
    firing = on_schedule(policy, run.dag, run.at)
    mine = (one for one in policy.procedures.values() if one.dag == run.dag and one.built)
    named = [one.id for one in mine if not cadence.procedures or one.id in cadence.procedures]
    return {one for one in named if not firing.why_not_due(one)}
