"""The one gate before anything is changed in the CLO system (D10): each need by itself; unknown keeps it closed."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from clo_ops.findings import Finding


class Need(StrEnum):
    """What must be so before a change. A caller names those its work depends on; leaving out one is its own choice."""

    PRIMARY = "primary"
    BACKUP = "backup"
    NO_BACKUP_RUNNING = "no backup running"
    NO_DRILL_RUNNING = "no drill running"
    NO_LONG_TRANSACTION = "no long transaction"
    ROOM = "room"
    REPLICATION = "replication"
    WINDOW = "window"
    ALONE = "alone"


ALL = frozenset(Need)
# What a cache or a log file asks for: no second copy of an index is made, nobody's transaction is in the way.
OUTSIDE_THE_DATABASE = frozenset({Need.WINDOW, Need.NO_DRILL_RUNNING, Need.ALONE})


@dataclass(frozen=True, slots=True)
class Gate:
    """``open`` only where every need was asked and is met. ``findings`` say why not; empty reasons where it is open."""

    open: bool
    findings: list[Finding] = field(default_factory=list)

    @property
    def reasons(self) -> list[str]:
        from clo_ops.findings import Status

        return [one.message for one in self.findings if one.status is not Status.PASS]
