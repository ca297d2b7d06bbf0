"""What writers feel of maintenance: ours, and the manual's own statements, against nobody maintaining, in one run.

A throw-away PostgreSQL (durable) with 20 million audit rows (`--rows`), the oldest in a true chain for retention
(`--chained`), the others with hashes that are none. Writers add audit rows at a fixed rate; their latencies count from
when a transaction was due, so that one that had to wait is not forgotten. Beside them, in turns: nothing; ours, as on a
Monday (VACUUM (ANALYZE) and ANALYZE; the indexes looked at and those rebuilt that a rebuild would win something of;
retention: archive, verify, delete); nothing; then what is no Monday's: statistics again and again, and every audit
index rebuilt by REINDEX CONCURRENTLY whether it needs it or not; nothing; the manual's (ANALYZE, REINDEX of every
audit index, one DELETE). A process of its own looks a hundred times a second who waits for whose lock.

Aims, of ours on a Monday: p99 within 1.25 of undisturbed, no writer blocked longer than 100 ms by a lock of ours.
What the others cost is told beside. A worker, its ledger and the archive are other machines: here our
thread gets a processor only where nobody else wants one (SCHED_IDLE), the ledger waits for no disk, and the archive is
in memory (`--elsewhere`).
`--rounds` repeats the first parts; the manual's come once, last. Everything is removed at the end.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import os
import secrets
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "plugins")]

import psycopg  # noqa: E402 (needs the path above)
from psycopg import sql  # noqa: E402

from clo_ops.actions.maintenance.indexes import IndexCare  # noqa: E402
from clo_ops.actions.maintenance.plan import Effect, Outcome, Step  # noqa: E402
from clo_ops.actions.maintenance.statistics import TableCare  # noqa: E402
from clo_ops.findings import CheckFailed  # noqa: E402
from clo_ops.ledger import Ledger  # noqa: E402
from clo_ops.policy import load_policy  # noqa: E402
from clo_ops.policy.period import Period  # noqa: E402
from clo_ops.policy.upkeep import Indexes  # noqa: E402
from clo_ops.probes import upkeep_indexes, upkeep_tables  # noqa: E402
from clo_ops.probes.targets import BackupRepository, PostgresTarget  # noqa: E402
from clo_ops.rules.rebuilds import Choice, Known, choose  # noqa: E402
from clo_ops.rules.staleness import Due, Work  # noqa: E402
from demo.stack.postgres import Cluster  # noqa: E402
from demo.world.database import ROLES, prepare, run_file  # noqa: E402

POLICY = load_policy(mode="demo")
DAYS = 180
HOT = Period(days=90)
SETTINGS = {
    "shared_buffers": "1GB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "on",
    "autovacuum": "off",  # it would come in whatever part it likes
}
WRITE = "select audit_write('bench', 'deal.updated', 'loan', '17', '{}')"
INDEXES = ("audit_logs_pkey", "audit_logs_created_at", "audit_logs_object")
# Who stands behind a lock of a maintainer, at whatever distance, and for how long by now (ms).
EYE = """
    with recursive blocked as (
        select pid, pg_blocking_pids(pid) as by, application_name as name
          from pg_stat_activity where wait_event_type = 'Lock' and pid <> pg_backend_pid()
    ), behind as (
        select b.pid, b.name, o.application_name as maintainer
          from blocked b join pg_stat_activity o on o.pid = any (b.by)
         where o.application_name like 'clo_ops%' or o.application_name = 'manual'
         union
        select b.pid, b.name, behind.maintainer from blocked b join behind on behind.pid = any (b.by)
    )
    select maintainer, max(extract(epoch from clock_timestamp() - l.waitstart)) * 1000
      from behind join pg_locks l on l.pid = behind.pid and not l.granted
     where behind.name = 'writer'
     group by maintainer
