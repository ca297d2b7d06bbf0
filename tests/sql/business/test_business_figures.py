"""The business probe on the application's own tables: windows, statistics, whose doings count, what stays open."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from clo_ops.probes.business import QUESTIONS, business

AT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
PROBE = "clo-ops-probe"
SECOND = timedelta(seconds=1)


def ago(**length):
    return AT - timedelta(**length)


def job(app, table, status, started, *, seconds=None, user="ana"):
    finished = None if seconds is None else started + timedelta(seconds=seconds)
    app.execute(
        f"insert into {table} (deal_id, requested_by, status, queued_at, started_at, finished_at)"  # noqa: S608
        " values ('D1', %s, %s, %s, %s, %s)",
        [user, status, started or ago(hours=1), started, finished],
    )


def attempt(app, success, at, user="ana"):
    app.execute("insert into login_attempts (username, success, at) values (%s, %s, %s)", [user, success, at])


def session(app, user, created, seen):
    found = app.execute(
        "insert into app_users (username, full_name, email) values (%s, %s, %s)"
        " on conflict (username) do update set email = excluded.email returning user_id",
        [user, user, f"{user}@example.org"],
    ).fetchone()
    app.execute(
        "insert into app_sessions (session_id, user_id, created_at, last_seen_at, expires_at)"
        " values (gen_random_uuid()::text, %s, %s, %s, %s)",
        [found[0], created, seen, created + timedelta(hours=8)],
    )


def ask(target, **more):
    return business(target, PROBE, at=AT, **more)


@pytest.mark.parametrize(("table", "kind"), [("calculation_jobs", "calculation"), ("report_jobs", "report")])
def test_jobs_by_how_they_ended_and_how_long_they_took(app, target, table, kind):
    for seconds in range(1, 22):
        job(app, table, "completed", ago(hours=2), seconds=seconds)
    job(app, table, "failed", ago(hours=3), seconds=500)
    job(app, table, "running", ago(minutes=5))
    job(app, table, "queued", None)
    answer = ask(target)
    assert not answer.unanswered
    got = {state: answer.value(f"clo.{kind}.{state}") for state in ("completed", "failed", "running")}
    assert got == {"completed": 21, "failed": 1, "running": 1}
    durations = {one.labels["statistic"]: one.value for one in answer.select(f"clo.{kind}.duration")}
    assert durations == {"mean": 11.0, "p95": 20.0, "max": 21.0}
    assert {one.unit for one in answer.select(f"clo.{kind}.duration")} == {"s"}
    assert {one.at for one in answer.measurements} == {AT}


@pytest.mark.parametrize(
    ("ended", "counted"),
    [(ago(hours=24) - SECOND, 0), (ago(hours=24), 1), (AT - SECOND, 1), (AT, 0), (AT + SECOND, 0)],
)
def test_the_window_is_the_24_hours_before(app, target, ended, counted):
    job(app, "calculation_jobs", "completed", ended - timedelta(seconds=10), seconds=10)
    attempt(app, True, ended)
    answer = ask(target)
    assert answer.value("clo.calculation.completed") == counted
    assert answer.value("clo.login.count") == counted


def test_a_repeat_counts_what_ran_then_not_what_runs_now(app, target):
    """A job that ended after ``at`` was still running at that time, whatever its status is today."""
    job(app, "calculation_jobs", "completed", ago(minutes=1), seconds=120)
    job(app, "calculation_jobs", "running", AT + SECOND)
    answer = ask(target)
    assert answer.value("clo.calculation.running") == 1
    assert answer.value("clo.calculation.completed") == 0


def test_another_window_may_be_asked(app, target):
    attempt(app, True, ago(minutes=30))
    attempt(app, True, ago(hours=2))
    assert ask(target, window=timedelta(hours=1)).value("clo.login.count") == 1


def test_logins_and_refusals(app, target):
    for success in (True, True, False, False, False):
        attempt(app, success, ago(hours=1))
    answer = ask(target)
    assert answer.value("clo.login.count") == 2
    assert answer.value("clo.login.failed") == 3


def test_users_are_counted_once_and_where_a_session_was_in_use(app, target):
    session(app, "ana", ago(hours=3), ago(hours=2))
    session(app, "ana", ago(hours=1), ago(minutes=1))
    session(app, "ben", ago(hours=30), ago(hours=23))
    session(app, "cleo", ago(hours=30), ago(hours=25))
    session(app, "dora", AT + SECOND, AT + SECOND)
    assert ask(target).value("clo.user.active") == 2


def test_our_own_probe_is_nowhere_in_the_figures(app, target):
    job(app, "calculation_jobs", "completed", ago(hours=1), seconds=1, user=PROBE)
    job(app, "report_jobs", "failed", ago(hours=1), seconds=1, user=PROBE)
    attempt(app, True, ago(hours=1), PROBE)
    attempt(app, False, ago(hours=1), PROBE)
    session(app, PROBE, ago(hours=1), ago(minutes=1))
    answer = ask(target)
    assert {one.value for one in answer.measurements} == {0.0}


def test_of_nothing_there_is_no_duration(app, target):
    answer = ask(target)
    assert answer.value("clo.calculation.completed") == 0
    assert not list(answer.select("clo.calculation.duration"))


def test_one_table_we_may_not_read_hides_no_other(app, target, clo_cluster):
    app.execute("revoke select on report_jobs from clo_ops_reader")
    try:
        answer = ask(target)
    finally:
        app.execute("grant select on report_jobs to clo_ops_reader")
    (silent,) = answer.unanswered
    assert silent.question == "report statistics"
    assert "permission denied for table report_jobs" in silent.reason
    assert silent.tried == "include/sql/source/report_statistics.sql"
    assert answer.value("clo.calculation.completed") == 0
    assert answer.value("clo.user.active") == 0


def test_a_schema_of_another_application_is_unanswered_not_zero(app, target):
    app.execute("alter table login_attempts rename to sign_ins")
    try:
        answer = ask(target)
    finally:
        app.execute("alter table sign_ins rename to login_attempts")
    assert [one.question for one in answer.unanswered] == ["login statistics"]
    assert answer.value("clo.login.count") is None


def test_one_slow_statement_is_given_up_and_hides_no_other(app, target, clo_cluster):
    with clo_cluster.connect("clo", "clo_app") as other, other.transaction():
        other.execute("lock table login_attempts in access exclusive mode")
        answer = ask(replace(target, lock_timeout=0.2))
    assert [one.question for one in answer.unanswered] == ["login statistics"]
    assert answer.value("clo.user.active") == 0


def test_nobody_there_leaves_every_question_open(nobody):
    answer = ask(nobody)
    assert not answer.measurements
    assert len(answer.unanswered) == len(QUESTIONS)
    assert all("refused" in one.reason for one in answer.unanswered)
