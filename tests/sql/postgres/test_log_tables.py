"""Rows of log tables leave in batches: only those due, never those held, however their time is kept."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from clo_ops.actions.retention.log_tables import delete
from clo_ops.findings import CheckFailed
from clo_ops.findings.log_retention import TableState
from clo_ops.policy import load_policy
from clo_ops.policy.logs import LogRemoval, LogTable
from clo_ops.probes import log_tables
from clo_ops.probes.reaching import Unreachable
from clo_ops.probes.statements import statement
from clo_ops.probes.targets import PostgresTarget
from clo_ops.rules import log_retention as rules
from demo.stack.postgres import Cluster

BEFORE = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
KINDS = ("timestamptz", "timestamp", "date")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("logs")) as cluster:
        cluster.create_user("keeper")
        cluster.create_database("clo")
        yield cluster


@pytest.fixture
def owner(server: Cluster) -> Iterator[psycopg.Connection[Any]]:
    with server.connect("clo") as connection:
        connection.autocommit = True
        connection.execute("DROP TABLE IF EXISTS logins")
        yield connection


@pytest.fixture
def keeper(server: Cluster) -> PostgresTarget:
    return PostgresTarget("127.0.0.1", server.port, "clo", "keeper", server.password("keeper"))


def make(owner: psycopg.Connection[Any], kind: str = "timestamptz", days: int = 40, per_day: int = 5) -> None:
    """Rows from ``days`` days before BEFORE up to as many after it."""
    owner.execute(sql.SQL("CREATE TABLE logins (id int, at {} NOT NULL)").format(sql.SQL(kind)))
    fill(owner, days, per_day)


def fill(owner: psycopg.Connection[Any], days: int, per_day: int) -> None:
    owner.execute(
        "INSERT INTO logins SELECT day * %(per)s + n, (timestamp '2026-01-01' + day * interval '1 day')"
        " FROM generate_series(-%(days)s::int, %(days)s::int - 1) AS day, generate_series(1, %(per)s::int) AS n",
        {"per": per_day, "days": days},
    )
    owner.execute("GRANT SELECT, DELETE ON logins TO keeper")
    owner.execute("ANALYZE logins")


def table(at: str = "at", name: str = "logins") -> LogTable:
    return LogTable(table=name, at=at, classes=("access_logs",), manual="L359")


def terms(**changes: Any) -> LogRemoval:
    return load_policy().logs.removal.model_copy(update={"batch": 30, "pause": timedelta(), **changes})


def left(owner: psycopg.Connection[Any]) -> tuple[int, int]:
    """Rows before BEFORE, and from then on."""
    query = (
        "SELECT count(*) FILTER (WHERE at < '2026-01-01 00:00+00'), count(*) FILTER (WHERE at >= '2026-01-01 00:00+00')"
        " FROM logins"
    )
    with owner.transaction():
        owner.execute("SET LOCAL timezone = 'UTC'")
        row = owner.execute(query).fetchone()
    assert row is not None
    return row[0], row[1]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_due_is_counted_and_goes_and_nothing_else(
    owner: psycopg.Connection[Any], keeper: PostgresTarget, kind: str
) -> None:
    # A server in another zone must not move the border.
    owner.execute("ALTER DATABASE clo SET timezone = 'America/New_York'")
    make(owner, kind)
    state, answer = log_tables.state(keeper, table(), BEFORE, [], 1000)
    assert not answer.unanswered
    assert state is not None
    assert (state.due, state.held, state.rows) == (200, 0, 400)
    assert state.type in rules.TIMES
    assert state.oldest == BEFORE - 40 * DAY
    effect = delete(keeper, table(), BEFORE, [], terms())
    assert effect.after["rows"] == 200
    assert effect.after["batches"] == 7
    assert left(owner) == (0, 200)
    assert delete(keeper, table(), BEFORE, [], terms()).after["rows"] == 0


def test_a_legal_hold_keeps_its_days(owner: psycopg.Connection[Any], keeper: PostgresTarget) -> None:
    make(owner)
    holds = [(BEFORE - 20 * DAY, BEFORE - 10 * DAY), (BEFORE - 2 * DAY, None)]
    state, _ = log_tables.state(keeper, table(), BEFORE, holds, 1000)
    assert state is not None
    assert (state.due, state.held) == (140, 60)
    assert delete(keeper, table(), BEFORE, holds, terms()).after["rows"] == 140
    assert left(owner) == (60, 200)


def test_at_most_so_many_in_one_run(owner: psycopg.Connection[Any], keeper: PostgresTarget) -> None:
    make(owner)
    assert delete(keeper, table(), BEFORE, [], terms(most_rows=100)).after["rows"] == 100
    assert left(owner) == (100, 200)
    with owner.transaction():
        row = owner.execute("SELECT min(at) FROM logins").fetchone()
    assert row is not None
    assert row[0] >= BEFORE - 20 * DAY, "the oldest went first"


def test_stopped_between_two_batches(owner: psycopg.Connection[Any], keeper: PostgresTarget) -> None:
    make(owner)
    effect = delete(keeper, table(), BEFORE, [], terms(), may_go_on=lambda: "the window is over")
    assert (effect.after["rows"], effect.after["ended"]) == (30, "the window is over")


def test_a_partitioned_table(owner: psycopg.Connection[Any], keeper: PostgresTarget) -> None:
    owner.execute("CREATE TABLE logins (id int, at timestamptz NOT NULL) PARTITION BY RANGE (at)")
    owner.execute("CREATE TABLE logins_old PARTITION OF logins FOR VALUES FROM ('2025-01-01') TO ('2025-12-10')")
    owner.execute("CREATE TABLE logins_new PARTITION OF logins FOR VALUES FROM ('2025-12-10') TO ('2027-01-01')")
    fill(owner, 40, 5)
    state, _ = log_tables.state(keeper, table(), BEFORE, [], 1000)
    assert state is not None
    assert (state.due, state.rows) == (200, 400)
    assert delete(keeper, table(), BEFORE, [], terms()).after["rows"] == 200
    assert left(owner) == (0, 200)


def test_a_locked_row_makes_it_wait_no_longer_than_its_limit(
    owner: psycopg.Connection[Any], keeper: PostgresTarget, server: Cluster
) -> None:
    make(owner)
    with server.connect("clo") as other, other.transaction(force_rollback=True):
        other.execute("UPDATE logins SET id = 0 WHERE at = (SELECT min(at) FROM logins)")
        with pytest.raises(Unreachable, match=r"(?s)lock.*0 rows of logins had gone"):
            delete(keeper, table(), BEFORE, [], terms(lock_timeout=timedelta(milliseconds=200)))
    assert left(owner) == (200, 200)


@pytest.mark.parametrize("lost", ["t.{at} < %(before)s", "t.{at} >= hold.b"])
def test_a_statement_that_takes_more_than_is_due_undoes_its_batch(
    owner: psycopg.Connection[Any], keeper: PostgresTarget, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    make(owner)
    one = statement("logs/delete_batch")
    other = "true" if "before" in lost else "false"
    broken = replace(one, text=one.text.replace(lost, other).replace("order by t.{at}", "order by t.{at} desc"))
    monkeypatch.setattr(sys.modules[delete.__module__], "statement", lambda _: broken)
    with pytest.raises(CheckFailed, match="not due"):
        delete(keeper, table(), BEFORE, [(BEFORE - 5 * DAY, BEFORE - 4 * DAY)], terms())
    assert left(owner) == (200, 200)


def test_writers_go_on_while_rows_leave(
    owner: psycopg.Connection[Any], keeper: PostgresTarget, server: Cluster
) -> None:
    make(owner, days=200, per_day=10)
    written, stop = [0], threading.Event()

    def write() -> None:
        with server.connect("clo") as connection:
            connection.autocommit = True
            while not stop.is_set():
                connection.execute("INSERT INTO logins VALUES (0, '2026-06-01')")
                written[0] += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        effect = delete(keeper, table(), BEFORE, [], terms(batch=50))
    finally:
        stop.set()
        writer.join()
    assert effect.after["rows"] == 2000
    assert left(owner) == (0, 2000 + written[0])


KILLED = """
import sys
from datetime import UTC, datetime, timedelta
from clo_ops.actions.retention.log_tables import delete
from clo_ops.policy import load_policy
from clo_ops.policy.logs import LogTable
from clo_ops.probes.targets import PostgresTarget
target = PostgresTarget("127.0.0.1", int(sys.argv[1]), "clo", "keeper", sys.stdin.readline().strip())
terms = load_policy().logs.removal.model_copy(update={"batch": 10, "pause": timedelta(milliseconds=50)})
table = LogTable(table="logins", at="at", classes=("access_logs",), manual="L359")
delete(target, table, datetime(2026, 1, 1, tzinfo=UTC), [], terms)
"""


def test_killed_on_the_way_nothing_is_lost_that_was_not_due(
    owner: psycopg.Connection[Any], keeper: PostgresTarget, server: Cluster
) -> None:
    make(owner, days=100, per_day=10)
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(server.port)],
        stdin=subprocess.PIPE,
        cwd=Path(__file__).resolve().parents[3] / "plugins",
    )
    assert child.stdin is not None
    child.stdin.write(f"{keeper.password}\n".encode())
    child.stdin.close()
    while left(owner)[0] > 900:
        pass
    child.send_signal(signal.SIGKILL)
    child.wait(timeout=10)
    assert 0 < left(owner)[0] < 1000
    assert left(owner)[1] == 1000
    delete(keeper, table(), BEFORE, [], terms())
    assert left(owner) == (0, 1000)


def test_no_such_column_no_privilege_no_time(owner: psycopg.Connection[Any], keeper: PostgresTarget) -> None:
    make(owner)
    owner.execute("ALTER TABLE logins ADD COLUMN word text")
    for name in ("created_at", "word"):
        state, answer = log_tables.state(keeper, table(name), BEFORE, [], 1000)
        assert state is None
        assert answer.unanswered
    owner.execute("REVOKE ALL ON logins FROM keeper")
    state, answer = log_tables.state(keeper, table(), BEFORE, [], 1000)
    assert state is None
    assert "privilege" in answer.unanswered[0].reason or "permission" in answer.unanswered[0].reason


@pytest.mark.parametrize(("due", "stays"), [(200, False), (201, True)])
def test_more_of_a_table_than_may_go_at_once(due: int, stays: bool) -> None:
    policy = load_policy()
    removal = policy.logs.removal.model_copy(update={"batch": 10, "sanity": 0.5})
    policy = policy.model_copy(update={"logs": policy.logs.model_copy(update={"removal": removal})})
    state = TableState("logins", "at", "date", 400, due, 0, None, BEFORE)
    assert bool(rules.why_not(state, table(), policy)) is stays


def test_what_goes_on_two_approvals_only_is_never_ours_to_take() -> None:
    state = TableState("permission_changes", "at", "date", 400, 1, 0, None, BEFORE)
    both = LogTable(table="permission_changes", at="at", classes=("security_logs", "audit_logs"), manual="L360")
    assert "two approvals" in rules.why_not(state, both, load_policy())
