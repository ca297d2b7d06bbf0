"""What is switched on, on disk: a flag file the application reads, and a journal of what must be undone.

The journal is written before anything is changed, so that a board killed in the middle can still put things back.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def write_whole(path: Path, content: dict[str, Any]) -> None:
    """Old content or new, never half; readable by its owner only, for it may hold session keys."""
    part = path.with_name(f".{path.name}.part")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=1, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def _read(path: Path, empty: dict[str, Any]) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return empty
    return found


class Journal:
    def __init__(self, state: Path) -> None:
        self.flags_file = state / "faults.json"
        self.actions_file = state / "switches.json"
        self.lock_file = state / "switches.lock"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """One board at a time; the lock goes with the process that holds it."""
        self.lock_file.parent.mkdir(parents=True, exist_ok=True)
        with self.lock_file.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def flags(self) -> dict[str, Any]:
        found: dict[str, Any] = _read(self.flags_file, {"faults": {}})["faults"]
        return found

    def actions(self) -> dict[str, Any]:
        found: dict[str, Any] = _read(self.actions_file, {"actions": {}})["actions"]
        return found

    def set_flag(self, name: str, since: str) -> None:
        write_whole(self.flags_file, {"faults": self.flags() | {name: {"since": since}}})

    def clear_flag(self, name: str) -> None:
        left = self.flags()
        if left.pop(name, None) is not None:
            write_whole(self.flags_file, {"faults": left})

    def note(self, name: str, since: str, phase: str, memory: dict[str, Any]) -> None:
        entry = {"since": since, "phase": phase, "memory": memory}
        write_whole(self.actions_file, {"actions": self.actions() | {name: entry}})

    def forget(self, name: str) -> None:
        left = self.actions()
        if left.pop(name, None) is not None:
            write_whole(self.actions_file, {"actions": left})
