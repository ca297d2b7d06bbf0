"""A whole drill without failover against a bare `pg_restore -j` into the same container and one sequential read.

The drill is the product's own (``orchestration.drill_run.run_drill`` with the part restore, as `make dr-drill` calls
it), from the guard to the clean-up: backup hashed and guard, container, proofs, parity, roles, restore, statistics,
contents, amcheck and the invariants by Great Expectations with their Data Docs, each step recorded in a ledger. Its
report comes on top and is told apart. The backup's bytes were decoded by the end of day before (ED-04); with
--first-time they were not, and are decoded as well. Bare: a container made the same way, pg_restore with the same jobs,
then count(*) of every table. Each round takes both.

Aim: 1.5 or less of the wall clock. Processor seconds of both sides (this process with its children, and the container)
are told beside it: they bear a machine that others use as well. Needs Docker and the image of the server's version.
Data set: benchmarks/large_world.py, made below `--scratch` for the backup taken of it; while that backup is kept there,
the data set is not needed again.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "plugins"), str(ROOT / "benchmarks")]

from clo_ops.actions.backups.take import take  # noqa: E402
from clo_ops.actions.drill import roles  # noqa: E402
from clo_ops.actions.drill.choosing import choose  # noqa: E402
from clo_ops.actions.drill.docker_place import DockerPlace  # noqa: E402
from clo_ops.actions.drill.engine import Engine  # noqa: E402
from clo_ops.actions.drill.place import ChosenBackup, open_place  # noqa: E402
from clo_ops.actions.drill.restore import command_of  # noqa: E402
from clo_ops.actions.drill.session import execute, writing  # noqa: E402
from clo_ops.findings import Finding, Status  # noqa: E402
from clo_ops.ledger import BackupRow, Ledger  # noqa: E402
from clo_ops.orchestration.connections import Connections  # noqa: E402
from clo_ops.orchestration.drill_run import Outcome, run_drill  # noqa: E402
from clo_ops.policy import DrillSpec, Policy, load_policy  # noqa: E402
from clo_ops.probes.postgres import connect, rows  # noqa: E402
from clo_ops.probes.targets import BackupRepository, DockerTarget  # noqa: E402
from demo.mornings import connected  # noqa: E402
from demo.stack.postgres import Cluster  # noqa: E402

DAG, BARE = "benchmark_drill", "benchmark_bare"
AIM = 1.5
PATIENCE = 300.0  # seconds to wait for somebody else's drill: beside one, none starts


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = os.environ.get("CLO_OPS_BENCH", "/var/tmp/clo-ops-bench")  # noqa: S108
    parser.add_argument("--scratch", type=Path, default=Path(default), help=f"where the data set is ({default})")
    parser.add_argument("--rounds", type=int, default=3, help="rounds; the median counts (default 3)")
    parser.add_argument("--first-time", action="store_true", help="a backup no end of day has decoded: decode it too")
    return parser.parse_args()


@dataclass
class Site:
    """The data set, its newest backup, and a ledger beside them."""

    policy: Policy
    known: dict[str, dict[str, Any]]
    ledger: Ledger
    engine: Engine = field(default_factory=lambda: Engine(DockerTarget()))

    def connections(self, client: str) -> Connections:
        return connected(self.known, client)

    @property
    def backup(self) -> ChosenBackup:
        return choose(self.connections(DAG).backups, self.policy.backups, "newest", at=datetime.now(UTC)).backup

    def remember(self, backup: ChosenBackup, decoded: bool) -> None:
        """What the end of day leaves in the ledger, or that nobody has looked at these bytes yet."""
        read = datetime.now(UTC) - timedelta(hours=1) if decoded else None
        proven: Any = {level: read for level in ("L0", "L1", "L2") if read}
        path, sha256 = backup.name, str(backup.manifest["sha256"]) if decoded else ""
        row = BackupRow(str(backup.repository), path, sha256=sha256, proven=proven, read_at=read)
        self.ledger.record_backup(row)

    def processor(self, dag: str) -> float:
        """Processor seconds so far of the primary's container, 0 where it is gone."""
        found = [one for one in self.engine.ours() if one.labels.dag == dag and one.role == "primary"]
        if not found:
            return 0.0
        used = self.engine.client.stats(found[0].id, stream=False, one_shot=True)
        return float(used["cpu_stats"]["cpu_usage"]["total_usage"]) / 1e9


