"""The Docker engine as a drill needs it, through the low-level client of the docker package.

Errors come out as two: PlaceUnreachable, nobody could be asked, and PlaceFailed, the engine said no. Programs run by
``execute`` report exit code and both outputs apart, are ended when their time is up, and may be silent for hours.
"""

from __future__ import annotations

import re
import selectors
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from clo_ops.actions.drill.place import DRILL, Done, Labels, PlaceFailed, PlaceGone, PlaceUnreachable
from clo_ops.probes.targets import DockerTarget

if TYPE_CHECKING:
    from docker import APIClient  # type: ignore[import-untyped]

API_SECONDS = 60
TIMED_OUT = 124
KILLED = 137
# A program's own process id in the container, so that it can be ended there when its time is up.
REMEMBERED = 'echo $$ >"$0"; exec "$@"'
ENDED = 'kill "$1" "$(cat "$0")" 2>/dev/null'
CONTAINER_ID = re.compile(r"/containers/([0-9a-f]{64})/")
KINDS = ("container", "network", "volume")


@dataclass(frozen=True, slots=True)
class Found:
    """A thing of ours in the engine."""

    kind: str
    id: str
    name: str
    labels: Labels
    role: str
    made: datetime

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass
class Engine:
    """One engine. Nothing is asked before the first call."""

    target: DockerTarget
    _client: APIClient | None = field(default=None, repr=False)

    @property
    def client(self) -> APIClient:
        if self._client is None:
            self._client = _connected(self.target)
        return self._client

    @property
    def local(self) -> bool:
        """Whether the engine sees this process's files under the same paths: not that of a worker it runs itself."""
        return self.target.url.startswith("unix:") and not self.own_container

    @cached_property
    def own_container(self) -> str:
        """The container this process runs in, where that is one of this very engine; else empty."""
        if not any(Path(mark).exists() for mark in ("/.dockerenv", "/run/.containerenv")):
            return ""
        named = {socket.gethostname(), *CONTAINER_ID.findall(Path("/proc/self/mountinfo").read_text())}
        with self.asked("looking for the worker's own container") as client:
            ids = [str(one["Id"]) for one in client.containers()]
        return next((one for one in ids if one in named or one[:12] in named), "")

    @contextmanager
    def asked(self, what: str) -> Iterator[APIClient]:
        """The client; what goes wrong in the body becomes one of our errors, ``what`` names what was tried."""
        from docker.errors import APIError, DockerException, NotFound  # type: ignore[import-untyped]
        from requests.exceptions import RequestException

        try:
            yield self.client
        except NotFound as error:
            raise PlaceGone(f"{what}: {error.explanation}") from None
        except APIError as error:
            if "is not running" in str(error.explanation):
                raise PlaceGone(f"{what}: {error.explanation}") from None
            raise PlaceFailed(f"{what}: the Docker engine said {error.explanation or error}") from None
        except (RequestException, DockerException, OSError) as error:
            raise PlaceUnreachable(f"{what}: the Docker engine at {self.target} did not answer: {error}") from None

    def image(self, name: str) -> Mapping[str, Any]:
        """The image's own description. Raises PlaceFailed where the engine has none of that name."""
        try:
            with self.asked(f"looking for the image {name}") as client:
                found: Mapping[str, Any] = client.inspect_image(name)
                return found
        except PlaceGone:
            raise PlaceFailed(
                f"the Docker engine at {self.target} has no image {name}",
                allowed="the image of the backup's major version, as recovery.yaml names it (docker: image)",
                next_step=f"docker pull {name}; without a registry, python3 -m demo.stack.images {name} makes one of "
                "Debian's packages",
            ) from None

    def info(self) -> Mapping[str, Any]:
        with self.asked("asking how large the engine is") as client:
            facts: Mapping[str, Any] = client.info()
            return facts

    def ours(self, drill: str | None = None, kinds: Sequence[str] = KINDS) -> list[Found]:
        """What carries our labels, of one drill or of all; containers first, which is the order to remove them in."""
        filters = {"label": DRILL if drill is None else f"{DRILL}={drill}"}
        found: list[Found] = []
        with self.asked("listing what drills left") as client:
            if "container" in kinds:
                found += _found("container", client.containers(all=True, filters=filters))
            if "network" in kinds:
                found += _found("network", client.networks(filters=filters))
            if "volume" in kinds:
                found += _found("volume", client.volumes(filters=filters)["Volumes"] or [])
        return found

    def remove(self, one: Found) -> bool:
        """False where somebody else was faster."""
        try:
            with self.asked(f"removing {one}") as client:
                if one.kind == "container":
                    client.remove_container(one.id, v=True, force=True)
                elif one.kind == "network":
                    self._empty(client, one.id)
                    client.remove_network(one.id)
                else:
                    client.remove_volume(one.id, force=True)
        except PlaceGone:
            return False
        except PlaceFailed as error:
            if "already in progress" in str(error):
                return self._gone_soon(one)
            raise
        return True

    def _empty(self, client: APIClient, network: str) -> None:
        """A worker that runs in a container had to join to reach its database: it leaves, or the network stays."""
        for container in client.inspect_network(network).get("Containers") or {}:
            client.disconnect_container_from_network(container, network, force=True)

    def _gone_soon(self, one: Found, seconds: float = 30.0) -> bool:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if one.id not in {other.id for other in self.ours(one.labels.drill, [one.kind])}:
                return False
            time.sleep(0.1)
        raise PlaceFailed(f"{one} is still being removed by somebody else after {seconds:g} s")

    def execute(
        self,
        container: str,
        command: Sequence[str],
        *,
        timeout: float,
        environment: Mapping[str, str] | None = None,
        stdin: bytes | None = None,
    ) -> Done:
        """Run ``command`` in the container as the container's user; at the deadline it is ended, with exit code 124."""
        started, mark = time.monotonic(), f"/tmp/clo-{uuid4().hex}"  # noqa: S108 - a private tmpfs of the container
        with self.asked(f"running {command[0]} in the container") as client:
            made = client.exec_create(
                container,
                ["sh", "-c", REMEMBERED, mark, *command],
                stdin=stdin is not None,
                environment=dict(environment or {}),
            )
            stream = client.exec_start(made["Id"], socket=True)
            # Closing the stream leaves its socket open: the client's connection holds it.
            channel = getattr(stream, "_sock", stream)
            try:
                out, err, in_time = _converse(stream, stdin, started + timeout)
            finally:
                stream.close()
                channel.close()
            if not in_time:
                self._end(client, container, mark)
            code = TIMED_OUT if not in_time else _exit_code(client, made["Id"])
        seconds = time.monotonic() - started
        return Done(code, out.decode(errors="replace"), err.decode(errors="replace"), seconds)

    def _end(self, client: APIClient, container: str, mark: str) -> None:
        for signal, pause in (("-TERM", 1.0), ("-KILL", 0.0)):
            made = client.exec_create(container, ["sh", "-c", ENDED, mark, signal])
            client.exec_start(made["Id"])
            time.sleep(pause)


