"""Waiting for people and for the end of incidents, in the triggerer: no worker slot is held, for days if need be."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from clo_ops.orchestration.connections import Connections
from clo_ops.policy import load_policy

if TYPE_CHECKING:
    from clo_ops.ledger import IncidentRow, Ledger

log = logging.getLogger(__name__)
NAME = "clo_ops/incident_response/waiting"
SETTLED, NOBODY = "settled", "nobody answered"


def taken(one: IncidentRow, now: datetime, stable_for: timedelta) -> bool:
    return one.acknowledged_at is not None or restored(one, now, stable_for)


def restored(one: IncidentRow, now: datetime, stable_for: timedelta) -> bool:
    return one.mitigated_at is not None or not one.open


def over(one: IncidentRow, now: datetime, stable_for: timedelta) -> bool:
    return not one.open


def stable(one: IncidentRow, now: datetime, stable_for: timedelta) -> bool:
    return one.closed_at is not None and now - one.closed_at > stable_for


# What a run's incidents are waited for; the same names are in the DAG.
STAGES: dict[str, Callable[[IncidentRow, datetime, timedelta], bool]] = {
    "taken": taken,
    "restored": restored,
    "over": over,
    "stable": stable,
}


def reached(stage: str, incidents: list[IncidentRow], now: datetime) -> bool:
    """Whether every incident is so far. A run that has none any more waits for nothing."""
    stable_for = load_policy().alerting.response.stable_for
    return all(STAGES[stage](one, now, stable_for) for one in incidents)


class _SharedLedger:
    """One ledger for all that wait in this process: hundreds of waits are not hundreds of connections."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ledger: Ledger | None = None

    def incidents_of_run(self, run_id: str) -> list[IncidentRow]:
        with self._lock:
            self._ledger = self._ledger or Connections(NAME).ledger()
            return self._ledger.incidents_of_run(run_id)


SHARED = _SharedLedger()


class Until(BaseTrigger):
    """Fires ``settled`` once every incident of the run has reached ``stage``, however that came about.

    Fires ``nobody answered`` at ``until`` (ISO 8601), so that silence never counts as an answer. A ledger that does
    not answer is asked again: it ends no wait.
    """

    def __init__(self, run_id: str, stage: str, until: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # Airflow's own
        self.run_id, self.stage, self.until = run_id, stage, until

    def serialize(self) -> tuple[str, dict[str, Any]]:
        facts = {"run_id": self.run_id, "stage": self.stage, "until": self.until}
        return "clo_ops.orchestration.until.Until", facts

    async def run(self) -> AsyncIterator[TriggerEvent]:
        every = load_policy().alerting.watch.every.total_seconds()
        while True:
            now = datetime.now(UTC)
            if await asyncio.to_thread(self._reached, now):
                yield TriggerEvent({"clo_ops": SETTLED})  # type: ignore[no-untyped-call] # Airflow's own
                return
            if now > datetime.fromisoformat(self.until):
                yield TriggerEvent({"clo_ops": NOBODY})  # type: ignore[no-untyped-call] # Airflow's own
                return
            await asyncio.sleep(every)

    def _reached(self, now: datetime) -> bool:
        try:
            return reached(self.stage, SHARED.incidents_of_run(self.run_id), now)
        except Exception:
            log.exception("cannot see how the incidents of %s stand; asked again", self.run_id)
            return False
