"""Every switch: seen to have its effect, harmless when repeated, and undone without a trace."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import psycopg
import pytest
from websockets.sync.client import connect

from demo.backup import manifest, seed_history, take_backup
from demo.stack import control
from demo.switches import FAULTS, BoardError, UnknownFault, status, switch_off, switch_off_all, switch_on
from demo.switches.board import Journal
from demo.switches.connections import Hold, holders
from demo.switches.places import Places

ROOT = Path(__file__).resolve().parents[3]
LOGIN = "/api/v1/auth/login"
ACTIVITY = """SELECT state, wait_event_type, pid, cardinality(pg_blocking_pids(pid)) AS blockers FROM pg_stat_activity
WHERE application_name = %s AND backend_type = 'client backend'"""


@pytest.fixture(autouse=True)
def everything_off(system):
    yield
    switch_off_all(system.state)


@contextmanager
def on(system, name):
    """On twice, since that is to be harmless; off twice for the same reason."""
    switch_on(system.state, name)
    switch_on(system.state, name)
    assert name in status(system.state)
    yield
    switch_off(system.state, name)
    switch_off(system.state, name)
    assert status(system.state) == {}


def command(system, *words):
    line = [sys.executable, "-m", "demo.switches", "--state", str(system.state), *words]
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_catalogue_has_every_fault_of_the_demo():
    assert set(FAULTS) == {
        "slow-endpoint", "endpoint-error", "endpoint-wrong-body", "stopped-service", "stopped-api", "stopped-frontend",
        "login-broken", "login-without-mfa", "wrong-password-accepted", "replayed-code-accepted",
        "session-outlives-logout", "session-never-expires", "orphaned-sessions", "connection-leak",
        "idle-in-transaction", "blocked-session", "failing-calculations", "error-burst", "missing-asset",
        "frontend-wrong-page",
        "websocket-mute", "websocket-wrong-echo", "stale-backup", "missing-backup", "failed-backup", "small-backup",
        "stopped-postgres", "stopped-redis", "slow-queries", "self-approved-calculation", "born-superuser",
        "chain-cut-head", "chain-cut-middle", "chain-cut-tail",
        "password-spray", "unaudited-change", "dormant-administrator", "large-export", "trust-line",
    }  # fmt: skip
    assert all(fault.flag or fault.action for fault in FAULTS.values())
    assert all(fault.breaks for fault in FAULTS.values())
    assert [name for name, fault in FAULTS.items() if not fault.turns_red] == ["orphaned-sessions"], "it warns"


def test_an_unknown_name_lists_the_allowed_ones_and_switches_nothing(system):
    with pytest.raises(UnknownFault, match="slow-endpoint"):
        switch_on(system.state, "slow-endpiont")
    done = command(system, "on", "slow-endpoint", "nonsense")
    assert done.returncode == 2
    assert "websocket-mute" in done.stderr
    assert status(system.state) == {}


def test_the_command_lists_switches_and_says_what_is_on(system):
    assert "DM-13" in command(system, "list").stdout
    assert command(system, "on", "slow-endpoint", "missing-asset").returncode == 0
    assert "slow-endpoint" in command(system, "status").stdout
    assert command(system, "off", "slow-endpoint").returncode == 0
    assert "missing-asset" in command(system, "off-all").stdout
    assert command(system, "status").stdout == "everything is off\n"


def test_slow_endpoint(system, client, sign_in):
    header = sign_in()
    for name, slow in ((None, False), ("slow-endpoint", True), (None, False)):
        if name:
            switch_on(system.state, name)
        started = time.monotonic()
        client.get("/api/v1/portfolios", headers=header)
        assert (time.monotonic() - started > 1.4) is slow
        switch_off_all(system.state)


def test_endpoint_error_and_wrong_body(system, client, sign_in):
    header = sign_in()
    with on(system, "endpoint-error"):
        assert client.get("/api/v1/portfolios", headers=header).status_code == 500
    with on(system, "endpoint-wrong-body"):
        for path in ("/api/v1/portfolios", "/api/v1/monitoring/health"):
            answer = client.get(path, headers=header)
            assert (answer.status_code, answer.headers["content-type"][:9]) == (200, "text/html")
    assert client.get("/api/v1/portfolios", headers=header).json()["total"] == 3
    assert client.get("/api/v1/monitoring/health").json()["status"] == "healthy"


@pytest.mark.parametrize(
    ("fault", "changed", "statuses"),
    [
        ("login-broken", {}, (200, 503)),
        ("login-without-mfa", {"totp": None}, (401, 200)),
        ("wrong-password-accepted", {"password": "wrong", "totp": None}, (401, 200)),
        ("wrong-password-accepted", {"password": "wrong"}, (401, 200)),
    ],
)
def test_login_faults(system, client, fault, changed, statuses):
    well, sick = statuses

    def login():
        return client.post(LOGIN, json=system.person().credentials(**changed)).status_code

    assert login() == well
    with on(system, fault):
        assert login() == sick
    assert login() == well


def test_other_logins_are_as_strict_as_ever_while_mfa_is_broken(system, client):
    with on(system, "login-without-mfa"):
        assert client.post(LOGIN, json=system.person().credentials(totp="000000")).status_code == 401
        assert client.post(LOGIN, json=system.person().credentials(password="wrong")).status_code == 401


def test_replayed_code_accepted(system, client):
    person = system.person()
    body = person.credentials()
    assert [client.post(LOGIN, json=body).status_code for _ in range(2)] == [200, 401]
    with on(system, "replayed-code-accepted"):
        assert client.post(LOGIN, json=body).status_code == 200
    assert client.post(LOGIN, json=body).status_code == 401


def test_session_outlives_logout(system, client, sign_in):
    header = sign_in()
    with on(system, "session-outlives-logout"):
        assert client.post("/api/v1/auth/logout", headers=header).status_code == 204
        assert client.get("/api/v1/auth/me", headers=header).status_code == 200
    assert client.post("/api/v1/auth/logout", headers=header).status_code == 204
    assert client.get("/api/v1/auth/me", headers=header).status_code == 401


def test_session_never_expires(system, client, session_keys, sign_in):
    old = "SELECT session_id FROM app_sessions WHERE ended_at IS NULL AND created_at < now() - interval '2 days'"
    endless = [key for key in session_keys.scan_iter("session:*") if session_keys.ttl(key) == -1]
    assert (system.rows(old), endless) == ([], [])
    with on(system, "session-never-expires"):
        assert len(system.rows(old)) == 1
        header = sign_in()
        assert sum(session_keys.ttl(key) == -1 for key in session_keys.scan_iter("session:*")) == 2
    assert system.rows(old) == []
    assert not any(session_keys.ttl(key) == -1 for key in session_keys.scan_iter("session:*"))
    assert client.get("/api/v1/auth/me", headers=header).status_code == 401


def orphans(system, session_keys):
    rows = {row["session_id"] for row in system.rows("SELECT session_id FROM app_sessions WHERE ended_at IS NULL")}
    known = {json.loads(session_keys.get(key))["session_id"] for key in session_keys.scan_iter("session:*")}
    return len(rows - known), len(known - rows)


def test_orphaned_sessions(system, session_keys):
    before = orphans(system, session_keys)
    with on(system, "orphaned-sessions"):
        assert orphans(system, session_keys) == (before[0] + 5, before[1] + 5)
    assert orphans(system, session_keys) == before


def test_connection_leak(system, client):
    with on(system, "connection-leak"):
        held = system.rows(ACTIVITY, "clo-app/connection-leak")
        assert [row["state"] for row in held] == ["active"] * 19
        assert client.get("/api/v1/monitoring/health").json()["status"] == "healthy"
    assert system.rows(ACTIVITY, "clo-app/connection-leak") == []


def test_idle_in_transaction_and_blocked_session(system):
    with on(system, "idle-in-transaction"):
        assert [row["state"] for row in system.rows(ACTIVITY, "clo-app/idle-in-transaction")] == ["idle in transaction"]
    with on(system, "blocked-session"):
        held = system.rows(ACTIVITY, "clo-app/blocked-session")
        assert sorted(row["blockers"] for row in held) == [0, 1]
        assert {row["state"] for row in held} == {"active", "idle in transaction"}
    for name in ("idle-in-transaction", "blocked-session"):
        assert system.rows(ACTIVITY, f"clo-app/{name}") == []


def test_slow_queries_show_in_the_statement_statistics(system):
    with on(system, "slow-queries"):
        with system.cluster.connect("clo") as connection:
            found = connection.execute(
                "SELECT max(mean_exec_time) FROM pg_stat_statements WHERE query LIKE '%pg_sleep%clo_deals%'"
            ).fetchone()
        assert found[0] > 1100
    assert system.rows(ACTIVITY, "clo-app/slow-queries") == []


def test_failing_calculations(system, client, sign_in, eventually):
    failed = (
        "SELECT count(*) AS n FROM calculation_jobs WHERE status = 'failed' AND queued_at > now() - interval '1 hour'"
    )
    before, header = system.rows(failed)[0]["n"], sign_in("analyst")

    def calculate():
        job = client.post("/api/v1/calculations", headers=header, json={"deal_id": "DEAL-1"}).json()["job_id"]
        path = f"/api/v1/calculations/{job}"
        eventually(lambda: client.get(path, headers=header).json()["status"] in {"completed", "failed"})
        return client.get(path, headers=header).json()["status"]

    with on(system, "failing-calculations"):
        assert system.rows(failed)[0]["n"] == before + 12
        assert calculate() == "failed"
    # The one that failed for real is history and stays; those made up are gone.
    assert system.rows(failed)[0]["n"] == before + 1
    assert calculate() == "completed"


def test_frontend_faults(system):
    with httpx.Client(base_url=system.environment["CLO_FRONTEND_ORIGIN"], trust_env=False) as client:
        with on(system, "missing-asset"):
            assert client.get("/assets/app.js").status_code == 404
            assert client.get("/assets/app.css").status_code == 200
        with on(system, "frontend-wrong-page"):
            page = client.get("/")
            assert (page.status_code, "clo-management-system" in page.text) == (200, False)
        assert client.get("/assets/app.js").status_code == 200
        assert "clo-management-system" in client.get("/").text


def test_websocket_faults(system, sign_in):
    token = sign_in()["Authorization"].split()[1]
    url = f"{system.environment['CLO_API_URL'].replace('http', 'ws', 1)}/api/v1/ws?token={token}"

    def converse():
        with connect(url, open_timeout=5) as socket:
            socket.send(json.dumps({"type": "ping", "nonce": "n"}))
            return [json.loads(socket.recv(timeout=1)) for _ in range(2)]

    with on(system, "websocket-mute"), pytest.raises(TimeoutError):
        converse()
    with on(system, "websocket-wrong-echo"):
        assert converse()[1]["nonce"] != "n"
    assert converse()[1] == {"type": "pong", "nonce": "n"}


@pytest.mark.parametrize("name", ["api", "frontend", "worker"])
def test_stopped_services(system, client, eventually, name):
    fault = "stopped-service" if name == "worker" else f"stopped-{name}"
    with on(system, fault):
        assert not control.running(system.stack, name)
        if name == "worker":
            health = client.get("/api/v1/monitoring/health").json()
            assert (health["status"], health["components"]["worker"]["status"]) == ("degraded", "down")
    assert control.running(system.stack, name)
    health = lambda: client.get("/api/v1/monitoring/health").json()["status"]  # noqa: E731
    assert eventually(lambda: health() == "healthy")


def test_stopped_postgres_is_told_and_recovered_from(system, client, sign_in, eventually):
    header = sign_in()
    with on(system, "stopped-postgres"):
        with pytest.raises(psycopg.OperationalError):
            system.database()
        assert client.get("/health").status_code == 200
        assert client.get("/api/v1/monitoring/health").json()["components"]["database"]["status"] == "down"
        answer = client.get("/api/v1/portfolios", headers=header)
        assert (answer.status_code, answer.json()) == (503, {"detail": "database not available"})
        assert client.get("/metrics").status_code == 200
    assert eventually(lambda: client.get("/api/v1/portfolios", headers=header).status_code == 200)
    assert eventually(lambda: client.get("/api/v1/monitoring/health").json()["status"] == "healthy")


def test_stopped_redis_is_told_and_its_sessions_come_back(system, client, sign_in, session_keys):
    header = sign_in()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: client.get("/api/v1/auth/me", headers=header), range(24)))
    before = {key: session_keys.get(key) for key in session_keys.scan_iter("session:*")}
    with on(system, "stopped-redis"):
        answer = client.get("/api/v1/auth/me", headers=header)
        assert (answer.status_code, answer.json()) == (503, {"detail": "session store not available"})
        assert client.get("/api/v1/monitoring/health").json()["components"]["redis"]["status"] == "down"
    # At once, on connections of before as well: nobody meets an error because Redis was restarted.
    with ThreadPoolExecutor(8) as pool:
        statuses = set(pool.map(lambda _: client.get("/api/v1/auth/me", headers=header).status_code, range(24)))
    assert statuses == {200}
    assert {key: session_keys.get(key) for key in session_keys.scan_iter("session:*")} == before
    assert all(session_keys.ttl(key) > 0 for key in before)


@pytest.fixture
def repository(system):
    """A backup of now and four older ones; ``everything`` lists names and contents."""
    directory = system.state / "backups"
    if not manifest.dumps(directory):
        take_backup(system.cluster.url("clo", "clo_backup"), directory)
        seed_history(directory, 4)
    return directory


def everything(repository):
    return {path.name: manifest.sha256(path) for path in repository.iterdir()}


def newest(repository):
    path = sorted(repository.glob("*.manifest.json"))[-1]
    return path, json.loads(path.read_text())


@pytest.mark.parametrize("name", ["missing-backup", "stale-backup", "failed-backup", "small-backup"])
def test_backup_faults(system, repository, name):
    before, (path, facts) = everything(repository), newest(repository)
    with on(system, name):
        left = manifest.dumps(repository)
        if name == "missing-backup":
            assert left == []
            assert list(repository.glob("*.manifest.json")) == []
        elif name == "stale-backup":
            assert time.time() - manifest.time_of(left[-1].name).timestamp() >= 3 * 86400 - 60
        elif name == "failed-backup":
            assert newest(repository)[1]["status"] == "failed"
            assert not (repository / facts["path"]).exists()
        else:
            small = newest(repository)[1]
            assert small["size_bytes"] == left[-1].stat().st_size == facts["size_bytes"] // 10
            assert small["sha256"] == manifest.sha256(left[-1])
    assert everything(repository) == before
    assert newest(repository)[0] == path


def test_stale_backup_without_a_history(system, repository):
    for dump in manifest.dumps(repository)[:-1]:
        manifest.manifest_path(dump).unlink()
        dump.unlink()
    before = everything(repository)
    with on(system, "stale-backup"):
        assert len(manifest.dumps(repository)) == 1
        assert everything(repository).keys().isdisjoint(before.keys() - {".lock"})
    assert everything(repository) == before


def test_two_faults_of_the_same_files_are_refused(system, repository):
    with on(system, "small-backup"), pytest.raises(BoardError, match="small-backup is on"):
        switch_on(system.state, "missing-backup")


def test_a_board_killed_in_the_middle_is_put_right(system, repository, session_keys):
    """Killed after each step: the journal written, half of the work done, all of it done but not noted."""
    before, orphaned = everything(repository), orphans(system, session_keys)
    journal, places = Journal(system.state), Places(system.state)
    for name in ("small-backup", "orphaned-sessions", "idle-in-transaction"):
        action = FAULTS[name].action
        memory = action.plan(places)
        journal.note(name, "2026-01-01T00:00:00+00:00", "switching on", memory)
        if name == "small-backup":
            aside = places.aside(name)
            aside.mkdir(parents=True)
            (repository / memory["moved"][0]).replace(aside / memory["moved"][0])
        else:
            action.do(places, memory)
    assert len(holders(places, "idle-in-transaction")) == 1
    assert set(switch_off_all(system.state)) == {"small-backup", "orphaned-sessions", "idle-in-transaction"}
    assert everything(repository) == before
    assert orphans(system, session_keys) == orphaned
    assert holders(places, "idle-in-transaction") == []


def test_a_holder_that_was_killed_is_no_obstacle(system, eventually):
    switch_on(system.state, "idle-in-transaction")
    for process in holders(Places(system.state), "idle-in-transaction"):
        os.kill(process.pid, 9)
    assert eventually(lambda: not system.rows(ACTIVITY, "clo-app/idle-in-transaction"))
    switch_off(system.state, "idle-in-transaction")
    assert isinstance(FAULTS["idle-in-transaction"].action, Hold)
