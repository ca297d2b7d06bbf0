"""Services asked where they run: a real port, a real HTTP server, systemd and containers through a real sshd."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from clo_ops.findings import Measurement
from clo_ops.policy.system import Service
from clo_ops.probes import services
from clo_ops.probes.targets import HostTarget, PostgresTarget, RedisTarget, WebTarget

Host = Callable[..., HostTarget]


def service(name: str = "api", check: str = "http", **more: Any) -> Service:
    where = {"systemd": "host", "container": "host"}.get(check, "connection")
    given = {"component": name, where: "there", "severity": "P1", "critical": True, "manual": "L15"}
    return Service.model_validate({"name": name, "check": check, **given, **more})


def state(one: Service, target: Any) -> Measurement:
    answer = services.status([one], {"there": target})
    assert answer.unanswered == ()
    (seen,) = answer.measurements
    assert seen.labels["service"] == one.name
    return seen


def why_not(one: Service, target: Any) -> str:
    answer = services.status([one], {"there": target} if target else {})
    assert answer.measurements == ()
    return answer.unanswered[0].reason


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """/<status> answers with it; /containers/<name>/json as a container engine does."""
        status, body = self.server.replies.get(self.path, (404, {"message": f"No such container: {self.path}"}))  # type: ignore[attr-defined]
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def replies() -> Iterator[tuple[str, dict[str, tuple[int, Any]]]]:
    """A web server's base address, and what it says by path."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.replies = {}  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}", server.replies  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


class TestHttpAndTcp:
    def test_a_healthy_service(self, replies: Any) -> None:
        address, said = replies
        said["/health"] = (200, {"status": "healthy"})
        seen = state(service(path="/health"), WebTarget(f"http://{address}"))
        assert seen.value == 1
        assert "HTTP 200" in seen.detail

    @pytest.mark.parametrize("status", [404, 500, 503])
    def test_an_unhealthy_answer_is_not_running(self, status: int, replies: Any) -> None:
        address, said = replies
        said["/health"] = (status, {})
        seen = state(service(path="/health"), WebTarget(f"http://{address}"))
        assert (seen.value, f"HTTP {status}" in seen.detail) == (0, True)

    def test_a_refused_connection_is_stopped(self, closed_port: int) -> None:
        assert state(service(path="/"), WebTarget(f"http://127.0.0.1:{closed_port}")).value == 0
        redis = service("redis", "tcp")
        seen = state(redis, RedisTarget("127.0.0.1", closed_port))
        assert (seen.value, "refused" in seen.detail) == (0, True)

    def test_a_port_that_takes_connections(self, replies: Any) -> None:
        host, _, port = replies[0].partition(":")
        for target in (
            RedisTarget(host, int(port)),
            PostgresTarget(host, int(port), "d", "u"),
            WebTarget(f"http://{replies[0]}"),
        ):
            assert state(service("port", "tcp"), target).value == 1

    def test_a_name_that_does_not_resolve_is_unanswered(self) -> None:
        assert "does not resolve" in why_not(service("redis", "tcp"), RedisTarget("no-such-host.invalid", 1))
        assert "does not resolve" in why_not(service(path="/"), WebTarget("http://no-such-host.invalid"))

    def test_a_service_without_its_connection_is_unanswered(self) -> None:
        assert "no connection given" in why_not(service(path="/"), None)

    def test_a_check_that_does_not_fit_its_target_is_unanswered(self) -> None:
        assert "cannot be made" in why_not(service(path="/"), RedisTarget("127.0.0.1", 1))

    def test_a_dead_one_hides_nobody_and_holds_nobody_up(self, replies: Any, closed_port: int) -> None:
        address, said = replies
        said["/"] = (200, {})
        with socket.create_server(("127.0.0.1", 0)) as mute:
            mutes = [service(f"mute{number}", path="/", connection="mute") for number in range(4)]
            targets = {
                "good": WebTarget(f"http://{address}"),
                "gone": WebTarget("http://no-such-host.invalid"),
                "mute": WebTarget(f"http://127.0.0.1:{mute.getsockname()[1]}", connect_timeout=0.5, read_timeout=0.5),
                "off": WebTarget(f"http://127.0.0.1:{closed_port}"),
            }
            started = time.monotonic()
            others = [service(name, path="/", connection=name) for name in ("gone", "off", "good")]
            answer = services.status([*mutes, *others], targets)
        assert time.monotonic() - started < 2.5
        assert {one.labels["service"]: one.value for one in answer.measurements} == {
            **{f"mute{number}": 0 for number in range(4)},
            "off": 0,
            "good": 1,
        }
        assert [one.question for one in answer.unanswered] == ["whether service gone runs"]


