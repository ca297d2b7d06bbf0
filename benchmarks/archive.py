"""Audit rows into the archive, proven and deleted, against a bare COPY of the same rows; how fast a chain is proven.

    benchmarks/archive.py [--rows 5000000] [--scratch DIR]

One PostgreSQL that waits for its disk (fsync), with one audit trail; each figure against what a bare COPY of the same
rows to this process takes, read in the order of the table and thrown away, in the same run. Beside the clock the
processor time of this process and the server together, which other work on the machine moves less, and the most
resident memory of this process. First a twentieth of --rows, then all of them: with few rows the figures are about
opening files, and memory that does not grow with the rows is the same in both. Rows are deleted without the policy's
pause between two batches; the vacuum that any deletion owes is measured beside it. Needs about 1 kB of disk a row.
Aims: archive + verify + delete at most 2.5, proving the live chain at most 2.0, memory flat.
"""

from __future__ import annotations

import argparse
import hashlib
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil

from clo_ops.actions.retention.audit import ARCHIVE, DELETE, AuditRetention
from clo_ops.findings.audit import GENESIS
from clo_ops.policy import load_policy
from clo_ops.policy.period import Period
from clo_ops.probes.audit_chain import verify
from clo_ops.probes.audit_copy import blocks
from clo_ops.probes.targets import BackupRepository, PostgresTarget
from demo.stack.postgres import Cluster
from demo.world.database import ROLES, prepare, run_file

YOUNG = 2000  # rows of the last days, which stay
# What deletions leave behind is vacuumed at the end, in a line of its own, and not by chance in between.
SETTINGS = {"shared_buffers": "512MB", "max_wal_size": "8GB", "checkpoint_timeout": "30min", "autovacuum": "off"}
KINDS = (
    ("login", "session"),
    ("report.created", "report"),
    ("calculation_completed", "calculation"),
    ("deal.updated", None),
)


def lines(rows: int) -> Iterator[str]:
    """A chained trail as COPY text: about 300 bytes a row, spread over half a year up to a hundred days ago."""
    start = datetime.now(UTC) - timedelta(days=280)
    step, previous = timedelta(days=180) / rows, GENESIS
    for first in range(1, rows + YOUNG + 1, 5000):
        block = []
        for number in range(first, min(first + 5000, rows + YOUNG + 1)):
            young = datetime.now(UTC) - timedelta(minutes=rows + YOUNG - number)
            at = start + step * number if number <= rows else young
            line, previous = row(number, f"{at:%Y-%m-%dT%H:%M:%S.%f}", previous)
            block.append(line)
        yield "".join(block)


def row(number: int, at: str, previous: str) -> tuple[str, str]:
    action, kind = KINDS[number & 3]
    actor, what = f"user{number % 97}", f"{number * 2654435761 % 2**64:016x}"
    detail = f'{{"n": {number}, "note": "said \\"so\\"", "deal_id": "DEAL{number % 50}", "source_ip": "10.0.{number % 256}.7"}}'  # noqa: E501
    named = f'"{kind}", "{what}"' if kind else "null, null"
    text = f'{previous}[{number}, "{at}Z", "{actor}", "{action}", {named}, {detail}]'
    this = hashlib.sha256(text.encode()).hexdigest()
    place = f"{kind}\t{what}" if kind else "\\N\t\\N"
    escaped = detail.replace("\\", "\\\\")
    return f"{number}\t{at}+00\t{actor}\t{action}\t{place}\t{escaped}\t{previous}\t{this}\n", this


class Record:
    """In place of the ledger, in memory."""

    def __init__(self) -> None:
        self.files: dict[str, Any] = {}
        self.receipts: dict[int, Any] = {}

    def record_archive(self, one: Any) -> None:
        self.files[one.name] = one

    def record_receipt(self, system: str, receipt: Any) -> None:
        self.receipts[receipt.number] = receipt

    def archive_rows(self, system: str) -> list[Any]:
        return list(self.files.values())

    def remembered(self, system: str = "") -> Any:
        from clo_ops.findings.audit import Remembered

        return Remembered(self.receipts, {one.name: one.manifest_sha256 for one in self.files.values()})


def fill(cluster: Cluster, rows: int) -> None:
    with cluster.connect("clo") as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("TRUNCATE audit_logs")
        with connection.cursor() as cursor, cursor.copy("COPY audit_logs FROM STDIN") as copy:
            for block in lines(rows):
                copy.write(block)
        connection.execute("VACUUM (ANALYZE) audit_logs")
        connection.execute("CHECKPOINT")


def bare_copy(cluster: Cluster, rows: int) -> None:
    """The same rows read by the block and thrown away: the cheapest way out of the table there is."""
    query = f"COPY (SELECT * FROM audit_logs WHERE id <= {rows}) TO STDOUT"  # noqa: S608 - a number
    with cluster.connect("clo") as connection:
        for _ in blocks(connection, query.encode()):
            pass


def vacuumed(cluster: Cluster) -> None:
    with cluster.connect("clo") as connection:
        connection.execute("VACUUM audit_logs")


def retention(cluster: Cluster, archive: Path, record: Record, pause: timedelta) -> AuditRetention:
    policy = load_policy(mode="demo").retention.archive.model_copy(update={"stop_above": 100.0, "pause": pause})
    return AuditRetention(
        target(cluster, "clo_ops_retention"),
        BackupRepository(archive.as_uri()),
        policy,
        Period(days=90),
        record,
        at=datetime.now(UTC),
    )


