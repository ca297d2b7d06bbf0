"""Who is told what and when: notices by severity, and the two ladders (IR-02, IR-03; manual L289-L299, L452-L456).

An acknowledgement stops both ladders. It expires where no status update follows: the next rung is then told at once,
and the later ones keep their distance from it (D40, D41).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from clo_ops.rules.clocks import clocks
from clo_ops.rules.rota import people

if TYPE_CHECKING:
    from clo_ops.findings import Severity
    from clo_ops.policy import Policy


@dataclass(frozen=True, slots=True)
class Rung:
    """One level of a ladder (from 1), the people of contacts.yaml who hold it, and when it is told (UTC)."""

    ladder: str
    level: int
    role: str
    people: tuple[str, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class Notice:
    """One group and by when it hears. ``released_by_a_person``: a text is drafted, somebody decides (D51)."""

    group: str
    people: tuple[str, ...]
    at: datetime
    condition: str = ""

    @property
    def released_by_a_person(self) -> bool:
        return bool(self.condition)


def rungs(
    severity: Severity, detected_at: datetime, policy: Policy, *, told_at: datetime | None = None
) -> tuple[Rung, ...]:
    """Every rung of every ladder for an incident that nobody acknowledges, in order of time.

    What was due earlier is told ``told_at``, to whoever is on call then.
    """
    clock = clocks(severity, detected_at, policy)
    response, resolution = clock.response_due - detected_at, clock.resolution_due - detected_at
    all_rungs = (
        Rung(name, number, step.role, people(step.contacts, max(at, told_at or at), policy), at)
        for name, ladder in policy.ladders.items()
        for number, step in enumerate(ladder.levels, start=1)
        for at in [detected_at + step.after.after(response, resolution)]
    )
    return tuple(sorted(all_rungs, key=lambda rung: (rung.at, rung.ladder, rung.level)))


def notices(
    severity: Severity, detected_at: datetime, policy: Policy, *, told_at: datetime | None = None
) -> tuple[Notice, ...]:
    """Every group the severity names, in order of time; ``told_at`` as for rungs."""
    groups = policy.contacts.groups
    all_notices = (
        Notice(one.group, people(groups[one.group], max(at, told_at or at), policy), at, one.only_when or "")
        for one in policy.severities[severity].notify
        for at in [detected_at + one.within]
    )
    return tuple(sorted(all_notices, key=lambda notice: (notice.at, notice.group)))


def handed_over(severity: Severity, told: Mapping[str, datetime], now: datetime, policy: Policy) -> tuple[Notice, ...]:
    """Who has come on call since whoever was on call heard of it: they are told of what is still open (IR-09).

    ``told`` says when each step was told, by its name.
    """
    from clo_ops.policy.alerting import ON_CALL

    found = []
    for name in ON_CALL:
        heard = [told[step] for step, contacts in _contacts(severity, policy) if step in told and name in contacts]
        if heard and now > min(heard) and people([name], now, policy) != people([name], min(heard), policy):
            (incoming,) = people([name], now, policy)
            found.append(Notice(f"hand-over to {incoming}", (incoming,), now))
    return tuple(dict.fromkeys(found))


def _contacts(severity: Severity, policy: Policy) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every step by its name, with whom policy names for it."""
    for name, ladder in policy.ladders.items():
        for number, step in enumerate(ladder.levels, start=1):
            yield f"{name} {number} {step.role}", step.contacts
    for one in policy.severities[severity].notify:
        yield f"notice {one.group}", policy.contacts.groups[one.group]


def step_name(step: Rung | Notice) -> str:
    """The name under which a step is told once."""
    return f"{step.ladder} {step.level} {step.role}" if isinstance(step, Rung) else f"notice {step.group}"


def due_rungs(
    ladder: Sequence[Rung], told: Mapping[int, datetime], now: datetime, *, stopped_until: datetime | None = None
) -> list[Rung]:
    """The rungs of one ladder to be told now, lowest first.

    ``told`` says when each level was told. ``stopped_until`` is when the last acknowledgement expired, None where
    there was none; while one holds, do not ask.
    """
    due: list[Rung] = []
    when = dict(told)
    for before, rung in zip([None, *ladder[:-1]], ladder, strict=True):
        if rung.level in told:
            continue
        at = _due_at(before, rung, when, stopped_until)
        if at > now:
            break
        when[rung.level] = max(at, now) if stopped_until else rung.at
        due.append(rung)
    return due


def _due_at(before: Rung | None, rung: Rung, when: Mapping[int, datetime], stopped_until: datetime | None) -> datetime:
    """The rung's own time; after an acknowledgement that expired, not before that nor nearer to the rung before."""
    if stopped_until is None:
        return rung.at
    if before is None or when.get(before.level, stopped_until) < stopped_until:
        return max(rung.at, stopped_until)
    return max(rung.at, when[before.level] + (rung.at - before.at))
