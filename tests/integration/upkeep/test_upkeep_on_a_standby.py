# ruff: noqa: S608 - statements are put together from names of this file
"""A real standby: what it counts is its own, nothing can be changed there, and that is said."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
import pytest

from clo_ops.actions.maintenance.plan import Outcome
from clo_ops.actions.maintenance.statistics import TableCare
from clo_ops.findings import Status
from clo_ops.probes import upkeep_indexes, upkeep_tables
from clo_ops.rules import ages, index_use, staleness
from demo.stack import accounts
from demo.stack.ports import free_port
from tests.integration.upkeep.conftest import POLICY, SYSTEM, filled, target_of, until

TERMS = POLICY.maintenance


@pytest.fixture(scope="module")
def standby(cluster, tmp_path_factory) -> Iterator[int]:
    """The port of a hot standby streaming from the cluster."""
    account = accounts.unprivileged()
    home = accounts.private_directory(account, "clo-ops-standby-") if account else tmp_path_factory.mktemp("standby")
    data, port = home / "data", free_port()
    command = [cluster.bin / "pg_basebackup", "-D", data, "-R", "-X", "stream", "-c", "fast", *cluster.client()[:-2]]
    as_account = {"cwd": "/", **accounts.as_account(account)}
    subprocess.run(command, env=cluster.environment(), check=True, capture_output=True, **as_account)
    process = subprocess.Popen(
        [cluster.bin / "postgres", "-D", data, "-p", str(port)], stderr=subprocess.DEVNULL, **as_account
    )
    try:
        until(lambda: answers(cluster, port))
        yield port
    finally:
        process.terminate()
        process.wait(30)
        shutil.rmtree(home, ignore_errors=True)


def answers(cluster, port):
    url = cluster.url("clo").replace(f":{cluster.port}/", f":{port}/")
    try:
        with psycopg.connect(url) as connection:
            return connection.execute("select pg_is_in_recovery()").fetchone()[0]
    except psycopg.OperationalError:
        return False


@pytest.fixture
def there(cluster, standby):
    def target(user):
        from dataclasses import replace

        return replace(target_of(cluster, user), port=standby)

    return target


def test_standby_is_known_and_counts_its_own(sql, table, there, reader, index_terms):
    filled(sql, table, 20_000)
    until(lambda: table in str(upkeep_tables.tables(there("clo_ops_reader"), maintainer="x")[0]))
    snapshot, _ = upkeep_tables.tables(there("clo_ops_reader"), maintainer="clo_ops_maintainer")
    assert snapshot.server.in_recovery
    assert staleness.not_here(snapshot).status is Status.NOT_APPLICABLE
    aged = upkeep_tables.ages(there("clo_ops_reader"), oldest=3)
    assert [one.status for one in ages.judge_ages(aged, TERMS.statistics.ages)] == [Status.PASS]
    primary, _ = upkeep_indexes.indexes(reader, index_terms.bloat, maintainer="clo_ops_maintainer")
    assert primary.server.standbys == 1
    here = there("clo_ops_reader")
    until(lambda: f"{table}_note" in str(upkeep_indexes.indexes(here, index_terms.bloat, maintainer="x")[0]))


def test_index_used_on_the_standby_only_is_named_with_that_doubt(sql, table, reader, there, index_terms):
    filled(sql, table, 20_000)
    snapshot, _ = upkeep_indexes.indexes(reader, index_terms.bloat, maintainer="clo_ops_maintainer")
    terms = TERMS.indexes.unused.model_copy(update={"minimum_size": 1})
    later = datetime.now(UTC) + terms.counted_for + terms.counted_for
    (finding,) = [one for one in index_use.judge(snapshot, terms, at=later) if one.subject == f"public.{table}_note"]
    assert "1 standbys count their own" in finding.message


def test_nothing_is_done_on_a_standby(sql, table, reader, there, tables_terms):
    sql(f"insert into {table} (note) select 'n' from generate_series(1, 5000) n")
    care = TableCare(there("clo_ops_maintainer"), tables_terms, SYSTEM)
    work = until(lambda: staleness_of(reader, table))
    until(lambda: table in str(upkeep_tables.tables(there("clo_ops_reader"), maintainer="x")[0]))
    step = next(one for one in care.analyses(work).steps if one.target == f"public.{table}")
    effect = care.act(step)
    assert effect.outcome is Outcome.FAILED
    assert "recovery" in effect.reason


def staleness_of(reader, table):
    snapshot, _ = upkeep_tables.tables(reader, maintainer="clo_ops_maintainer")
    work = staleness.work(snapshot, TERMS.statistics, at=datetime.now(UTC))
    return work if table in {due.table.name for due in work.analyze} else None
