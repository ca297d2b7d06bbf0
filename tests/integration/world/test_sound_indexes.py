"""Bytes are flipped in the files of a stopped server; amcheck must see it, and nothing else would have."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from clo_ops.actions.drill.proof import install_amcheck
from clo_ops.findings import Answer, Status
from clo_ops.policy import load_policy
from clo_ops.probes import soundness
from clo_ops.probes.targets import PostgresTarget
from clo_ops.rules import contents
from demo.stack.postgres import Cluster

PAGE = 8192


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One that writes what it has to disk before it stops: the files are what it last knew."""
    with Cluster(Path(tmp_path_factory.mktemp("flipped")), durable=True) as made:
        with made.connect() as connection:
            connection.execute("CREATE TABLE loans (id int PRIMARY KEY, name text)")
            connection.execute("INSERT INTO loans SELECT n, 'loan ' || n FROM generate_series(1, 3000) AS n")
            connection.execute("CREATE INDEX loans_name ON loans (name)")
            connection.execute("CREATE TABLE notes (n int)")
            connection.execute("INSERT INTO notes SELECT generate_series(1, 1000)")
        yield made


def target(cluster: Cluster) -> PostgresTarget:
    return PostgresTarget("127.0.0.1", cluster.port, "postgres", "postgres", cluster.password())


def flip(cluster: Cluster, relation: str, offset: int) -> None:
    with cluster.connect() as connection:
        row = connection.execute("SELECT pg_relation_filepath(%s)", [relation]).fetchone()
    assert row
    cluster.stop()
    file = cluster.data / row[0]
    content = bytearray(file.read_bytes())
    content[offset] ^= 0x15
    file.write_bytes(content)
    cluster.start()


def judged(answer: Answer) -> dict[str, Any]:
    policy = load_policy(mode="demo").recovery.proof
    return {one.subject: one for one in contents.judge({}, None, answer, policy, rpo=timedelta(hours=1))}


def test_corruption_is_found_and_named(cluster: Cluster) -> None:
    """In this order: not looked yet, sound, then one file after the other."""
    without = soundness.ask(target(cluster))
    (finding,) = judged(without).values()
    assert finding.status is Status.NOT_APPLICABLE
    assert "amcheck" in finding.message
    install_amcheck(target(cluster), production="")
    sound = soundness.ask(target(cluster), workers=2)
    if sound.value("contents.index.checked") == 0:
        pytest.skip("this PostgreSQL comes without contrib (the wheel's server)")
    assert sound.unanswered == ()
    assert {one.value for one in sound.select("contents.index.sound")} == {1}
    assert sound.value("contents.index.sound", index="public.loans_pkey") == 1
    assert sound.value("contents.index.sound", table="public.loans") == 1
    assert [one.status for one in judged(sound).values()] == [Status.PASS]

    flip(cluster, "loans_name", 2 * PAGE - 20)  # a key of the first leaf
    with cluster.connect() as connection:
        assert connection.execute("SELECT count(*) FROM loans WHERE name LIKE 'loan 1%'").fetchone()
    answer = soundness.ask(target(cluster), workers=2)
    bad = [one for one in answer.select("contents.index.sound") if one.value != 1]
    assert [one.labels for one in bad] == [{"index": "public.loans_name"}]
    assert "loan 1" not in bad[0].detail, "amcheck names places, not values"
    found = judged(answer)["index public.loans_name"]
    assert found.status is Status.FAIL
    assert "is corrupted" in found.message

    flip(cluster, "notes", PAGE - 3 * 32 + 22)  # the header of a row: where its data begin
    answer = soundness.ask(target(cluster), workers=2)
    bad = [one for one in answer.select("contents.index.sound") if one.value != 1]
    assert {"table": "public.notes"} in [dict(one.labels) for one in bad]
    assert judged(answer)["table public.notes"].status is Status.FAIL


def test_an_index_that_takes_too_long_is_unknown_by_itself(cluster: Cluster) -> None:
    """Held by somebody's lock: could not look is not looked and found bad."""
    install_amcheck(target(cluster), production="")
    with cluster.connect() as connection:
        connection.execute("CREATE TABLE held (id int PRIMARY KEY)")
        connection.execute("BEGIN; LOCK TABLE held IN ACCESS EXCLUSIVE MODE")
        answer = soundness.ask(target(cluster))
        connection.execute("ROLLBACK")
        connection.execute("DROP TABLE held")
    if answer.value("contents.index.checked") == 0:
        pytest.skip("this PostgreSQL comes without contrib (the wheel's server)")
    assert [one for one in answer.unanswered if "held" not in one.question] == []
    assert answer.first("contents.index.sound", index="public.held_pkey") is None


def test_a_server_that_is_not_there_is_unknown(cluster: Cluster) -> None:
    nowhere = PostgresTarget("127.0.0.1", 1, "postgres", "postgres", "x")
    answer = soundness.ask(nowhere, workers=2)
    assert answer.measurements == ()
    assert [one.status for one in judged(answer).values()] == [Status.UNKNOWN]