class TestSystemd:
    UNIT = service("worker", "systemd", unit="clo-worker.service")

    def shows(self, sshd: Any, active: str, sub: str, load: str = "loaded", result: str = "success") -> None:
        lines = f"LoadState={load}\\nActiveState={active}\\nSubState={sub}\\nResult={result}\\n"
        sshd.program("systemctl", f'[ "$5" = clo-worker.service ] || exit 9\nprintf "{lines}"')

    def test_an_active_unit(self, sshd: Any, ssh_host: Host) -> None:
        self.shows(sshd, "active", "running")
        seen = state(self.UNIT, ssh_host())
        assert (seen.value, seen.detail) == (1, "unit clo-worker.service is active (running)")
        assert seen.labels["host"] == "there"

    @pytest.mark.parametrize("active", ["inactive", "failed", "activating", "deactivating"])
    def test_any_other_state_is_not_running(self, active: str, sshd: Any, ssh_host: Host) -> None:
        self.shows(sshd, active, "dead", result="exit-code")
        seen = state(self.UNIT, ssh_host())
        assert seen.value == 0
        assert f"is {active} (dead), last result exit-code" in seen.detail

    def test_an_unknown_unit_is_not_running(self, sshd: Any, ssh_host: Host) -> None:
        self.shows(sshd, "inactive", "dead", load="not-found")
        seen = state(self.UNIT, ssh_host())
        assert (seen.value, "no unit clo-worker.service" in seen.detail) == (0, True)

    def test_a_host_without_systemd_is_unanswered(self, sshd: Any, ssh_host: Host) -> None:
        sshd.program("systemctl", "echo 'System has not been booted with systemd as init system' >&2; exit 1")
        assert "not been booted with systemd" in why_not(self.UNIT, ssh_host())

    def test_a_stopped_sshd_says_nothing_about_the_service(self, sshd: Any, ssh_host: Host) -> None:
        host = ssh_host()
        sshd.stop()
        assert "refused" in why_not(self.UNIT, host)


CONTAINER = service("worker", "container", container="clo-worker")
STATES = [
    ({"Status": "running", "Running": True}, 1, "is running"),
    ({"Status": "running", "Running": True, "Health": {"Status": "healthy"}}, 1, "running, healthy"),
    ({"Status": "running", "Running": True, "Health": {"Status": "unhealthy"}}, 0, "running, unhealthy"),
    ({"Status": "running", "Running": True, "Health": {"Status": "starting"}}, 0, "running, starting"),
    ({"Status": "paused", "Running": True}, 0, "is paused"),
    ({"Status": "exited", "Running": False, "ExitCode": 137}, 0, "is exited, exit code 137"),
]


class TestContainersOverSsh:
    @pytest.mark.parametrize(("said", "value", "words"), STATES)
    def test_each_state(self, said: Any, value: int, words: str, sshd: Any, ssh_host: Host) -> None:
        sshd.program("docker", f"cat <<'END'\n{json.dumps(said)}\nEND")
        seen = state(CONTAINER, ssh_host())
        assert (seen.value, words in seen.detail) == (value, True)

    def test_a_missing_container_is_not_running(self, sshd: Any, ssh_host: Host) -> None:
        sshd.program("docker", "echo 'Error response from daemon: No such container: clo-worker' >&2; exit 1")
        assert state(CONTAINER, ssh_host()).value == 0

    def test_a_stopped_engine_is_unanswered(self, sshd: Any, ssh_host: Host) -> None:
        sshd.program("docker", "echo 'Cannot connect to the Docker daemon' >&2; exit 1")
        assert "Cannot connect to the Docker daemon" in why_not(CONTAINER, ssh_host())


class TestContainersHere:
    """The docker package against an engine's HTTP interface, as far as it is asked for."""

    @pytest.fixture
    def engine(self, replies: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
        pytest.importorskip("docker")
        address, said = replies
        monkeypatch.setenv("DOCKER_HOST", f"tcp://{address}")
        said["/version"] = (200, {"ApiVersion": "1.41"})
        return said

    @pytest.mark.parametrize(("said", "value", "words"), STATES)
    def test_each_state(self, said: Any, value: int, words: str, engine: Any) -> None:
        engine["/v1.41/containers/clo-worker/json"] = (200, {"State": said})
        seen = state(CONTAINER, HostTarget("app1", "local"))
        assert (seen.value, words in seen.detail) == (value, True)

    def test_a_missing_container_is_not_running(self, engine: Any) -> None:
        seen = state(CONTAINER, HostTarget("app1", "local"))
        assert (seen.value, "no container clo-worker" in seen.detail) == (0, True)

    def test_without_an_engine_it_is_unanswered(self, closed_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{closed_port}")
        assert "no container engine" in why_not(CONTAINER, HostTarget("app1", "local"))
