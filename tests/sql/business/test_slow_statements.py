"""DM-06 on a real pg_stat_statements: yesterday's counters, today's, a reset in between, and no extension at all."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from clo_ops.findings import Status
from clo_ops.policy import load_policy
from clo_ops.policy.limits import TimeLimits
from clo_ops.probes import postgres
from clo_ops.rules import statements

POLICY = load_policy(mode="demo").statements.model_copy(
    update={"slow_mean": TimeLimits(warning="50 ms", critical="500 ms"), "minimum_calls": 2}
)
SLOW = "select pg_sleep(0.06)"


@pytest.fixture
def counted(clo_cluster):
    if not clo_cluster.has_statements:
        pytest.skip("this PostgreSQL comes without pg_stat_statements")
    with clo_cluster.connect("clo") as superuser:
        superuser.execute("create extension if not exists pg_stat_statements")
        superuser.execute("select pg_stat_statements_reset()")
        yield superuser
        superuser.execute("drop extension pg_stat_statements")


def judge(target, previous):
    current, answer = postgres.statements(target)
    findings = statements.judge(current, previous, POLICY, at=datetime.now(UTC), answer=answer)
    return current, findings


def slow(findings):
    return [one for one in findings if one.name == "slow statement"]


def test_a_slow_statement_is_named_in_the_report_after_it_ran_and_not_in_the_next(counted, app, target):
    before, _ = judge(target, None)
    for _ in range(2):
        app.execute(SLOW)
    after, findings = judge(target, before)
    (finding,) = slow(findings)
    assert finding.status is Status.WARN
    assert finding.message.startswith("select pg_sleep($1) takes ")
    assert "over 2 calls" in finding.actual
    assert finding.labels["user"] == "clo_app"
    _, findings = judge(target, after)
    assert not slow(findings)


def test_a_reset_is_seen_and_said(counted, app, target):
    for _ in range(3):
        app.execute(SLOW)
    before, _ = judge(target, None)
    counted.execute("select pg_stat_statements_reset()")
    for _ in range(4):
        app.execute(SLOW)
    _, findings = judge(target, before)
    assert "were reset since the last report" in findings[0].message
    assert "over 4 calls" in slow(findings)[0].actual


def test_the_probes_own_statements_are_left_out(counted, target):
    _, findings = judge(target, None)
    assert "clo_ops_reader" not in " ".join(one.message for one in findings)


def test_without_the_extension_it_is_not_applicable_and_says_why(clo_cluster, target):
    current, findings = judge(target, None)
    assert current is None
    assert [one.status for one in findings] == [Status.NOT_APPLICABLE]
    assert "pg_stat_statements" in findings[0].message


def test_a_server_that_is_not_there_is_unknown(target):
    _, findings = judge(replace(target, port=1), None)
    assert [one.status for one in findings] == [Status.UNKNOWN]
    assert "refused" in findings[0].message
