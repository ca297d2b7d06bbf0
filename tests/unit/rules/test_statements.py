from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from clo_ops.findings import Answer, Measurement, Severity, Status, Unanswered
from clo_ops.findings.statements import StatementRow, StatementSnapshot
from clo_ops.policy.limits import TimeLimits
from clo_ops.policy.morning import Statements
from clo_ops.rules import statements

AT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
YESTERDAY = AT - timedelta(days=1)
RESET = datetime(2026, 11, 1, 0, 0, tzinfo=UTC)
POLICY = Statements.model_construct(
    top=3,
    slow_mean=TimeLimits(warning="500 ms", critical="1000 ms"),
    minimum_share=1.0,
    minimum_calls=2,
    exclude_users=("clo_backup",),
)


def row(queryid=1, calls=10, total_ms=100.0, rows=20, **more):
    given = {"user": "clo_app", "database": "clo", "toplevel": True, "text": f"select {queryid}  from\n deals"}
    return StatementRow(queryid=queryid, calls=calls, total_ms=total_ms, rows=rows, **given | more)


def snapshot(*rows, at=AT, reset=RESET):
    return StatementSnapshot(at, reset, rows)


def before(*rows, reset=RESET):
    return snapshot(*rows, at=YESTERDAY, reset=reset)


def judge(current, previous=None, answer=Answer(), policy=POLICY):  # noqa: B008 - frozen
    return statements.judge(current, previous, policy, at=AT, answer=answer)


def named(findings, name):
    return [one for one in findings if one.name == name]


def test_what_ran_since_the_last_report_is_the_difference():
    found = statements.report(snapshot(row(calls=15, total_ms=160.0, rows=50)), before(row()), POLICY)
    (one,) = found.deltas
    assert (one.calls, one.total_ms, one.rows, one.mean_ms, one.share) == (5, 60.0, 30, 12.0, 100.0)
    assert found.since == YESTERDAY
    assert found.basis == "since the last report, 2026-11-22 08:00 UTC"


def test_what_did_not_run_since_is_left_out_and_what_is_new_counts_in_full():
    found = statements.report(snapshot(row(1), row(2, total_ms=300.0)), before(row(1)), POLICY)
    assert [(one.queryid, one.total_ms) for one in found.deltas] == [(2, 300.0)]


@pytest.mark.parametrize("change", [{"user": "other"}, {"database": "other"}, {"toplevel": False}, {"queryid": 9}])
def test_statements_are_told_apart_by_id_user_database_and_level(change):
    found = statements.report(snapshot(row(), replace(row(), **change)), before(row()), POLICY)
    assert [one.calls for one in found.deltas] == [10]


def test_the_first_report_counts_from_the_reset_and_says_so():
    where, slow = judge(snapshot(row()))
    assert where.message.startswith("First report: figures since the last reset, 2026-11-01 00:00 UTC: 1 statements")
    assert (where.status, slow.status) == (Status.PASS, Status.PASS)


def test_a_first_report_of_an_extension_that_does_not_tell_its_reset_says_that():
    assert "an unknown time" in judge(snapshot(row(), reset=None))[0].message


def test_a_reset_is_recognised_by_its_time_even_where_counters_have_grown():
    found = statements.report(snapshot(row(calls=99), reset=AT - timedelta(hours=3)), before(row()), POLICY)
    assert found.deltas[0].calls == 99
    assert found.since == AT - timedelta(hours=3)
    assert "were reset since the last report" in found.basis


def test_without_reset_times_a_fallen_counter_tells_the_reset():
    grown, fallen = row(1, calls=11), row(2, calls=3)
    found = statements.report(snapshot(grown, fallen, reset=None), before(row(1), row(2), reset=None), POLICY)
    assert {one.queryid: one.calls for one in found.deltas} == {1: 11, 2: 3}
    assert "were reset" in found.basis


def test_one_statement_counted_anew_does_not_void_the_others():
    found = statements.report(snapshot(row(1, calls=12), row(2, calls=3)), before(row(1), row(2)), POLICY)
    assert {one.queryid: one.calls for one in found.deltas} == {1: 2, 2: 3}
    assert "1 statements were counted anew" in found.basis


