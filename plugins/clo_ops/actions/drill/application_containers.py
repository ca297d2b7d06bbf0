"""The application in containers of its own on the drill's network (M3-06): no published port and no way out (D15)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from clo_ops.actions.drill.application_parts import LISTENS_ON, Address, give_password, told, without_secrets, words
from clo_ops.actions.drill.container import MIB, Mount
from clo_ops.actions.drill.place import PREFIX, PlaceFailed, PlaceGone, Server
from clo_ops.actions.drill.ready import until_ready
from clo_ops.actions.drill.roles import source_of
from clo_ops.policy.failover import Application, Part

if TYPE_CHECKING:
    from clo_ops.actions.drill.docker_place import DockerPlace

STATE = "/state"
STATE_BYTES = 64 * MIB
EVERYWHERE = "0.0.0.0"  # noqa: S104 - in a container whose network leads nowhere
SAID = 20  # lines of a log


def start_containers(place: DockerPlace, application: Application, database: Server) -> str:
    """Start every part, wait until the one that is asked listens; its base URL as this process reaches it.

    A retry replaces what an earlier attempt left. Raises PlaceFailed with the end of the log of the part that did not
    come up, PlaceUnreachable where nobody could be asked. What was started stays, for its log to be read, until the
    place is removed.
    """
    _remove_leftovers(place, application)
    password = give_password(database.target, application.database_role, source_of(place.backup))
    inside = replace(database.target, host=database.host, port=LISTENS_ON)
    addresses = {part.name: Address(part.name, part.port) for part in application.parts if part.port}
    known = words(application, inside, password, addresses)
    try:
        for part in application.parts:
            _start(place, application, part, known)
        return _listening(place, application)
    except PlaceFailed as error:
        raise PlaceFailed(without_secrets(error.observed, known), error.allowed, error.next_step) from None


def _remove_leftovers(place: DockerPlace, application: Application) -> None:
    names = {part.name for part in application.parts}
    for one in place.engine.ours(place.drill, ["container"]):
        if one.role in names:
            place.engine.remove(one)


def _start(place: DockerPlace, application: Application, part: Part, known: dict[str, str]) -> None:
    said = told(application, part, known, {"bind": EVERYWHERE, "port": str(part.port or ""), "state": STATE})
    try:
        place.add_container(
            part.name,
            part.image,
            command=said.command,
            environment=dict(said.environment),
            user=part.user or "",
            memory=part.memory,
            mounts=[Mount("tmpfs", STATE, size=STATE_BYTES)],
        )
    except (PlaceFailed, PlaceGone) as error:
        # The engine's own words do not always say which of the parts it means.
        raise PlaceFailed(
            f"the application's {part.name} could not be started: {error.observed}", error.allowed, error.next_step
        ) from None


def _listening(place: DockerPlace, application: Application) -> str:
    part = application.entrance
    try:
        url = f"http://{place.address(part.name)}:{part.port}"
    except PlaceGone as error:
        raise PlaceFailed(_why_stopped(place, application) or error.observed) from None
    ready = f"{url}{application.calls.ready}"
    silent = until_ready(ready, application.ready_within, lambda: _why_stopped(place, application))
    if silent:
        log = "" if "log:" in silent else f"; the end of its log: {_log(place, part)}"
        raise PlaceFailed(f"{silent}{log}")
    return url


def _why_stopped(place: DockerPlace, application: Application) -> str:
    """Which part ended, and what it said last; nothing while all of them run."""
    for part in application.parts:
        with place.engine.asked(f"looking at the application's {part.name}") as client:
            state: dict[str, Any] = client.inspect_container(_name(place, part))["State"]
        if not state["Running"]:
            killed = ", out of memory" if state.get("OOMKilled") else ""
            log = _log(place, part)
            return (
                f"the application's {part.name} ended with code {state['ExitCode']}{killed}; the end of its log: {log}"
            )
    return ""


def _log(place: DockerPlace, part: Part) -> str:
    with place.engine.asked(f"reading the log of the application's {part.name}") as client:
        said: bytes = client.logs(_name(place, part), tail=SAID)
    return said.decode(errors="replace").strip() or "(nothing)"


def _name(place: DockerPlace, part: Part) -> str:
    return f"{PREFIX}-{place.drill}-{part.name}"
