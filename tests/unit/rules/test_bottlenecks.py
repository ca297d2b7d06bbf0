"""The ranking: from the policy's share on, the worst first; what nobody looked at is said, not left out."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest

from clo_ops.findings import Status
from clo_ops.findings.roll_ups import RollUp
from clo_ops.policy import load_policy
from clo_ops.rules import bottlenecks, work_done
from clo_ops.rules.bottlenecks import KINDS, Bottleneck
from clo_ops.rules.statement_weeks import Ran
from clo_ops.rules.verdicts import Case
from clo_ops.rules.waits import ACTIVE, WAITING, waits

TERMS = load_policy(mode="demo").performance.bottlenecks
AT = datetime(2026, 10, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def rolled(metric: str, mean: float, count: int, above: timedelta | None = None, **labels: str) -> RollUp:
    return RollUp(
        metric, labels, "percent", AT, count, mean, *[mean] * 6, 10 * DAY, 70.0, above, 85.0, timedelta(), "measured"
    )  # fmt: skip


def one(share: float, kind: str = "resource", what: str = "cpu") -> Bottleneck:
    return Bottleneck(kind, what, share, "seen", "looked")


@pytest.mark.parametrize(
    ("share", "told"), [(TERMS.at_least, True), (math.nextafter(TERMS.at_least, 0), False), (TERMS.at_least + 1, True)]
)
def test_from_the_policys_share_on(share, told):
    assert bool(bottlenecks.ranked([one(share)], TERMS)) is told


def test_the_worst_first_and_no_more_than_wanted():
    many = [one(float(share)) for share in range(1, 40)]
    found = bottlenecks.ranked(many, TERMS)
    assert [each.share for each in found] == [float(share) for share in range(39, 39 - TERMS.top, -1)]


def test_each_kind_is_a_share_of_the_time_looked_at():
    (resource,) = bottlenecks.levels([rolled("system.cpu.utilization", 60, 2880, DAY, host="a")])
    (endpoint,) = bottlenecks.levels([rolled(bottlenecks.ENDPOINT, 60, 2880, 2 * DAY, endpoint="health")])
    assert (resource.kind, resource.share, endpoint.kind, endpoint.share) == ("resource", 10.0, "endpoint", 20.0)
    assert not list(bottlenecks.levels([rolled("postgresql.database.size", 60, 10, None)]))
    sampled = [
        rolled(ACTIVE, 1.5, 200),
        rolled(WAITING, 2.0, 10, event="Lock: tuple"),
        rolled(WAITING, 1.0, 200, event="CPU"),
    ]
    (event,) = bottlenecks.events(waits(sampled))
    assert (event.what, event.share) == ("Lock: tuple", 10.0)
    (statement,) = bottlenecks.statements([Ran(1, "u", "d", True, "SELECT  1", 10, 86_400_000.0)], 2 * DAY, 3)
    assert (statement.what, statement.share) == ("SELECT 1", 50.0)
    assert not list(bottlenecks.statements([Ran(1, "u", "d", True, "SELECT 1", 10, 1.0)], timedelta(), 1))


def test_no_looks_are_no_waits():
    assert waits([rolled(WAITING, 2.0, 10, event="Lock: tuple")]) == []


def test_none_is_green_only_where_somebody_looked():
    (green,) = bottlenecks.judge([], {}, TERMS, "Look.")
    assert green.status is Status.PASS
    nobody = bottlenecks.judge([], dict.fromkeys(KINDS, "nothing on record"), TERMS, "Look.")
    assert [each.status for each in nobody] == [Status.UNKNOWN] * len(KINDS)
    partly = bottlenecks.judge([], {"statement": "no snapshot"}, TERMS, "Look.")
    assert [each.status for each in partly] == [Status.PASS, Status.UNKNOWN]
    assert "statements" not in partly[0].message


CASE = Case("M2-05", "failed", "at most 1 %", bottlenecks.Severity.P3, "Look.", "L190", "calculations")


@pytest.mark.parametrize(("failed", "status"), [(10, "pass"), (11, "warn"), (9, "pass")])
def test_failures_at_the_policys_share_and_one_more_or_less(failed, status):
    row = {"completed": 1000 - failed, "failed": failed}
    assert work_done.failures(CASE, row, 1.0).status.value == status


def test_no_job_is_no_share():
    assert work_done.failures(CASE, {"completed": 0, "failed": 0}, 1.0).status is Status.NOT_APPLICABLE


@pytest.mark.parametrize(("mean", "status"), [(300.0, "warn"), (299.99, "pass"), (300.01, "warn")])
def test_one_size_against_the_time_of_all(mean, status):
    row = {"completed": 3, "failed": 0, "mean_s": mean, "p95_s": mean, "max_s": mean, "late": 1}
    (found,) = work_done.slow_ones("M2-05", [("large", row)], 300.0, "Look.")
    assert found.status.value == status


@pytest.mark.parametrize(
    ("size", "name"),
    [(None, "all portfolios"), (0, "below 100 positions"), (1, "100 to 199 positions"), (2, "200 positions and more")],
)
def test_sizes_by_name(size, name):
    assert work_done.size_name(size, (100, 200)) == name
