"""Waiting for people and for the end of incidents, in the triggerer: no worker slot is held, for days if need be.

No trigger here fires at once. A task resumed before its worker's end is known to the scheduler is taken by Airflow 3.3
for one killed from outside ("finished with state success, but the task instance's state attribute is queued"): its try
is lost, and a person's answer with it.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from airflow.sdk.exceptions import AirflowRuntimeError
from airflow.sdk.execution_time.hitl import get_hitl_detail_content_detail
from airflow.triggers.base import BaseTrigger, TriggerEvent

from clo_ops.orchestration.connections import Connections
from clo_ops.policy import load_policy

if TYPE_CHECKING:
    from clo_ops.ledger import IncidentRow, Ledger

log = logging.getLogger(__name__)
NAME = "clo_ops/incident_response/waiting"
SETTLED, NOBODY = "settled", "nobody answered"
NOT_ASKED = 404
TRIES = 5


def taken(one: IncidentRow, now: datetime, stable_for: timedelta) -> bool:
    return one.acknowledged_at is not None or restored(one, now, stable_for)


def restored(one: IncidentRow, now: datetime, stable_for: timedelta) -> bool:
    return one.mitigated_at is not None or not one.open


def over(one: IncidentRow, now: datetime, stable_for: timedelta) -> bool:
    return not one.open


def stable(one: IncidentRow, now: datetime, stable_for: timedelta) -> bool:
    return one.closed_at is not None and now - one.closed_at > stable_for


# What a run's incident is waited for; the same names are in the DAG.
STAGES: dict[str, Callable[[IncidentRow, datetime, timedelta], bool]] = {
    "taken": taken,
    "restored": restored,
    "over": over,
    "stable": stable,
}


def reached(stage: str, incident: IncidentRow | None, now: datetime) -> bool:
    """Whether the incident is so far. A run that has none any more waits for nothing."""
    return incident is None or STAGES[stage](incident, now, load_policy().alerting.response.stable_for)


class _SharedLedger:
    """One ledger for all that wait in this process: hundreds of waits are not hundreds of connections."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ledger: Ledger | None = None

    def incident_of_run(self, run_id: str) -> IncidentRow | None:
        with self._lock:
            self._ledger = self._ledger or Connections(NAME).ledger()
            return self._ledger.incident_of_run(run_id)


SHARED = _SharedLedger()


def answer_to(ti_id: str) -> dict[str, Any] | None:
    """What a person has answered to this task instance, in the form in which Airflow hands it over; None: nobody has.

    For the triggerer, which may ask this. Raises what Airflow's own API client raises.
    """
    try:
        found = get_hitl_detail_content_detail(ti_id=UUID(ti_id))
    except AirflowRuntimeError as error:
        if (error.error.detail or {}).get("status_code") == NOT_ASKED:
            return None
        raise
    if not (found.response_received and found.chosen_options):
        return None
    user = found.responded_by_user
    return {
        "chosen_options": list(found.chosen_options),
        "params_input": dict(found.params_input or {}),
        "responded_at": found.responded_at,
        "responded_by_user": {"id": user.id, "name": user.name} if user else None,
    }


class Until(BaseTrigger):
    """Fires ``settled`` once the run's incident has reached ``stage``, however that came about.

    Fires ``nobody answered`` at ``until`` (ISO 8601), so that silence never counts as an answer. A ledger that does not
    answer is asked again: it ends no wait.
    With ``ti_id`` it looks once whether somebody answered between the question and the wait: Airflow keeps such an
    answer and resumes nobody, and fires it as ``{"answer": ...}``.
    """

    def __init__(self, run_id: str, stage: str, until: str, ti_id: str = "") -> None:
        super().__init__()  # type: ignore[no-untyped-call] # Airflow's own
        self.run_id, self.stage, self.until, self.ti_id = run_id, stage, until, ti_id

    def serialize(self) -> tuple[str, dict[str, Any]]:
        facts = {"run_id": self.run_id, "stage": self.stage, "until": self.until, "ti_id": self.ti_id}
        return "clo_ops.orchestration.until.Until", facts

    async def run(self) -> AsyncIterator[TriggerEvent]:
        every = load_policy().alerting.watch.every.total_seconds()
        look_for_an_answer = bool(self.ti_id)
        while True:
            await asyncio.sleep(every)
            if look_for_an_answer:
                looked, answer = await asyncio.to_thread(self._answered_meanwhile)
                if answer:
                    yield TriggerEvent({"answer": answer})  # type: ignore[no-untyped-call] # Airflow's own
                    return
                look_for_an_answer = not looked
            now = datetime.now(UTC)
            if await asyncio.to_thread(self._reached, now):
                yield TriggerEvent({"clo_ops": SETTLED})  # type: ignore[no-untyped-call] # Airflow's own
                return
            if now > datetime.fromisoformat(self.until):
                yield TriggerEvent({"clo_ops": NOBODY})  # type: ignore[no-untyped-call] # Airflow's own
                return

    def _answered_meanwhile(self) -> tuple[bool, dict[str, Any] | None]:
        """Whether it could be seen, and the answer."""
        try:
            return True, answer_to(self.ti_id)
        except Exception:
            log.exception("cannot see whether somebody answered; looked for again")
            return False, None

    def _reached(self, now: datetime) -> bool:
        try:
            return reached(self.stage, SHARED.incident_of_run(self.run_id), now)
        except Exception:
            log.exception("cannot see how the incident of %s stands; asked again", self.run_id)
            return False


class Answered(BaseTrigger):
    """Fires what a person answered to an earlier try of this task instance, as ``{"answer": ...}``; None where nobody
    did.

    A question asked anew wipes the answer to the one before, also one that no try lived long enough to act on.
    """

    def __init__(self, ti_id: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # Airflow's own
        self.ti_id = ti_id

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return "clo_ops.orchestration.until.Answered", {"ti_id": self.ti_id}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        every = load_policy().alerting.watch.every.total_seconds()
        for left in reversed(range(TRIES)):
            await asyncio.sleep(every)
            try:
                answer = await asyncio.to_thread(answer_to, self.ti_id)
            except Exception:
                log.exception("cannot see whether somebody answered; %s", "asked again" if left else "taken for no")
                continue
            yield TriggerEvent({"answer": answer})  # type: ignore[no-untyped-call] # Airflow's own
            return
        yield TriggerEvent({"answer": None})  # type: ignore[no-untyped-call] # Airflow's own
