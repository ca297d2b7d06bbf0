"""A missed deadline is told although the ledger is away when it passes; Airflow itself would not call again."""

from __future__ import annotations

import asyncio

import pytest

from clo_ops.ledger.errors import LedgerUnavailable
from clo_ops.orchestration import deadlines, escalate

LATE = {"dag_id": "daily_morning_startup", "dag_run_id": "manual__1", "state": "running"}
CONTEXT = {"dag_run": LATE, "deadline": {"id": "d1", "deadline_time": "2026-11-23T08:30:00Z"}}


@pytest.fixture
def told(monkeypatch):
    """What management is told by a ledger that answers the third time only."""
    tries, said = [], []

    def tell(escalation):
        tries.append(escalation)
        if len(tries) < 3:
            raise LedgerUnavailable("ledger: connection refused")
        said.append(escalation.dedup_key)

    monkeypatch.setattr(escalate, "tell_management", tell)
    monkeypatch.setattr(deadlines, "PAUSE", 0)
    return said


def test_a_ledger_that_is_away_is_waited_for(told):
    asyncio.run(deadlines.deadline_missed(CONTEXT))
    assert told == ["late:daily_morning_startup:manual__1:d1"]


def test_one_that_does_not_come_back_is_an_error_in_the_end(told, monkeypatch):
    monkeypatch.setattr(deadlines, "TRIES", 2)
    with pytest.raises(LedgerUnavailable):
        asyncio.run(deadlines.deadline_missed(CONTEXT))
    assert told == []


@pytest.mark.parametrize("state", ["success", "failed"])
def test_a_run_that_is_over_is_not_late(told, state):
    asyncio.run(deadlines.deadline_missed({**CONTEXT, "dag_run": {**LATE, "state": state}}))
    assert told == []
