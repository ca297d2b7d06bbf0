"""Plans on a real server: planned, applied, left over, another's lock, a backup that starts, SIGKILL at any time."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from clo_ops.findings import Severity, Status
from clo_ops.findings.plans import Effect, Outcome, Plan, Step
from clo_ops.orchestration.maintenance import carried_out, maintained, system_of
from tests.integration.maintenance import killed_worker

HERE, ROOT = Path(__file__).parent, Path(__file__).resolve().parents[3]
KEY = 726210110


def step(name, seconds=1.0):
    return Step(f"reindex {name}", "reindex", name, "bloat", f"REINDEX INDEX CONCURRENTLY {name}", seconds)


def plan_of(run, *steps):
    return Plan("indexes", system_of(run), steps or (step("a"), step("b")))


def applied(_):
    return Effect(Outcome.APPLIED, "done", 1.0, {"size_bytes": 5})


def only(findings, name="maintenance"):
    return {one.subject: one for one in findings if one.name == name}


@pytest.fixture
def run(world):
    world.proven()
    steps = (step("a"), step("b"))
    return world.approved(Plan("indexes", system_of(world.run()), steps))


def test_what_was_approved_is_applied_and_measured(world, run):
    findings = maintained(run, "MW-05", "indexes", lambda: plan_of(run), applied)
    assert {one.status for one in findings} == {Status.PASS}
    assert only(findings)["indexes"].actual == "2 applied"
    (row,) = world.ledger.plans_of(run.ledger_run)
    assert [one.effect.outcome for one in row.steps] == [Outcome.APPLIED] * 2
    assert {one.labels["key"] for one in run.answer.select("maintenance.size", when="after")} == {
        "reindex a",
        "reindex b",
    }


def test_a_changed_plan_voids_the_approval_and_nothing_of_it_is_done(world, run):
    done = []
    findings = carried_out(run, "MW-05", plan_of(run, step("a"), step("z")), done.append)
    assert done == []
    (finding,) = findings
    assert (finding.status, finding.name) == (Status.FAIL, "approved plan")
    assert "reindex z" in finding.message


def test_less_than_what_was_approved_may_be_done(world, run):
    (finding,) = carried_out(run, "MW-05", plan_of(run, step("b")), applied)
    assert finding.status is Status.PASS


def test_by_hand_the_plan_is_shown_and_nothing_is_done(world):
    run, done = world.run("maintenance_weekly"), []
    (finding,) = carried_out(run, "WM-02", plan_of(run), done.append)
    assert (finding.status, done) == (Status.NOT_APPLICABLE, [])
    assert "2 reindex" in finding.message
    assert world.ledger.plans_of(run.ledger_run)[0].state == "planned"


def test_on_schedule_policy_says_whether_it_is_applied(world, run):
    run.trigger, run.params = "scheduled", {}
    world.with_terms(duties={**world.policy.maintenance.duties, "indexes": world.policy.maintenance.duties["cache"]})
    run.policy = world.policy
    (finding,) = carried_out(run, "WM-02", plan_of(run), applied)
    assert "duties.indexes.apply: false" in finding.message


def test_somebody_elses_lock_is_never_waited_for_once_steps_would_run(world, run):
    done = []
    with world.session("clo_ops_maintainer") as other:
        other.execute("SELECT pg_advisory_lock(%s)", [KEY])
        (finding,) = carried_out(run, "MW-05", plan_of(run), done.append)
    assert (finding.status, done) == (Status.WARN, [])


def test_while_steps_run_nobody_else_may_maintain(world, run):
    def act(one):
        with world.session("clo_ops_maintainer") as other:
            assert other.execute("SELECT pg_try_advisory_lock(%s)", [KEY]).fetchone() == (False,)
        return applied(one)

    assert carried_out(run, "MW-05", plan_of(run), act)[0].status is Status.PASS
    with world.session("clo_ops_maintainer") as other:
        assert other.execute("SELECT pg_try_advisory_lock(%s)", [KEY]).fetchone() == (True,)


def test_a_lock_that_was_taken_from_us_stops_the_rest(world, run):
    """An administrator ends our session between two steps."""

    def act(one):
        with world.cluster.connect("clo") as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = %s", [KEY]
            )
        return applied(one)

    found = only(carried_out(run, "MW-05", plan_of(run), act))
    assert found["indexes"].actual == "1 applied, 1 left over"
    assert "may be gone" in found["indexes left over"].message
    assert world.ledger.left_over("indexes", system_of(run)) == ["reindex b"]


def test_a_backup_that_starts_meanwhile_stops_the_rest_and_it_comes_first_next_time(world, run):
    sessions = []

    def act(one):
        sessions.append(world.session("clo_backup"))
        sessions[-1].__enter__().execute("SET application_name = 'pg_dump'")
        return applied(one)

    found = only(carried_out(run, "MW-05", plan_of(run), act))
    for one in sessions:
        one.__exit__(None, None, None)
    assert "a backup has started (pg_dump)" in found["indexes left over"].message
    later = world.run("maintenance_weekly")
    carried_out(later, "WM-02", plan_of(later), applied)
    (row,) = world.ledger.plans_of(later.ledger_run)
    assert [one.step.key for one in row.steps] == ["reindex b", "reindex a"]


def test_a_grave_incident_opened_meanwhile_stops_the_rest(world, run):
    from clo_ops.escalation.sighting import Sighting
    from clo_ops.orchestration.incidents import desk

    def act(one):
        seen = Sighting("api:down", Severity.P1, "API is down", "AL-01", datetime.now(UTC), "down", "up", "Look")
        desk(world.ledger, world.policy).detect(seen)
        return applied(one)

    found = only(carried_out(run, "MW-05", plan_of(run), act))
    assert "API is down" in found["indexes left over"].message


def test_steps_get_the_time_they_usually_take(world, run):
    for seconds in (3.0, 5.0, 40.0):
        other = world.approved(plan_of(run))
        carried_out(other, "MW-05", plan_of(other), lambda one, took=seconds: Effect(Outcome.APPLIED, "", took))
    later = world.run("maintenance_weekly")
    carried_out(later, "WM-02", plan_of(later, step("a", None), step("new", None)), applied)
    (row,) = world.ledger.plans_of(later.ledger_run)
    assert {one.step.key: one.step.seconds for one in row.steps} == {"reindex a": 5.0, "reindex new": None}


def test_nothing_starts_that_cannot_end_before_the_window_does(world, run):
    world.with_terms(pace__emergency_at_most=timedelta(minutes=1))
    run.policy = world.policy
    found = only(carried_out(run, "MW-05", plan_of(run, step("b", 0.5), step("a", 3600.0)), applied))
    assert found["indexes"].actual == "1 applied, 1 left over"
    assert "3,600 s by earlier runs" in found["indexes left over"].message


def test_killed_at_any_instant_each_step_is_applied_once_and_nobody_stays_locked_out(world, tmp_path):
    """SIGKILL at random instants, then once to the end: the same run, its plan and its approval."""
    world.proven()
    probe = world.run()
    run = world.approved(killed_worker.plan_of(system_of(probe)))
    facts = tmp_path / "facts.json"
    target = run.connections.maintenance
    postgres = {
        "host": target.host, "port": target.port, "schema": "clo", "login": target.user, "password": target.password,
        "extra": json.dumps({"sslmode": "disable"}),
    }  # fmt: skip
    said = {
        "postgres": json.dumps(postgres),
        "ledger": world.cluster.url(world.ledger.engine.url.database, "clo_ops"),
        "work": world.cluster.url("clo", "clo_app"),
        "run_id": run.run_id,
        "run": str(run.ledger_run),
        "at": run.at.isoformat(),
    }
    facts.write_text(json.dumps(said))
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'plugins'}:{ROOT}"}
    command = [sys.executable, str(HERE / "killed_worker.py"), str(facts)]
    lot, killed = random.Random(5), 0  # noqa: S311 - instants, not secrets
    for _ in range(4):
        worker = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _begun(world, run, worker)
        time.sleep(lot.uniform(0.0, 0.2))
        worker.kill()
        killed += worker.wait() == -9
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert "pass" in done.stdout, done.stdout + done.stderr
    assert killed >= 2
    with world.session() as connection:
        rows = connection.execute("SELECT key, times FROM work ORDER BY key").fetchall()
    assert rows == [(f"step {number:02d}", 1) for number in range(killed_worker.STEPS)]
    (row,) = world.ledger.plans_of(run.ledger_run)
    assert {one.effect.outcome for one in row.steps} == {Outcome.APPLIED}
    assert sum(one.tries for one in row.steps) <= killed_worker.STEPS + killed, "only what was cut off is begun again"


def _begun(world, run, worker):
    """Until the worker has carried out one more step than there are on record, or has ended."""
    before = _tries(world, run)
    while worker.poll() is None and _tries(world, run) <= before:
        time.sleep(0.01)


def _tries(world, run):
    return sum(one.tries for row in world.ledger.plans_of(run.ledger_run) for one in row.steps)