def _connected(target: DockerTarget) -> APIClient:
    """By the client itself: the provider's hook makes the same one, and importing it takes as long as a start."""
    from docker import APIClient
    from docker.errors import DockerException
    from docker.tls import TLSConfig  # type: ignore[import-untyped]
    from requests.exceptions import RequestException

    silent = _why_silent(target.url)
    if silent:
        raise _unreachable(target, silent)
    try:
        files = target.ca_cert, target.client_cert, target.client_key
        tls = TLSConfig(client_cert=files[1:], ca_cert=files[0], verify=True) if all(files) else False
        return APIClient(base_url=target.url, version="auto", tls=tls, timeout=API_SECONDS)
    except (DockerException, RequestException, OSError) as error:
        raise _unreachable(target, str(error)) from None


def _unreachable(target: DockerTarget, why: str) -> PlaceUnreachable:
    return PlaceUnreachable(
        f"no Docker engine answers at {target}: {why}",
        allowed="an engine this worker may use",
        next_step="start it, let the worker's account use it (group docker), or name another in the connection "
        "clo_docker; without any, the drill runs in a local place only where the form says so",
    )


def _why_silent(url: str) -> str:
    """What is wrong with a unix socket, in the system's words: the client's own tell little."""
    if not url.startswith("unix:"):
        return ""
    path = "/" + url.removeprefix("unix:").lstrip("/")
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(5)
            probe.connect(path)
    except OSError as error:
        return f"{path}: {error.strerror or error}"
    return ""


