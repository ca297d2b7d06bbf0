"""Deploy one release of an application by its own command on its host; the version of before where it goes wrong."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from clo_ops.actions.updates.looking import HEALTHY, Health, Patience, Story, WentWrong, sick_before
from clo_ops.findings.plans import Effect, Outcome
from clo_ops.probes import shell
from clo_ops.probes.reaching import Unreachable
from clo_ops.probes.targets import HostTarget

# The version that runs, as the application says; empty where it says nothing.
Running = Callable[[], str]
SCRIPT = 'exec "$@" </dev/null\n'


@dataclass(frozen=True, slots=True)
class Terms:
    """``command`` on ``host`` is given the version as its last argument; ``within`` bounds it."""

    host: HostTarget
    command: str
    within: timedelta
    patience: Patience


def deploy(old: str, new: str, running: Running, health: Health, terms: Terms, *, begun: bool = False) -> Effect:
    """APPLIED where the application says it runs ``new`` and the system is well; else ``old`` is deployed again.

    ``begun``: an earlier try was cut off. What already runs ``new`` is looked at after the change, not before it.
    """
    story = Story()
    now = running()
    if now not in (old, new):
        return story.ended(
            Outcome.FAILED, f"not begun: it runs {now or 'nobody knows what'}, approved was {old} -> {new}"
        )
    if begun and now == new:
        story.note("health before", "an earlier try was cut off after it")
    elif why := sick_before(health, story):
        return story.ended(Outcome.FAILED, why)
    try:
        _to(new, running, health, terms)
    except (WentWrong, Unreachable) as error:
        return _taken_back(old, running, health, terms, story, str(error).rstrip("."))
    story.note("health after", HEALTHY)
    return story.ended(Outcome.APPLIED, f"it says it runs {new}, and the system is well")


def _to(version: str, running: Running, health: Health, terms: Terms) -> None:
    words = [*shlex.split(terms.command), version]
    done = shell.run(replace(terms.host, command_timeout=terms.within.total_seconds()), SCRIPT, words)
    if done.code:
        raise WentWrong(f"{words[0]} ended with {done.code}: {' '.join(done.err.split())[-300:] or 'no word'}")

    def wrong() -> list[str]:
        now = running()
        return [f"it says it runs {now or 'nothing'}, not {version}"] if now != version else health()

    if sick := terms.patience.until_well(wrong):
        raise WentWrong(f"not well after it: {'; '.join(sick)[:500]}")


def _taken_back(  # noqa: PLR0917 - what deploy was given, and why
    old: str, running: Running, health: Health, terms: Terms, story: Story, why: str
) -> Effect:
    story.note("health after", why[:500])
    try:
        _to(old, running, health, terms)
    except (WentWrong, Unreachable) as error:
        story.note("rolled back", "no")
        return story.ended(Outcome.FAILED, f"{why}. NOT rolled back, deploy {old} by hand: {str(error).rstrip('.')}")
    story.note("rolled back", "yes")
    return story.ended(Outcome.FAILED, f"{why}. Rolled back to {old}; the system is well again")
