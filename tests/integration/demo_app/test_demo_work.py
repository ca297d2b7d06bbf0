"""Portfolios, jobs, the WebSocket, health, metrics and the page."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import time
from datetime import UTC, datetime, timedelta

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from demo.stack import control


def websocket(system, header):
    url = system.environment["CLO_API_URL"].replace("http", "ws", 1)
    return connect(f"{url}/api/v1/ws?token={header['Authorization'].split()[1]}", open_timeout=5)


def test_portfolios_have_the_totals_of_their_positions(client, sign_in):
    body = client.get("/api/v1/portfolios", headers=sign_in()).json()
    assert body["total"] == len(body["items"]) == 3
    first = next(item for item in body["items"] if item["deal_id"] == "DEAL-1")
    assert (first["positions"], first["total_par"], first["cost"]) == (30, 30_000_000, 29_850_000)


def test_one_portfolio_has_its_tranches_and_largest_positions(client, sign_in):
    header = sign_in()
    body = client.get("/api/v1/portfolios/DEAL-1", headers=header).json()
    assert [row["tranche_name"] for row in body["tranches"]] == ["A", "B", "EQ"]
    assert len(body["largest_positions"]) == 25
    assert client.get("/api/v1/portfolios/NONE", headers=header).status_code == 404


def wait_for(client, path, header, eventually):
    eventually(lambda: client.get(path, headers=header).json()["status"] not in {"queued", "running"}, 20)
    return client.get(path, headers=header).json()


def test_a_calculation_is_computed(client, sign_in, eventually):
    header = sign_in("analyst")
    answer = client.post("/api/v1/calculations", headers=header, json={"deal_id": "DEAL-1"})
    assert (answer.status_code, answer.json()["status"]) == (202, "queued")
    job = wait_for(client, f"/api/v1/calculations/{answer.json()['job_id']}", header, eventually)
    assert (job["status"], job["error"]) == ("completed", None)
    assert job["queued_at"] <= job["started_at"] < job["finished_at"]
    result = job["result"]
    assert (result["warf"], result["was_percent"], result["wac_percent"]) == (2470, 3.5, 7.5)
    assert result["oc_ratio"] == {"A": 1.5, "B": 1.25}
    assert 0 < result["cash_flow"]["mean_loss_percent"] <= result["cash_flow"]["loss_percent_p99"]


def test_a_deal_without_positions_fails_with_the_reason(client, sign_in, eventually):
    header = sign_in("analyst")
    queued = client.post("/api/v1/calculations", headers=header, json={"deal_id": "EMPTY"}).json()
    job = wait_for(client, f"/api/v1/calculations/{queued['job_id']}", header, eventually)
    assert (job["status"], job["error"]) == ("failed", "deal EMPTY has no active position")


@pytest.mark.parametrize("form", ["html", "csv"])
def test_a_report_is_a_file_with_totals(system, client, sign_in, eventually, form):
    header = sign_in("analyst")
    queued = client.post("/api/v1/reports", headers=header, json={"format": form}).json()
    job = wait_for(client, f"/api/v1/reports/{queued['job_id']}", header, eventually)
    assert job["status"] == "completed", job
    file = client.get(job["file"], headers=header)
    assert hashlib.sha256(file.content).hexdigest() == job["file_sha256"]
    assert len(file.content) == job["size_bytes"]
    assert job["result"]["total_par"] == "60000000"
    if form == "csv":
        rows = list(csv.reader(io.StringIO(file.text)))
        assert (rows[-1][3], rows[-1][4]) == ("60", "60000000")
        assert {row[1] for row in rows if row[0] == "DEAL-2"} == {"'=2+3"}
    else:
        assert "60,000,000.00" in file.text
        assert "First &lt;b&gt;CLO&lt;/b&gt;" in file.text


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("analyst", 202), ("manager", 202), ("admin", 202)])
def test_only_those_who_may_start_jobs(client, sign_in, role, status):
    header = sign_in(role)
    for path in ("/api/v1/calculations", "/api/v1/reports"):
        assert client.post(path, headers=header, json={"deal_id": "DEAL-2"}).status_code == status


def test_a_job_is_seen_by_its_requester_and_by_managers(client, sign_in):
    header = sign_in("analyst")
    job = client.post("/api/v1/calculations", headers=header, json={"deal_id": "DEAL-1"}).json()["job_id"]
    path = f"/api/v1/calculations/{job}"
    assert client.get(path, headers=sign_in("analyst")).status_code == 404
    assert client.get(path, headers=sign_in("manager")).status_code == 200
    assert job in {row["job_id"] for row in client.get("/api/v1/calculations", headers=header).json()["items"]}
    assert client.post("/api/v1/calculations", headers=header, json={"deal_id": "NONE"}).status_code == 404


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("analyst", 403), ("manager", 200), ("admin", 200)])
def test_the_audit_trail_is_for_supervisors(client, sign_in, role, status):
    assert client.get("/api/v1/audit", headers=sign_in(role)).status_code == status


def test_the_websocket_greets_answers_and_tells_of_jobs(system, client, sign_in):
    header = sign_in("analyst")
    with websocket(system, header) as socket:
        assert json.loads(socket.recv(timeout=5))["type"] == "welcome"
        socket.send(json.dumps({"type": "ping", "nonce": "n-17"}))
        assert json.loads(socket.recv(timeout=5)) == {"type": "pong", "nonce": "n-17"}
        job = client.post("/api/v1/calculations", headers=header, json={"deal_id": "DEAL-1"}).json()["job_id"]
        heard = [json.loads(socket.recv(timeout=15)) for _ in range(2)]
        assert [(news["job_id"], news["status"]) for news in heard] == [(job, "running"), (job, "completed")]


@pytest.mark.parametrize("text", ["not json", "[]", '{"type": "dance"}', "x" * 5000])
def test_a_message_not_understood_is_said_so(system, sign_in, text):
    with websocket(system, sign_in()) as socket:
        socket.recv(timeout=5)
        socket.send(text)
        assert json.loads(socket.recv(timeout=5))["type"] == "error"


def test_the_websocket_closes_for_a_wrong_token_and_after_logout(system, client, sign_in):
    with websocket(system, {"Authorization": "Bearer nonsense"}) as socket:
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=5)
        assert closed.value.rcvd.code == 4401
    header = sign_in()
    with websocket(system, header) as socket:
        socket.recv(timeout=5)
        client.post("/api/v1/auth/logout", headers=header)
        socket.send(json.dumps({"type": "ping", "nonce": 1}))
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=5)
        assert closed.value.rcvd.code == 4401


def test_health_asks_every_component(client):
    assert client.get("/health").json() == {"status": "healthy"}
    body = client.get("/api/v1/monitoring/health").json()
    assert body["status"] == "healthy", body
    assert set(body["components"]) == {"database", "redis", "worker"}
    assert all(component["latency_ms"] > 0 for component in body["components"].values())


def test_metrics_count_by_route_not_by_path(client, sign_in):
    header = sign_in("analyst")
    client.get("/api/v1/portfolios/DEAL-1", headers=header)
    client.post("/api/v1/calculations", headers=header, json={"deal_id": "DEAL-1"})
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = answer.text.splitlines()
    names = {line.split("{")[0].split(" ")[0] for line in lines}
    assert {"clo_sessions_open", "clo_jobs", "clo_database_pool_connections", "clo_component_up"} <= names
    assert any(
        'clo_http_request_duration_seconds_bucket{endpoint="/api/v1/portfolios/{deal_id}"' in line for line in lines
    )
    assert 'clo_component_up{component="database"} 1.0' in lines
    assert 'clo_database_pool_connections{state="maximum"} 20.0' in lines
    assert not any("DEAL-1" in line for line in lines)


def test_the_page_has_its_marker_and_everything_it_needs(system):
    import httpx

    with httpx.Client(base_url=system.environment["CLO_FRONTEND_ORIGIN"], trust_env=False) as client:
        page = client.get("/")
        assert "<title>CLO Management System</title>" in page.text
        assert '<div id="app" data-app="clo-management-system">' in page.text
        for path, kind in (("/assets/app.css", "text/css"), ("/assets/app.js", "text/javascript")):
            asset = client.get(path)
            assert (asset.status_code, asset.headers["content-type"].split(";")[0]) == (200, kind)
            assert len(asset.content) > 500
            assert path in page.text
        assert client.get("/assets/none.js").status_code == 404
        assert client.get("/config.json").json()["api_base_url"] == system.environment["CLO_API_URL"]


def test_only_the_frontend_may_call_from_a_browser(system, client):
    for origin, allowed in ((system.environment["CLO_FRONTEND_ORIGIN"], True), ("http://evil.test", False)):
        headers = {"Origin": origin, "Access-Control-Request-Method": "GET"}
        answer = client.options("/api/v1/portfolios", headers=headers)
        assert (answer.headers.get("access-control-allow-origin") == origin) is allowed


def test_traffic_is_bounded_and_logs_out(system):
    from demo.app.traffic import drive

    people = [system.person("analyst"), system.person("viewer")]
    users = [{"username": p.username, "password": p.password, "totp_secret": p.secret} for p in people]
    started = time.monotonic()
    counts = drive(system.environment["CLO_API_URL"], users, 2.0, 5)
    assert time.monotonic() - started < 10
    assert counts[200] > 0
    names = [person.username for person in people]
    left = "SELECT 1 FROM app_sessions JOIN app_users USING (user_id) WHERE username = ANY(%s) AND ended_at IS NULL"
    assert system.rows(left, names) == []


def test_the_worker_anchors_the_audit_trail_of_the_days_that_are_over(system, eventually):
    yesterday = datetime.now(UTC) - timedelta(days=1)
    with system.database() as connection:
        late = "INSERT INTO audit_logs (created_at, actor, action) VALUES (%s, 'ann', 'late.row') RETURNING id"
        row = connection.execute(late, [yesterday]).fetchone()
    anchored = "SELECT last_id, row_count FROM audit_anchor WHERE anchor_date = %s"
    assert system.rows(anchored, yesterday.date()) == []
    control.stop_service(system.state, "worker")
    control.start_service(system.state, "worker")
    (anchor,) = eventually(lambda: system.rows(anchored, yesterday.date()))
    assert anchor == {"last_id": row["id"], "row_count": 1}
