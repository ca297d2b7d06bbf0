"""Every component asked for real, each broken in turn while the others are well."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.server import Server, ServerConnection, serve

from clo_ops.findings import ConfigurationError, Status
from clo_ops.policy import load_policy
from clo_ops.probes import health
from clo_ops.probes.handshake import Refused, handshake
from clo_ops.probes.targets import (
    BackupRepository,
    HostTarget,
    PostgresTarget,
    PrometheusTarget,
    RedisTarget,
    WebTarget,
)
from clo_ops.rules import health as rule
from demo.stack.postgres import Cluster
from demo.stack.redis import Redis

MANUAL = load_policy(mode="demo")
SLOWEST = MANUAL.thresholds["response_time"]
# How quick the machine is that the tests run on is nobody's health: only a pause of 20 s and more is slow here.
PATIENT = SLOWEST.model_copy(update={"critical": SLOWEST.critical.model_copy(update={"above": 20_000.0})})
POLICY = MANUAL.model_copy(update={"thresholds": {**MANUAL.thresholds, "response_time": PATIENT}})
AT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
HEALTHY = {"status": "healthy", "components": {"worker": "up"}}


@dataclass(frozen=True)
class Targets:
    postgres: PostgresTarget
    redis: RedisTarget
    api: WebTarget
    frontend: WebTarget
    backups: BackupRepository
    prometheus: PrometheusTarget | None = None
    app1: HostTarget = field(default_factory=lambda: HostTarget("app1", "local"))

    def host(self, name: str, conn_id: str) -> HostTarget:
        assert (name, conn_id) == ("app1", "clo_host_app1")
        return self.app1


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        time.sleep(self.server.pause)  # type: ignore[attr-defined]
        self.send_response(self.server.status)  # type: ignore[attr-defined]
        self.end_headers()
        self.wfile.write(b"<title>CLO</title>")

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def running(server: Any) -> Iterator[Any]:
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()


class Api:
    """The API's health endpoint and its WebSocket, on one port as in the real one."""

    body: Any = HEALTHY
    close_code = 4401
    upgrade_status = 0

    def __init__(self) -> None:
        self.server: Server = serve(self._socket, "127.0.0.1", 0, process_request=self._request)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.socket.getsockname()[1]}"

    def _request(self, connection: ServerConnection, request: Any) -> Any:
        if request.headers.get("Upgrade"):
            return connection.respond(HTTPStatus(self.upgrade_status), "no") if self.upgrade_status else None
        return connection.respond(HTTPStatus.OK, json.dumps(self.body))

    def _socket(self, connection: ServerConnection) -> None:
        connection.close(self.close_code, "login first")


@pytest.fixture(autouse=True)
def short_look(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """The host script waits a second between two looks at the processor; here a tenth will do."""
    programs = tmp_path_factory.mktemp("programs")
    (programs / "sleep").write_text("#!/bin/sh\nexec /bin/sleep 0.1\n")
    (programs / "sleep").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("pg")) as made:
        yield made


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    with Redis(tmp_path_factory.mktemp("redis")) as made:
        yield made


@pytest.fixture
def api() -> Iterator[Api]:
    made = Api()
    with running(made.server):
        yield made


@pytest.fixture
def page() -> Iterator[Any]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    server.status, server.pause = 200, 0.0  # type: ignore[attr-defined]
    with running(server):
        yield server
    server.server_close()


@pytest.fixture
def targets(cluster: Cluster, cache: Redis, api: Api, page: Any, tmp_path: Path) -> Targets:
    cluster.start()
    cache.start()
    postgres = PostgresTarget("127.0.0.1", cluster.port, "postgres", "postgres", cluster.password(), connect_timeout=2)
    redis = RedisTarget("127.0.0.1", cache.port, password=cache.password, timeout=1)
    frontend = WebTarget(f"http://127.0.0.1:{page.server_port}", connect_timeout=1, read_timeout=3)
    api_target = WebTarget(api.url, connect_timeout=1, read_timeout=2)
    return Targets(postgres, redis, api_target, frontend, BackupRepository(tmp_path.as_uri()))


def statuses(targets: Any) -> dict[str, str]:
    findings = rule.judge(health.components(POLICY, targets), POLICY, at=AT)
    return {one.subject: one.actual for one in findings}


def all_but(**changed: str) -> dict[str, str]:
    healthy = dict.fromkeys([name for name, _ in rule.expected(POLICY)], "healthy")
    return healthy | changed


def look(targets: Any) -> dict[str, str]:
    """Each component's status; the whole apart, since it follows from them."""
    found = statuses(targets)
    found.pop(rule.WHOLE)
    return found


@pytest.fixture(scope="module")
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


def test_everything_is_well(targets: Targets) -> None:
    answer = health.components(POLICY, targets)
    assert answer.unanswered == ()
    findings = rule.judge(answer, POLICY, at=AT)
    assert {one.status for one in findings} == {Status.PASS}, [one.message for one in findings]
    websocket = answer.first("component.up", component="websocket")
    assert websocket is not None
    assert "asks for a login (code 4401)" in websocket.detail