"""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = os.environ.get("CLO_OPS_BENCH", "/var/tmp/clo-ops-bench")  # noqa: S108
    parser.add_argument("--scratch", type=Path, default=Path(default), help=f"where it is made ({default})")
    parser.add_argument("--rows", type=int, default=20_000_000, help="audit rows (default 20 million)")
    parser.add_argument("--chained", type=int, default=2_000_000, help="of them in a true chain (default 2 million)")
    parser.add_argument("--rate", type=int, default=50, help="transactions a second of the writers (default 50)")
    parser.add_argument("--clients", type=int, default=4, help="writers (default 4)")
    parser.add_argument("--seconds", type=float, default=60, help="of each undisturbed part (default 60)")
    parser.add_argument("--rounds", type=int, default=1, help="of undisturbed, ours, undisturbed (default 1)")
    parser.add_argument("--archive-for", type=float, default=300, help="seconds retention may go on (default 300)")
    parser.add_argument("--statistics-for", type=float, default=60, help="seconds of statistics (default 60)")
    parser.add_argument("--elsewhere", type=Path, default=Path("/dev/shm"), help="where the archive is (/dev/shm)")  # noqa: S108
    parser.add_argument("--without-retention", action="store_true", help="leave retention and the DELETE out")
    parser.add_argument("--without-rebuilds", action="store_true", help="only a Monday and nothing beside it")
    return parser.parse_args()


# ---------------------------------------------------------------- the rows


def audit_rows(count: int, start: datetime, step: timedelta) -> Iterator[str]:
    """Lines of COPY in blocks: the first ``count`` rows, each with the hash of the one before it."""
    before, block = "0" * 64, []
    for number in range(1, count + 1):
        at = (start + number * step).strftime("%Y-%m-%dT%H:%M:%S.%f")
        loan = str(number % 9973)
        text = f'{before}[{number}, "{at}Z", "user{number % 50}", "deal.updated", "loan", "{loan}", {{}}]'
        now = hashlib.sha256(text.encode()).hexdigest()
        block.append(f"{number}\t{at}Z\tuser{number % 50}\tdeal.updated\tloan\t{loan}\t{{}}\t{before}\t{now}\n")
        before = now
        if len(block) == 20_000:
            yield "".join(block)
            block.clear()
    yield "".join(block)


def build(cluster: Cluster, asked: argparse.Namespace) -> None:
    for role in ROLES:
        cluster.create_user(role, secrets.token_urlsafe(12))
    cluster.create_database("clo", owner="clo_app")
    prepare(cluster.url("clo"), {role: cluster.password(role) for role in ROLES})
    with cluster.connect("clo", "clo_app") as connection:
        for name in ("schema", "audit", "grants"):
            run_file(connection, name)
    with cluster.connect("clo") as connection:
        print("filling", flush=True)
        fill(connection, cluster.url("clo"), asked.rows, min(asked.chained, asked.rows))


def ledger_in(ops: Cluster) -> str:
    ops.create_user("clo_ops")
    ops.create_database("ledger", owner="clo_ops")
    url = ops.url("ledger", "clo_ops")
    with Ledger(url) as ledger:
        ledger.migrate()
    return url


SESSIONS = 3
SETTLED = 30.0  # seconds after the rows are there: the file system still has to write
REST = """
    insert into audit_logs
    select n, %(start)s::timestamptz + n * %(step)s::interval, 'user' || n %% 50, 'deal.updated',
           'loan', (n %% 9973)::text, '{}', md5((n - 1)::text) || md5(n::text), md5(n::text) || md5((n + 1)::text)
      from generate_series(%(first)s::bigint, %(last)s::bigint) n
"""


def rest(url: str, start: datetime, step: timedelta, first: int, last: int) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("set session_replication_role = replica")
        connection.execute(REST, {"start": start, "step": step, "first": first, "last": last})


def fill(connection: psycopg.Connection[Any], url: str, rows: int, chained: int) -> None:
    """Without the trigger, and with the indexes made afterwards: as a restore would."""
    definitions = connection.execute(
        "select indexname, indexdef from pg_indexes where tablename = 'audit_logs' and indexname = any(%s)",
        [list(INDEXES)],
    ).fetchall()
    connection.execute("set session_replication_role = replica")
    connection.execute("set maintenance_work_mem = '1GB'")
    connection.execute("alter table audit_logs drop constraint audit_logs_pkey")
    for name, _ in definitions:
        connection.execute(sql.SQL("drop index if exists {}").format(sql.Identifier(name)))
    start = datetime.now(UTC) - timedelta(days=DAYS, minutes=1)
    step = timedelta(days=DAYS) / rows
    with connection.cursor() as cursor, cursor.copy("copy audit_logs from stdin") as copy:
        for block in audit_rows(chained, start, step):
            copy.write(block)
    with ThreadPoolExecutor(SESSIONS) as pool:
        ends = [chained + (rows - chained) * part // SESSIONS for part in range(SESSIONS + 1)]
        jobs = [pool.submit(rest, url, start, step, first + 1, last) for first, last in pairwise(ends)]
        for job in jobs:
            job.result()
    connection.execute("alter table audit_logs add primary key (id)")
    for name, definition in definitions:
        if name != "audit_logs_pkey":
            connection.execute(definition)
    connection.execute("vacuum (analyze, freeze) audit_logs")
    connection.execute("checkpoint")


# ---------------------------------------------------------------- writers, and who they wait for


@dataclass
class Part:
    """Latencies in ms; ``waited``: the longest any writer was seen waiting behind each maintainer's lock (ms)."""

    name: str
    latencies: list[float] = field(default_factory=list)
    waited: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    told: list[str] = field(default_factory=list)

    def at(self, share: float) -> float:
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")

    @property
    def longest_wait(self) -> float:
        return max(self.waited.values(), default=0.0)


