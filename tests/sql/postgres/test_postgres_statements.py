"""pg_stat_statements as it is found in the wild: good, missing, not loaded, not allowed, old."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from clo_ops.findings import Answer
from clo_ops.findings.statements import StatementRow
from clo_ops.probes import postgres
from clo_ops.probes.targets import PostgresTarget
from demo.stack.postgres import Cluster

Target = Callable[..., PostgresTarget]
MARK = "select name as marked_for_the_test from deals where id = $1"


@pytest.fixture
def counting(cluster: Cluster) -> Iterator[Cluster]:
    """The extension in the clo database; gone again afterwards, for the test of its absence."""
    if not cluster.has_statements:
        pytest.skip("this PostgreSQL comes without contrib (the wheel's server)")
    with cluster.connect("clo") as connection:
        connection.execute("create extension pg_stat_statements")
        yield cluster
        connection.execute("drop extension if exists pg_stat_statements cascade")
        connection.execute("drop schema if exists watching cascade")


def run_marked(cluster: Cluster, times: int) -> None:
    with cluster.connect("clo", "clo_app") as connection:
        for _ in range(times):
            connection.execute("select name as marked_for_the_test from deals where id = 1")


def marked(rows: tuple[StatementRow, ...]) -> StatementRow:
    (one,) = [row for row in rows if "marked_for_the_test" in row.text and "deals" in row.text]
    return one


def reason(answer: Answer) -> str:
    available = answer.first("postgresql.statements.available")
    assert available is not None
    assert available.value == 0
    assert answer.unanswered == ()
    return available.detail


def test_a_snapshot_counts_who_ran_what_how_often(counting: Cluster, target: Target) -> None:
    with counting.connect("clo") as connection:
        connection.execute("select pg_stat_statements_reset()")
    run_marked(counting, 3)
    snapshot, answer = postgres.statements(target(counting))
    assert snapshot is not None
    assert snapshot.stats_reset is not None
    assert snapshot.stats_reset <= snapshot.taken_at
    row = marked(snapshot.rows)
    assert (row.user, row.database, row.calls, row.rows, row.toplevel) == ("clo_app", "clo", 3, 3, True)
    assert row.text == MARK
    assert row.total_ms > 0
    assert answer.value("postgresql.statements.available") == 1
    assert (answer.value("postgresql.statements.tracked") or 0) >= 1


def test_statement_text_is_cut_at_500_characters(counting: Cluster, target: Target) -> None:
    with counting.connect("clo", "clo_app") as connection:
        connection.execute("select 1 as " + "x" * 50 + " /* " + "long " * 200 + " */")
    snapshot, _ = postgres.statements(target(counting))
    assert snapshot is not None
    assert max(len(row.text) for row in snapshot.rows) == 500


def test_the_extension_is_found_in_any_schema(counting: Cluster, target: Target) -> None:
    with counting.connect("clo") as connection:
        connection.execute("create schema watching")
        connection.execute("grant usage on schema watching to public")
        connection.execute("alter extension pg_stat_statements set schema watching")
    snapshot, _ = postgres.statements(target(counting))
    assert snapshot is not None
    assert snapshot.rows


def test_an_extension_left_behind_by_an_upgrade_still_counts(counting: Cluster, target: Target) -> None:
    with counting.connect("clo") as connection:
        versions = connection.execute(
            "select version from pg_available_extension_versions where name = 'pg_stat_statements' and version = '1.8'"
        ).fetchall()
        if not versions:
            pytest.skip("this server ships no pg_stat_statements 1.8 to go back to")
        connection.execute("drop extension pg_stat_statements")
        connection.execute("create extension pg_stat_statements version '1.8'")
    run_marked(counting, 2)
    snapshot, answer = postgres.statements(target(counting))
    assert snapshot is not None
    assert snapshot.stats_reset is None
    assert marked(snapshot.rows).calls >= 2
    assert "1.8" in answer.measurements[0].detail


def test_without_the_extension_the_reason_says_so(cluster: Cluster, target: Target) -> None:
    snapshot, answer = postgres.statements(target(cluster))
    assert snapshot is None
    wanted = "CREATE EXTENSION" if cluster.has_statements else "contrib package"
    assert wanted in reason(answer)


def test_without_the_privilege_the_reason_says_so(counting: Cluster, target: Target) -> None:
    snapshot, answer = postgres.statements(target(counting, "nobody_special"))
    assert snapshot is None
    assert "pg_monitor" in reason(answer)


def test_with_the_view_closed_the_reason_says_so(counting: Cluster, target: Target) -> None:
    with counting.connect("clo") as connection:
        connection.execute("revoke select on pg_stat_statements from public, pg_read_all_stats")
    snapshot, answer = postgres.statements(target(counting))
    assert snapshot is None
    assert "no privilege" in reason(answer)


def test_created_but_not_loaded_says_what_to_do(breakable: Cluster, target: Target) -> None:
    if not breakable.has_statements:
        pytest.skip("this PostgreSQL comes without contrib (the wheel's server)")
    with breakable.connect("clo") as connection:
        connection.execute("create extension if not exists pg_stat_statements")
    snapshot, answer = postgres.statements(target(breakable))
    assert snapshot is None
    assert "shared_preload_libraries" in reason(answer)


def test_an_unreachable_server_is_unanswered(breakable: Cluster, target: Target) -> None:
    wanted = target(breakable)
    breakable.stop()
    snapshot, answer = postgres.statements(wanted)
    assert snapshot is None
    assert answer.unanswered[0].question == "statement statistics"
