"""A small demo world with a backup of it, a ledger, and a whole drill of it in Docker: made once for this folder."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from clo_ops.actions.drill.engine import Engine
from clo_ops.ledger import Ledger
from clo_ops.orchestration.connections import Connections
from clo_ops.orchestration.drill_run import Outcome, Told, run_drill
from clo_ops.policy import Policy, load_policy
from clo_ops.probes.targets import DockerTarget
from demo.backup import take_backup
from demo.mornings import connected
from demo.stack import app_image, images
from demo.stack.control import clean
from demo.stack.system import DemoSystem
from tests.integration.dead_drills import dag_of_this_run, remove_what_dead_runs_left

DAG = dag_of_this_run("whole")
PATIENCE = 240.0  # seconds to wait for somebody else's drill on this machine


@dataclass
class Site:
    """What a drill needs of a site. Each drill is a run of its own."""

    system: DemoSystem
    policy: Policy
    ledger: Ledger
    repository: Path
    altered: str = ""
    runs: int = 0

    def connections(self, client: str) -> Connections:
        return connected(self.system.connections, client)

    def backup(self) -> str:
        values = self.system.environment
        return take_backup(values["CLO_BACKUP_URL"], self.repository, bin_dir=Path(values["CLO_PG_BIN"])).name

    def drill(self, told: Told = lambda step, findings: None, **params: Any) -> Outcome:
        self.runs += 1
        no_other_drill()
        return run_drill(
            self.policy,
            self.connections,
            self.ledger,
            params,
            dag_id=DAG,
            run_id=f"manual__{self.runs}",
            at=datetime.now(UTC),
            told=told,
        )


def ours() -> list[str]:
    return [str(one) for one in Engine(DockerTarget()).ours() if one.labels.dag == DAG]


def no_other_drill() -> None:
    """The guard refuses beside another drill; on a machine that is shared, that one is waited for."""
    end = time.monotonic() + PATIENCE
    while others := Engine(DockerTarget()).ours():
        assert time.monotonic() < end, f"there for {PATIENCE:.0f} s: {', '.join(map(str, others))}"
        time.sleep(0.5)


@pytest.fixture(scope="session")
def image() -> None:
    """Where no engine can be had these tests fail in CI; elsewhere they say why they did not run."""
    from demo.stack import servers

    try:
        images.ensure(f"postgres:{servers.postgres().major}", say=lambda _: None)
        app_image.ensure(lambda _: None)
        remove_what_dead_runs_left()
    except images.NoImage as error:
        if os.environ.get("CI"):
            pytest.fail(f"CI must run the drill for real: {error}")
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def site(image: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The demo's servers without what serves: a drill needs its database, not its users."""
    # pytest's own folders are closed to the account PostgreSQL runs as when we are root.
    with tempfile.TemporaryDirectory(prefix="clo-ops-drill-site-", dir="/var/tmp") as base:
        directory = Path(base)
        directory.chmod(0o755)
        system = DemoSystem(directory / "system", backups=False)
        os.environ["CLO_OPS_EVIDENCE"] = f"file://{directory / 'evidence'}"
        try:
            yield from _site(system, directory)
        finally:
            del os.environ["CLO_OPS_EVIDENCE"]
            clean(system.stack)
    assert ours() == []


def _site(system: DemoSystem, directory: Path) -> Iterator[Site]:
    for name in ("postgres", "redis"):
        system.start_server(name)
    system.connect()
    system.prepare()
    system.cluster.create_user("clo_ops")
    system.cluster.create_database("ledger", owner="clo_ops")
    loaded = load_policy(mode="demo")
    local = loaded.recovery.local.model_copy(update={"directory": str(directory / "local")})
    policy = loaded.model_copy(update={"recovery": loaded.recovery.model_copy(update={"local": local})})
    with Ledger(system.cluster.url("ledger", "clo_ops")) as ledger:
        ledger.migrate()
        site = Site(system, policy, ledger, Path(system.environment["CLO_BACKUP_DIR"]))
        site.altered = _altered(site)
        time.sleep(1.1)  # a backup's name has its second
        site.backup()
        yield site


def _altered(site: Site) -> str:
    """An older backup, good in itself, whose manifest remembers one row more and another canary."""
    name = site.backup()
    path = site.repository / f"{name}.manifest.json"
    facts = json.loads(path.read_text())
    facts["tables"]["public.clo_deals"]["rows"] += 1
    facts["canary"]["nonce"] = "0" * 32
    path.write_text(json.dumps(facts))
    return name


@pytest.fixture(scope="session")
def healthy(site: Site) -> Outcome:
    """The whole drill of a healthy backup, all parts."""
    return site.drill()