Break = Callable[[Targets, int], Targets]
NOWHERE = "no-such-host.invalid"
DOWN: list[tuple[str, Break]] = [
    ("postgresql", lambda all_, port: replace(all_, postgres=replace(all_.postgres, port=port))),
    ("redis", lambda all_, port: replace(all_, redis=replace(all_.redis, port=port))),
    ("frontend", lambda all_, port: replace(all_, frontend=WebTarget(f"http://127.0.0.1:{port}"))),
    (
        "app1",
        lambda all_, port: replace(
            all_, app1=HostTarget("app1", "ssh", "127.0.0.1", port, "root", host_key="ssh-ed25519 " + KEY)
        ),
    ),
]
KEY = "AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
UNREACHABLE: list[tuple[str, Break]] = [
    ("postgresql", lambda all_, _: replace(all_, postgres=replace(all_.postgres, password="wrong"))),
    ("redis", lambda all_, _: replace(all_, redis=replace(all_.redis, password="wrong"))),
    ("frontend", lambda all_, _: replace(all_, frontend=WebTarget(f"http://{NOWHERE}"))),
    ("app1", lambda all_, _: replace(all_, app1=HostTarget("app1", "ssh", NOWHERE, 22, "root"))),
    ("backups", lambda all_, _: replace(all_, backups=BackupRepository("file:///no/such/place"))),
]


@pytest.mark.parametrize(("component", "changed"), DOWN, ids=lambda one: one if isinstance(one, str) else "")
def test_one_that_refuses_is_down_and_no_other(
    component: str, changed: Break, targets: Targets, closed_port: int
) -> None:
    assert look(changed(targets, closed_port)) == all_but(**{component: "down"})


@pytest.mark.parametrize(("component", "changed"), UNREACHABLE, ids=lambda one: one if isinstance(one, str) else "")
def test_one_nobody_can_ask_is_unreachable_and_no_other(component: str, changed: Break, targets: Targets) -> None:
    assert look(changed(targets, 0)) == all_but(**{component: "unreachable"})


def test_a_stopped_api_is_down_with_its_websocket(targets: Targets, closed_port: int) -> None:
    found = look(replace(targets, api=WebTarget(f"http://127.0.0.1:{closed_port}")))
    assert found == all_but(api="down", websocket="down")


def test_an_api_whose_name_is_gone_is_unreachable_with_its_websocket(targets: Targets) -> None:
    found = look(replace(targets, api=WebTarget(f"http://{NOWHERE}")))
    assert found == all_but(api="unreachable", websocket="unreachable")


def test_an_api_that_says_degraded_is_degraded(targets: Targets, api: Api) -> None:
    api.body = {"status": "degraded", "components": {"worker": "down"}}
    findings = {one.subject: one for one in rule.judge(health.components(POLICY, targets), POLICY, at=AT)}
    assert findings["api"].actual == "degraded"
    assert "worker" in findings["api"].message
    assert findings[rule.WHOLE].actual == "degraded"


def test_a_slow_page_is_degraded(targets: Targets, page: Any) -> None:
    page.pause = 1.1
    findings = {one.subject: one for one in rule.judge(health.components(POLICY, targets), MANUAL, at=AT)}
    assert findings["frontend"].actual == "degraded"


def test_a_page_with_an_error_is_down(targets: Targets, page: Any) -> None:
    page.status = 500
    assert look(targets) == all_but(frontend="down")


def test_a_frozen_database_is_down_and_holds_nobody_up(targets: Targets, cluster: Cluster) -> None:
    assert cluster.process
    os.kill(cluster.process.pid, signal.SIGSTOP)
    started = time.monotonic()
    try:
        found = look(targets)
    finally:
        os.kill(cluster.process.pid, signal.SIGCONT)
    assert found == all_but(postgresql="down")
    assert time.monotonic() - started < 6


def test_a_redis_that_became_a_replica_is_degraded(targets: Targets, cache: Redis) -> None:
    import redis

    with redis.Redis.from_url(cache.url()) as client:
        client.replicaof("127.0.0.1", 1)
        try:
            found = look(targets)
        finally:
            client.replicaof("NO", "ONE")
    assert found == all_but(redis="degraded")


def test_a_connection_that_was_never_made_is_unreachable_and_says_so(targets: Targets) -> None:
    class Without:
        def __getattr__(self, name: str) -> Any:
            if name == "redis":
                raise ConfigurationError("there is no Airflow connection 'clo_redis'")
            return getattr(targets, name)

    findings = {one.subject: one for one in rule.judge(health.components(POLICY, Without()), POLICY, at=AT)}
    assert findings["redis"].actual == "unreachable"
    assert "clo_redis" in findings["redis"].message
    assert findings["postgresql"].actual == "healthy"


class TestHandshake:
    @pytest.mark.parametrize("status", [401, 403])
    def test_a_server_that_wants_a_login_first_speaks_websocket(self, status: int, api: Api) -> None:
        api.upgrade_status = status
        assert f"HTTP {status}" in handshake(WebTarget(api.url), "/api/v1/ws")[1]

    @pytest.mark.parametrize("status", [404, 426, 500, 502])
    def test_any_other_status_is_no_websocket(self, status: int, api: Api) -> None:
        api.upgrade_status = status
        with pytest.raises(Refused, match=f"HTTP {status}") as caught:
            handshake(WebTarget(api.url), "/api/v1/ws")
        assert caught.value.answered

    def test_a_page_that_is_no_websocket(self, page: Any) -> None:
        with pytest.raises(Refused) as caught:
            handshake(WebTarget(f"http://127.0.0.1:{page.server_port}"), "/")
        assert caught.value.answered

    def test_a_port_where_nobody_speaks(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as mute:
            target = WebTarget(f"http://127.0.0.1:{mute.getsockname()[1]}", connect_timeout=0.3, read_timeout=0.3)
            with pytest.raises(Refused) as caught:
                handshake(target, "/api/v1/ws")
        assert caught.value.answered
