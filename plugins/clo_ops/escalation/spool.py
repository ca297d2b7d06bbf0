"""What could not be put on record because the ledger was away: kept in a directory until it is back (IR-10).

One JSON file for each sighting, whole or not there at all. Whoever next reaches the ledger takes them in; a cause is
one incident however often it is taken in.
"""

from __future__ import annotations

import json
import logging
import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from clo_ops.escalation.sighting import Sighting
from clo_ops.findings import Severity

log = logging.getLogger(__name__)
SUFFIX = ".sighting.json"


class Spool:
    """``directory`` is made when first needed. Raises OSError where nothing can be written there either."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def keep(self, seen: Sighting) -> Path:
        """Put a sighting aside; on disk when this returns."""
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        name = f"{seen.at:%Y%m%dT%H%M%S}-{uuid.uuid4().hex}"
        part, path = self.directory / f".{name}.part", self.directory / f"{name}{SUFFIX}"
        facts = asdict(seen) | {"at": seen.at.isoformat(), "severity": seen.severity.value}
        with part.open("w", encoding="utf-8") as file:
            json.dump(facts, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        return path

    def waiting(self) -> Iterator[tuple[Path, Sighting]]:
        """Everything put aside, oldest first. What is no sighting is left where it is, and said."""
        for path in sorted(self.directory.glob(f"*{SUFFIX}")):
            try:
                facts = json.loads(path.read_text(encoding="utf-8"))
                moment, severity = datetime.fromisoformat(facts.pop("at")), Severity(facts.pop("severity"))
                yield path, Sighting(at=moment, severity=severity, **facts)
            except FileNotFoundError:
                continue  # somebody else has taken it in
            except (ValueError, TypeError, KeyError):
                log.exception("%s is no sighting; look at it and remove it", path)

    def take_in(self, detect: Callable[[Sighting], object]) -> int:
        """Hand everything to the desk; a file goes once the desk has it. How many were taken in."""
        taken = 0
        for path, seen in self.waiting():
            detect(seen)
            path.unlink(missing_ok=True)
            taken += 1
        return taken
