"""Which backups are read whole today, and in what order: nothing without need, everything within policy's days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clo_ops.policy.backups import Verification

TODAY = timedelta(hours=12)
NEVER = datetime.min.replace(tzinfo=UTC)
READ_FAULTS = ("hash", "format", "decode")


@dataclass(frozen=True, slots=True)
class Remembered:
    """What the ledger holds of a backup: the bytes it was, and when they were last read and found good or bad."""

    size: int | None
    modified: datetime | None
    sha256: str
    read_at: datetime | None
    failed_at: datetime | None = None
    failure: str = ""
    level: int | None = None
    since: datetime | None = None

    @property
    def bad(self) -> bool:
        """Reading it is what found it bad; other faults show without reading, and may be gone by tomorrow."""
        return self.failed_at is not None and self.failure.partition(":")[0] in READ_FAULTS


@dataclass(frozen=True, slots=True)
class Candidate:
    """A backup as it lies there now; ``sha256`` is its manifest's, empty without one."""

    path: str
    size: int
    modified: datetime | None
    sha256: str
    taken: datetime | None
    remembered: Remembered | None = None

    @property
    def changed(self) -> bool:
        """Not the file that was read: never read at all, or another size, time or manifest since."""
        known = self.remembered
        if known is None or (known.read_at is None and not known.bad):
            return True
        other = known.size != self.size or known.modified != self.modified
        # Of a bad one the ledger holds what its bytes are: a manifest that agrees with them is a new one.
        agrees = self.sha256 == known.sha256 or not (self.sha256 and known.sha256)
        return other or (agrees if known.bad and known.failure.startswith("hash") else not agrees)

    @property
    def failing(self) -> bool:
        """Read, found bad, and the same file since: reading it again would say the same."""
        return not self.changed and self.remembered is not None and self.remembered.bad

    @property
    def last_read(self) -> datetime:
        """When these bytes were last read whole; long ago where they never were."""
        read = self.remembered.read_at if self.remembered and not self.changed else None
        return read or NEVER


def due(candidates: Sequence[Candidate], policy: Verification, at: datetime) -> list[Candidate]:
    """New and changed ones first, newest first; then a day's share of the rest, then those whose time is up.

    The share is what spreads reading evenly: with 57 backups and 7 days, the 9 that were not read for longest.
    """
    new = sorted((one for one in candidates if one.changed), key=lambda one: (one.taken or NEVER, one.path))
    old = sorted((one for one in candidates if not one.changed and not one.failing), key=lambda one: one.last_read)
    share = ceil(len(old) / max(1, policy.read_within.days))
    by_share = [one for one in old[:share] if at - one.last_read > TODAY]
    by_age = [one for one in old[share:] if at - one.last_read > policy.read_within - TODAY]
    return [*reversed(new), *by_share, *by_age]
