"""A paused DAG, a dead scheduler, a procedure nobody came to: told once, and cleared when the next run is whole."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

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


def begun(ledger: Ledger, at: datetime) -> None:
    """The findings so far are of that time."""
    with ledger.transaction() as connection:
        connection.execute(text("UPDATE clo_ops.findings SET recorded_at = :at"), {"at": at})


def test_a_procedure_left_out_and_one_killed_are_named(rounds: ExpectedRuns, ledger: Ledger) -> None:
    ran(ledger, MORNING, without=("DM-07",), killed="DM-12")
    begun(ledger, MORNING)
    assert rounds(LATE) == 1
    assert titles(ledger, LATE) == [f"{DAG} left out DM-07, DM-12"]


def test_a_procedure_that_is_at_work_again_is_not_left_out(rounds: ExpectedRuns, ledger: Ledger) -> None:
    """An operator clears its task long after the run was done."""
    ran(ledger, MORNING, killed="DM-12")
    begun(ledger, LATE)
    assert rounds(LATE + MINUTE) == 0
    assert titles(ledger, LATE) == []
    assert rounds(LATE + 31 * MINUTE) == 1


@pytest.mark.parametrize("cause", [f"failed:{DAG}", f"late:{DAG}:scheduled__1"])
def test_a_run_told_as_failed_or_late_is_not_told_again_for_what_is_missing(
    rounds: ExpectedRuns, ledger: Ledger, cause: str
) -> None:
    ran(ledger, MORNING, without=("DM-07",))
    ledger.open_incident(cause, Severity.P2, "told already", "DM-07", LATE)
    assert rounds(LATE + MINUTE) == 1
    assert titles(ledger, LATE) == ["told already"]


def test_yesterdays_red_run_does_not_hide_that_todays_never_began(rounds: ExpectedRuns, ledger: Ledger) -> None:
    ledger.open_incident(f"failed:{DAG}", Severity.P2, "yesterday", "DM-07", MORNING - DAY)
    rounds(LATE)
    assert f"{DAG} never began" in titles(ledger, LATE)


def test_each_run_missed_is_one_sighting_and_one_that_a_person_closed_stays_closed(
    rounds: ExpectedRuns, ledger: Ledger
) -> None:
    for minute in range(5):
        rounds(LATE + minute * MINUTE)
    (incident,) = ledger.open_incidents(LATE + DAY)
    assert incident.seen_count == 1
    rounds(LATE + DAY)
    assert ledger.incident(incident.id).seen_count == 2
    rounds.desk.resolve(incident.id, "Ana", "switched off on purpose", LATE + DAY + MINUTE)
    rounds(LATE + DAY + 2 * MINUTE)
    assert titles(ledger, LATE + DAY) == []
    rounds(LATE + 2 * DAY)
    assert titles(ledger, LATE + 2 * DAY) == [f"{DAG} never began"]


def test_the_mail_says_what_the_run_stands_for_how_late_it_is_and_what_to_do(
    rounds: ExpectedRuns, ledger: Ledger
) -> None:
    rounds(LATE)
    (incident,) = ledger.open_incidents(LATE + DAY)
    (mail,) = [one.message for one in ledger.incident_messages(incident.id) if ":opened:" in one.message.dedup_key]
    for said in (
        "1 min after its time",
        "DM-04 Overnight backup complete",
        "by 2026-11-23 08:30",
        "See whether the DAG is paused",
    ):
        assert said in mail.text, said
    assert any("it-manager" in one for one in mail.recipients)


def test_nothing_due_before_the_first_look_is_missed(ledger: Ledger) -> None:
    fresh = ExpectedRuns(Desk(ledger, POLICY))
    assert fresh(LATE) == 0
    assert fresh(LATE + MINUTE) == 0
    again = ExpectedRuns(Desk(ledger, POLICY))
    assert again(LATE + DAY) == 1


AUDIT = "monthly_week1_security_audit"
OF_AUDIT = {key: one for key, one in load_policy().procedures.items() if one.dag == AUDIT}
FIRST_MONDAY = datetime(2026, 12, 7, tzinfo=UTC)


def test_an_access_review_that_never_began_is_told_and_the_audit_is_no_all_clear(ledger: Ledger) -> None:
    rounds = ExpectedRuns(Desk(ledger, load_policy().model_copy(update={"procedures": OF_AUDIT})))
    rounds(FIRST_MONDAY)
    audit = ledger.open_run(AUDIT, "audit", FIRST_MONDAY.replace(hour=10), "")
    for one in OF_AUDIT:
        ledger.record(audit, one, [Finding(one, "seen", Status.PASS, "x", "x", "x")], Answer())
    ledger.open_incident(f"late:{AUDIT}:audit", Severity.P2, "late", "M1-09", FIRST_MONDAY.replace(hour=16, minute=1))
    evening = FIRST_MONDAY.replace(hour=22)
    assert rounds(evening) == 0
    assert rounds(evening + MINUTE) == 1
    assert f"{AUDIT} (Access review) never began" in titles(ledger, evening)
    ledger.open_run(AUDIT, "review", FIRST_MONDAY.replace(hour=16), "")
    assert rounds(evening + 2 * MINUTE) == 0
    assert titles(ledger, evening) == ["late"]
