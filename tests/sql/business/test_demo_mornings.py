"""The demo's made-up mornings in a real ledger, and the rules that look back on them from there."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from clo_ops.findings import Answer, Measurement, Status
from clo_ops.policy import load_policy
from clo_ops.rules import anomalies, baselines, trends
from demo import mornings

AT = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
DISK = Measurement("system.filesystem.utilization", 61.0, "percent", AT, {"host": "app1", "mount": "/"})
LOGINS = Measurement("clo.login.count", 120, "count", AT)
TODAY = Answer((DISK, LOGINS))


def recorded(ledger):
    return list(ledger.baselines(AT.date() - timedelta(days=60), AT.date() + timedelta(days=1)))


def test_five_weeks_are_put_down_once_and_the_same_again(ledger):
    assert mornings.seed(ledger, TODAY, at=AT) == 70
    first = recorded(ledger)
    assert mornings.seed(ledger, TODAY, at=AT) == 0
    assert recorded(ledger) == first
    days = sorted({day for day, _ in first})
    assert (days[0], days[-1], len(days)) == (date(2026, 10, 19), date(2026, 11, 22), 35)


def test_a_morning_that_was_really_measured_stays(ledger):
    run = ledger.open_run("daily_morning_startup", "scheduled__2026-11-20", AT - timedelta(days=3), "")
    real = Measurement(DISK.name, 12.5, DISK.unit, AT - timedelta(days=3), DISK.labels)
    ledger.record_baseline(date(2026, 11, 20), [real], run)
    mornings.seed(ledger, TODAY, at=AT)
    assert {one.value for day, one in recorded(ledger) if (day, one.name) == (date(2026, 11, 20), DISK.name)} == {12.5}


def test_nobody_takes_them_for_real_mornings(ledger):
    mornings.seed(ledger, TODAY, at=AT, days=3)
    runs = ledger.recent_runs("daily_morning_startup")
    assert [run.run_id for run in runs] == [f"demo-history__2026-11-{day}" for day in (22, 21, 20)]
    assert {(run.status, run.trigger) for run in runs} == {(Status.NOT_APPLICABLE, "demo")}
    assert {one.detail for _, one in recorded(ledger)} == {"demo history, made up"}


def test_the_rules_stand_on_them(ledger):
    mornings.seed(ledger, TODAY, at=AT)
    policy = load_policy(mode="demo")
    (disk, logins) = anomalies.judge(recorded(ledger), TODAY, policy.anomalies, policy.baseline, at=AT)
    assert {disk.status, logins.status} == {Status.PASS}
    assert "5 Mondays" in disk.message
    trend = trends.judge(recorded(ledger), Answer((DISK,)), policy.trend, at=AT)
    assert next(one for one in trend if one.subject.startswith(DISK.name)).labels["mornings_28"] == "28"


def test_a_morning_repeated_keeps_its_first_baseline(ledger):
    policy = load_policy(mode="demo").baseline.model_copy(update={"metrics": ONLY})
    run = ledger.open_run("daily_morning_startup", "manual__1", AT, "")
    again = ledger.open_run("daily_morning_startup", "manual__2", AT + timedelta(hours=2), "")
    first = ledger.record_baseline(AT.date(), TODAY.measurements, run)
    assert [one.status for one in judged(first, TODAY, policy, ledger)] == [Status.PASS] * 3
    late = Answer((Measurement(DISK.name, 99.0, DISK.unit, AT + timedelta(hours=2), DISK.labels),))
    whole, disk, logins = judged(ledger.record_baseline(AT.date(), late.measurements, again), late, policy, ledger)
    assert whole.message.startswith("First recorded at 2026-11-23 09:30 UTC: 2 metrics in 2 series;")
    assert "0 recorded now, 1 kept" in whole.message
    assert disk.actual == "app1 / 61 %"
    assert logins.status is Status.PASS


ONLY = tuple(one for one in load_policy(mode="demo").baseline.metrics if one.metric in (DISK.name, LOGINS.name))


def judged(result, answer, policy, ledger):
    recorded = [one for _, one in ledger.baselines(AT.date(), AT.date() + timedelta(days=1))]
    return baselines.judge(answer, result, policy, recorded=recorded)
