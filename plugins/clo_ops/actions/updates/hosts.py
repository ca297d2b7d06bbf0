"""Update the packages of one host: exactly the versions approved, the old ones kept, taken back where it goes wrong.

Before anything is changed the packages of now are fetched and kept on the host: a repository drops a version as soon as
the next one is out, and what cannot be put back is not replaced. Killed at any instant, the next try finds on the host
how far it came.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from clo_ops.actions.updates.looking import HEALTHY, Health, Patience, Story, WentWrong, sick_before
from clo_ops.findings.plans import Effect, Outcome
from clo_ops.findings.updates import NEW, Change
from clo_ops.policy.paths import INCLUDE
from clo_ops.probes import shell
from clo_ops.probes.reaching import Unreachable
from clo_ops.probes.targets import HostTarget

INSTALLED = "installed"


@dataclass(frozen=True, slots=True)
class Terms:
    """``way_back`` is a directory of the host for this plan alone; ``within`` bounds each call of apt."""

    way_back: str
    within: timedelta
    patience: Patience


def update(host: HostTarget, changes: Sequence[Change], health: Health, terms: Terms, *, begun: bool = False) -> Effect:
    """What became of it: APPLIED only where every package is as approved and the system well after it.

    FAILED with nothing changed where the system was not well before, or an old package cannot be had; FAILED and taken
    back where apt failed, a version is another one, or the system was not well within its time. ``begun``: an earlier
    try was cut off. Where it got as far as a package, the system is looked at after the change, not before it.
    """
    story = Story()
    try:
        there = versions(host, changes, terms)
        if begun and any(there.get(one.package) in (one.new, "") for one in changes):
            story.note("health before", "an earlier try was cut off after it")
        elif why := sick_before(health, story):
            return story.ended(Outcome.FAILED, why)
        if not _strange(changes, there):
            _keep(host, changes, there, terms, story)
        else:
            return story.ended(Outcome.FAILED, f"not begun: {_strange(changes, there)}; plan it anew")
    except (WentWrong, Unreachable) as error:
        return story.ended(Outcome.FAILED, f"not begun, nothing was changed: {_said(error)}")
    return _changed(host, changes, health, terms, story)


def _changed(host: HostTarget, changes: Sequence[Change], health: Health, terms: Terms, story: Story) -> Effect:
    try:
        _install(host, changes, terms, story)
        sick = terms.patience.until_well(health)
        story.note("health after", "; ".join(sick)[:500] or HEALTHY)
        if sick:
            raise WentWrong(f"the system is not well after it: {'; '.join(sick)[:500]}")
    except (WentWrong, Unreachable) as error:
        return _taken_back(host, changes, health, terms, story, _said(error))
    return story.ended(
        Outcome.APPLIED, f"{len(changes)} packages of {host.name} are as approved, and the system is well"
    )


def _taken_back(  # noqa: PLR0917 - what update was given, and why
    host: HostTarget, changes: Sequence[Change], health: Health, terms: Terms, story: Story, why: str
) -> Effect:
    try:
        back(host, changes, terms)
    except (WentWrong, Unreachable) as error:
        story.note("rolled back", "no")
        return story.ended(Outcome.FAILED, f"{why}. NOT rolled back, mend {host.name} by hand: {_said(error)}")
    sick = terms.patience.until_well(health)
    story.note("rolled back", "yes")
    story.note("health after rolling back", "; ".join(sick)[:500] or HEALTHY)
    well = "the system is well again" if not sick else f"the system is still not well: {sick[0][:200]}"
    return story.ended(Outcome.FAILED, f"{why}. Rolled back to the versions of before; {well}")


def _said(error: Exception) -> str:
    return str(error).rstrip(".")


# ---------------------------------------------------------------- the verbs


def versions(host: HostTarget, changes: Sequence[Change], terms: Terms) -> dict[str, str]:
    """What is installed of these packages, by name; what is only half installed has no version."""
    said = _run(host, terms, "versions", [one.package for one in changes])
    words = [line.split() for line in said.splitlines() if line.startswith("have ")]
    return {one[1]: one[2] if one[3] == INSTALLED else "" for one in words if len(one) == 4}


def _strange(changes: Sequence[Change], there: dict[str, str]) -> str:
    """A package that is neither as before nor as approved: somebody else was at it since the plan was approved."""
    for one in changes:
        now = there.get(one.package, NEW)
        if now not in (one.old, one.new, ""):
            return f"{one.package} is {now} by now, approved was {one}"
    return ""


def _keep(host: HostTarget, changes: Sequence[Change], there: dict[str, str], terms: Terms, story: Story) -> None:
    old = [f"{one.package}={one.old}" for one in changes if one.old != NEW and there.get(one.package) != one.new]
    if old:
        _run(host, terms, "keep", old)
    story.note("way back", f"{terms.way_back} ({len(old)} packages kept)")


def _install(host: HostTarget, changes: Sequence[Change], terms: Terms, story: Story) -> None:
    _run(host, terms, "install", [f"{one.package}={one.new}" for one in changes])
    there = versions(host, changes, terms)
    other = [
        f"{one.package} {there.get(one.package) or 'half installed'}"
        for one in changes
        if there.get(one.package) != one.new
    ]
    story.note("installed", ", ".join(f"{one.package}={there.get(one.package, NEW)}" for one in changes)[:1000])
    if other:
        raise WentWrong(f"not as approved: {', '.join(other)}")


def back(host: HostTarget, changes: Sequence[Change], terms: Terms) -> None:
    """The exact versions of before, from what was kept. Raises WentWrong where a package is another one after it."""
    old = [f"{one.package}={one.old}" for one in changes if one.old != NEW]
    new = [one.package for one in changes if one.old == NEW and one.package in versions(host, changes, terms)]
    _run(host, terms, "back", [*old, *(["--", *new] if new else [])])
    there = versions(host, changes, terms)
    other = [one for one in changes if (there.get(one.package) or NEW) != one.old]
    if other:
        raise WentWrong(f"{other[0].package} is {there.get(other[0].package, 'gone')}, before it was {other[0].old}")


def _run(host: HostTarget, terms: Terms, verb: str, packages: Sequence[str]) -> str:
    """Raises WentWrong where the script did not come to its end, Unreachable where nobody knows."""
    script = (INCLUDE / "sh" / "host_rollout.sh").read_text(encoding="utf-8")
    patient = replace(host, command_timeout=terms.within.total_seconds())
    done = shell.run(patient, script, [verb, terms.way_back, *packages])
    if done.code or not done.out.endswith("end\n"):
        raise WentWrong(
            f"{verb} on {host.name} ended with {done.code}: {' '.join(done.err.split())[-400:] or 'no word'}"
        )
    return done.out
