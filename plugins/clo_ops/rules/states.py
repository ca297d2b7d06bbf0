"""A state of the system against its own state at the last look, and against a list of demands (WM-08, WM-09, WF-06)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from clo_ops.findings.performed import Judged, Row, Violation

FIRST = "this is the first look: what is there now is on record, the next one compares with it"
# What a demand on a setting may say, and whether a value meets it.
DEMANDS: dict[str, Callable[[str, Any], bool]] = {
    "is": lambda value, wanted: value in _listed(wanted),
    "is_not": lambda value, wanted: value not in _listed(wanted),
    "holds": lambda value, wanted: all(one in value for one in _listed(wanted)),
    "at_least": lambda value, wanted: float(value) >= wanted,
    "at_most": lambda value, wanted: float(value) <= wanted,
}


def _listed(wanted: Any) -> tuple[str, ...]:
    return tuple(map(str, wanted)) if isinstance(wanted, list | tuple) else (str(wanted),)


def changes(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Key and what became of it, of everything that is not as it was."""
    for key in sorted(before.keys() | now.keys()):
        if key not in before:
            yield key, f"is new: {now[key]}" if now[key] else "is new"
        elif key not in now:
            yield key, f"is gone, was: {before[key]}" if before[key] else "is gone"
        elif before[key] != now[key]:
            yield key, f"was {before[key] or 'plain'}, is {now[key] or 'plain'}"


def as_state(rows: Sequence[Row]) -> dict[str, str]:
    """Rows of key and value; of rows with a kind, those of the state."""
    return {row["key"]: row["value"] or "" for row in rows if row.get("kind", "state") == "state"}


def changed(rows: Sequence[Row], before: Mapping[str, str] | None, before_at: str = "") -> Judged:
    """Every difference from the last look. Who made it PostgreSQL does not say: between which looks, we do."""
    now = as_state(rows)
    if before is None:
        return Judged(len(now), not_assessed=FIRST)
    found = (Violation(key, f"{what}; since the look of {before_at}") for key, what in changes(before, now))
    return Judged(len(now), tuple(found))


def noted(rows: Sequence[Row], before: Mapping[str, str] | None, before_at: str = "") -> Judged:
    """Every change of the state has an entry in the trail, and every entry a change."""
    now, trail = as_state(rows), {row["key"] for row in rows if row["kind"] == "noted"}
    if before is None:
        return Judged(len(now), not_assessed=FIRST)
    seen = dict(changes(before, now))
    silent = [
        Violation(key, f"{what}; since the look of {before_at}, and the trail does not speak of it")
        for key, what in seen.items()
        if key not in trail
    ]
    idle = [Violation(key, "the trail has a change, and it is as it was") for key in sorted(trail - seen.keys())]
    return Judged(len(now), (*silent, *idle))


def settings(rows: Sequence[Row], demands: Mapping[str, Mapping[str, Any]]) -> Judged:
    """Each setting against its demand. A setting this server does not have meets none."""
    found = {row["name"]: row for row in rows}
    broken = [one for name, demand in demands.items() for one in _against(name, found.get(name), demand)]
    waiting = [
        Violation(f"setting {name}", "its file was changed and the server has not been restarted since")
        for name, row in found.items()
        if row["pending_restart"]
    ]
    return Judged(len(demands), (*broken, *waiting))


def _against(name: str, row: Row | None, demand: Mapping[str, Any]) -> Iterator[Violation]:
    if row is None:
        yield Violation(f"setting {name}", "this server has no such setting")
        return
    for word, wanted in demand.items():
        if not _meets(word, str(row["setting"]), wanted):
            allowed = f"{word.replace('_', ' ')} {' or '.join(_listed(wanted))}"
            yield Violation(f"setting {name}", f"{row['setting'] or 'empty'}; the baseline: {allowed}")


def _meets(word: str, value: str, wanted: Any) -> bool:
    try:
        return DEMANDS[word](value, wanted)
    except ValueError:
        return False  # a text where a number is demanded
