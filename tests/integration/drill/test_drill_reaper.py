"""M3-08: what a killed worker left is found and removed, and nothing else is touched."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from clo_ops.actions.drill.place import DRILL, Labels, drill_id
from clo_ops.actions.drill.reaper import main, reap, remaining
from clo_ops.probes.targets import DockerTarget
from tests.integration.dead_drills import PREFIX, is_dead, remove_what_dead_runs_left
from tests.integration.drill.conftest import DAG

WORKER = """
import sys
from clo_ops.actions.drill.place import ChosenBackup, open_place
from clo_ops.actions.drill.session import writing
from clo_ops.policy import DrillSpec, load_policy
from clo_ops.probes.targets import BackupRepository
policy = load_policy(mode="demo")
backup = ChosenBackup(BackupRepository(sys.argv[3]), sys.argv[4], "clo", int(sys.argv[7]), size_bytes=10**6)
docker = policy.recovery.docker.model_copy(update={"backup_from": "stream"})
local = policy.recovery.local.model_copy(update={"directory": sys.argv[6]})
recovery = policy.recovery.model_copy(update={"docker": docker, "local": local})
policy = policy.model_copy(update={"recovery": recovery})
spec = DrillSpec.of(policy.recovery, parts=["restore"], place=sys.argv[5])
place = open_place(spec, policy, backup, dag_id=sys.argv[1], run_id=sys.argv[2])
server = place.start()
print("started", flush=True)
server.run("psql", "-c", "select pg_sleep(60)", timeout=100)
"""


def killed_worker(run, backup, kind, directory):
    """A worker that dies with its drill in the middle of something, as by the machine's out-of-memory killer."""
    root = Path(__file__).resolve().parents[3]
    command = [sys.executable, "-W", "ignore", "-c", WORKER, DAG, run, backup.repository.url, backup.name, kind]
    environment = {**os.environ, "PYTHONPATH": str(root / "plugins")}
    worker = subprocess.Popen(
        [*command, str(directory), str(backup.major)], stdout=subprocess.PIPE, text=True, env=environment
    )
    try:
        for line in worker.stdout:
            if line.strip() == "started":
                break
        time.sleep(0.3)
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        worker.stdout.close()


@pytest.fixture
def strangers(engine, image):
    """Not ours: other labels, half of ours, a drill's name without its labels, labels that do not fit each other."""
    client = engine.client
    mine = {"clo_ops.dag": DAG, "clo_ops.run": "x", "clo_ops.expires": "2020-01-01T00:00:00+00:00"}
    labels = [{"app": "somebody's"}, mine, {DRILL: "abcdef0123"}, {**mine, DRILL: "abcdef0123"}]
    containers = [
        client.create_container(image, name=f"clo-ops-drill-stranger{number}-{os.getpid()}", labels=one)["Id"]
        for number, one in enumerate(labels)
    ]
    network = client.create_network(f"stranger-{os.getpid()}", labels=labels[1])["Id"]
    volume = client.create_volume(f"stranger-{os.getpid()}", labels=labels[3])["Name"]
    yield containers, network, volume
    for one in containers:
        client.remove_container(one, v=True)
    client.remove_network(network)
    client.remove_volume(volume)


def test_what_a_killed_worker_left_goes_when_it_is_named_and_nothing_else_does(
    engine, backup, policy, strangers, capsys
):
    killed_worker("killed", backup, "docker", policy.recovery.local.directory)
    drill = drill_id(DAG, "killed")
    left = engine.ours(drill)
    assert sorted(one.kind for one in left) == ["container", "network", "volume"]

    removed, _ = reap(policy.recovery, datetime.now(UTC))
    assert not [name for name in removed if drill in name]
    assert len(engine.ours(drill)) == 3
    assert remaining(policy.recovery, drill).value("drill.remaining") == 3

    at_work = labels_of(DAG)
    volume_at_work = engine.client.create_volume(f"clo-ops-test-{at_work.drill}", labels=at_work.as_dict("data"))[
        "Name"
    ]
    # Asked for by its id: on a machine that others drill on as well, a later "now" would take theirs.
    assert main([]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith(drill)]
    assert f"{DAG} killed" in line and "container clo-ops-drill-" in line
    assert main(["0123456789", drill]) == 1
    said = capsys.readouterr()
    assert len([line for line in said.out.splitlines() if line.startswith("removed") and drill in line]) == 3
    assert said.err == "there is no drill 0123456789\n"
    assert engine.ours(drill) == []
    assert [one.name for one in engine.ours(at_work.drill)] == [volume_at_work]
    engine.client.remove_volume(volume_at_work)
    assert remaining(policy.recovery, drill).value("drill.remaining") == 0

    containers, network, volume = strangers
    there = {one["Id"] for one in engine.client.containers(all=True)}
    assert set(containers) <= there
    assert engine.client.inspect_network(network) and engine.client.inspect_volume(volume)


