"""How much room a drill needs, before it takes any (M3-01; D18)."""

from __future__ import annotations

from typing import Protocol

from clo_ops.policy.recovery import GuardTerms

EMPTY_CLUSTER = 256 * 1024 * 1024  # system catalogs, the smallest WAL, and what sorting spills


class Sized(Protocol):
    """What is known of a backup. Bytes; 0 where nobody knows."""

    @property
    def size_bytes(self) -> int: ...
    @property
    def database_bytes(self) -> int: ...


def expected_size(backup: Sized, terms: GuardTerms) -> int:
    """Bytes of the restored database: as large as it was, else the archive times the policy's expansion factor."""
    return backup.database_bytes or int(backup.size_bytes * terms.expansion_factor)


def needed_room(size: int, terms: GuardTerms, feeds_standby: bool) -> int:
    """Bytes for one server of a database of ``size`` bytes: a primary that feeds a standby writes it all to WAL too."""
    return int(size * terms.headroom) * (2 if feeds_standby else 1) + EMPTY_CLUSTER
