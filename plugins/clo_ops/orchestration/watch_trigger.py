"""The watch round the clock, in the triggerer: no worker slot is held, and an incident starts its DAG at once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, AssetWatcher
from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from clo_ops.orchestration.connections import Connections
from clo_ops.orchestration.response import without_a_run
from clo_ops.policy import load_policy

if TYPE_CHECKING:
    from clo_ops.ledger import IncidentRow
    from clo_ops.orchestration.watch import Look, Watch
    from clo_ops.probes.log_errors import Positions

log = logging.getLogger(__name__)
NAME = "clo_ops/watch"


class Standing:
    """A watch with its ledger and courier, opened when first needed and anew after it broke."""

    def __init__(self) -> None:
        self._watch: Watch | None = None
        self._closers: list[Any] = []
        self._announced: dict[int, datetime] = {}
        self._positions: Positions = {}

    def look(self, now: datetime) -> Look | None:
        """One look; None, and a line in the log, where our own ledger or configuration does not let us."""
        try:
            self._watch = self._watch or self._open()
            return self._watch.look(now)
        except Exception:
            # Whatever it is, the next look is tried: an exception that left here would end the watch for good.
            log.exception("the watch could not look")
            self.close()
            return None

    def unattended(self, now: datetime) -> list[IncidentRow]:
        """The open incidents no run works on, whoever opened them. One that still has none is told of again, each time
        after twice the time: its event was lost, or its run was killed before it took it up. Airflow 3.3 loses an event
        that comes while its scheduler has not yet made a run of the one before.
        """
        try:
            ledger = self._watch.ledger if self._watch else None
            waiting = {one.id: one for one in without_a_run(ledger, now)} if ledger else {}
        except Exception:
            log.exception("the watch cannot see which incidents are open")
            return []
        patience = load_policy().alerting.watch.announce_again
        told = {
            number: at
            for number, at in self._announced.items()
            if number in waiting and now - at < max(patience, at - waiting[number].opened_at)
        }
        found = [one for number, one in waiting.items() if number not in told]
        self._announced = told | {one.id: now for one in found}
        return found

    def close(self) -> None:
        self._watch = None
        while self._closers:
            self._closers.pop().close()

    def _open(self) -> Watch:
        from clo_ops.orchestration.attendance import ExpectedRuns
        from clo_ops.orchestration.escalate import spool
        from clo_ops.orchestration.incidents import Courier
        from clo_ops.orchestration.incidents import desk as desk_on
        from clo_ops.orchestration.second_path import SecondPath
        from clo_ops.orchestration.watch import Watch
        from clo_ops.probes.watch import questions

        policy, connections = load_policy(), Connections(NAME)
        ledger = connections.ledger()
        self._closers.append(ledger)
        courier = Courier(connections)
        self._closers.append(courier)
        desk = desk_on(ledger, policy)
        second_path = SecondPath(connections)
        self._closers.append(second_path)
        beside = (lambda _: spool().take_in(desk.detect), ExpectedRuns(desk), second_path)
        watch = Watch(policy, questions(policy, connections, self._positions), ledger, desk, courier, beside)
        self._closers.append(watch)
        return watch


class AlertWatch(BaseEventTrigger):
    """Looks every ``policy.alerting.watch.every``; yields an event that names the incidents no run works on yet.

    All of a look in one: of several events at one instant Airflow 3.3 hands the run it starts the first only.
    """

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return "clo_ops.orchestration.watch_trigger.AlertWatch", {}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        standing = Standing()
        try:
            while True:
                began = asyncio.get_running_loop().time()
                await asyncio.to_thread(standing.look, datetime.now(UTC))
                found = await asyncio.to_thread(standing.unattended, datetime.now(UTC))
                if found:
                    payload = {"incidents": [one.id for one in found]}
                    yield TriggerEvent(payload)  # type: ignore[no-untyped-call] # Airflow's own
                spent = asyncio.get_running_loop().time() - began
                every = load_policy().alerting.watch.every.total_seconds()
                await asyncio.sleep(max(0.1, every - spent))
        finally:
            await asyncio.to_thread(standing.close)


def incidents_asset() -> Asset:
    """What the DAG incident_response waits for."""
    trigger = AlertWatch()  # type: ignore[no-untyped-call] # Airflow's own
    return Asset("clo_incidents", watchers=[AssetWatcher(name="watch", trigger=trigger)])
