"""The application against the promoted (or restored) database (M3-06; manual L213): started beside it, and asked.

    answer = application.check(place, place.standby(), run.policy, forbidden=[("10.0.0.5", 5432)])

Only measures; ``rules.application`` judges.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import TYPE_CHECKING, cast

from clo_ops.actions.drill.place import PlaceFailed, PlaceGone
from clo_ops.actions.drill.roles import source_of
from clo_ops.findings import Answer, CouldNotAsk, CouldNotCheck, Measurement
from clo_ops.probes.reaching import nobody_answered
from clo_ops.probes.targets import WebTarget

if TYPE_CHECKING:
    from clo_ops.actions.drill.docker_place import DockerPlace
    from clo_ops.actions.drill.local_place import LocalPlace
    from clo_ops.actions.drill.place import Place, Server
    from clo_ops.policy import Policy

CLIENT = "clo_ops/drill"
KNOCK = """
for door in "$@"; do
    (timeout 3 bash -c "exec 3<>/dev/tcp/$door" 2>/dev/null && echo "$door") &
done
wait"""


def check(place: Place, database: Server, policy: Policy, *, forbidden: Sequence[tuple[str, int]] = ()) -> Answer:
    """M3-06: start the application on ``database`` and put the policy's smoke checks to it.

    ``forbidden`` are host and port of everything of production that must not be reached: databases, Redis, mail. Where
    one can be, the application is not started. Emits application.isolated, application.started, application.check
    {check} (bool, detail what was seen) and drill.phase.duration {phase: application}.
    """
    started = time.monotonic()
    answer = isolation(place, database, forbidden)
    if place.isolation or answer.value("application.isolated") == 1:
        answer += _checked(place, database, policy)
    taken = time.monotonic() - started
    phase = {"phase": "application"}
    return answer + Answer((Measurement("drill.phase.duration", taken, "s", datetime.now(UTC), phase),))


def start_in(place: Place, database: Server) -> str:
    """See ``Place.start_application``."""
    if place.kind == "docker":
        from clo_ops.actions.drill.application_containers import start_containers

        docker = cast("DockerPlace", place)
        return start_containers(docker, docker.recovery.application, database)
    from clo_ops.actions.drill.application_processes import start_processes

    local = cast("LocalPlace", place)
    return start_processes(local, local.recovery.application, database)


def _checked(place: Place, database: Server, policy: Policy) -> Answer:
    from clo_ops.actions.drill.account import drawn
    from clo_ops.actions.drill.smoke import Smoke

    try:
        url = place.start_application(database)
    except (PlaceFailed, PlaceGone) as error:
        return Answer((_flag("application.started", False, str(error)),))
    except (CouldNotAsk, CouldNotCheck) as error:
        return nobody_answered(["application"], place.drill, "starting it", str(error))
    web = WebTarget(url, CLIENT)
    figures, production = policy.recovery.application, source_of(place.backup)
    smoke = Smoke(web, drawn(figures.account), database.target, figures, policy.access, policy.websocket, production)
    return Answer((_flag("application.started", True),)) + smoke.checked()


def isolation(place: Place, database: Server, forbidden: Sequence[tuple[str, int]]) -> Answer:
    """``application.isolated``: the network is an internal one, and none of ``forbidden`` answers from inside it.

    An internal network leads to no other machine, but to every address of the engine's own: what listens there for
    everybody can be reached. So the doors are knocked at, from inside, by address.
    """
    if place.isolation:
        weaker = {"place": place.kind}
        return Answer((Measurement("application.isolated", 0, "bool", datetime.now(UTC), weaker, place.isolation),))
    try:
        doors = _doors(cast("DockerPlace", place), forbidden)
        open_ones = _open(database, doors)
    except (PlaceFailed, PlaceGone, CouldNotAsk, CouldNotCheck) as error:
        return nobody_answered(["application isolated"], place.drill, "knocking at production's doors", str(error))
    said = f"{', '.join(open_ones)} can be reached" if open_ones else f"none of {len(doors)} doors can be reached"
    return Answer((_flag("application.isolated", not open_ones, f"from inside the drill's network {said}"),))


def _doors(place: DockerPlace, forbidden: Sequence[tuple[str, int]]) -> list[str]:
    """``address/port``: each of ``forbidden``, and the same ports of the engine's machine. A loopback address means,
    in there, the container itself: it is the engine's machine that is meant."""
    with place.engine.asked("looking at the drill's network") as client:
        network = client.inspect_network(place.network)
    if not network["Internal"]:
        raise PlaceFailed(f"the network {place.network} is not an internal one")
    neighbours = {one["Gateway"] for one in network["IPAM"]["Config"] if one.get("Gateway")}
    doors = {f"{address}/{port}" for address in neighbours for _, port in forbidden}
    return sorted(doors | {f"{address}/{port}" for host, port in forbidden for address in _addresses(host)})


def _addresses(host: str) -> set[str]:
    """Version 4, which is what the drill's network speaks. A name nobody knows leads nowhere."""
    try:
        found = {str(one[4][0]) for one in socket.getaddrinfo(host, None, socket.AF_INET, socket.SOCK_STREAM)}
    except OSError:
        return set()
    return {address for address in found if not ip_address(address).is_loopback}


def _open(database: Server, doors: Sequence[str]) -> list[str]:
    """Which of them take a TCP connection from beside the database: all tried at once."""
    if not doors:
        return []
    done = database.run("bash", "-c", KNOCK, "bash", *doors, timeout=30)
    if done.exit_code:
        raise PlaceFailed(f"the doors could not be tried: {done.stderr.strip() or done.exit_code}")
    return sorted(line.replace("/", ":") for line in done.stdout.split())


def _flag(name: str, good: bool, detail: str = "") -> Measurement:
    return Measurement(name, good, "bool", datetime.now(UTC), detail=detail)
