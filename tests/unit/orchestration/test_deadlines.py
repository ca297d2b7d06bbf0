"""A missed deadline becomes an incident, also while the ledger is away; Airflow itself would not call again."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager

import pytest

from clo_ops.findings import Finding, Severity, Status
from clo_ops.ledger.errors import LedgerUnavailable
from clo_ops.orchestration import deadlines, escalate
from clo_ops.policy import load_policy

LATE = {"dag_id": "daily_morning_startup", "dag_run_id": "manual__1", "state": "running"}
CONTEXT = {"dag_run": LATE, "deadline": {"id": "d1", "deadline_time": "2026-11-23T08:30:00Z"}}


@pytest.fixture
def told(monkeypatch):
    said = []
    monkeypatch.setattr(escalate, "tell", lambda seen, dag_id: said.append((seen.cause, dag_id)))
    return said


@pytest.fixture
def ledger_away(monkeypatch, tmp_path):
    @contextmanager
    def away(dag_id):
        raise LedgerUnavailable("ledger: connection refused")
        yield

    monkeypatch.setattr(escalate, "_desk", away)
    monkeypatch.setenv("CLO_OPS_SPOOL", str(tmp_path / "spool"))


def waiting():
    return [seen for _, seen in escalate.spool().waiting()]


def test_a_run_still_going_is_late(told):
    asyncio.run(deadlines.deadline_missed(CONTEXT))
    assert told == [("late:daily_morning_startup:manual__1", "daily_morning_startup")]


@pytest.mark.parametrize("state", ["success", "failed"])
def test_a_run_that_is_over_is_not_late(told, state):
    asyncio.run(deadlines.deadline_missed({**CONTEXT, "dag_run": {**LATE, "state": state}}))
    assert told == []


def test_while_the_ledger_is_away_it_waits_and_is_whole(ledger_away):
    asyncio.run(deadlines.deadline_missed(CONTEXT))
    (seen,) = waiting()
    assert seen.cause == "late:daily_morning_startup:manual__1"
    assert "DM-04" in seen.observed
    assert "2026-11-23 08:30" in seen.allowed
    assert " after its time. It stands for: DM-01" in seen.observed


def test_a_failed_run_waits_too(ledger_away):
    class Ended:
        dag_id, run_id = "daily_morning_startup", "manual__1"

    escalate.run_failed({"dag_run": Ended, "reason": "timed_out"})
    (seen,) = waiting()
    assert (seen.cause, "timed_out" in seen.observed) == ("failed:daily_morning_startup", True)


def test_what_waits_is_taken_in_once_and_a_broken_file_is_left(ledger_away):
    asyncio.run(deadlines.deadline_missed(CONTEXT))
    spool = escalate.spool()
    broken = spool.directory / "0.sighting.json"
    broken.write_text("{")
    seen = []
    assert spool.take_in(seen.append) == 1
    assert spool.take_in(seen.append) == 0
    assert (len(seen), broken.exists()) == (1, True)


def test_a_desk_that_fails_leaves_the_file_for_the_next(ledger_away):
    asyncio.run(deadlines.deadline_missed(CONTEXT))

    def broken(_):
        raise LedgerUnavailable("away again")

    with pytest.raises(LedgerUnavailable):
        escalate.spool().take_in(broken)
    assert len(waiting()) == 1


class Desk:
    policy = load_policy()
    ledger = None

    def __init__(self):
        self.cleared = []

    def clear(self, cause, at, reason):
        self.cleared.append(cause)


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ({"AL-03": "Disk use of a mount"}, False),
        ({"AL-03": "the watch looks"}, True),
        ({"AL-03": "not finished"}, True),
        ({"AL-03": "Disk use of a mount", "AL-08": "one incident for one cause"}, True),
        ({"DM-04": "newest backup"}, True),
    ],
)
def test_a_red_page_is_told_unless_every_finding_is_an_alerts_own(monkeypatch, names, told):
    """A watch that is dead leaves only AL-* red; taken for alerts, nobody would hear of it."""

    class Ended:
        dag_id, run_id = "business_hours_monitoring", "scheduled__1"

    at_desk = Desk()

    @contextmanager
    def desk(dag_id):
        yield at_desk

    red = [Finding(one, name, Status.FAIL, "x", "y", "z", "", Severity.P2, "look") for one, name in names.items()]
    said = []
    monkeypatch.setattr(escalate, "_desk", desk)
    monkeypatch.setattr(escalate, "red_findings", lambda *_: red)
    monkeypatch.setattr(escalate, "_tell", lambda _, seen: said.append(seen.cause))
    escalate.run_failed({"dag_run": Ended})
    assert bool(said) is told
    assert at_desk.cleared == ["late:business_hours_monitoring:scheduled__1"], "it is late no longer"
