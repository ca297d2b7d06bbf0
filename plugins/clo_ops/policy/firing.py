"""Which cadences of a DAG one run stands for, and why a procedure is not asked in it (D23, D27).

A run on schedule is known by its own time; a run by hand, or by an event, by the cadence it was asked for.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from clo_ops.findings import ConfigurationError
from clo_ops.policy.cadences import BusinessCalendar, Cadence
from clo_ops.policy.calendar import cron_fires, holidays_of, is_business_day, local_day

if TYPE_CHECKING:
    from clo_ops.policy.model import Policy

ALL = "all"
SCHEDULED = "CLO_OPS_SCHEDULED"


def by_the_clock(dag_id: str) -> bool:
    """Whether this installation starts the DAG at its times. Where the environment's CLO_OPS_SCHEDULED is set, only the
    DAGs it names (separated by commas) are; the others are started by hand or by events.
    """
    named = os.environ.get(SCHEDULED)
    return named is None or dag_id in {one.strip() for one in named.split(",")}


@dataclass(frozen=True, slots=True)
class Firing:
    """``fired`` are the names of the cadences of this run; ``why_not`` has a sentence for each of the others."""

    of_dag: Mapping[str, Cadence]
    fired: tuple[str, ...]
    why_not: Mapping[str, str]

    def why_not_due(self, procedure_id: str) -> str:
        """Why the procedure is not asked in this run; empty where it is, and where no cadence names it."""
        carriers = [name for name, one in self.of_dag.items() if not one.procedures or procedure_id in one.procedures]
        if not carriers or any(name in self.fired for name in carriers):
            return ""
        return " ".join(self.why_not[name] for name in carriers)

    @property
    def done_by(self) -> timedelta:
        """From the run's due time to when it must be done: the longest of the cadences that fired."""
        return max(self.of_dag[name].done_by for name in self.fired or self.of_dag)


def cadences_of(policy: Policy, dag_id: str) -> dict[str, Cadence]:
    """The DAG's cadences by name, in the order of the policy. Raises ConfigurationError where it has none."""
    found = {name: cadence for name, cadence in policy.cadences.items() if cadence.dag == dag_id}
    if not found:
        raise ConfigurationError(
            f"no cadence is for the DAG {dag_id!r}",
            allowed="one of " + ", ".join(sorted({cadence.dag for cadence in policy.cadences.values()})),
            next_step="add a cadence with this dag to include/policy/cadences.yaml, or correct the function's name",
        )
    return found


def on_schedule(policy: Policy, dag_id: str, at: datetime) -> Firing:
    """The firing of a run due at ``at`` (aware).

    A time at which no cadence of the DAG has a run stands for all of them: the policy has changed since the run was
    planned, and asking too much is better than a green run that asked nothing.
    """
    of_dag = cadences_of(policy, dag_id)
    why_not = {name: _why_not(one, at, policy) for name, one in of_dag.items()}
    if not any(cron_fires(one, at) for one in of_dag.values()):
        return Firing(of_dag, tuple(of_dag), {})
    fired = tuple(name for name, why in why_not.items() if not why)
    return Firing(of_dag, fired, {name: why for name, why in why_not.items() if why})


def _why_not(cadence: Cadence, at: datetime, policy: Policy) -> str:
    if not cron_fires(cadence, at):
        return f"{cadence.title} is not due on {at:%a %Y-%m-%d} at {at:%H:%M} UTC."
    if cadence.only_on == "business days" and (why := _day_off(at, policy.business_calendar)):
        return f"{cadence.title} is for business days, and {why}."
    standing_in = policy.cadences.get(cadence.superseded_by or "")
    if standing_in is not None and _fires_that_day(standing_in, at):
        return f"{standing_in.title} stands in for {cadence.title} on {at:%a %Y-%m-%d}."
    return ""


def _day_off(at: datetime, calendar: BusinessCalendar) -> str:
    day = local_day(at, calendar)
    if is_business_day(day, calendar):
        return ""
    return f"{day:%a %Y-%m-%d} is {holidays_of(calendar, day.year).get(day, 'a day of the week-end')}"


def _fires_that_day(cadence: Cadence, at: datetime) -> bool:
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    return cron_fires(cadence, midnight, within=timedelta(days=1))


def by_hand(policy: Policy, dag_id: str, wanted: str | None = None) -> Firing:
    """The firing of a run somebody or something asked for: the cadence ``wanted``, or all, or what is meant by hand.

    Week-ends and holidays do not count here: somebody wants to know now. Raises ConfigurationError for a cadence the
    DAG does not have.
    """
    of_dag = cadences_of(policy, dag_id)
    wanted = wanted or default_by_hand(of_dag)
    if wanted not in (ALL, *of_dag):
        raise ConfigurationError(
            f"{dag_id} was asked for the cadence {wanted!r}", allowed=f"one of {', '.join((ALL, *of_dag))}"
        )
    fired = tuple(of_dag) if wanted == ALL else (wanted,)
    asked_for = " and ".join(of_dag[name].title for name in fired)
    why_not = {name: f"The run was asked for {asked_for} only." for name in of_dag if name not in fired}
    return Firing(of_dag, fired, why_not)


def default_by_hand(of_dag: Mapping[str, Cadence]) -> str:
    """The cadence policy calls usual by hand; else the one without times of its own, where the DAG has one such
    (emergency maintenance, L386); else all."""
    if usual := next((name for name, cadence in of_dag.items() if cadence.usual_by_hand), None):
        return usual
    timeless = [name for name, cadence in of_dag.items() if not cadence.cron]
    return timeless[0] if len(timeless) == 1 else ALL
