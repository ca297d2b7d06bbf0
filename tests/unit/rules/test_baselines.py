from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from clo_ops.findings import Answer, Measurement, Severity, Status, Unanswered
from clo_ops.policy.morning import Baseline, BaselineMetric
from clo_ops.rules import baselines

AT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
CPU = BaselineMetric.model_construct(metric="system.cpu.utilization", unit="percent", labels={}, worse="higher")
SIZE = BaselineMetric.model_construct(
    metric="postgresql.database.size", unit="bytes", labels={"database": "clo"}, worse="higher"
)
TIME = BaselineMetric.model_construct(metric="clo.report.duration", unit="s", labels={}, worse="higher")
POLICY = Baseline.model_construct(metrics=(CPU, SIZE))


@dataclass
class Result:
    inserted: int
    kept: int


def cpu(value=41.2, at=AT, host="app"):
    return Measurement("system.cpu.utilization", value, "percent", at, {"host": host})


def size(database="clo", value=3 * 2**30):
    return Measurement("postgresql.database.size", value, "bytes", AT, {"database": database})


def judge(*recorded, inserted=None, kept=0, answer=Answer(), policy=POLICY):  # noqa: B008 - frozen
    result = Result(len(recorded) if inserted is None else inserted, kept)
    return baselines.judge(answer, result, policy, recorded=recorded)


def test_every_metric_recorded_passes_with_its_figures():
    whole, first, second = judge(cpu(), cpu(12.0, host="db"), size())
    assert {one.status for one in (whole, first, second)} == {Status.PASS}
    assert whole.message == "First recorded at 2026-11-23 08:00 UTC: 2 metrics in 3 series; 3 recorded now, 0 kept."
    assert first.actual == "app 41.2 %, db 12 %"
    assert second.subject == "postgresql.database.size database=clo"
    assert second.actual == "clo 3 GiB"


def test_a_repeat_says_that_the_first_stays():
    whole = judge(cpu(at=AT), size(), inserted=0, kept=2)[0]
    assert "0 recorded now, 2 kept" in whole.message
    assert "stays" in whole.message
    assert "First recorded at 2026-11-23 08:00 UTC" in whole.message


def test_a_missing_metric_is_unknown_and_named():
    findings = judge(cpu())
    missing = [one for one in findings if one.status is Status.UNKNOWN]
    assert [one.subject for one in missing] == ["postgresql.database.size database=clo"]
    assert findings[0].actual.startswith("1 metrics in 1 series")


def test_another_database_does_not_stand_for_the_one_listed():
    assert judge(cpu(), size("other"))[2].status is Status.UNKNOWN


def test_a_figure_in_another_unit_does_not_count():
    wrong = Measurement("system.cpu.utilization", 0.41, "ratio", AT)
    assert judge(wrong, size())[1].status is Status.UNKNOWN


def test_what_was_measured_in_another_unit_fails():
    wrong = Measurement("system.cpu.utilization", 0.41, "ratio", AT)
    finding = judge(size(), answer=Answer.of([wrong, size()]))[1]
    assert (finding.status, finding.severity) == (Status.FAIL, Severity.P3)
    assert finding.actual == "it came in ratio"


def test_what_was_measured_and_is_not_on_record_fails_series_by_series():
    measured = Answer.of([cpu(), cpu(12.0, host="db"), size()])
    finding = judge(cpu(), size(), answer=measured)[1]
    assert finding.status is Status.FAIL
    assert finding.actual == "db 12 % was measured and the ledger did not keep it"
    assert judge(cpu(), cpu(12.0, host="db"), size(), answer=measured)[1].status is Status.PASS


def test_a_repeat_measures_something_else_than_stands_on_record():
    assert judge(cpu(41.2), size(), answer=Answer.of([cpu(43.9), size()]))[1].status is Status.PASS


@pytest.mark.parametrize(
    ("value", "status"),
    [(0.0, Status.PASS), (-0.1, Status.FAIL), (100.0, Status.PASS), (100.1, Status.FAIL)],
)
def test_a_figure_that_cannot_be_fails(value, status):
    assert judge(cpu(value), size())[1].status is status
    assert judge(cpu(), size(value=value))[2].status is (Status.FAIL if value < 0 else Status.PASS)


def test_nothing_recorded_is_unknown_throughout():
    assert {one.status for one in judge()} == {Status.UNKNOWN}


def test_a_question_nobody_answered_is_named_with_what_was_tried():
    silent = Unanswered("redis memory", "redis://cache", "INFO", "connection refused", AT)
    findings = judge(cpu(), size(), answer=Answer(unanswered=(silent,)))
    assert findings[0].status is Status.UNKNOWN
    assert "connection refused" in findings[0].message


def test_what_was_recorded_earlier_counts_although_this_try_did_not_measure_it():
    findings = judge(cpu(at=AT - timedelta(minutes=3)), size(), inserted=1, kept=1)
    assert {one.status for one in findings} == {Status.PASS}


def test_no_duration_where_nothing_was_completed():
    policy = Baseline.model_construct(metrics=(TIME,))
    idle = Answer((Measurement("clo.report.completed", 0, "count", AT),))
    busy = Answer((Measurement("clo.report.completed", 3, "count", AT),))
    assert judge(policy=policy, answer=idle)[1].status is Status.NOT_APPLICABLE
    assert judge(policy=policy, answer=busy)[1].status is Status.UNKNOWN
    assert judge(policy=policy)[1].status is Status.UNKNOWN


def test_only_what_the_policy_lists_is_kept():
    other = Measurement("system.uptime", 1, "s", AT)
    assert baselines.listed([other, size("other"), size(), cpu()], POLICY) == (size(), cpu())