@dataclass
class Taken:
    """What one side took: seconds by the clock, and of the processors."""

    wall: float = 0.0
    processor: float = 0.0
    steps: dict[str, float] = field(default_factory=dict)


def no_other_drill(site: Site) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and site.engine.ours():
        time.sleep(0.5)


def own() -> float:
    return sum(os.times()[:4])


def drilled(site: Site, number: int, backup: ChosenBackup) -> tuple[Taken, float]:
    """A drill as far as its clean-up, and the seconds of the whole with its report."""
    taken, start, before = Taken(), perf_counter(), own()
    container = 0.0

    def told(step: str, findings: list[Finding]) -> None:
        nonlocal container
        now = perf_counter() - start
        if step == "clean_up":
            taken.wall, taken.processor = now, own() - before + container
        taken.steps[step] = now - sum(taken.steps.values())
        if step == "contents_and_meaning":
            container = site.processor(DAG)
        good(findings)

    params = {"backup": "named", "name": backup.name, "parts": ["restore"], "place": "docker", "self_test": False}
    params["rpo_minutes"] = 366 * 24 * 60  # the backup is kept from run to run: its age is nothing
    run = f"round {number} {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    outcome: Outcome = run_drill(
        site.policy, site.connections, site.ledger, params, dag_id=DAG, run_id=run, at=datetime.now(UTC), told=told
    )
    whole = perf_counter() - start
    taken.steps |= {f"  {name}": seconds for name, seconds in outcome.report.facts.phases}
    return taken, whole


def good(findings: list[Finding]) -> None:
    red = [
        f"{one.name} {one.subject}: {one.message}" for one in findings if one.status in (Status.FAIL, Status.UNKNOWN)
    ]
    if red:
        raise SystemExit("the drill was red: " + " | ".join(red))


def bare(site: Site, backup: ChosenBackup) -> tuple[Taken, float]:
    """pg_restore and one sequential read in a container like the drill's; the container itself is not counted."""
    policy = site.policy
    spec = DrillSpec.of(policy.recovery, parts=["restore"])
    place = open_place(spec, policy, backup, dag_id=BARE, run_id="bare")
    assert isinstance(place, DockerPlace)  # noqa: S101
    try:
        server = place.start()
        roles.restore_roles(server, backup)
        source = str(backup.manifest["system_identifier"])
        with writing(server.target, production=source, database="postgres") as session:
            execute(session, "drill/make_database", **same_database(backup))
        start, before, used = perf_counter(), own(), site.processor(BARE)
        command = command_of(backup, place.backup_path(backup.name), backup.database, policy.recovery.restore.jobs)
        done = server.run(command[0], *command[1:], timeout=3600)
        if done.exit_code:
            raise SystemExit(done.stderr)
        restored = perf_counter() - start
        with connect(replace(server.target, statement_timeout=3600)) as session:
            tables = rows(session, "contents/tables")
        reads = [f'select count(*) from "{one["schema"]}"."{one["name"]}"' for one in tables]  # noqa: S608
        server.run("psql", "-d", backup.database, "-At", timeout=3600, stdin=";\n".join([*reads, ""]).encode())
        wall = perf_counter() - start
        return Taken(wall, own() - before + site.processor(BARE) - used), restored
    finally:
        place.remove()


def same_database(backup: ChosenBackup) -> dict[str, Any]:
    from psycopg import sql

    collation = backup.manifest["collation"]
    return {
        "database": sql.Identifier(backup.database),
        "encoding": sql.Literal(collation["encoding"]),
        "collate": sql.Literal(collation["collate"]),
        "ctype": sql.Literal(collation["ctype"]),
        "provider": sql.SQL(""),
    }


