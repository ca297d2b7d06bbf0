"""A real Docker engine, the image of the drill, a small source database and its backup: once for all tests here."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from clo_ops.actions.backups.take import take
from clo_ops.actions.drill.engine import Engine
from clo_ops.actions.drill.place import ChosenBackup, Place, open_place
from clo_ops.policy import DrillSpec, Policy, load_policy
from clo_ops.probes.targets import BackupRepository, DockerTarget, PostgresTarget
from demo.stack import images, servers
from demo.stack.postgres import Cluster
from tests.integration.dead_drills import dag_of_this_run, remove_what_dead_runs_left

# Several people may run these tests on one machine: whatever this run leaves carries its own name.
DAG = dag_of_this_run()
ROWS = 20_000


@pytest.fixture(scope="session")
def major() -> int:
    """Of the server the tests find on this machine: the backup is of that version, and so is the image."""
    return servers.postgres(None).major


@pytest.fixture(scope="session")
def image(major: int) -> str:
    """Where no engine or image can be had these tests fail in CI; elsewhere they say why they did not run."""
    try:
        return images.ensure(f"postgres:{major}", say=lambda _: None)
    except images.NoImage as error:
        if os.environ.get("CI"):
            pytest.fail(f"CI must run the drill for real: {error}")
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def engine(image: str):
    """At the very end nothing of this run may be left in the engine."""
    remove_what_dead_runs_left()
    reached = Engine(DockerTarget())
    yield reached
    left = [str(one) for one in reached.ours() if one.labels.dag == DAG]
    assert left == []


@pytest.fixture(scope="session")
def policy():
    """Local places lie where the ordinary account that root's servers run as can get to them."""
    loaded = load_policy(mode="demo")
    base = Path(tempfile.mkdtemp(prefix="clo-ops-test-drills-", dir="/var/tmp"))
    base.chmod(0o755)
    yield changed(loaded, local=loaded.recovery.local.model_copy(update={"directory": str(base)}))
    left = [path.name for path in base.iterdir() if path.name != "somebody's"]
    shutil.rmtree(base)
    assert left == []


def changed(policy: Policy, **parts: Any) -> Policy:
    """The policy with sections of recovery.yaml replaced."""
    return policy.model_copy(update={"recovery": policy.recovery.model_copy(update=parts)})


@pytest.fixture(scope="session")
def source(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("source")) as cluster:
        cluster.create_user("clo_owner")
        cluster.create_user("clo_reader")
        cluster.create_database("clo", owner="clo_owner")
        script = f"""
            create table public.backup_canary (canary_id bigint generated always as identity primary key,
                nonce text not null, planted_at timestamptz not null default now());
            create table deal (id bigint generated always as identity primary key, name text not null);
            insert into deal (name) select md5(i::text) from generate_series(1, {ROWS}) i;
            create table flow (id bigint primary key, deal bigint references deal, amount numeric(12,2));
            insert into flow select i, i, i from generate_series(1, {ROWS}) i;
            create index on flow (deal);
            alter table deal owner to clo_owner;
            grant select on flow to clo_reader;
        """  # noqa: S608 - the number is ours, not anybody's input
        cluster.psql("-c", script, database="clo")
        yield cluster


@pytest.fixture(scope="session")
def production(source: Cluster) -> PostgresTarget:
    return PostgresTarget("127.0.0.1", source.port, "clo", "postgres", source.password())


@pytest.fixture(scope="session")
def backup(production: PostgresTarget, policy: Policy, tmp_path_factory) -> ChosenBackup:
    folder = tmp_path_factory.mktemp("repository")
    repository = BackupRepository(folder.as_uri())
    quick = policy.recovery.taking.model_copy(update={"invariants": False})
    facts = take(production, repository, quick)
    path = Path(folder / facts["path"])
    path.chmod(0o644)
    return ChosenBackup(
        repository=repository,
        name=path.name,
        database="clo",
        major=int(facts["server_major"]),
        size_bytes=path.stat().st_size,
        database_bytes=int(facts["database_bytes"]),
        manifest=facts,
    )


@dataclass
class Site:
    """Opens places of this run; whatever a test leaves is removed when its module is done."""

    policy: Policy
    backup: ChosenBackup
    opened: list[Place]

    def open(self, run: str, *, backup: ChosenBackup | None = None, policy: Policy | None = None, **chosen: Any) -> Any:
        used = policy or self.policy
        spec = DrillSpec.of(used.recovery, **{"parts": ["restore"], **chosen})
        place = open_place(spec, used, backup or self.backup, dag_id=DAG, run_id=run)
        self.opened.append(place)
        return place

    def manifest(self, **other: Any) -> ChosenBackup:
        return replace(self.backup, manifest={**self.backup.manifest, **other})


@pytest.fixture(scope="module")
def site(engine: Engine, policy: Policy, backup: ChosenBackup):
    made = Site(policy, backup, [])
    yield made
    for place in made.opened:
        place.remove()


@pytest.fixture
def judged():
    """Findings by name and subject, each as its status."""

    def table(findings):
        return {(one.name, one.subject): one.status.value for one in findings}

    return table
