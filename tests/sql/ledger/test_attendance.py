"""A paused DAG, a dead scheduler, a procedure nobody came to: told once, and cleared when the next run is whole."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from clo_ops.escalation.desk import Desk
from clo_ops.findings import Answer, Finding, Severity, Status
from clo_ops.ledger import Ledger
from clo_ops.orchestration.attendance import ExpectedRuns
from clo_ops.policy import load_policy

DAG = "daily_morning_startup"
ONLY = {key: one for key, one in load_policy().procedures.items() if one.dag == DAG}
POLICY = load_policy().model_copy(update={"procedures": ONLY})
MORNING = datetime(2026, 11, 23, 8, tzinfo=UTC)
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
LATE = MORNING + 31 * MINUTE


@pytest.fixture
def rounds(ledger: Ledger) -> ExpectedRuns:
    first = ExpectedRuns(Desk(ledger, POLICY))
    first(MORNING - DAY + MINUTE)
    return first


def ran(ledger: Ledger, at: datetime, *, without: tuple[str, ...] = (), killed: str = "") -> None:
    run = ledger.open_run(DAG, f"scheduled__{at}", at, "")
    for one in sorted(set(ONLY) - set(without)):
        name = "not finished" if one == killed else "seen"
        status = Status.UNKNOWN if one == killed else Status.PASS
        finding = Finding(one, name, status, "x", "x", "x", severity=Severity.P2, first_action="look")
        ledger.record(run, one, [finding], Answer())


def titles(ledger: Ledger, at: datetime) -> list[str]:
    return [one.title for one in ledger.open_incidents(at + DAY)]


def test_a_run_that_never_began_is_told_once_after_its_time(rounds: ExpectedRuns, ledger: Ledger) -> None:
    assert rounds(MORNING + 30 * MINUTE) == 0
    assert rounds(LATE) == 1
    assert titles(ledger, LATE) == [f"{DAG} never began"]
    waiting = ledger.outbox_state().waiting
    assert rounds(LATE + MINUTE) == 1
    assert ledger.outbox_state().waiting == waiting


def test_the_next_run_that_is_whole_is_the_all_clear(rounds: ExpectedRuns, ledger: Ledger) -> None:
    rounds(LATE)
    ran(ledger, MORNING + DAY)
    assert rounds(LATE + DAY) == 0
    assert titles(ledger, LATE + DAY) == []


def test_a_procedure_left_out_and_one_killed_are_named(rounds: ExpectedRuns, ledger: Ledger) -> None:
    ran(ledger, MORNING, without=("DM-07",), killed="DM-12")
    assert rounds(LATE) == 1
    assert titles(ledger, LATE) == [f"{DAG} left out DM-07, DM-12"]


def test_nothing_due_before_the_first_look_is_missed(ledger: Ledger) -> None:
    fresh = ExpectedRuns(Desk(ledger, POLICY))
    assert fresh(LATE) == 0
    assert fresh(LATE + MINUTE) == 0
    again = ExpectedRuns(Desk(ledger, POLICY))
    assert again(LATE + DAY) == 1
