"""Drills in Docker with a small world in them: restored once for the healthy run, empty where only servers matter."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from clo_ops.actions.drill.place import ChosenBackup, Place, open_place
from clo_ops.policy import DrillSpec, Policy, load_policy
from clo_ops.probes.targets import BackupRepository
from demo.stack import app_image, content, images
from demo.stack.postgres import Cluster
from tests.integration.dead_drills import dag_of_this_run, remove_what_dead_runs_left

DAG = dag_of_this_run("failover")
ROLES = "; ".join(
    f"create role {role} login"
    for role in ("clo_app", "clo_ops_reader", "clo_backup", "clo_ops_retention", "clo_ops_accounts")
)


@dataclass(frozen=True)
class Source:
    """A backup to be restored. Nobody's password of it is known."""

    backup: ChosenBackup


@pytest.fixture(scope="session")
def policy() -> Policy:
    return load_policy(mode="demo")


@pytest.fixture(scope="session", autouse=True)
def image() -> None:
    images.ensure("postgres:15")
    app_image.ensure()
    remove_what_dead_runs_left()


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Source]:
    """The smallest world there is, as a dump anybody may read."""
    folder: Path = tmp_path_factory.mktemp("backups")
    with Cluster(tmp_path_factory.mktemp("source") / "postgres") as cluster:
        for role in content.ROLES:
            cluster.create_user(role)
        content.build_world(cluster, content.World(scale=0.02, days=3), content.make_credentials(), lambda _: None)
        command = [cluster.bin / "pg_dump", "-Fc", "-Z1", "-f", folder / "clo.dump", *cluster.client("clo")]
        subprocess.run(command, env=cluster.environment(), check=True, capture_output=True)
    yield Source(chosen(folder))


def chosen(folder: Path) -> ChosenBackup:
    dump = folder / "clo.dump"
    size = dump.stat().st_size if dump.exists() else 0
    return ChosenBackup(BackupRepository(f"file://{folder}"), dump.name, "clo", 15, size_bytes=size)


@pytest.fixture(scope="module")
def opened(policy: Policy) -> Iterator[Callable[..., Place]]:
    """Opens places, and sees that nothing of them is left."""
    places: list[Place] = []

    def open_one(backup: ChosenBackup, kind: str = "docker") -> Place:
        spec = DrillSpec.of(policy.recovery, place=kind)
        place = open_place(spec, policy, backup, dag_id=DAG, run_id=uuid.uuid4().hex)
        places.append(place)
        return place

    yield open_one
    for place in places:
        place.remove()
        assert place.remove() == []
        if place.kind == "docker":
            place.engine.client.close()


def restored(place: Place, backup: ChosenBackup) -> Place:
    """The backup in a started place: what the drill's own restore does, as short as can be."""
    server = place.start()
    done = [
        server.run("psql", "-d", "postgres", "-qc", ROLES, timeout=60),
        server.run("createdb", "-O", "clo_app", "clo", timeout=60),
        server.run("pg_restore", "-d", "clo", place.backup_path(backup.name), timeout=120),
    ]
    assert [one.exit_code for one in done] == [0, 0, 0], done
    return place


def empty(place: Place) -> Place:
    """A started place with an empty database: enough for what is about servers only."""
    done = place.start().run("createdb", "clo", timeout=60)
    assert done.exit_code == 0, done
    return place


class Primary:
    """The place's primary, with something that happens at the very moment it is cut off."""

    def __init__(self, server: Any, at_the_cut: Callable[[], None]) -> None:
        self._server, self._at_the_cut = server, at_the_cut

    def __getattr__(self, name: str) -> Any:
        return getattr(self._server, name)

    def kill(self) -> None:
        self._server.kill()
        self._at_the_cut()


class Faulty:
    """A place whose primary is such a one."""

    def __init__(self, place: Place, at_the_cut: Callable[[], None]) -> None:
        self._place, self._at_the_cut = place, at_the_cut

    def __getattr__(self, name: str) -> Any:
        return getattr(self._place, name)

    def primary(self) -> Any:
        return Primary(self._place.primary(), self._at_the_cut)
