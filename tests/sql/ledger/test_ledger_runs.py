"""Runs, findings, measurements and evidence: recorded twice leaves one result, and never anybody else's."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from clo_ops.findings import Answer, Finding, Measurement, Severity, Status, Unanswered
from clo_ops.ledger import Evidence, Ledger, LedgerConflict
from clo_ops.ledger.schema import metadata


def finding(procedure: str = "DM-01", name: str = "host is up", subject: str = "app-1", **more: object) -> Finding:
    plain = {"status": Status.PASS, "expected": "up", "actual": "up", "message": "Host app-1 is up."}
    return Finding(procedure=procedure, name=name, subject=subject, **{**plain, **more})


def measured(at: datetime, value: float = 1.0, host: str = "app-1") -> Measurement:
    return Measurement("system.cpu.utilization", value, "percent", at, {"host": host})


def rows(ledger: Ledger, table: str) -> int:
    with ledger.transaction() as connection:
        return int(connection.scalar(select(func.count()).select_from(metadata.tables[f"clo_ops.{table}"])))


def test_a_run_is_the_same_however_often_it_is_opened(ledger: Ledger, run: int, at: datetime) -> None:
    again = ledger.open_run("morning_startup", "scheduled__2026-07-06", at, "policy-1", "scheduled")
    assert again == run
    row = ledger.run(run)
    assert (row.dag_id, row.at, row.policy_digest, row.trigger) == ("morning_startup", at, "policy-1", "scheduled")
    assert (row.status, row.closed_at, row.counts) == (None, None, {})


def test_a_run_cannot_be_opened_for_another_time(ledger: Ledger, run: int, at: datetime) -> None:
    with pytest.raises(LedgerConflict, match="2026-07-06"):
        ledger.open_run("morning_startup", "scheduled__2026-07-06", at + timedelta(days=1), "policy-1")


def test_what_is_recorded_comes_back(ledger: Ledger, run: int, at: datetime) -> None:
    red = finding(
        name="CPU", status=Status.FAIL, severity=Severity.P2, first_action="Look at top.", labels={"host": "app-1"}
    )
    unanswered = Unanswered("disk", "ssh://app-2", "ssh", "no route", at)
    file = Evidence("file:///e/answer.json", "a" * 64, 12, "application/json", "answer.json")
    assert ledger.record(run, "DM-01", [red, finding()], Answer((measured(at),), (unanswered,)), [file])
    assert ledger.findings(run) == [red, finding()]
    assert ledger.evidence(run) == [file]
    assert ledger.answer(run, "DM-01") == Answer((measured(at),), (unanswered,))
    (recording,) = ledger.recordings(run)
    assert (recording.procedure, recording.try_number, recording.measured) == ("DM-01", 1, 1)
    assert (recording.policy_digest, recording.unanswered) == ("policy-1", (unanswered,))


def test_a_task_run_twice_leaves_its_last_result(ledger: Ledger, run: int, at: datetime) -> None:
    ledger.record(run, "DM-01", [finding(), finding(subject="app-2")], Answer((measured(at), measured(at, host="b"))))
    ledger.record(run, "DM-01", [finding(actual="still up")], Answer((measured(at, 7.0),)), try_number=2)
    assert [one.actual for one in ledger.findings(run)] == ["still up"]
    assert [one.value for one in ledger.answer(run, "DM-01").measurements] == [7.0]
    assert [rows(ledger, name) for name in ("findings", "measurements", "recordings")] == [1, 1, 1]


def test_a_repeat_touches_nobody_elses_rows(ledger: Ledger, run: int, at: datetime) -> None:
    other = ledger.open_run("morning_startup", "scheduled__2026-07-07", at + timedelta(days=1), "policy-1")
    for whose, procedure in ((run, "DM-01"), (run, "DM-02"), (other, "DM-01")):
        ledger.record(whose, procedure, [finding(procedure)], Answer((measured(at),)))
    ledger.record(run, "DM-01", [], Answer(), try_number=2)
    assert [one.procedure for one in ledger.findings(run)] == ["DM-02"]
    assert [one.procedure for one in ledger.findings(other)] == ["DM-01"]
    assert rows(ledger, "measurements") == 2


def test_a_worker_given_up_for_dead_does_not_overwrite_its_successor(ledger: Ledger, run: int, at: datetime) -> None:
    assert ledger.record(run, "DM-01", [finding(actual="second")], Answer(), try_number=2)
    assert not ledger.record(run, "DM-01", [finding(actual="first")], Answer((measured(at),)), try_number=1)
    assert [one.actual for one in ledger.findings(run)] == ["second"]
    assert rows(ledger, "measurements") == 0


def test_a_repeat_that_measured_in_another_month_leaves_one_result(ledger: Ledger, run: int, at: datetime) -> None:
    times = [at - timedelta(days=400), at - timedelta(days=40), at]
    ledger.record(run, "DM-04", [], Answer.of(measured(one) for one in times))
    ledger.record(run, "DM-04", [], Answer.of([measured(at + timedelta(days=40))]))
    assert [one.at for one in ledger.answer(run, "DM-04").measurements] == [at + timedelta(days=40)]
    assert rows(ledger, "measurements") == 1


def test_a_verdict_ends_when_its_findings_change(ledger: Ledger, run: int) -> None:
    ledger.record(run, "DM-01", [finding()], Answer())
    ledger.close_run(run, Status.PASS, {Status.PASS: 1})
    closed = ledger.run(run)
    assert (closed.status, closed.counts) == (Status.PASS, {Status.PASS: 1})
    assert closed.closed_at is not None
    ledger.record(run, "DM-01", [finding()], Answer(), try_number=2)
    assert (ledger.run(run).status, ledger.run(run).closed_at) == (None, None)


def test_a_record_says_which_policy_it_was_judged_by(ledger: Ledger, run: int, at: datetime) -> None:
    ledger.record(run, "DM-01", [], Answer())
    ledger.open_run("morning_startup", "scheduled__2026-07-06", at, "policy-2")
    ledger.record(run, "DM-02", [], Answer())
    assert [one.policy_digest for one in ledger.recordings(run)] == ["policy-1", "policy-2"]


def test_findings_come_by_procedure_name_and_subject(ledger: Ledger, run: int) -> None:
    keys = [("DM-02", "a", ""), ("DM-10", "B", ""), ("DM-10", "a", "x"), ("DM-10", "a", "y")]
    for procedure in ("DM-10", "DM-02"):
        mine = [finding(*key) for key in reversed(keys) if key[0] == procedure]
        ledger.record(run, procedure, mine, Answer())
    assert [(one.procedure, one.name, one.subject) for one in ledger.findings(run)] == keys


def test_only_own_and_distinct_findings_are_taken(ledger: Ledger, run: int) -> None:
    with pytest.raises(ValueError, match="only its own findings, got some of DM-02"):
        ledger.record(run, "DM-01", [finding("DM-02")], Answer())
    with pytest.raises(ValueError, match="repeated"):
        ledger.record(run, "DM-01", [finding(), finding()], Answer())
    assert rows(ledger, "recordings") == 0


def test_an_unknown_run_is_refused(ledger: Ledger, at: datetime) -> None:
    with pytest.raises(LedgerConflict, match="no run 4711"):
        ledger.record(4711, "DM-01", [], Answer((measured(at),)))
    with pytest.raises(LedgerConflict, match="no run 4711"):
        ledger.close_run(4711, Status.PASS, {})
    with pytest.raises(LedgerConflict, match="no run 4711"):
        ledger.run(4711)
    assert rows(ledger, "measurements") == 0


def test_text_from_outside_always_fits(ledger: Ledger, run: int, at: datetime) -> None:
    nasty = "banner\x00\ud800 'quoted' %(x)s :y"
    one = Measurement("service.up", 0, "bool", at, {"service": nasty}, nasty)
    ledger.record(run, "DM-01", [finding(actual=nasty, labels={"banner": nasty})], Answer((one,)))
    assert ledger.findings(run)[0].actual == "banner\ufffd? 'quoted' %(x)s :y"
    assert ledger.answer(run, "DM-01").measurements[0].labels == {"service": "banner\ufffd? 'quoted' %(x)s :y"}


def test_no_number_is_not_taken_for_one(ledger: Ledger, run: int, at: datetime) -> None:
    for value in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="no finite value"):
            ledger.record(run, "DM-04", [], Answer((measured(at, value),)))
    with pytest.raises(ValueError, match="unit 'furlong', allowed percent"):
        ledger.record(run, "DM-04", [], Answer((Measurement("x", 1, "furlong", at),)))
    with pytest.raises(IntegrityError, match="check"):
        ledger.record(run, "DM-04", [], Answer((Measurement("x.up", 2, "bool", at),)))


def test_naive_times_are_refused(ledger: Ledger, at: datetime) -> None:
    naive = at.replace(tzinfo=None)
    for call in (
        lambda: ledger.open_run("d", "r", naive, ""),
        lambda: list(ledger.measurements("m", naive, at)),
        lambda: ledger.previous_statements(naive, 1),
        lambda: ledger.open_incident("c", Severity.P1, "t", "DM-01", naive),
        lambda: ledger.open_incidents(naive),
        lambda: ledger.claim_due(naive, 1, timedelta(minutes=1)),
    ):
        with pytest.raises(ValueError, match="time zone"):
            call()


def test_the_newest_runs_come_first(ledger: Ledger, run: int, at: datetime) -> None:
    later = ledger.open_run("morning_startup", "r2", at + timedelta(days=1), "")
    other = ledger.open_run("evening", "r1", at + timedelta(hours=1), "")
    assert [one.id for one in ledger.recent_runs()] == [later, other, run]
    assert [one.id for one in ledger.recent_runs("morning_startup", limit=1)] == [later]
