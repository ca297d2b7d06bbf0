"""How long each phase of a drill took, broken off or not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from clo_ops.findings import Answer, Measurement

PHASE = "drill.phase.duration"


@dataclass
class Taken:
    """Filled in when the phase ends."""

    answer: Answer = field(default_factory=Answer)


@contextmanager
def phase(name: str) -> Iterator[Taken]:
    """``drill.phase.duration`` (s) {phase} in ``answer`` of what is yielded once the body ended well."""
    taken, started = Taken(), time.monotonic()
    yield taken
    seconds = time.monotonic() - started
    taken.answer = Answer((Measurement(PHASE, seconds, "s", datetime.now(UTC), {"phase": name}),))
