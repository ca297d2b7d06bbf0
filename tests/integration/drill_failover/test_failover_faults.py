"""Failovers that go wrong, in Docker: each must be red, for the right reason."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from clo_ops.actions.drill import failover
from clo_ops.actions.drill.place import Place
from clo_ops.actions.drill.session import writing
from clo_ops.findings import Answer, Status
from clo_ops.policy import Policy
from clo_ops.rules import failover as rules
from tests.integration.drill_failover.conftest import Faulty, chosen, empty

AT = datetime(2026, 11, 23, tzinfo=UTC)
RECEIVER = "alter system set primary_conninfo = {}"


@pytest.fixture(scope="module")
def build(
    opened: Callable[..., Place], policy: Policy, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], Place]:
    folder: Path = tmp_path_factory.mktemp("nothing")
    (folder / "clo.dump").touch()

    def build_one() -> Place:
        place = empty(opened(chosen(folder)))
        answer = failover.build(place, policy.recovery.failover)
        assert answer.value("failover.caught_up") == 1, answer
        return place

    return build_one


def cut_the_stream(place: Place) -> str:
    """The standby receives nothing any more; how it did."""
    with writing(place.standby().target, production="") as connection:
        (row,) = connection.execute("select current_setting('primary_conninfo') as was").fetchall()
        connection.execute(RECEIVER.format("''").encode())
        connection.execute("select pg_reload_conf()")
        while connection.execute("select 1 from pg_stat_wal_receiver").fetchall():
            pass
    return str(row["was"])


def statuses(answer: Answer, policy: Policy) -> dict[str, Status]:
    figures = policy.recovery.failover
    findings = rules.judge_activation(answer, figures, at=AT) + rules.judge_synchronisation(answer, figures, at=AT)
    return {one.name: one.status for one in findings}


def test_a_marker_the_standby_never_got_is_missed(build, policy):
    """Asynchronous, and the line to the standby is dead: every commit is acknowledged, and none is there. The primary
    is cut off as by a cable."""
    place = build()
    caught_up = Answer((failover._flag("failover.standby.built", True), failover._flag("failover.caught_up", True)))
    cut_the_stream(place)
    answer = caught_up + failover.activate(place, policy.recovery.failover, synchronous=False, cut="disconnect")
    found = statuses(answer, policy)
    assert found["acknowledged markers"] is Status.FAIL
    assert found["commits wait for the standby"] is Status.WARN
    assert found["takes writes"] is Status.PASS
    assert answer.value("failover.marker.found") == 0
    assert answer.value("failover.lag", when="cut") > 0
    assert "missing" in answer.first("failover.marker.found").detail
    again = failover.run(place, policy.recovery.failover)
    assert again.unanswered
    assert set(statuses(again, policy).values()) == {Status.UNKNOWN}


def test_a_standby_that_does_not_stream_is_no_synchronous_one_and_one_that_hangs_is_not_promoted(build, policy):
    place = build()
    built = Answer((failover._flag("failover.standby.built", True), failover._flag("failover.caught_up", True)))
    impatient = policy.recovery.failover.model_copy(update={"promotion_within": timedelta(seconds=2)})
    connection = cut_the_stream(place)
    answer = built + failover.activate(place, impatient)
    assert answer.value("failover.synchronous") == 0
    # Nothing was cut off for a failover that can promise nothing.
    assert statuses(answer, policy)["commits wait for the standby"] is Status.FAIL
    assert statuses(answer, policy)["standby promoted"] is Status.UNKNOWN
    join_again(place, connection)
    hung = built + failover.activate(Faulty(place, lambda: stop_replay(place)), impatient)
    assert statuses(hung, policy)["standby promoted"] is Status.FAIL
    assert "takes writes" not in statuses(hung, policy)


def join_again(place: Place, connection: str) -> None:
    with writing(place.standby().target, production="") as standby:
        quoted = "'" + connection.replace("'", "''") + "'"
        standby.execute(RECEIVER.format(quoted).encode())
        standby.execute("select pg_reload_conf()")


def stop_replay(place: Any) -> None:
    """The process that would end recovery is stopped: as where a disk hangs."""
    with writing(place.standby().target, production="") as standby:
        (row,) = standby.execute("select pid from pg_stat_activity where backend_type = 'startup'").fetchall()
    done = place.standby().run("sh", "-c", f"kill -STOP {row['pid']}", timeout=10)
    assert done.exit_code == 0, done