def watch(url: str, ready: Any, over: Event, seen: Any) -> None:
    """In a process of its own: what a busy interpreter does not look at it does not see."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    longest: dict[str, float] = {}
    with psycopg.connect(url, autocommit=True, application_name="eye") as connection:
        ready.put("eye")
        while not over.wait(0.01):
            for maintainer, waited in connection.execute(EYE):
                longest[maintainer] = max(float(waited), longest.get(maintainer, 0.0))
    seen.put(longest)


def write(url: str, ready: Any, over: Event, every: float, done: Any) -> None:
    """One writer, in a process of its own: a transaction each ``every`` seconds, late ones at once."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    taken = list[tuple[float, float]]()
    with psycopg.connect(url, autocommit=True, application_name="writer") as connection:
        ready.put("writer")
        due = time.time()
        while not over.is_set():
            time.sleep(max(0.0, due - time.time()))
            connection.execute(WRITE)
            taken.append((due, (time.time() - due) * 1000))
            due += every
    done.put(taken)


@contextmanager
def measured(cluster: Cluster, asked: argparse.Namespace, name: str) -> Iterator[Part]:
    """Writers at work and an eye on them while the block runs; the first two seconds are not counted."""
    part, spawn = Part(name), multiprocessing.get_context("spawn")
    over, ready, seen, done = spawn.Event(), spawn.Queue(), spawn.Queue(), spawn.Queue()
    writer = (cluster.url("clo", "clo_app"), ready, over, asked.clients / asked.rate, done)
    jobs = [spawn.Process(target=watch, args=(cluster.url("clo"), ready, over, seen), daemon=True)]
    jobs += [spawn.Process(target=write, args=writer, daemon=True) for _ in range(asked.clients)]
    for job in jobs:
        job.start()
    for _ in jobs:
        ready.get(timeout=300)
    time.sleep(2)
    begun = time.time()
    yield part
    ended = time.time()
    over.set()
    part.seconds, part.waited = ended - begun, seen.get(timeout=60)
    written = [one for _ in range(asked.clients) for one in done.get(timeout=600)]
    part.latencies = [latency for due, latency in written if begun <= due <= ended]
    for job in jobs:
        job.join()


# ---------------------------------------------------------------- what is done beside them


def target(cluster: Cluster, user: str) -> PostgresTarget:
    name = f"clo_ops/benchmark/{user}"
    return PostgresTarget(
        "127.0.0.1", cluster.port, "clo", user, cluster.password(user), "disable", name, 60.0, 5.0, 600.0
    )


def good(step: Step, effect: Effect, part: Part, *, quiet: bool = False) -> None:
    part.told.append(f"{step.key}: {effect.outcome.value} in {effect.seconds:.1f} s ({effect.reason})")
    if not quiet:
        print(f"    {part.told[-1]}", flush=True)
    if effect.outcome is not Outcome.APPLIED:
        raise SystemExit(f"{step.key} was not applied: {effect.reason}")


def our_statistics(cluster: Cluster, part: Part, seconds: float) -> None:
    """Once, and again until ``seconds`` are over: in the second or two that it takes hardly anybody writes."""
    ended = time.time() + seconds
    while not part.told or time.time() < ended:
        statistics_once(cluster, part, quiet=bool(part.told))


