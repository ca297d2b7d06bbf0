"""Whether the system is well, before a change and after it; and one change after the other, none after a failure."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from clo_ops.findings import CloOpsError
from clo_ops.findings.plans import Effect, Figure, Outcome, Step

# What is not well, a sentence each; empty where everything is.
Health = Callable[[], list[str]]
HEALTHY = "healthy"


@dataclass(frozen=True, slots=True)
class Patience:
    """After a change the system has ``settle`` to be well again, and is looked at every ``look_every``."""

    settle: timedelta
    look_every: timedelta

    def until_well(self, health: Health) -> list[str]:
        """What is still not well when the time is over."""
        deadline = time.monotonic() + self.settle.total_seconds()
        while (sick := health()) and time.monotonic() < deadline:
            time.sleep(min(self.look_every.total_seconds(), max(0.0, deadline - time.monotonic())))
        return sick


class WentWrong(CloOpsError):
    """A change that did not go as planned; what was changed is taken back."""


@dataclass
class Story:
    """What is on record of one step while it goes on: each part with how it went."""

    after: dict[str, Figure] = field(default_factory=dict)
    begun: float = field(default_factory=time.monotonic)

    def note(self, part: str, said: Figure) -> None:
        self.after[part] = said

    def ended(self, outcome: Outcome, reason: str) -> Effect:
        return Effect(outcome, reason, time.monotonic() - self.begun, dict(self.after))


@dataclass
class OneByOne:
    """Carries out step after step; after the first that did not go well none is begun (L402)."""

    act: Callable[[Step], Effect]
    stopped: str = ""

    def __call__(self, step: Step) -> Effect:
        if self.stopped:
            return Effect(Outcome.LEFT_OVER, self.stopped)
        try:
            effect = self.act(step)
        except BaseException:
            self.stopped = f"{step.key} broke off"
            raise
        if effect.outcome is not Outcome.APPLIED:
            self.stopped = f"not begun, for {step.key} did not go well: {effect.reason[:200]}"
        return effect


def sick_before(health: Health, story: Story) -> str:
    """Why a change is not begun; empty where the system is well."""
    sick = health()
    story.note("health before", "; ".join(sick)[:500] or HEALTHY)
    return f"not begun, for the system is not well before it: {'; '.join(sick)[:500]}" if sick else ""