def _found(kind: str, listed: Sequence[Mapping[str, Any]]) -> Iterator[Found]:
    for one in listed:
        said = one.get("Labels") or {}
        labels = Labels.read(said)
        name = str((one.get("Names") or [one.get("Name")])[0]).lstrip("/")
        if labels is not None:
            yield Found(kind, str(one.get("Id") or name), name, labels, said.get("clo_ops.role", ""), _made(one))


def _made(one: Mapping[str, Any]) -> datetime:
    """Seconds of a container, a time with nanoseconds of a network, one without of a volume."""
    said = one.get("Created") or one.get("CreatedAt") or 0
    if isinstance(said, int):
        return datetime.fromtimestamp(said, tz=UTC)
    return datetime.fromisoformat(said).astimezone(UTC)


def _converse(stream: Any, stdin: bytes | None, deadline: float) -> tuple[bytes, bytes, bool]:
    """Say ``stdin``, hear stdout and stderr until the end or the deadline; whether it ended in time."""
    channel: socket.socket = getattr(stream, "_sock", stream)
    outputs: dict[int, bytearray] = {1: bytearray(), 2: bytearray()}
    frames = _Frames(outputs)
    rest = memoryview(stdin or b"")
    channel.setblocking(False)
    with selectors.DefaultSelector() as selector:
        selector.register(channel, _interest(rest))
        if stdin is not None and not rest:
            channel.shutdown(socket.SHUT_WR)
        while (left := deadline - time.monotonic()) > 0:
            for _, events in selector.select(min(left, 1.0)):
                if events & selectors.EVENT_WRITE:
                    rest = rest[channel.send(rest[:65536]) :]
                    if not rest:
                        channel.shutdown(socket.SHUT_WR)
                        selector.modify(channel, selectors.EVENT_READ)
                if events & selectors.EVENT_READ and not frames.take(channel):
                    return bytes(outputs[1]), bytes(outputs[2]), True
    return bytes(outputs[1]), bytes(outputs[2]), False


def _interest(rest: memoryview) -> int:
    return selectors.EVENT_READ | (selectors.EVENT_WRITE if rest else 0)


class _Frames:
    """Docker's framing: one byte which output, three of nothing, four of length, then so many bytes."""

    def __init__(self, outputs: dict[int, bytearray], most: int = 8 * 1024 * 1024) -> None:
        self._outputs, self._most, self._raw = outputs, most, bytearray()

    def take(self, channel: socket.socket) -> bool:
        """False at the end of the stream. Of each output the last ``most`` bytes are kept: memory stays flat."""
        try:
            heard = channel.recv(65536)
        except ConnectionResetError:
            return False
        self._raw += heard
        while len(self._raw) >= 8 and len(self._raw) >= 8 + (length := int.from_bytes(self._raw[4:8], "big")):
            kept = self._outputs.setdefault(self._raw[0], bytearray())
            kept += self._raw[8 : 8 + length]
            del kept[: max(0, len(kept) - self._most)], self._raw[: 8 + length]
        return bool(heard)


def _exit_code(client: APIClient, exec_id: str) -> int:
    """Docker tells it a moment after the end of the output; a program killed with its container has none."""
    for _ in range(50):
        facts = client.exec_inspect(exec_id)
        if not facts["Running"] and facts["ExitCode"] is not None:
            return int(facts["ExitCode"])
        time.sleep(0.02)
    return KILLED