def statistics_once(cluster: Cluster, part: Part, *, quiet: bool) -> None:
    reader, keeper = target(cluster, "clo_ops_reader"), target(cluster, "clo_ops_maintainer")
    snapshot, _ = upkeep_tables.tables(reader, maintainer=keeper.user)
    found = snapshot.tables if snapshot else ()
    due = [Due(one, "benchmark", 1.0) for one in found if one.name == "audit_logs"]
    care = TableCare(keeper, POLICY.maintenance.statistics, "benchmark")
    for plan in (care.vacuums(Work((), tuple(due), ())), care.analyses(Work(tuple(due), (), ()))):
        for step in plan.steps:
            good(step, care.act(step), part, quiet=quiet)


def our_indexes(cluster: Cluster, part: Part) -> None:
    """As the page does it: each read whole for its bloat, and rebuilt where that wins something."""
    rebuild(cluster, part, POLICY.maintenance.indexes, INDEXES, read=True, large=False)


def every_index(cluster: Cluster, part: Part, at_most: tuple[str, ...] = INDEXES) -> None:
    """Every audit index, bloated or not: what a rebuild costs is what is measured."""
    given = POLICY.maintenance.indexes
    bloat = given.bloat.model_copy(update={"share": -1.0, "minimum_size": 0})
    rebuild(cluster, part, given.model_copy(update={"bloat": bloat, "at_most": 1000}), at_most, read=False, large=True)


def rebuild(cluster: Cluster, part: Part, terms: Indexes, at_most: tuple[str, ...], *, read: bool, large: bool) -> None:
    reader, keeper = target(cluster, "clo_ops_reader"), target(cluster, "clo_ops_maintainer")
    known = Known(datetime.now(UTC), {}, large_now=large)
    snapshot, _ = upkeep_indexes.indexes(reader, terms.bloat, maintainer=keeper.user, read=read)
    if snapshot is None:
        raise SystemExit("nobody could look at the indexes")
    chosen = tuple(one for one in choose(snapshot, terms, known).rebuild if one.index.name in at_most)
    print(f"    {len(chosen)} of {len(INDEXES)} indexes to rebuild", flush=True)
    care = IndexCare(reader, keeper, terms, "benchmark", known, tuple)
    for step in care.plan(snapshot, Choice(chosen, ())).steps:
        good(step, care.act(step), part)


def our_retention(cluster: Cluster, ledger_url: str, part: Part, archive: Path, seconds: float) -> None:
    """As many periods as the time allows; each is archived, read back and deleted."""
    from clo_ops.actions.retention.audit import AuditRetention

    terms = POLICY.retention.archive.model_copy(update={"stop_above": 100.0})
    with Ledger(ledger_url, client_name="clo_ops/benchmark") as ledger:
        keeper = AuditRetention(
            target(cluster, "clo_ops_retention"),
            BackupRepository(archive.absolute().as_uri()),
            terms,
            HOT,
            ledger,
            at=datetime.now(UTC),
        )
        begun, before = time.time(), rows_of(cluster)
        for step in keeper.plan().steps:
            if time.time() - begun > seconds:
                break
            try:
                good(step, keeper.act(step), part)
            except CheckFailed:  # it came to the rows that are in no chain, and takes none of them
                break
        moved = before - rows_of(cluster)
        print(f"    {moved:,} rows left for the archive in {time.time() - begun:.0f} s", flush=True)


def rows_of(cluster: Cluster) -> int:
    """Rows the retention may speak of: what the writers add meanwhile is younger."""
    with cluster.connect("clo") as connection:
        found = connection.execute("select max(id) - min(id) from audit_logs where actor <> 'bench'").fetchone()
    return int(found[0]) if found else 0


def manuals(cluster: Cluster, part: Part, *, delete: bool) -> None:
    """The manual's three, made to run (D01): they name something. The trail's own guard would refuse the DELETE."""
    with psycopg.connect(cluster.url("clo"), autocommit=True, application_name="manual") as connection:
        connection.execute("set session_replication_role = replica")
        statements = ["analyze", *(f"reindex index {name}" for name in INDEXES)]
        if delete:
            statements.append("delete from audit_logs where created_at < now() - interval '60 days'")
        for statement in statements:
            begun = time.time()
            done = connection.execute(statement.encode())
            rows = f", {done.rowcount:,} rows" if done.rowcount > 0 else ""
            part.told.append(f"{statement}: {time.time() - begun:.1f} s{rows}")
            print(f"    {part.told[-1]}", flush=True)


