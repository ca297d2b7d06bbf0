"""A worker that is itself a container of the engine, with its socket: paths differ, the drill's network is joined."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from clo_ops.actions.drill.place import drill_id
from demo.stack import images
from tests.integration.drill.conftest import DAG

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = Path(pytest.__file__).resolve().parents[1]
SOCKET = Path("/var/run/docker.sock")
WORKER = 50000  # who Airflow's image runs as
SCRIPT = """
import json, sys
from dataclasses import replace
from clo_ops.actions.drill import application, failover, restore, roles
from clo_ops.actions.drill.place import ChosenBackup, open_place
from clo_ops.policy import DrillSpec, load_policy
from clo_ops.probes import contents
from clo_ops.probes.targets import BackupRepository
facts = json.load(open("/backups/manifest.json"))
policy = load_policy(mode="demo")
backup = ChosenBackup(BackupRepository("file:///backups"), facts["path"], "clo", int(facts["server_major"]),
                      "custom", 1, int(facts["database_bytes"]), manifest=facts)
place = open_place(DrillSpec.of(policy.recovery), policy, backup, dag_id=sys.argv[1], run_id=sys.argv[2])
said = {"inside": bool(place.engine.own_container), "local": place.engine.local}
try:
    server = place.start()
    roles.restore_roles(server, backup)
    said["restored"] = restore.restore(place, backup, policy.recovery.restore, timeout=100).value("restore.exit_code")
    target = replace(server.target, database="clo")
    said["same"] = contents.ask(target)[0].as_manifest()["tables"] == facts["tables"]
    built = failover.build(place, policy.recovery.failover)
    answer = built + failover.activate(place, policy.recovery.failover)
    said["markers"] = [answer.value(f"failover.marker.{one}") for one in ("committed", "found")]
    isolated = application.isolation(place, place.standby(), [("192.0.2.1", 5432)])
    said["isolated"] = isolated.value("application.isolated")
finally:
    said["removed"] = len(place.remove())
print(json.dumps(said))
"""


@pytest.fixture
def repository(backup, tmp_path) -> Path:
    """As a worker writes it: its own, and nobody else may read it."""
    there = Path(backup.repository.url.removeprefix("file://"))
    shutil.copy(there / backup.name, tmp_path / backup.name)
    (tmp_path / "manifest.json").write_text(json.dumps(backup.manifest))
    for path in (tmp_path, *tmp_path.iterdir()):
        path.chmod(0o700 if path.is_dir() else 0o600)
        os.chown(path, WORKER, WORKER)
    return tmp_path


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a backup to the worker's own account, which only root can")
def test_a_whole_drill_from_inside_a_container(engine, repository):
    python = images.ensure(f"python:{sys.version_info[0]}.{sys.version_info[1]}-slim-bookworm", say=lambda _: None)
    mounts = {SOCKET: SOCKET, ROOT: "/repo", PACKAGES: "/packages", repository: "/backups"}
    volumes = [part for host, inside in mounts.items() for part in ("-v", f"{host}:{inside}")]
    who = ["--user", f"{WORKER}:0", "--group-add", str(SOCKET.stat().st_gid)]
    environment = ["-e", "PYTHONPATH=/repo/plugins:/packages", "-e", "HOME=/tmp"]
    done = subprocess.run(
        ["docker", "run", "--rm", *who, *volumes, *environment, python, "python", "-c", SCRIPT, DAG, "inside"],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    said = json.loads(done.stdout.splitlines()[-1])
    assert (said["inside"], said["local"]) == (True, False), "paths of the worker are not the engine's"
    assert (said["restored"], said["same"], said["isolated"]) == (0, True, 1)
    committed, found = said["markers"]
    assert committed == found > 0
    assert said["removed"] >= 4
    assert engine.ours(drill_id(DAG, "inside")) == []