def target(cluster: Cluster, user: str) -> PostgresTarget:
    return PostgresTarget(
        "127.0.0.1", cluster.port, "clo", user, cluster.password(user), "disable", "clo_ops/benchmark"
    )


def proven(cluster: Cluster, archive: Path, record: Record, *, whole: bool) -> None:
    repository, reader = BackupRepository(archive.as_uri()), target(cluster, "clo_ops_reader")
    found = verify(reader, repository, record.remembered, at=datetime.now(UTC), whole=whole)
    if not found.whole:
        raise SystemExit(f"the trail does not hold: {found.faults[:3]} {found.answer.unanswered}")


def cleaned(cluster: Cluster, archive: Path, record: Record) -> dict[str, Spent]:
    """What each action took."""
    work, took = retention(cluster, archive, record, timedelta(0)), {ARCHIVE: Spent(), DELETE: Spent()}
    steps: list[Any] = []
    took["plan"] = spent(cluster, lambda: steps.extend(work.plan().steps))  # what is planned is not held against it
    for action in (ARCHIVE, DELETE):
        chosen = [step for step in steps if step.action == action]
        took[action] = spent(cluster, lambda chosen=chosen: [work.act(step) for step in chosen])  # type: ignore[misc]
    return took


def throughput(cluster: Cluster, scratch: Path, rows: int) -> float:
    """Prints every figure; the most MiB resident."""
    begun = time.perf_counter()
    fill(cluster, rows)
    print(f"\n{rows:,} rows written in {time.perf_counter() - begun:.0f} s")
    archive, record = scratch / f"archive-{rows}", Record()
    bare = min((spent(cluster, lambda: bare_copy(cluster, rows)) for _ in range(4)), key=lambda one: one.wall)
    print(f"{'':38} {'':17}           wall  processor  ratio  resident")
    told("bare COPY", bare, rows, bare)
    live = spent(cluster, lambda: proven(cluster, archive, record, whole=False))
    told("live chain proven (aim 2.00)", live, rows, bare)
    took = cleaned(cluster, archive, record)
    told("planned", took["plan"], rows, bare)
    told("archived, read back and proven", took[ARCHIVE], rows, bare)
    told("deleted", took[DELETE], rows, bare)
    told("archive + verify + delete (aim 2.50)", took[ARCHIVE] + took[DELETE], rows, bare)
    whole = spent(cluster, lambda: proven(cluster, archive, record, whole=True))
    told("archived rows proven again", whole, rows, bare)
    told("vacuum of what was deleted", spent(cluster, lambda: vacuumed(cluster)), rows, bare)
    size = sum(one.stat().st_size for one in archive.glob("*.parquet"))
    print(f"{len(list(archive.glob('*.parquet')))} files, {size / rows:.0f} bytes a row")
    shutil.rmtree(archive)
    return max(one.resident for one in (live, took[ARCHIVE], took[DELETE], whole))


@dataclass
class Spent:
    """Seconds by the clock, and of processor time in this process and the server; the most MiB resident meanwhile."""

    wall: float = 0.0
    cpu: float = 0.0
    resident: float = 0.0

    def __add__(self, other: Spent) -> Spent:
        return Spent(self.wall + other.wall, self.cpu + other.cpu, max(self.resident, other.resident))


def processor_time(cluster: Cluster) -> float:
    server = psutil.Process(cluster.process.pid) if cluster.process else psutil.Process()
    living = [sum(one.cpu_times()[:2]) for one in server.children() if one.is_running()]
    return time.process_time() + sum(server.cpu_times()[:4]) + sum(living)


def spent(cluster: Cluster, work: Callable[[], object]) -> Spent:
    watch = Watch()
    watch.start()
    begun, busy = time.perf_counter(), processor_time(cluster)
    work()
    wall = time.perf_counter() - begun
    time.sleep(0.05)  # a session that has just ended is counted once the server has noticed
    return Spent(wall, processor_time(cluster) - busy, watch.end())


def told(what: str, took: Spent, rows: int, bare: Spent) -> None:
    ratios = f"{took.wall / bare.wall:6.2f} {took.cpu / rows * 1e6:9.2f} us {took.cpu / bare.cpu:6.2f}"
    pace = f"{took.wall:8.2f} s {rows / took.wall:11,.0f} rows/s"
    print(f"{what:36} {pace} {ratios} {took.resident:5.0f} MiB", flush=True)


class Watch(threading.Thread):
    """The most resident memory of this process while it lives."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.ended, self.most, self.process = threading.Event(), 0, psutil.Process()

    def run(self) -> None:
        while not self.ended.wait(0.1):
            self.most = max(self.most, self.process.memory_info().rss)

    def end(self) -> float:
        self.ended.set()
        self.join()
        return self.most / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument(
        "--scratch", type=Path, help="a directory for the cluster and the archive; by default a new one"
    )
    chosen = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="clo-ops-archive-", dir=chosen.scratch))
    try:
        with Cluster(scratch / "postgres", settings=SETTINGS, durable=True) as cluster:
            for role in ROLES:
                cluster.create_user(role, secrets.token_urlsafe(12))
            cluster.create_database("clo", owner="clo_app")
            prepare(cluster.url("clo"), {role: cluster.password(role) for role in ROLES})
            with cluster.connect("clo", "clo_app") as connection:
                for name in ("schema", "audit", "grants"):
                    run_file(connection, name)
            few, many = (throughput(cluster, scratch, rows) for rows in (chosen.rows // 20, chosen.rows))
            print(
                f"\nmost resident: {few:.0f} MiB with {chosen.rows // 20:,} rows, {many:.0f} MiB with {chosen.rows:,}"
            )
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
