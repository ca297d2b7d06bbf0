"""BH-01, BH-02, BH-04: every value of a snapshot at its level and one step over; silence is unknown."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from clo_ops.findings import Answer, Measurement, Status, Unanswered, worst
from clo_ops.policy import load_policy
from clo_ops.rules import snapshot

POLICY = load_policy()
AT = datetime(2026, 11, 23, 8, tzinfo=UTC)
SILENT = Answer(unanswered=(Unanswered("figures", "app1", "ssh", "no route", AT),))


def host(cpu=10.0, memory=10.0, disk=10.0):
    return Answer(
        (
            Measurement("system.cpu.utilization", cpu, "percent", AT, {"host": "app1"}),
            Measurement("system.memory.utilization", memory, "percent", AT, {"host": "app1"}),
            Measurement("system.filesystem.utilization", disk, "percent", AT, {"host": "app1", "mount": "/var"}),
        )
    )


@pytest.mark.parametrize(("what", "warning", "critical"), [("cpu", 70, 85), ("memory", 80, 95), ("disk", 80, 90)])
def test_hosts_at_the_manuals_levels_and_over_them(what, warning, critical):
    def status(value):
        return worst(snapshot.judge_hosts(host(**{what: value}), POLICY, at=AT))

    assert [status(warning), status(warning + 0.1)] == [Status.PASS, Status.WARN]
    # A CPU that is busy for one look only warns; AL-01 says whether it stays.
    over = Status.WARN if what == "cpu" else Status.FAIL
    assert [status(critical), status(critical + 0.1)] == [Status.WARN, over]


def test_host_and_mount_are_named():
    red = [one for one in snapshot.judge_hosts(host(disk=97.5), POLICY, at=AT) if one.status is Status.FAIL]
    assert [one.subject for one in red] == ["app1, /var"]
    assert "97.5 %" in red[0].message


@pytest.mark.parametrize("judge", [snapshot.judge_hosts, snapshot.judge_users, snapshot.judge_jobs])
def test_silence_and_nothing_at_all_are_unknown(judge):
    assert worst(judge(SILENT, POLICY, at=AT)) is Status.UNKNOWN
    assert worst(judge(Answer(), POLICY, at=AT)) is Status.UNKNOWN


def users(expired=0, orphaned=0):
    counts = {"session.open": 12, "session.expired": expired, "session.orphaned": orphaned}
    found = [Measurement(name, n, "count", AT, {"where": "store"}) for name, n in counts.items()]
    found += [Measurement("clo.user.active", 9, "count", AT), Measurement("clo.login.failed", 2, "count", AT)]
    return Answer(tuple(found))


def test_sessions_left_over_warn_above_the_policys_figure():
    most = POLICY.access.expired_warning
    assert worst(snapshot.judge_users(users(expired=most), POLICY, at=AT)) is Status.PASS
    assert worst(snapshot.judge_users(users(expired=most + 1), POLICY, at=AT)) is Status.WARN
    assert worst(snapshot.judge_users(users(orphaned=POLICY.access.orphaned_warning + 1), POLICY, at=AT)) is Status.WARN


def jobs(failed=0, mean=12.0):
    found = []
    for kind in ("calculation", "report"):
        counts = {"running": 1, "completed": 7, "failed": failed if kind == "calculation" else 0}
        found += [Measurement(f"clo.{kind}.{state}", n, "count", AT) for state, n in counts.items()]
        found.append(Measurement(f"clo.{kind}.duration", mean, "s", AT, {"statistic": "mean"}))
    return Answer(tuple(found))


@pytest.mark.parametrize(
    ("failed", "expected"),
    [(5, Status.PASS), (6, Status.WARN), (10, Status.WARN), (11, Status.FAIL)],
)
def test_failed_calculations_at_the_manuals_levels_and_over_them(failed, expected):
    assert worst(snapshot.judge_jobs(jobs(failed), POLICY, at=AT)) is expected


def test_time_taken_warns_from_the_manuals_average_on():
    def late(mean):
        return {one.name for one in snapshot.judge_jobs(jobs(mean=mean), POLICY, at=AT) if one.status is Status.WARN}

    assert late(119.9) == set()
    assert late(120.0) == {"report time"}
    assert late(300.0) == {"report time", "calculation time"}
