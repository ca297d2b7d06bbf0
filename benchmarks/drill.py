"""A whole drill without failover against a bare `pg_restore -j` into the same container and one sequential read.

The drill: the backup hashed beside the guard (with --first-time decoded as well: ED-04 does it daily, and what it has
decoded is not decoded again before the restore does); container, proofs, parity, roles, restore, ANALYZE;
then contents, amcheck and the invariants side by side. Bare: pg_restore with the same jobs into the same server, then
count(*) of every table. Each round takes both. Aim: 1.5 or less. Processor seconds (the container's and our own) are
told beside the wall clock: they bear a machine that others use as well. Needs Docker and the image of the server's
version.
Data set: benchmarks/large_world.py, kept below `--scratch` with the backup taken of it.
"""

from __future__ import annotations

import argparse
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "plugins"), str(ROOT / "benchmarks")]

from clo_ops.actions.backups.take import take  # noqa: E402
from clo_ops.actions.drill import guard, parity, restore, roles  # noqa: E402
from clo_ops.actions.drill.choosing import Choice, read_whole  # noqa: E402
from clo_ops.actions.drill.place import ChosenBackup, Place, Server, open_place  # noqa: E402
from clo_ops.actions.drill.session import execute, writing  # noqa: E402
from clo_ops.findings import Finding, Status  # noqa: E402
from clo_ops.policy import DrillSpec, Policy, load_policy  # noqa: E402
from clo_ops.probes import contents, integrity, soundness  # noqa: E402
from clo_ops.probes.backup_entries import SUFFIX  # noqa: E402
from clo_ops.probes.postgres import connect, rows  # noqa: E402
from clo_ops.probes.targets import BackupRepository, PostgresTarget  # noqa: E402
from clo_ops.rules import guard as guard_rules  # noqa: E402
from clo_ops.rules import reading as reading_rules  # noqa: E402
from clo_ops.rules import restore as restore_rules  # noqa: E402

DAG = "benchmark_drill"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = os.environ.get("CLO_OPS_BENCH", "/var/tmp/clo-ops-bench")  # noqa: S108
    parser.add_argument("--scratch", type=Path, default=Path(default), help=f"where the data set is ({default})")
    parser.add_argument("--rounds", type=int, default=3, help="rounds; the median counts (default 3)")
    parser.add_argument("--without-amcheck", action="store_true", help="leave out the check of indexes and heaps")
    parser.add_argument("--first-time", action="store_true", help="a backup no end of day has decoded: decode it too")
    return parser.parse_args()


def newest(repository: Path) -> ChosenBackup | None:
    import json

    for path in sorted(repository.glob(f"*{SUFFIX}"), reverse=True):
        facts = json.loads(path.read_text())
        archive = repository / facts["path"]
        if facts["status"] == "success" and archive.exists():
            archive.chmod(0o644)
            return ChosenBackup(
                BackupRepository(repository.absolute().as_uri()),
                archive.name,
                facts["database"],
                int(facts["server_major"]),
                facts["format"],
                archive.stat().st_size,
                int(facts.get("database_bytes") or 0),
                manifest=facts,
            )
    return None


class Clock:
    def __init__(self) -> None:
        self.laps: dict[str, float] = {}

    def lap(self, name: str, work: Any) -> Any:
        start = perf_counter()
        try:
            return work()
        finally:
            self.laps[name] = perf_counter() - start


def good(findings: list[Finding]) -> None:
    # Others may drill on this machine; what that does to the figures is for their reader.
    mine = [one for one in findings if (one.name, one.subject) != ("nothing else runs", "drill")]
    red = [f"{one.name} {one.subject}: {one.message}" for one in mine if one.status in (Status.FAIL, Status.UNKNOWN)]
    if red:
        raise SystemExit("the drill was red: " + " | ".join(red))


def started(  # noqa: PLR0917
    clock: Clock, policy: Policy, place: Place, backup: ChosenBackup, source: PostgresTarget, known: bool
) -> Server:
    """As the drill's first step: nothing is started before the guard and the reading agree."""
    with ThreadPoolExecutor(1) as beside:
        choice = Choice(backup, None, None, str(backup.manifest["sha256"]))
        decoded = datetime.now(UTC) if known else None
        reading = beside.submit(clock.lap, "read", lambda: read_whole(choice, decoded))
        asked = clock.lap("guard", lambda: guard.before(place, policy.recovery, backup, source))
        good(reading_rules.judge(reading.result(), backup.name, recorded=True))
    good(guard_rules.judge_before(asked, policy.recovery.guard))
    server: Server = clock.lap("environment", place.start)
    good(guard_rules.judge_proofs(clock.lap("proofs", lambda: guard.proofs(place, backup, [source]))))
    good(guard_rules.judge_parity(clock.lap("parity", lambda: parity.parity(server, backup))))
    return server


