# ruff: noqa: S608 - statements are put together from names of the tests
"""A real PostgreSQL with tables to look after, roles as in production, a ledger, and an eye on who waits for whom."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import psycopg
import pytest

from clo_ops.actions.maintenance.indexes import IndexCare
from clo_ops.ledger import Ledger
from clo_ops.policy import load_policy
from clo_ops.policy.upkeep import Indexes, Statistics
from clo_ops.probes.targets import PostgresTarget
from clo_ops.rules.rebuilds import Known
from demo.stack.postgres import Cluster

POLICY = load_policy(mode="demo")
SYSTEM = "the test's database"
# Who waits for whom is asked so often that a wait of a tenth of a second is seen several times.
SAMPLE_SECONDS = 0.005
# A writer also waits for us where it waits for somebody who does.
WAITING = """
    with recursive ours as (
        select pid from pg_stat_activity
         where application_name like 'clo_ops/%' and application_name <> 'clo_ops/test/eye'
    ), blocked as (
        select pid, pg_blocking_pids(pid) as by, application_name from pg_stat_activity where wait_event_type = 'Lock'
    ), behind as (
        select b.pid, b.application_name from blocked b where exists (select from ours where pid = any (b.by))
        union
        select b.pid, b.application_name from blocked b join behind on behind.pid = any (b.by)
    )
    select behind.pid, extract(epoch from clock_timestamp() - min(l.waitstart)) * 1000 as milliseconds
      from behind join pg_locks l on l.pid = behind.pid and not l.granted
     where behind.application_name = 'writer'
     group by behind.pid
"""
_numbers = count(1)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    settings = {"autovacuum": "off", "wal_level": "replica", "max_prepared_transactions": "5"}
    with Cluster(tmp_path_factory.mktemp("upkeep-postgres"), settings=settings) as made:
        made.create_user("clo_app")
        made.create_user("stranger")
        made.create_user("clo_ops")
        made.create_user("clo_ops_reader", options="in role pg_monitor, pg_read_all_data")
        made.create_user("clo_ops_maintainer", options="in role clo_app, pg_monitor")
        made.create_database("clo")  # its owner could analyse everybody's tables
        made.create_database("ledger", owner="clo_ops")
        with made.connect("clo") as connection:
            connection.execute("create extension pgstattuple")
            connection.execute("create extension btree_gist")
            connection.execute("grant create on schema public to clo_app")
            connection.execute("create schema strange authorization stranger")
        with Ledger(made.url("ledger", "clo_ops")) as ledger:
            ledger.migrate()
        yield made


@pytest.fixture
def ledger(cluster: Cluster) -> Iterator[Ledger]:
    with Ledger(cluster.url("ledger", "clo_ops"), client_name="clo_ops/test") as opened:
        yield opened


def target_of(cluster: Cluster, user: str, database: str = "clo", **more: Any) -> PostgresTarget:
    name = f"clo_ops/test/{user}"
    return PostgresTarget("127.0.0.1", cluster.port, database, user, cluster.password(user), "disable", name, **more)


@pytest.fixture(scope="session")
def reader(cluster: Cluster) -> PostgresTarget:
    return target_of(cluster, "clo_ops_reader")


@pytest.fixture(scope="session")
def maintainer(cluster: Cluster) -> PostgresTarget:
    return target_of(cluster, "clo_ops_maintainer")


@pytest.fixture
def app(cluster: Cluster) -> Iterator[Callable[..., psycopg.Connection[Any]]]:
    """Sessions of the application's, closed after the test."""
    with ExitStack() as stack:

        def make(user: str = "clo_app", name: str = "writer", **more: Any) -> psycopg.Connection[Any]:
            opened = psycopg.connect(cluster.url("clo", user), application_name=name, **{"autocommit": True, **more})
            stack.callback(opened.close)
            return opened

        yield make


@pytest.fixture
def sql(app: Callable[..., psycopg.Connection[Any]]) -> Callable[..., Any]:
    """One statement as the application's role; rows where it gives any."""
    connection = app(name="setup", options="-c lock_timeout=10s -c statement_timeout=60s")

    def run(statement: str) -> Any:
        cursor = connection.execute(statement)
        found = cursor.fetchall() if cursor.description else None
        connection.execute("select pg_stat_force_next_flush()")  # counters are handed over at once
        return found

    return run


@pytest.fixture
def admin(cluster: Cluster) -> Iterator[Callable[..., Any]]:
    """One statement as a superuser; rows where it gives any."""
    with psycopg.connect(cluster.url("clo"), autocommit=True, application_name="admin") as opened:

        def run(statement: str) -> Any:
            cursor = opened.execute(statement)
            return cursor.fetchall() if cursor.description else None

        yield run