def test_the_top_is_by_total_and_by_mean_with_shares_of_the_whole():
    busy, slow = row(1, calls=1000, total_ms=750.0), row(2, calls=1, total_ms=250.0)
    found = statements.report(snapshot(slow, busy, row(3, calls=0, total_ms=0.0)), None, POLICY)
    assert [one.queryid for one in found.by_total(2)] == [1, 2]
    assert [one.queryid for one in found.by_mean(2)] == [2, 1]
    assert [one.share for one in found.by_total(2)] == [75.0, 25.0]
    where = named(judge(snapshot(slow, busy)), "where the time went")[0]
    assert "75 % select 1 from deals (1000 calls, 750 ms in all, 0.75 ms mean, 20 rows, clo_app@clo)" in where.message


def test_excluded_users_are_neither_counted_nor_warned_about():
    found = judge(snapshot(row(1, user="clo_backup", calls=10, total_ms=1e6), row(2)))
    assert not named(found, "slow statement")
    assert "100 % select 2" in found[0].message


@pytest.mark.parametrize(
    ("mean", "status"),
    [
        (499.0, Status.PASS),
        (500.0, Status.PASS),
        (501.0, Status.WARN),
        (1000.0, Status.WARN),
        (1001.0, Status.FAIL),
    ],
)
def test_a_mean_strictly_above_the_policys_warns_or_fails(mean, status):
    finding = judge(snapshot(row(calls=10, total_ms=mean * 10)))[1]
    assert finding.status is status
    if status is Status.WARN:
        assert finding.severity is Severity.P3
        assert finding.message.startswith("select 1 from deals takes ")
        assert finding.expected == "at most 500 ms on average"
        assert finding.subject == "1 clo_app@clo"
    if status is Status.FAIL:
        assert finding.severity is Severity.P2
        assert "critical is 1,000 ms" in finding.message


@pytest.mark.parametrize(("calls", "slow"), [(1, 0), (2, 1)])
def test_too_few_calls_are_no_average(calls, slow):
    assert len(named(judge(snapshot(row(calls=calls, total_ms=1000.0 * calls))), "slow statement")) == slow


@pytest.mark.parametrize(("whole", "slow"), [(100_000.0, 1), (100_100.0, 0)])
def test_a_statement_below_the_least_share_is_not_worth_a_warning(whole, slow):
    rare, rest = row(1, calls=2, total_ms=1001.0), row(2, calls=10**6, total_ms=whole - 1001.0)
    policy = POLICY.model_copy(update={"minimum_share": 1.001})
    assert len(named(judge(snapshot(rare, rest), policy=policy), "slow statement")) == slow


def test_more_slow_ones_than_the_top_are_counted():
    found = judge(snapshot(*(row(number, total_ms=10_000.0) for number in range(5))))
    assert len(named(found, "slow statement")) == 3
    assert named(found, "more slow statements")[0].actual == "2 more above that"
    assert named(found, "more slow statements")[0].status is Status.WARN
    assert len({(one.name, one.subject) for one in found}) == len(found)


def test_a_critical_one_among_the_rest_fails_it():
    found = judge(snapshot(*(row(number, total_ms=20_000.0) for number in range(5))))
    assert named(found, "more slow statements")[0].status is Status.FAIL


def test_a_long_statement_is_cut_and_shown_on_one_line():
    (one,) = statements.report(snapshot(row(text="select\n\t" + "x" * 400)), None, POLICY).deltas
    assert one.head.startswith("select xxx")
    assert one.head.endswith("…")
    assert len(one.head) == statements.HEAD


def test_a_missing_extension_is_not_applicable_with_that_very_reason():
    reason = "extension pg_stat_statements is not created in this database"
    (finding,) = judge(None, answer=Answer((Measurement(statements.AVAILABLE, 0, "bool", AT, detail=reason),)))
    assert finding.status is Status.NOT_APPLICABLE
    assert reason in finding.message


def test_silence_is_unknown():
    silent = Unanswered("slow statements", "postgresql://db", "PostgreSQL", "connection timed out", AT)
    (finding,) = judge(None, answer=Answer(unanswered=(silent,)))
    assert finding.status is Status.UNKNOWN
    assert "connection timed out" in finding.message


@pytest.mark.parametrize("current", [None, snapshot()])
def test_nothing_counted_is_never_a_pass(current):
    assert [one.status for one in judge(current)] == [Status.UNKNOWN]


def test_nothing_that_ran_since_the_last_report_passes_and_says_so():
    found = judge(snapshot(row()), before(row()))
    assert [one.status for one in found] == [Status.PASS, Status.PASS]
    assert "nothing ran" in found[0].message