# ---------------------------------------------------------------- the run


def beside(work: Callable[[Part], object], part: Part) -> None:
    """In a thread that yields to everybody: the writers' processes, which the main thread starts, do not."""

    def yielding() -> None:
        os.sched_setscheduler(threading.get_native_id(), os.SCHED_IDLE, os.sched_param(0))

    with ThreadPoolExecutor(1, initializer=yielding) as pool:
        pool.submit(work, part).result()


def run(cluster: Cluster, ledger_url: str, asked: argparse.Namespace, archive: Path) -> list[Part]:
    parts: list[Part] = []

    def part(name: str, work: Callable[[Part], object]) -> None:
        print(f"  {name}", flush=True)
        with measured(cluster, asked, name) as one:
            beside(work, one)
        parts.append(one)
        print(line(one, undisturbed(parts)), flush=True)

    def nothing() -> None:
        part("undisturbed", lambda _: time.sleep(asked.seconds))

    os.sync()
    time.sleep(SETTLED)
    for _ in range(asked.rounds):
        nothing()
        part("ours, statistics", lambda one: our_statistics(cluster, one, 0.0))
        part("ours, indexes", lambda one: our_indexes(cluster, one))
    if not asked.without_retention:
        part("ours, retention", lambda one: our_retention(cluster, ledger_url, one, archive, asked.archive_for))
        nothing()
    if not asked.without_rebuilds:
        part("statistics, on and on", lambda one: our_statistics(cluster, one, asked.statistics_for))
        nothing()
        part("every index rebuilt", lambda one: every_index(cluster, one))
        nothing()
        part("manual's", lambda one: manuals(cluster, one, delete=not asked.without_retention))
    return parts


def undisturbed(parts: list[Part]) -> Part:
    together = Part("undisturbed")
    for one in parts:
        if one.name == "undisturbed":
            together.latencies += one.latencies
    return together


def line(one: Part, plain: Part) -> str:
    p50, p99, most = one.at(0.5), one.at(0.99), max(one.latencies, default=float("nan"))
    return (
        f"{one.name:21} {one.seconds:6.0f} s {len(one.latencies):7} writes  p50 {p50:8.2f} ms  p99 {p99:9.2f} ms "
        f"(x {p99 / plain.at(0.99):6.2f})  max {most:9.1f} ms  longest behind a lock {one.longest_wait:9.1f} ms"
    )


def tell(parts: list[Part]) -> None:
    plain, named = undisturbed(parts), {}
    for one in parts:
        together = named.setdefault(one.name, Part(one.name))
        together.latencies += one.latencies
        together.seconds += one.seconds
        together.waited = {"": max(together.longest_wait, one.longest_wait)}
    ours = Part("ours, a Monday", waited={"": 0.0})
    for name, one in named.items():
        if name.startswith("ours"):
            ours.latencies += one.latencies
            ours.seconds += one.seconds
            ours.waited[""] = max(ours.waited[""], one.longest_wait)
    print("\n".join(["", *(line(one, plain) for one in named.values()), line(ours, plain)]))
    met = ours.at(0.99) <= 1.25 * plain.at(0.99) and ours.longest_wait <= 100
    print(
        f"aim (p99 within 1.25 of undisturbed, nobody behind a lock of ours over 100 ms): {'met' if met else 'NOT met'}"
    )


def main() -> None:
    asked = arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ended from outside, it takes down what it started
    signal.signal(signal.SIGINT, signal.default_int_handler)
    asked.scratch.mkdir(parents=True, exist_ok=True)
    elsewhere = Path(tempfile.mkdtemp(prefix="clo-ops-", dir=asked.elsewhere))
    folder = Path(tempfile.mkdtemp(prefix="maintenance-", dir=asked.scratch))
    try:
        with (
            Cluster(elsewhere / "ledger") as ops,
            Cluster(folder / "cluster", durable=True, settings=SETTINGS) as cluster,
        ):
            begun, ledger_url = time.time(), ledger_in(ops)
            build(cluster, asked)
            print(
                f"{asked.rows:,} audit rows in {time.time() - begun:.0f} s; load {os.getloadavg()[0]:.1f}", flush=True
            )
            tell(run(cluster, ledger_url, asked, elsewhere / "archive"))
    finally:
        shutil.rmtree(elsewhere, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
