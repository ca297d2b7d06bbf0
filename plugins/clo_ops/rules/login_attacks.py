"""Patterns in refused logins: brute force, spraying, credential stuffing (WM-07, manual L111).

Each is told once: what a spray from one source explains is no stuffing, what a brute force on one account explains
is no spray.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from clo_ops.findings.performed import Judged, Row, Violation

# What the question counts together.
SLOT = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Slot:
    """What one account was tried with from one source within five minutes."""

    at: datetime
    username: str
    source: str
    refused: int
    accepted: int


def _slots(rows: Sequence[Row]) -> list[Slot]:
    return [
        Slot(datetime.fromisoformat(row["starts_at"]), row["username"], row["source"], row["refused"], row["accepted"])
        for row in rows
    ]


def brute_force(rows: Sequence[Row], parameters: Mapping[str, Any]) -> Judged:
    """More than ``refused`` refusals of one account within ``minutes``."""
    found = []
    for name, tried in _by(_slots(rows), lambda one: one.username):
        worst = max(_recent(tried, parameters), key=_refused, default=())
        if _refused(worst) > parameters["refused"]:
            sources = _listed(sorted({one.source for one in worst if one.refused}))
            found.append(
                Violation(name, f"{_refused(worst)} refused {_when(worst)} from {sources}{_got_in(worst, tried)}")
            )
    return Judged(_tries(rows), tuple(found))


def spray(rows: Sequence[Row], parameters: Mapping[str, Any]) -> Judged:
    """One source refused at more than ``accounts`` accounts within ``minutes``, at most ``each`` times at each."""

    def few(slots: Sequence[Slot]) -> int:
        return len(_few(slots, parameters["each"]))

    found = []
    for source, tried in _by(_slots(rows), lambda one: one.source):
        worst = max(_recent(tried, parameters), key=few, default=())
        if few(worst) > parameters["accounts"]:
            names = _listed(sorted(_few(worst, parameters["each"])))
            said = f"{few(worst)} accounts refused {_when(worst)}, {names}{_got_in(worst, tried)}"
            found.append(Violation(f"source {source or 'unknown'}", said))
    return Judged(_tries(rows), tuple(found))


def stuffing(rows: Sequence[Row], parameters: Mapping[str, Any]) -> Judged:
    """More than ``accounts`` accounts refused within ``minutes`` from more than ``sources`` sources, each few times.

    Sources that spray by themselves (``of_one_source`` accounts) are left to ``spray``.
    """
    slots = _slots(rows)
    sprayers = {source for source, tried in _by(slots, lambda one: one.source) if _sprays(tried, parameters)}
    others = [one for one in slots if one.source not in sprayers]
    worst = max(_recent(others, parameters), key=_spread, default=())
    accounts, sources = _accounts(worst), {one.source for one in worst if one.refused}
    if len(accounts) > parameters["accounts"] and len(sources) > parameters["sources"]:
        said = f"{len(accounts)} accounts refused from {len(sources)} sources {_when(worst)}{_got_in(worst, others)}"
        return Judged(_tries(rows), (Violation("credential stuffing", said),))
    return Judged(_tries(rows))


def _sprays(tried: list[Slot], parameters: Mapping[str, Any]) -> bool:
    return any(len(_accounts(one)) > parameters["of_one_source"] for one in _windows(tried, parameters["minutes"]))


def _spread(slots: Sequence[Slot]) -> int:
    return len(_accounts(slots))


def _by(slots: Iterable[Slot], key: Any) -> list[tuple[str, list[Slot]]]:
    found: dict[str, list[Slot]] = defaultdict(list)
    for one in slots:
        found[key(one)].append(one)
    return sorted(found.items())


def _windows(slots: Sequence[Slot], minutes: int) -> Iterator[Sequence[Slot]]:
    """Every stretch of ``minutes`` that ends with a slot; the slots come in the order of their time."""
    length, first = timedelta(minutes=minutes), 0
    for last, one in enumerate(slots):
        while one.at - slots[first].at >= length:
            first += 1
        if last + 1 == len(slots) or slots[last + 1].at > one.at:
            yield slots[first : last + 1]


def _recent(slots: Sequence[Slot], parameters: Mapping[str, Any]) -> Iterator[Sequence[Slot]]:
    """Stretches that reach into the time looked at; what went on as it began was partly seen by the review before."""
    since = parameters.get("since")
    for stretch in _windows(slots, parameters["minutes"]):
        if since is None or stretch[-1].at + SLOT > datetime.fromisoformat(since):
            yield stretch


def _refused(slots: Sequence[Slot]) -> int:
    return sum(one.refused for one in slots)


def _accounts(slots: Sequence[Slot]) -> set[str]:
    return {one.username for one in slots if one.refused}


def _few(slots: Sequence[Slot], each: int) -> set[str]:
    counted: dict[str, int] = defaultdict(int)
    for one in slots:
        counted[one.username] += one.refused
    return {name for name, count in counted.items() if 0 < count <= each}


def _when(slots: Sequence[Slot]) -> str:
    return f"between {slots[0].at:%Y-%m-%d %H:%M} and {slots[-1].at + SLOT:%H:%M} UTC"


def _got_in(worst: Sequence[Slot], tried: Iterable[Slot]) -> str:
    """Who was refused and, then or later, let in from the same source: what was tried may have worked."""
    refused = {(one.username, one.source) for one in worst if one.refused}
    later = (one for one in tried if one.accepted and one.at >= worst[0].at)
    inside = sorted({one.username for one in later if (one.username, one.source) in refused})
    return f"; let in afterwards: {_listed(inside)}" if inside else ""


def _listed(names: Sequence[str], most: int = 10) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _tries(rows: Sequence[Row]) -> int:
    return sum(row["refused"] + row["accepted"] for row in rows)
