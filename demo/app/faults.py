"""The faults the switch board has set, as the application sees them.

The file is re-read when its modification time, size or inode changes, so a switch works on the next request.
"""

from __future__ import annotations

import json
from pathlib import Path


class Faults:
    def __init__(self, state_dir: Path) -> None:
        self._file = state_dir / "faults.json"
        self._seen: tuple[int, int, int] | None = None
        self._on: frozenset[str] = frozenset()

    def on(self, name: str) -> bool:
        return name in self.current()

    def current(self) -> frozenset[str]:
        try:
            stat = self._file.stat()
        except FileNotFoundError:
            self._seen, self._on = None, frozenset()
            return self._on
        mark = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        if mark != self._seen:
            self._on = frozenset(json.loads(self._file.read_text("utf-8"))["faults"])
            self._seen = mark
        return self._on
