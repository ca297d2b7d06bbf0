"""The failover of the drill (M3-04, M3-05; manual L210-L212, D63): on throw-away servers, never on production's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clo_ops.findings import Answer

if TYPE_CHECKING:
    from clo_ops.actions.drill.place import Place
    from clo_ops.policy.failover import Failover


def run(place: Place, figures: Failover, *, synchronous: bool = True) -> Answer:
    """Build a standby, write markers, cut the primary off, promote, and see that every acknowledged marker is there."""
    raise NotImplementedError
