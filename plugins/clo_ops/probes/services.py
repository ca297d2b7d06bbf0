"""Ask each service where it runs: systemd unit, container, HTTP health or TCP port. Each by itself, side by side."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from clo_ops.findings import Answer, Measurement
from clo_ops.policy.paths import INCLUDE
from clo_ops.policy.system import Service
from clo_ops.probes import shell
from clo_ops.probes.reaching import Reach, Unreachable, how_it_ended
from clo_ops.probes.targets import HostTarget, PostgresTarget, RedisTarget, WebTarget

Target = HostTarget | PostgresTarget | RedisTarget | WebTarget

UP = "service.up"
AT_ONCE = 8
CANNOT_SAY = 3  # our scripts' exit code where the host has no systemd, no container engine
RUNNING = ("active", "reloading", "refreshing")


def status(services: Iterable[Service], targets: Mapping[str, Target]) -> Answer:
    """DM-03: ``service.up`` {service, check, and host where there is one} for each, with what was seen as detail.

    ``targets`` holds what the services name as ``connection`` (http, tcp) or ``host`` (systemd, container). A
    service that refuses, is silent or is told to be stopped is 0; one nobody could ask about is unanswered and does
    not hide the others. At most 8 are asked at a time; each within its target's own time limits.
    """
    wanted = list(services)
    with ThreadPoolExecutor(max_workers=AT_ONCE, thread_name_prefix="service") as pool:
        return sum(pool.map(lambda one: _ask(one, targets), wanted), Answer())


def _ask(service: Service, targets: Mapping[str, Target]) -> Answer:
    where = service.host if service.check in ("systemd", "container") else service.connection
    target = targets.get(where or "")
    how = f"{service.check} check of {where}"
    try:
        running, seen = _look(service, target)
    except Unreachable as error:
        # Of a host that answers nothing about it we do not know whether the service runs; of its own port we do.
        if service.check in ("systemd", "container") or not error.answered:
            return error.unanswered(_question(service), target or where, how)
        running, seen = False, error.reason
    return Answer((Measurement(UP, running, "bool", datetime.now(UTC), _labels(service), detail=seen),))


def _question(service: Service) -> str:
    return f"whether service {service.name} runs"


def _labels(service: Service) -> dict[str, str]:
    return {"service": service.name, "check": service.check} | ({"host": service.host} if service.host else {})


def _look(service: Service, target: Target | None) -> tuple[bool, str]:
    if target is None:
        raise Unreachable(Reach.OTHER, f"no connection given for {service.name}", "complete the policy's services")
    if service.check == "http" and isinstance(target, WebTarget):
        return _http(target, service.path or "/")
    if service.check == "tcp":
        return _tcp(*_address(target))
    if service.check == "systemd" and isinstance(target, HostTarget):
        return _systemd(target, service.unit or "")
    if service.check == "container" and isinstance(target, HostTarget):
        return _container(target, service.container or "")
    raise Unreachable(Reach.OTHER, f"a {service.check} check cannot be made on {target}")


def _http(target: WebTarget, path: str) -> tuple[bool, str]:
    from clo_ops.probes.exchange import Browser, NoReply

    with Browser(target) as browser:
        reply = browser.ask("GET", path)
    if isinstance(reply, NoReply):
        raise Unreachable(Reach.SILENT if reply.answered else Reach.OTHER, f"GET {path}: {reply.reason}")
    return 200 <= reply.status < 300, f"GET {path}: HTTP {reply.status} in {reply.ms:.0f} ms"


def _address(target: Target) -> tuple[str, int, float]:
    if isinstance(target, WebTarget):
        parts = urlsplit(target.base_url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        return parts.hostname or "", port, target.connect_timeout
    if isinstance(target, RedisTarget):
        return target.host, target.port, target.timeout
    host = target.address if isinstance(target, HostTarget) else target.host
    return host, target.port, target.connect_timeout


def _tcp(host: str, port: int, timeout: float) -> tuple[bool, str]:
    try:
        with socket.create_connection((host, port), timeout=timeout):
            return True, f"{host}:{port} takes connections"
    except OSError as error:
        reach = how_it_ended(error)
        raise Unreachable(reach, f"{host}:{port}: {reach.value}: {error}") from None


def _said(host: HostTarget, script: str, name: str) -> shell.Done:
    done = shell.run(host, (INCLUDE / "sh" / script).read_text(encoding="utf-8"), [name])
    if done.code == CANNOT_SAY:
        raise Unreachable(Reach.OTHER, f"{host}: {done.err.strip()[:200]}")
    return done


def _systemd(host: HostTarget, unit: str) -> tuple[bool, str]:
    done = _said(host, "unit_state.sh", unit)
    seen = dict(line.split("=", 1) for line in done.out.splitlines() if "=" in line)
    if done.code or "ActiveState" not in seen:
        raise Unreachable(Reach.OTHER, f"{host}: systemctl ended with {done.code}: {done.err.strip()[:200]}")
    if seen.get("LoadState") == "not-found":
        return False, f"{host.name} has no unit {unit}"
    words = f"unit {unit} is {seen['ActiveState']} ({seen.get('SubState', '?')})"
    failed = seen.get("Result", "success") != "success"
    return seen["ActiveState"] in RUNNING, words + (f", last result {seen['Result']}" if failed else "")


def _container(host: HostTarget, name: str) -> tuple[bool, str]:
    state = _local_container(name, host) if host.transport == "local" else _remote_container(name, host)
    return (False, f"{host.name} has no container {name}") if state is None else _judged(name, state)


def _judged(name: str, state: Mapping[str, Any]) -> tuple[bool, str]:
    """Running, and healthy where it has a health check: starting and unhealthy are not."""
    health = (state.get("Health") or {}).get("Status", "none")
    seen = f"container {name} is {state['Status']}" + ("" if health == "none" else f", {health}")
    if not state.get("Running"):
        seen += f", exit code {state.get('ExitCode')}"
    return state["Status"] == "running" and health in ("none", "healthy"), seen


def _remote_container(name: str, host: HostTarget) -> dict[str, Any] | None:
    done = _said(host, "container_state.sh", name)
    if "no such container" in done.err.lower():
        return None
    try:
        state: dict[str, Any] = json.loads(done.out)
    except ValueError:
        raise Unreachable(Reach.OTHER, f"{host}: no state of container {name}: {done.err.strip()[:200]}") from None
    return state


def _local_container(name: str, host: HostTarget) -> dict[str, Any] | None:
    """The engine of DOCKER_HOST, or this machine's socket."""
    try:
        import docker  # type: ignore[import-untyped]
        from docker.errors import DockerException, NotFound  # type: ignore[import-untyped]
    except ImportError:
        raise Unreachable(Reach.OTHER, f"{host}: the docker package is not installed here") from None
    try:
        client = docker.from_env(timeout=round(host.command_timeout), version="auto")
        try:
            state: dict[str, Any] = client.api.inspect_container(name)["State"]
        finally:
            client.close()
    except NotFound:
        return None
    except DockerException as error:
        raise Unreachable(Reach.OTHER, f"{host}: no container engine answers: {error}") from None
    return state
