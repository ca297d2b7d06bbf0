"""Who is told what and when: notices by severity, and the two ladders (IR-02, IR-03; manual L289-L299, L452-L456).

An acknowledgement stops both ladders. It expires where no status update follows: the next rung is then told at once,
and the later ones keep their distance from it (D40, D41).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


def rungs(severity: Severity, detected_at: datetime, policy: Policy) -> tuple[Rung, ...]:
    """Every rung of every ladder for an incident that nobody acknowledges, in order of time."""
    clock = clocks(severity, detected_at, policy)
    response, resolution = clock.response_due - detected_at, clock.resolution_due - detected_at
    all_rungs = (
        Rung(name, number, step.role, people(step.contacts, at, policy), at)
        for name, ladder in policy.ladders.items()
        for number, step in enumerate(ladder.levels, start=1)
        for at in [detected_at + step.after.after(response, resolution)]
    )
    return tuple(sorted(all_rungs, key=lambda rung: (rung.at, rung.ladder, rung.level)))


def notices(severity: Severity, detected_at: datetime, policy: Policy) -> tuple[Notice, ...]:
    """Every group the severity names, in order of time."""
    all_notices = (
        Notice(one.group, people(policy.contacts.groups[one.group], at, policy), at, one.only_when or "")
        for one in policy.severities[severity].notify
        for at in [detected_at + one.within]
    )
    return tuple(sorted(all_notices, key=lambda notice: (notice.at, notice.group)))


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