def prepared(scratch: Path, policy: Policy, cluster: Any) -> Site:
    """``cluster`` is what the drill knows as production, asked and never read; the ledger is in it."""
    repository = scratch / "drill"
    repository.mkdir(parents=True, exist_ok=True, mode=0o755)
    os.environ["CLO_OPS_EVIDENCE"] = (scratch / "evidence").absolute().as_uri()
    for user in ("clo_ops", "clo_ops_reader"):
        cluster.create_user(user)
    cluster.create_database("ledger", owner="clo_ops")
    cluster.create_database("clo")
    ledger = Ledger(cluster.url("ledger", "clo_ops"), client_name="clo_ops/benchmark")
    ledger.migrate()
    url = repository.absolute().as_uri()
    known = {
        "clo_backups": {"conn_type": "generic", "extra": {"url": url}},
        "clo_postgres": {
            "conn_type": "postgres", "host": "127.0.0.1", "port": cluster.port, "schema": "clo",
            "login": "clo_ops_reader", "password": cluster.password("clo_ops_reader"), "extra": {"sslmode": "disable"},
        },
    }  # fmt: skip
    site = Site(policy, known, ledger)
    with suppress(Exception):
        if site.backup.manifest["status"] == "success" and _newest_kind(site.backup):
            return site
    _take_backup(scratch, BackupRepository(url), policy)
    (repository / site.backup.name).chmod(0o644)  # within reach of the container: mounted where it lies
    return site


def _take_backup(scratch: Path, repository: BackupRepository, policy: Policy) -> None:
    """Of the data set, which is made for it where it is not there."""
    from large_world import target, world

    print("taking the backup", flush=True)
    source = world(scratch)
    try:
        take(target(source), repository, policy.recovery.taking)
    finally:
        source.stop()


def _newest_kind(backup: ChosenBackup) -> bool:
    from clo_ops.probes.fingerprints import OF_VALUES

    return all(str(one["fingerprint"]).startswith(OF_VALUES) for one in backup.manifest["tables"].values())


def main() -> None:
    asked, policy = arguments(), load_policy(mode="demo")
    logging.basicConfig(level=logging.ERROR)
    with TemporaryDirectory(prefix="clo-ops-bench-") as place, Cluster(Path(place) / "production") as cluster:
        site = prepared(asked.scratch, policy, cluster)
        backup = site.backup
        print(f"{backup.name}: {backup.size_bytes / 1e6:,.0f} MB of {backup.database_bytes / 1e6:,.0f} MB", flush=True)
        with site.ledger:
            ratios = [measured(site, number, backup, asked.first_time) for number in range(asked.rounds)]
    wall, processor = (median(one[index] for one in ratios) for index in (0, 1))
    print(f"median ratio {wall:.2f} by the clock (aim: {AIM} or less), {processor:.2f} of the processors' time; "
          f"load average {os.getloadavg()[0]:.1f}")  # fmt: skip


def measured(site: Site, number: int, backup: ChosenBackup, first_time: bool) -> tuple[float, float]:
    site.remember(backup, decoded=not first_time)
    no_other_drill(site)
    drill, whole = drilled(site, number, backup)
    base, restored = bare(site, backup)
    steps = ", ".join(f"{name} {seconds:.1f}" for name, seconds in drill.steps.items() if not name.startswith(" "))
    phases = ", ".join(f"{name.strip()} {seconds:.1f}" for name, seconds in drill.steps.items() if name[0] == " ")
    ratio, processor = drill.wall / base.wall, drill.processor / base.processor
    print(f"round {number + 1}: drill {drill.wall:.1f} s, with its report {whole:.1f} s ({steps}; of these {phases})")
    print(f"   bare {base.wall:.1f} s (pg_restore {restored:.1f}); ratio {ratio:.2f}; processors: drill "
          f"{drill.processor:.1f} s, bare {base.processor:.1f} s, ratio {processor:.2f}", flush=True)  # fmt: skip
    return ratio, processor


if __name__ == "__main__":
    main()
