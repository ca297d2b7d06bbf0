"""What the watchdog remembers between two rounds, in one small file: it must not need any server for that."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)


@dataclass
class Memory:
    """``seen``: the last sign of life of each thing watched, or since when it is waited for. ``silent``: what was
    told to be silent. ``away_since``: the ledger does not answer; ``told``: people know."""

    seen: dict[str, datetime] = field(default_factory=dict)
    silent: tuple[str, ...] = ()
    away_since: datetime | None = None
    told: bool = False

    def sign(self, name: str, at: datetime | None, now: datetime) -> None:
        """``name`` was alive at ``at``; None: it has never shown itself, and is waited for from now on."""
        known = self.seen.get(name)
        if at is not None and (known is None or at > known):
            self.seen[name] = min(at, now)
        elif known is None:
            self.seen[name] = now


def recall(path: Path) -> Memory:
    """What was written last; nothing where there is nothing, or nothing readable."""
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        away = facts.get("away_since")
        return Memory(
            seen={name: datetime.fromisoformat(at) for name, at in facts.get("seen", {}).items()},
            silent=tuple(facts.get("silent", ())),
            away_since=datetime.fromisoformat(away) if away else None,
            told=bool(facts.get("told")),
        )
    except FileNotFoundError:
        return Memory()
    except (ValueError, TypeError, AttributeError) as error:
        log.warning("%s cannot be read (%s): the watchdog begins anew", path, error)
        return Memory()


def remember(memory: Memory, path: Path) -> None:
    """Write it down, whole or not at all. Raises OSError."""
    facts = {
        "seen": {name: at.isoformat() for name, at in sorted(memory.seen.items())},
        "silent": list(memory.silent),
        "away_since": memory.away_since.isoformat() if memory.away_since else None,
        "told": memory.told,
    }
    replace(path, facts)


def replace(path: Path, facts: Mapping[str, Any]) -> None:
    """One JSON file in the place of the last. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    part = path.with_name(f".{path.name}.part")
    part.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    part.replace(path)
