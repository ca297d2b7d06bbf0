"""Ask every component of the CLO system how it is, lightly and side by side (DM-01, manual L13).

One question each: no login, no work for the system, no figures of yesterday. What each finds is told in the same
words, so that one rule judges them all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Protocol

from clo_ops.findings import Answer, ConfigurationError, Measurement
from clo_ops.policy.system import Endpoint, Host
from clo_ops.probes import backups, hosts, postgres, redis
from clo_ops.probes.reaching import nobody_answered
from clo_ops.probes.targets import (
    BackupRepository,
    HostTarget,
    PostgresTarget,
    PrometheusTarget,
    RedisTarget,
    WebTarget,
)

if TYPE_CHECKING:
    from clo_ops.policy import Policy
    from clo_ops.probes.exchange import Reply

AT_ONCE = 8
SHOWN = 120


class Targets(Protocol):
    """Where the components are: ``orchestration.connections.Connections``. Each may raise ConfigurationError."""

    @property
    def postgres(self) -> PostgresTarget: ...
    @property
    def redis(self) -> RedisTarget: ...
    @property
    def api(self) -> WebTarget: ...
    @property
    def frontend(self) -> WebTarget: ...
    @property
    def backups(self) -> BackupRepository: ...
    @property
    def prometheus(self) -> PrometheusTarget | None: ...
    def host(self, name: str, conn_id: str) -> HostTarget: ...


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look at a component found. ``up`` None: nobody answered, ``rest.unanswered`` says why.

    ``faults`` name what is not as it should be though the component is up; ``ms`` is how long its answer took.
    """

    up: bool | None
    detail: str = ""
    ms: float | None = None
    faults: Sequence[str] = ()
    rest: Answer = field(default_factory=Answer)


def components(policy: Policy, targets: Targets) -> Answer:
    """``component.up`` and ``component.sound`` (bool, detail says what was seen), ``component.latency`` (ms), each by
    {component, kind}, for API, frontend, WebSocket, PostgreSQL, Redis, backup repository and each host; and the
    hosts' own figures (system.*).

    A component that answered that it is down, or nothing at all after connecting, is 0; one that nobody could ask is
    unanswered as "health of <component>". None hides another; at most 8 are asked at a time.
    """
    looks = list(_looks(policy, targets))
    with ThreadPoolExecutor(max_workers=AT_ONCE, thread_name_prefix="health") as pool:
        return sum(pool.map(lambda one: _component(*one), looks), Answer())


def _looks(policy: Policy, targets: Targets) -> Iterator[tuple[str, str, Callable[[], Seen]]]:
    yield "api", "api", lambda: _api(targets.api, _endpoint(policy.endpoints))
    yield "frontend", "frontend", lambda: _web(targets.frontend, policy.frontend.path)
    yield "websocket", "websocket", lambda: _websocket(targets.api, policy.websocket.path)
    yield "postgresql", "postgresql", lambda: _server(postgres.up(targets.postgres), "postgresql", "connect")
    yield "redis", "redis", lambda: _server(redis.up(targets.redis), "redis", "ping")
    for host in policy.hosts:
        yield host.name, "host", partial(_host, host, targets)
    yield "backups", "backups", lambda: _repository(targets.backups)


def _component(component: str, kind: str, look: Callable[[], Seen]) -> Answer:
    question = f"health of {component}"
    try:
        seen = look()
    except ConfigurationError as error:
        return nobody_answered([question], component, "its connection", str(error))
    if seen.up is None:
        first = seen.rest.unanswered[0]
        return nobody_answered([question], first.target, first.tried, first.reason)
    open_questions = [replace(one, question=f"{question}: {one.question}") for one in seen.rest.unanswered]
    told = _told(seen, {"component": component, "kind": kind})
    return Answer.of([*told, *seen.rest.measurements], open_questions)


def _told(seen: Seen, labels: dict[str, str]) -> Iterator[Measurement]:
    at = datetime.now(UTC)
    yield Measurement("component.up", bool(seen.up), "bool", at, labels, seen.detail)
    if not seen.up:
        return
    yield Measurement("component.sound", not seen.faults, "bool", at, labels, "; ".join(seen.faults))
    if seen.ms is not None:
        yield Measurement("component.latency", seen.ms, "ms", at, labels)


def _endpoint(endpoints: Sequence[Endpoint]) -> Endpoint | None:
    """The API's own word on its parts: the first open endpoint with a body to check, else any open one."""
    still_open = [one for one in endpoints if not one.authenticated and one.connection == "clo_api"]
    return next((one for one in still_open if one.body is not None), still_open[0] if still_open else None)


def _api(target: WebTarget, endpoint: Endpoint | None) -> Seen:
    from clo_ops.probes.web import mismatch

    def faults(reply: Reply) -> list[str]:
        wrong = mismatch(reply, endpoint.body) if endpoint else ""
        return [f"{wrong}: {reply.text()[:SHOWN]}"] if wrong else []

    return _web(target, endpoint.path if endpoint else "/", faults)


def _web(target: WebTarget, path: str, faults: Callable[[Reply], list[str]] = lambda _: []) -> Seen:
    from clo_ops.probes.exchange import Browser, NoReply

    with Browser(target) as browser:
        reply = browser.ask("GET", path)
    if isinstance(reply, NoReply):
        return _no_reply(target, f"GET {path}", reply.reason, answered=reply.answered)
    said = f"GET {path}: HTTP {reply.status}"
    if not 200 <= reply.status < 300:
        return Seen(up=False, detail=said)
    return Seen(True, said, reply.ms, faults(reply))


def _no_reply(target: WebTarget, how: str, reason: str, *, answered: bool) -> Seen:
    if answered:
        return Seen(up=False, detail=f"{how}: {reason}")
    return Seen(up=None, rest=nobody_answered([how], target, how, reason))


def _websocket(target: WebTarget, path: str) -> Seen:
    """A handshake without a login: a server that opens, or asks for one, speaks WebSocket."""
    from clo_ops.probes.handshake import Refused, handshake

    try:
        taken, said = handshake(target, path)
    except Refused as error:
        return _no_reply(target, f"handshake with {path}", error.reason, answered=error.answered)
    return Seen(True, said, taken)


def _server(answer: Answer, name: str, timed: str) -> Seen:
    up = answer.first(f"{name}.up")
    if up is None:
        return Seen(up=None, rest=answer)
    primary = answer.first(f"{name}.primary")
    faults = [f"it is no primary: {primary.detail}"] if primary is not None and primary.value != 1 else []
    return Seen(up.value == 1, up.detail or "answers", answer.value(f"{name}.{timed}.duration"), faults)


def _host(host: Host, targets: Targets) -> Seen:
    target = targets.host(host.name, host.connection)
    prometheus = targets.prometheus if target.transport == "prometheus" else None
    answer = hosts.resources(target, host.mounts, prometheus)
    up = answer.first("host.up")
    if up is None:
        return Seen(up=None, rest=answer)
    if up.value != 1:  # that its figures are missing says nothing more
        return Seen(up=False, detail=up.detail)
    return Seen(True, "answers", rest=answer)


def _repository(repository: BackupRepository) -> Seen:
    answer = backups.reachable(repository)
    up = answer.first("backup.repository.up")
    return Seen(up=None, rest=answer) if up is None else Seen(True, up.detail)