@pytest.fixture
def in_a_thread(admin: Callable[..., Any]) -> Callable[..., Any]:
    """Work beside the block, whose outcome is in the list afterwards; a statement that outlives the block is ended."""

    @contextmanager
    def beside(work: Callable[[], Any]) -> Iterator[list[Any]]:
        said: list[Any] = []
        thread = threading.Thread(target=lambda: said.append(work()))
        thread.start()
        try:
            yield said
        finally:
            thread.join(30)
            if thread.is_alive():
                admin("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'clo_ops_maintainer'")
                thread.join(10)

    return beside


@pytest.fixture
def table(sql: Callable[..., Any], admin: Callable[..., Any]) -> Iterator[str]:
    """A table of its own name, with a primary key and rows; gone after the test."""
    name = f"loans_{next(_numbers)}"
    sql(f"create table {name} (loan_id integer generated always as identity primary key, note text, par numeric)")
    yield name
    admin("select pg_terminate_backend(pid) from pg_stat_activity where state = 'idle in transaction'")
    sql(f"drop table if exists {name} cascade")


def filled(sql: Callable[..., Any], table: str, rows: int, keep: int = 1) -> None:
    """Rows whose index is full of air when only every ``keep``-th is left: pages stay, entries go."""
    sql(f"insert into {table} (note, par) select md5(n::text), n from generate_series(1, {rows}) n")
    sql(f"create index {table}_note on {table} (note)")
    if keep > 1:
        sql(f"delete from {table} where loan_id % {keep} <> 0")
    sql(f"vacuum analyze {table}")


@pytest.fixture
def tables_terms() -> Statistics:
    """The policy's, but impatient."""
    given = POLICY.maintenance.statistics
    manners = given.manners.model_copy(update={"lock_timeout": timedelta(seconds=0.3)})
    return given.model_copy(update={"manners": manners})


@pytest.fixture
def index_terms() -> Indexes:
    """The policy's, for indexes a test can afford."""
    given = POLICY.maintenance.indexes
    bloat = given.bloat.model_copy(update={"minimum_size": 500_000})
    manners = given.manners.model_copy(update={"lock_timeout": timedelta(seconds=30)})
    short = {"long_transaction": timedelta(seconds=15)}
    return given.model_copy(update={"bloat": bloat, "manners": manners, **short})


@pytest.fixture
def care(reader: PostgresTarget, maintainer: PostgresTarget, ledger: Ledger) -> Callable[..., IndexCare]:
    def make(terms: Indexes, **more: Any) -> IndexCare:
        since = datetime.now(UTC) - timedelta(hours=1)
        known = Known(datetime.now(UTC), {}, ())
        given: dict[str, Any] = {"reader": reader, "target": maintainer, "known": known, **more}
        return IndexCare(terms=terms, system=SYSTEM, attempts=lambda: ledger.rebuilds(SYSTEM, since), **given)

    return make


@dataclass
class Eye:
    """The longest each writer was seen waiting for a lock of ours (ms), and how often it was looked."""

    waited: list[float] = field(default_factory=list)
    looked: int = 0
    errors: list[BaseException] = field(default_factory=list)

    @property
    def longest(self) -> float:
        return max(self.waited, default=0.0)


@pytest.fixture
def eye(cluster: Cluster) -> Callable[[], Any]:
    @contextmanager
    def open_eye() -> Iterator[Eye]:
        seen, over = Eye(), threading.Event()

        def look() -> None:
            with psycopg.connect(cluster.url("clo"), autocommit=True, application_name="clo_ops/test/eye") as opened:
                while not over.wait(SAMPLE_SECONDS):
                    seen.waited += [float(row[1]) for row in opened.execute(WAITING)]
                    seen.looked += 1

        thread = threading.Thread(target=look)
        thread.start()
        try:
            yield seen
        finally:
            over.set()
            thread.join()

    return open_eye


@pytest.fixture
def writers(cluster: Cluster) -> Callable[..., Any]:
    """Threads that insert, update and delete until the block ends; yields how many transactions they committed."""

    @contextmanager
    def at_work(table: str, how_many: int = 3) -> Iterator[list[int]]:
        over, committed = threading.Event(), [0] * how_many

        def write(place: int) -> None:
            with psycopg.connect(cluster.url("clo", "clo_app"), autocommit=True, application_name="writer") as opened:
                while not over.is_set():
                    with opened.transaction():
                        new = opened.execute(
                            f"insert into {table} (note, par) values (md5(random()::text), 1) returning loan_id"
                        ).fetchone()
                        opened.execute(f"update {table} set note = md5(note) where loan_id = %s", new)
                        opened.execute(f"delete from {table} where loan_id = %s", [new[0] - 20])
                    committed[place] += 1

        threads = [threading.Thread(target=write, args=(place,)) for place in range(how_many)]
        for thread in threads:
            thread.start()
        try:
            yield committed
        finally:
            over.set()
            for thread in threads:
                thread.join()

    return at_work


def until(there: Callable[[], Any], seconds: float = 20.0) -> Any:
    """What ``there`` gives once it gives something; the test fails when it does not in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := there():
            return found
        time.sleep(0.02)
    raise AssertionError("it did not come about in time")