def drill(  # noqa: PLR0917
    policy: Policy, place: Place, backup: ChosenBackup, source: PostgresTarget, amcheck: bool, known: bool
) -> Clock:
    clock, recovery = Clock(), policy.recovery
    server = started(clock, policy, place, backup, source, known)
    answer = clock.lap("roles", lambda: roles.restore_roles(server, backup))
    answer += clock.lap("restore", lambda: restore.restore(place, backup, recovery.restore, timeout=3600))
    good(restore_rules.judge(answer))
    clock.lap("analyze", lambda: restore.analyze(server, backup, recovery.restore, timeout=3600))
    target = replace(server.target, database=backup.database, statement_timeout=3600)
    start = perf_counter()
    with ThreadPoolExecutor(3) as pool:
        at = datetime.fromisoformat(str(backup.manifest["snapshot_at"])).astimezone(UTC)
        jobs = [
            pool.submit(
                clock.lap, "contents", lambda: contents.ask(target, recorded=backup.manifest["tables"], workers=2)
            )
        ]
        jobs.append(pool.submit(clock.lap, "integrity", lambda: integrity.ask(target, at=at)))
        if amcheck:
            with writing(target, production=str(backup.manifest["system_identifier"])) as session:
                execute(session, "soundness/create_amcheck")
            jobs.append(pool.submit(clock.lap, "amcheck", lambda: soundness.ask(target, workers=2)))
        found, *_ = [job.result() for job in jobs]
    clock.laps["proof (the three side by side)"] = perf_counter() - start
    if found[0].as_manifest()["tables"] != backup.manifest["tables"]:
        raise SystemExit("the restored copy is not what was backed up")
    return clock


def processor(place: Any = None) -> float:
    """Processor seconds so far: of this process with its children, and of the place's primary."""
    own = sum(os.times()[:4])
    if place is None:
        return own
    used = place.engine.client.stats(place.primary().container, stream=False)["cpu_stats"]["cpu_usage"]["total_usage"]
    return own + float(used) / 1e9


def bare(place: Place, backup: ChosenBackup, jobs: int) -> tuple[float, float]:
    """Seconds of pg_restore and of one sequential read, into a database of its own on the same server."""
    server = place.primary()
    server.run("createdb", "-T", "template0", "bare", timeout=60)
    command = ["pg_restore", "-j", str(jobs), "-d", "bare", place.backup_path(backup.name)]
    start = perf_counter()
    done = server.run(command[0], *command[1:], timeout=3600)
    restored = perf_counter() - start
    if done.exit_code:
        raise SystemExit(done.stderr)
    with connect(replace(server.target, database="bare", statement_timeout=3600)) as session:
        tables = rows(session, "contents/tables")
    reads = [f'select count(*) from "{one["schema"]}"."{one["name"]}"' for one in tables]  # noqa: S608
    start = perf_counter()
    server.run("psql", "-d", "bare", "-At", timeout=3600, stdin=";\n".join([*reads, ""]).encode())
    read = perf_counter() - start
    server.run("dropdb", "--force", "bare", timeout=60)
    return restored, read


def main() -> None:
    from large_world import target, world

    asked, policy = arguments(), load_policy(mode="demo")
    cluster = world(asked.scratch)
    source, repository = target(cluster), asked.scratch / "drill"
    repository.mkdir(parents=True, exist_ok=True, mode=0o755)
    backup = newest(repository)
    if backup is None:
        take(source, BackupRepository(repository.absolute().as_uri()), policy.recovery.taking)
        backup = newest(repository)
    assert backup is not None  # noqa: S101 - it was taken
    print(f"{backup.name}: {backup.size_bytes / 1e6:,.0f} MB of {backup.database_bytes / 1e6:,.0f} MB", flush=True)
    ratios = []
    for number in range(asked.rounds):
        spec = DrillSpec.of(policy.recovery, parts=["restore"])
        place = open_place(spec, policy, backup, dag_id=DAG, run_id=f"round {number}")
        try:
            start, before = perf_counter(), processor()
            clock = drill(policy, place, backup, source, not asked.without_amcheck, not asked.first_time)
            whole, between = perf_counter() - start, processor(place)
            place.primary().run("dropdb", "--force", backup.database, timeout=60)
            restored, read = bare(place, backup, policy.recovery.restore.jobs)
            spent = (between - before, processor(place) - between)
        finally:
            place.remove()
        ratios.append(whole / (restored + read))
        told = ", ".join(f"{name} {seconds:.1f}" for name, seconds in clock.laps.items())
        print(f"drill {whole:.1f} s ({told}); bare {restored:.1f} + {read:.1f} s; ratio {ratios[-1]:.2f}", flush=True)
        print(f"processor: drill {spent[0]:.1f} s, bare {spent[1]:.1f} s, ratio {spent[0] / spent[1]:.2f}", flush=True)
    cluster.stop()
    print(f"median ratio {median(ratios):.2f} (aim 1.5), load average {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