def test_a_local_cluster_left_by_a_killed_worker_goes_with_its_processes(backup, policy):
    import psutil

    directory = Path(policy.recovery.local.directory)
    killed_worker("killed locally", backup, "local", directory)
    place = directory / drill_id(DAG, "killed locally")
    pid = int((place / "primary" / "data" / "postmaster.pid").read_text().splitlines()[0])
    assert psutil.pid_exists(pid)
    stranger = directory / "somebody's"
    stranger.mkdir(exist_ok=True)
    (stranger / "labels.json").write_text("{}")

    nowhere = DockerTarget("unix:///nonexistent.sock")
    assert reap(policy.recovery, datetime.now(UTC), engine=nowhere)[0] == []
    removed, answer = reap(policy.recovery, datetime.now(UTC) + timedelta(days=2), engine=nowhere)
    assert removed == [f"cluster {place}"]
    assert not place.exists() and not psutil.pid_exists(pid) and stranger.exists()
    assert [one.question for one in answer.unanswered] == ["what drills left in the Docker engine"]


def test_a_local_drill_needs_no_engine_to_be_seen_gone(policy):
    """A laptop without Docker: nobody is asked who was never used. A drill in Docker is never called gone unseen."""
    nowhere = DockerTarget("unix:///nonexistent.sock")
    local = remaining(policy.recovery, "0123456789", "local", engine=nowhere)
    assert (local.value("drill.remaining"), local.unanswered) == (0, ())
    docker = remaining(policy.recovery, "0123456789", "docker", engine=nowhere)
    assert docker.first("drill.remaining") is None and docker.unanswered


def test_an_engine_that_does_not_answer_is_told_by_the_command(capsys):
    assert main(["0123456789", "--engine", "unix:///nonexistent.sock"]) == 2
    assert "no Docker engine answers at unix:///nonexistent.sock" in capsys.readouterr().err


def labels_of(dag):
    return Labels(drill_id(dag, "x"), dag, "x", datetime.now(UTC) + timedelta(hours=1))


def test_what_a_killed_test_run_left_goes_before_the_next_one_drills(engine):
    ended = subprocess.Popen(["true"])
    ended.wait()
    dead, alive = f"{PREFIX}-whole-{ended.pid}", labels_of(DAG)
    for labels in (labels_of(dead), alive):
        engine.client.create_volume(f"clo-ops-test-{labels.drill}", labels=labels.as_dict("data"))
    try:
        assert remove_what_dead_runs_left() == [f"volume clo-ops-test-{drill_id(dead, 'x')}"]
        assert [str(one) for one in engine.ours(alive.drill)] == [f"volume clo-ops-test-{alive.drill}"]
    finally:
        engine.client.remove_volume(f"clo-ops-test-{alive.drill}")


@pytest.mark.parametrize(
    ("dag", "ago", "dead"),
    [(DAG, 0, False), (DAG, 400, True), ("make_dr_drill", 0, False), ("monthly_week3_dr_test", 400, False)],
    ids=["this run", "its number again", "somebody's drill", "a drill of Airflow"],
)
def test_only_a_test_run_that_is_provably_dead_counts_as_dead(dag, ago, dead):
    assert is_dead(labels_of(dag), datetime.now(UTC) - timedelta(days=ago)) is dead
