"""Apply a plan step by step: each on record before it starts and after it ends, none that cannot end in time."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from clo_ops.actions.maintenance.plan import Effect, Outcome, Plan, Step
from clo_ops.findings import CloOpsError

Act = Callable[[Step], Effect]
Done = list[tuple[Step, Effect]]


class PlanRecord(Protocol):
    """Where plans and their steps are put down; the ledger is one."""

    def keep_plan(self, run: int, plan: Plan) -> int:
        """The plan of this run by its hash, made where it is not there yet; its number."""

    def applied_steps(self, plan: int) -> Collection[str]:
        """Keys of the steps of this plan that are known to be applied."""

    def step_started(self, plan: int, key: str, at: datetime) -> None: ...

    def step_ended(self, plan: int, key: str, effect: Effect, at: datetime) -> None: ...

    def plan_ended(self, plan: int, state: str, at: datetime) -> None: ...


@dataclass(frozen=True, slots=True)
class Pace:
    """A step starts only where ``safety`` times its expected time is left; ``unknown`` where nothing is expected."""

    safety: float = 1.5
    unknown: timedelta = timedelta(minutes=5)

    def needs(self, step: Step) -> timedelta:
        return timedelta(seconds=step.seconds) * self.safety if step.seconds is not None else self.unknown


def _now() -> datetime:
    return datetime.now(UTC)


def apply(
    plan: Plan,
    act: Act,
    *,
    ledger: PlanRecord,
    run: int,
    ends: datetime,
    may_go_on: Callable[[], str | None] = lambda: None,
    pace: Pace | None = None,
    clock: Callable[[], datetime] = _now,
) -> Done:
    """What became of each step, in the plan's order.

    A step of this run's plan that is on record as applied is not done again; one that was started and never ended is
    handed to ``act`` again, which looks for itself how far it came. Nothing starts that cannot end before ``ends``, nor
    once ``may_go_on`` gives a reason: what remains is LEFT_OVER. A CloOpsError of ``act`` fails its step and the others
    go on; any other error is a fault of ours and ends the run, with the step on record as failed.
    """
    pace = pace or Pace()
    number = ledger.keep_plan(run, plan)
    applied = ledger.applied_steps(number)
    done: Done = []
    stopped = ""
    for step in plan.steps:
        if step.key in applied:
            done.append((step, Effect(Outcome.APPLIED, "applied by an earlier try of this run")))
            continue
        stopped = stopped or may_go_on() or ""
        if why_not := stopped or _too_late(step, pace, ends, clock()):
            effect = Effect(Outcome.LEFT_OVER, why_not)
        else:
            ledger.step_started(number, step.key, clock())
            effect = _acted(act, step, ledger, number, clock)
        ledger.step_ended(number, step.key, effect, clock())
        done.append((step, effect))
    ledger.plan_ended(number, "stopped" if stopped else "ended", clock())
    return done


def _too_late(step: Step, pace: Pace, ends: datetime, now: datetime) -> str:
    needs, left = pace.needs(step), ends - now
    if needs <= left:
        return ""
    known = f"{step.seconds:,.0f} s by earlier runs" if step.seconds is not None else "a time nobody knows yet"
    minutes = max(0.0, left / timedelta(minutes=1))
    return f"it takes {known}, and {minutes:,.0f} min are left until {ends:%H:%M} UTC"


def _acted(act: Act, step: Step, ledger: PlanRecord, number: int, clock: Callable[[], datetime]) -> Effect:
    begun = time.monotonic()
    try:
        return act(step)
    except CloOpsError as error:
        return Effect(Outcome.FAILED, str(error), time.monotonic() - begun)
    except Exception as error:
        broken = Effect(Outcome.FAILED, f"{type(error).__name__}: {error}", time.monotonic() - begun)
        ledger.step_ended(number, step.key, broken, clock())
        raise
