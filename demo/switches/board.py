"""On and off. On twice is harmless; off restores exactly; a board killed in the middle is put right by the next one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from demo.switches.actions import Action
from demo.switches.catalogue import FAULTS, Fault
from demo.switches.journal import Journal
from demo.switches.places import Places

# Whatever else is on may need the database or Redis to be undone.
_FIRST = ("stopped-postgres", "stopped-redis")


class BoardError(RuntimeError):
    """The fault could not be switched; the sentence says why."""


class UnknownFault(BoardError):
    """A name that is not in the catalogue; the sentence names those that are."""


def fault_of(name: str) -> Fault:
    if name not in FAULTS:
        raise UnknownFault(f"no fault is called {name!r}; allowed are {', '.join(FAULTS)}")
    return FAULTS[name]


def switch_on(state: Path | str, name: str) -> None:
    """Raises UnknownFault, BoardError, and what the action raises when it cannot be done (then nothing is left on)."""
    fault, journal, places = fault_of(name), Journal(Path(state)), Places(Path(state))
    with journal.alone():
        since = datetime.now(UTC).isoformat(timespec="seconds")
        if fault.action:
            _act(fault, fault.action, journal, places, since)
        if fault.flag and name not in journal.flags():
            journal.set_flag(name, since)


def _act(fault: Fault, action: Action, journal: Journal, places: Places, since: str) -> None:
    known = journal.actions()
    if fault.name in known and known[fault.name]["phase"] == "on":
        return
    _refuse_neighbours(fault, known)
    if fault.name in known:
        _undo(fault.name, action, journal, places)
    memory = action.plan(places)
    journal.note(fault.name, since, "switching on", memory)
    try:
        action.do(places, memory)
    except Exception:
        _undo(fault.name, action, journal, places)
        raise
    journal.note(fault.name, since, "on", memory)


def _refuse_neighbours(fault: Fault, known: dict[str, Any]) -> None:
    for other in known:
        if fault.group and other != fault.name and FAULTS[other].group == fault.group:
            raise BoardError(f"{other} is on and changes the same {fault.group}; switch it off before {fault.name}")


def _undo(name: str, action: Action, journal: Journal, places: Places) -> None:
    known = journal.actions()
    if name in known:
        action.undo(places, known[name]["memory"])
        journal.forget(name)


def switch_off(state: Path | str, name: str) -> None:
    """Nothing happens when it is off. Raises UnknownFault, and what the action raises; it is then still on."""
    fault, journal, places = fault_of(name), Journal(Path(state)), Places(Path(state))
    with journal.alone():
        # The flag first: what is cleaned up must not be broken anew meanwhile.
        journal.clear_flag(name)
        if fault.action:
            _undo(name, fault.action, journal, places)


def switch_off_all(state: Path | str) -> list[str]:
    """Everything that is on, services first. Raises BoardError naming what could not be undone, after trying all."""
    names = sorted(status(state), key=lambda name: (name not in _FIRST, not name.startswith("stopped"), name))
    failed = []
    for name in names:
        try:
            switch_off(state, name)
        except Exception as error:  # noqa: BLE001 - the others must be put right whatever happened to this one
            failed.append(f"{name}: {error}")
    if failed:
        raise BoardError("still on: " + "; ".join(failed))
    return names


def status(state: Path | str) -> dict[str, str]:
    """What is on, and since when (UTC, ISO)."""
    journal = Journal(Path(state))
    entries = journal.flags() | journal.actions()
    return {name: entry["since"] for name, entry in sorted(entries.items())}
