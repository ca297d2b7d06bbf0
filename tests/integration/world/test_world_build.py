"""Building: the same from the same seed, whole again after a kill, in memory that does not grow with the world."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from argon2 import PasswordHasher

from demo.world import build, fingerprints
from demo.world.build import OtherWorld
from demo.world.people import DEMO_USERS

ROOT = Path(__file__).resolve().parents[3]
RSS = """
import resource, sys
from datetime import datetime
from demo.world import build
build(sys.argv[1], scale=float(sys.argv[2]), as_of=datetime.fromisoformat(sys.argv[3]))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def contents(world: Any) -> dict[str, tuple[int, str]]:
    with world.connect("postgres") as connection:
        return fingerprints(connection)


def start(world: Any, moment: datetime, scale: float) -> subprocess.Popen[str]:
    arguments = ["--dsn", world.dsn(), "--scale", str(scale), "--as-of", moment.isoformat()]
    command = [sys.executable, "-u", "-m", "demo.world", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)


@pytest.mark.parametrize("phase", ["reference", "group"])
def test_a_killed_build_is_recognised_and_made_whole(world: Any, empty: Any, moment: datetime, phase: str) -> None:
    other = empty(f"killed_{phase}")
    with start(other, moment, world.built.plan.scale) as process:
        assert process.stdout
        next(line for line in process.stdout if line.startswith(phase))
        os.kill(process.pid, signal.SIGKILL)
    with other.connect() as connection:
        done = connection.execute("SELECT count(*) FROM world_build WHERE phase = 'complete'").fetchone()
    assert done == (0,)
    assert not build(other.dsn(), scale=world.built.plan.scale, as_of=moment).already_there
    assert contents(other) == contents(world)


def test_another_seed_is_another_world(world: Any, empty: Any, moment: datetime) -> None:
    other = empty("seed_8")
    build(other.dsn(), scale=world.built.plan.scale, seed=8, as_of=moment)
    here, there = contents(world), contents(other)
    assert set(here) == set(there)
    same = {table for table, fingerprint in here.items() if there[table] == fingerprint}
    assert {"holidays", "rating_scales", "app_roles"} <= same
    assert not same & {"assets", "asset_cash_flows", "waterfall_payments", "audit_logs", "yield_curve_points"}


def test_every_table_has_rows_but_the_canary(world: Any) -> None:
    assert [table for table, (rows, _) in contents(world).items() if rows == 0] == ["backup_canary"]


@pytest.mark.parametrize("as_of", ["same", None])
def test_a_finished_world_is_left_alone(world: Any, moment: datetime, as_of: str | None) -> None:
    before = contents(world)
    again = build(world.dsn(), scale=world.built.plan.scale, as_of=moment if as_of else None)
    assert (again.already_there, again.credentials, contents(world)) == (True, (), before)


def test_another_world_is_not_replaced_unasked(world: Any, moment: datetime) -> None:
    with pytest.raises(OtherWorld, match="--reset"):
        build(world.dsn(), scale=0.3, as_of=moment)


def test_tables_of_somebody_else_are_not_dropped_unasked(empty: Any, moment: datetime) -> None:
    other = empty("theirs")
    with other.connect() as connection:
        connection.execute("CREATE TABLE precious (id int)")
    with pytest.raises(OtherWorld, match="no demo world"):
        build(other.dsn(), scale=0.2, as_of=moment)


@pytest.mark.parametrize("wrong", [{"scale": 0}, {"days": 0}, {"as_of": datetime(2026, 1, 1)}])  # noqa: DTZ001
def test_parameters_out_of_range_are_refused(world: Any, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"allowed|time zone"):
        build(world.dsn(), **wrong)


def test_the_credentials_returned_are_those_in_the_database(world: Any) -> None:
    assert {c.username: c.role for c in world.built.credentials} == DEMO_USERS
    query = "SELECT username, password_hash, totp_secret, is_service FROM app_users"
    with world.connect() as connection:
        stored = {row[0]: row[1:] for row in connection.execute(query).fetchall()}
    for credential in world.built.credentials:
        hashed, secret, is_service = stored.pop(credential.username)
        assert PasswordHasher().verify(hashed, credential.password)
        assert (secret, is_service) == (credential.totp_secret, credential.username == "clo-ops-probe")
        assert credential.password not in repr(credential)
    assert {hashed for hashed, _, _ in stored.values()} == {"!"}, "whatever their second factor is, no password is"


