"""What a worker killed while it built a standby left: the half-made standby, and its slot at the primary (M3-04).

The next try removes both before it begins anew. The primary is asked first: where it does not answer it may have been
cut off already, and what is there may be the promoted standby, which nobody may remove.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from clo_ops.actions.drill.engine import Engine
from clo_ops.actions.drill.place import PlaceFailed, Server
from clo_ops.actions.drill.session import writing
from clo_ops.probes.postgres import rows

SLOT = "standby"
LOOK_AGAIN = 0.1  # seconds
# Its container, its volume, and what lends that volume its place while it is written to.
OF_A_STANDBY = ("standby", "standby-data", "data-staging")


def begin_anew(primary: Server, production: str, remove: Callable[[], object], *, within: float = 60.0) -> None:
    """``remove`` what is there of the standby, then free its slot at ``primary``; nothing where neither is there.

    ``production`` is the system identifier in the manifest, ``within`` seconds. Raises Unreachable where the primary
    does not answer (nothing is removed then), PlaceFailed where it is production or the slot is not given up.
    """
    with writing(replace(primary.target, database="postgres"), production=production) as session:
        remove()
        deadline = time.monotonic() + within
        while rows(session, "failover/slot", {"slot": SLOT}):
            if time.monotonic() > deadline:
                raise PlaceFailed(f"the slot {SLOT} of an earlier standby is still held after {within:g} s")
            rows(session, "failover/end_walsenders")
            rows(session, "failover/drop_slot", {"slot": SLOT})
            time.sleep(LOOK_AGAIN)


def remove_standby(engine: Engine, drill: str) -> list[str]:
    """The standby of this very drill in Docker, whole or half made; the names of what was removed."""
    found = [one for one in engine.ours(drill, ("container", "volume")) if one.role in OF_A_STANDBY]
    return [str(one) for one in found if engine.remove(one)]
