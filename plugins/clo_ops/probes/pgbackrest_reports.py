"""What is known of each backup a report of pgBackRest names: by the report, by what is remembered, and by its
``verify`` where that is due (a new backup, or one not read within policy's days).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby

from clo_ops.policy.backups import Verification
from clo_ops.probes.pgbackrest import PgBackRestBackup
from clo_ops.probes.pgbackrest_verification import NoProgram, NotVerified, Stanza, verify
from clo_ops.rules.rereading import TODAY, Remembered


@dataclass(frozen=True, slots=True)
class Report:
    """``level`` is 0 by its report, 2 once ``verify`` decoded it whole; ``read`` says that it did so now, ``read_at``
    when it did so before."""

    backup: PgBackRestBackup
    level: int
    detail: str
    fault: str = ""
    read: bool = False
    read_at: datetime | None = None
    could_not: str = ""


def reports(
    listed: Sequence[PgBackRestBackup], known: Mapping[str, Remembered], terms: Verification, *, at: datetime
) -> list[Report]:
    """Newest first in each stanza."""
    return [
        report
        for stanza, backups in groupby(sorted(listed, key=lambda one: one.stanza), key=lambda one: one.stanza)
        for report in _of_stanza(stanza, sorted(backups, key=lambda one: one.ended, reverse=True), known, terms, at)
    ]


def _of_stanza(
    stanza: str,
    backups: Sequence[PgBackRestBackup],
    known: Mapping[str, Remembered],
    terms: Verification,
    at: datetime,
) -> Iterator[Report]:
    seen, reason, open_question = None, "", False
    if any(_due(known.get(one.path), terms, at) for one in backups if not one.error):
        try:
            seen = verify(terms.pgbackrest, stanza)
        except NotVerified as error:
            reason, open_question = str(error), not isinstance(error, NoProgram)
    for one in backups:
        told = _read(one, seen) if seen else _told(one, known.get(one.path), reason)
        yield replace(told, could_not=reason) if open_question and not told.fault else told


def _due(remembered: Remembered | None, terms: Verification, at: datetime) -> bool:
    """One that was bad is read again: what was wrong with it may be the archive, which can be mended."""
    return remembered is None or remembered.read_at is None or at - remembered.read_at > terms.read_within - TODAY


def _read(one: PgBackRestBackup, seen: Stanza) -> Report:
    wrong = _own_words(one) or seen.fault(one) or "; ".join(seen.archive)
    if one.label not in seen.faults:
        reason = "pgbackrest verify did not tell of it"
        return replace(_told(one, None, reason), could_not=reason)
    if wrong:
        fault = "incomplete" if "missing" in wrong or "not in the archive" in wrong else "hash"
        return Report(one, 0, f"{_story(one)}: {wrong}", fault, read=True)
    said = f"{_story(one)}: pgbackrest verify decoded every file ({seen.said[one.label]}), its WAL is there"
    return Report(one, 2, said, read=True)


def _told(one: PgBackRestBackup, remembered: Remembered | None, reason: str) -> Report:
    if wrong := _own_words(one):
        return Report(one, 0, f"{_story(one)}: {wrong}", "decode")
    if remembered is not None and remembered.read_at is not None:
        said = f"{_story(one)}: pgbackrest verify decoded every file on {remembered.read_at:%Y-%m-%d %H:%M} UTC"
        return Report(one, max(2, remembered.level or 0), said, read_at=remembered.read_at)
    return Report(one, 0, f"{_story(one)}, by pgBackRest's own report and no deeper: {reason}")


def _own_words(one: PgBackRestBackup) -> str:
    return "its own report says that pages failed their checksum" if one.error else ""


def _story(one: PgBackRestBackup) -> str:
    return f"{one.kind} of {one.ended:%Y-%m-%d %H:%M} UTC"
