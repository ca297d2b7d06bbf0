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

LOOK_BACK = timedelta(days=3)
# What a page says of a run: the procedures with a finding on record that is their own, by (DAG, business time).
Recorded = Mapping[tuple[str, datetime], Collection[str]]


@dataclass(frozen=True, slots=True)
class Expected:
    """One planned run whose time to be done has passed, and what is not there of it.

    ``started`` is False where there is no run at all; ``missing`` are procedures without a finding of their own;
    ``wanted`` are all it stands for.
    """

    dag: str
    at: datetime
    done_by: datetime
    started: bool
    missing: tuple[str, ...]
    wanted: tuple[str, ...] = ()

    @property
    def sound(self) -> bool:
        return self.started and not self.missing

    @property
    def cause(self) -> str:
        """The same for every run of the DAG: one incident however often it does not come."""
        return f"expected:{self.dag}"


def last_due(policy: Policy, since: datetime, now: datetime) -> list[Run]:
    """Of each DAG that has procedures built, the newest planned run that had to be done strictly before ``now``.

    Nothing due before ``since`` (when this installation began to watch) is asked for, nor what is older than LOOK_BACK:
    it was told in its time.
    """
    built = {entry.dag for entry in policy.procedures.values() if entry.built}
    begin = max(since, now - LOOK_BACK)
    newest: dict[str, Run] = {}
    for name, cadence in policy.cadences.items():
        if cadence.dag not in built:
            continue
        for at in fire_times(cadence, begin, now, policy.business_calendar):
            run = Run(at, name, cadence.dag, at + cadence.done_by)
            if run.done_by < now and (run.dag not in newest or run.done_by >= newest[run.dag].done_by):
                newest[run.dag] = run
    return [newest[dag] for dag in sorted(newest)]


def judge(due: Iterable[Run], recorded: Recorded, policy: Policy) -> Iterator[Expected]:
    """What became of each planned run."""
    for run in due:
        wanted = _wanted(policy, run)
        found = recorded.get((run.dag, run.at))
        missing = tuple(sorted(wanted - set(found or ())))
        missing = missing if found is not None else ()
        yield Expected(run.dag, run.at, run.done_by, found is not None, missing, tuple(sorted(wanted)))


def _wanted(policy: Policy, run: Run) -> set[str]:
    """The procedures built that this run's cadences ask for."""
    firing = on_schedule(policy, run.dag, run.at)
    built = (one for one in policy.procedures.values() if one.dag == run.dag and one.built)
    return {one.id for one in built if not firing.why_not_due(one.id)}
