"""The application against the promoted (or restored) database (M3-06; manual L213), in containers of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from clo_ops.findings import Answer

if TYPE_CHECKING:
    from clo_ops.actions.drill.place import Place, Server
    from clo_ops.policy.failover import Application
    from clo_ops.probes.channel import Channel
    from clo_ops.probes.signin import Doors
    from clo_ops.probes.targets import Account


def check(
    place: Place,
    database: Server,
    account: Account,
    figures: Application,
    doors: Doors,
    channel: Channel,
    *,
    forbidden: Sequence[tuple[str, int]] = (),
) -> Answer:
    """Start the application on the drill's network and put its smoke checks to it."""
    raise NotImplementedError