def test_credentials_given_are_set_in_a_world_that_is_there(world: Any, moment: datetime) -> None:
    given = {"viewer": {"password": "a long and given password", "totp_secret": "A" * 32}}
    built = build(world.dsn(), scale=world.built.plan.scale, as_of=moment, credentials=given)
    assert [c.password for c in built.credentials] == ["a long and given password"]
    with world.connect() as connection:
        row = connection.execute("SELECT password_hash FROM app_users WHERE username = 'viewer'").fetchone()
    assert row
    assert PasswordHasher().verify(row[0], "a long and given password")
    was = next(c for c in world.built.credentials if c.username == "viewer")
    old = {"viewer": {"password": was.password, "totp_secret": was.totp_secret}}
    build(world.dsn(), scale=world.built.plan.scale, as_of=moment, credentials=old)


def test_credentials_of_strangers_are_refused(world: Any) -> None:
    with pytest.raises(KeyError, match="mallory"):
        build(world.dsn(), credentials={"mallory": {}})


def test_the_application_can_insert_behind_the_built_rows(world: Any) -> None:
    with world.connect() as connection:
        connection.execute("INSERT INTO login_attempts (username, success) VALUES ('viewer', true)")
        connection.execute("INSERT INTO asset_pricing (blkrock_id, pricing_date, pricing_source)"
                           " SELECT blkrock_id, '2026-11-23', 'APP' FROM assets LIMIT 1")  # fmt: skip
        connection.rollback()


def test_history_has_working_days_quiet_week_ends_and_few_failures(world: Any) -> None:
    query = """SELECT at::date, count(*) FILTER (WHERE success), count(*) FILTER (WHERE NOT success)
               FROM login_attempts GROUP BY 1 ORDER BY 1"""
    with world.connect() as connection:
        days = connection.execute(query).fetchall()
        failed = connection.execute("SELECT avg((status = 'failed')::int) FROM calculation_jobs").fetchone()
        late = connection.execute("SELECT count(*) FROM app_sessions WHERE ended_at IS NULL OR ended_at > %s",
                                  [world.built.plan.as_of]).fetchone()  # fmt: skip
    working = [good for day, good, _ in days if day.weekday() < 5]
    quiet = [good for day, good, _ in days if day.weekday() >= 5]
    assert sorted(working)[len(working) // 2] >= 8
    assert max(quiet, default=0) <= 4
    assert sum(bad for *_, bad in days) < 0.1 * sum(good for _, good, _ in days)
    assert failed
    assert failed[0] < 0.03
    assert late == (0,)


def peak(dsn: str, scale: float, moment: datetime) -> int:
    command = [sys.executable, "-c", RSS, dsn, str(scale), moment.isoformat()]
    return int(subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout)


def test_a_larger_world_takes_no_more_memory(empty: Any, moment: datetime) -> None:
    """Kilobytes at the peak: one group is held at a time, so two groups need what one needs."""
    small, one, two = (peak(empty(f"scale_{n}").dsn(), scale, moment) for n, scale in enumerate((0.2, 1.0, 2.0)))
    assert one < 2.0 * small
    assert two < 1.25 * one


def test_a_world_ends_at_its_own_moment(empty: Any) -> None:
    """Between a determination date and its payment, and a business day after a holiday."""
    other, end = empty("moment"), datetime(2027, 1, 15, 7, tzinfo=UTC)
    build(other.dsn(), scale=0.05, as_of=end, days=3)
    with other.connect() as connection:
        row = connection.execute("SELECT max(created_at), min(created_at) FROM audit_logs").fetchone()
        assert connection.execute("SELECT max(test_date) FROM coverage_test_results").fetchone() == (
            datetime(2026, 10, 10, tzinfo=UTC).date(),
        )
    assert row
    assert end - timedelta(days=4) < row[1] <= row[0] < end


def test_without_roles_the_build_says_so(cluster: Any, moment: datetime) -> None:
    cluster.create_database("no_schema", owner="postgres")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        build(cluster.url("no_schema", "clo_app"), scale=0.2, as_of=moment)
