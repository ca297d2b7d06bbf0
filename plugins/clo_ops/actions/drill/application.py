"""The application against the promoted (or restored) database (M3-06; manual L213): started beside it, and asked.

    answer = application.check(place, place.standby(), account, run.policy, forbidden=[("10.0.0.5", 5432)])

Only measures; ``rules.application`` judges.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from clo_ops.actions.drill.place import PlaceFailed, PlaceGone
from clo_ops.findings import Answer, CouldNotAsk, CouldNotCheck, Measurement
from clo_ops.probes.reaching import nobody_answered
from clo_ops.probes.targets import Account, WebTarget

if TYPE_CHECKING:
    from clo_ops.actions.drill.docker_place import DockerPlace
    from clo_ops.actions.drill.local_place import LocalPlace
    from clo_ops.actions.drill.place import Place, Server
    from clo_ops.policy import Policy

CLIENT = "clo_ops/drill"
KNOCK = 2  # seconds
LOOPBACK = ("localhost", "::1")
# pg_isready: 0 accepting, 1 rejecting, 2 no response, 3 not tried
SOMEBODY = (0, 1)


def check(
    place: Place, database: Server, account: Account, policy: Policy, *, forbidden: Sequence[tuple[str, int]] = ()
) -> Answer:
    """M3-06: start the application on ``database`` and put the policy's smoke checks to it.

    ``forbidden`` are host and port of production's PostgreSQL servers, which nothing in the drill's network may reach.
    Emits application.started, application.isolated, application.check {check} (bool, detail what was seen) and
    drill.phase.duration {phase: application}.
    """
    started = time.monotonic()
    answer = isolation(place, database, forbidden) + _checked(place, database, account, policy)
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


def _checked(place: Place, database: Server, account: Account, policy: Policy) -> Answer:
    from clo_ops.actions.drill.smoke import Smoke

    try:
        url = place.start_application(database)
    except (PlaceFailed, PlaceGone) as error:
        return Answer((_flag("application.started", False, str(error)),))
    except (CouldNotAsk, CouldNotCheck) as error:
        return nobody_answered(["application"], place.drill, "starting it", str(error))
    web = WebTarget(url, CLIENT)
    smoke = Smoke(web, account, database.target, policy.recovery.application, policy.access, policy.websocket)
    return Answer((_flag("application.started", True),)) + smoke.checked()


def isolation(place: Place, database: Server, forbidden: Sequence[tuple[str, int]]) -> Answer:
    """``application.isolated``: the place leads nowhere, and none of ``forbidden`` answers from inside it.

    The engine's own machine is the one neighbour such a network has: their ports are tried there too.
    """
    if place.isolation:
        weaker = {"place": place.kind}
        return Answer((Measurement("application.isolated", 0, "bool", datetime.now(UTC), weaker, place.isolation),))
    try:
        doors = _doors(cast("DockerPlace", place), forbidden)
        reached = [f"{host}:{port}" for host, port in doors if _answers(database, host, port)]
    except (PlaceFailed, PlaceGone, CouldNotAsk, CouldNotCheck) as error:
        return nobody_answered(["application isolated"], place.drill, "knocking at production's door", str(error))
    said = f"{', '.join(reached)} answers" if reached else f"{len(doors)} doors to production tried, none answers"
    return Answer((_flag("application.isolated", not reached, f"from inside the drill's network {said}"),))


def _doors(place: DockerPlace, forbidden: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
    """A loopback address means, in there, the container itself: whoever answers is not production."""
    with place.engine.asked("looking at the drill's network") as client:
        settings = client.inspect_network(place.network)["IPAM"]["Config"]
    neighbours = [one["Gateway"] for one in settings if one.get("Gateway")]
    away = [(host, port) for host, port in forbidden if host not in LOOPBACK and not host.startswith("127.")]
    return away + [(host, port) for host in neighbours for port in sorted({port for _, port in forbidden})]


def _answers(database: Server, host: str, port: int) -> bool:
    done = database.run("pg_isready", "-h", host, "-p", str(port), "-t", str(KNOCK), timeout=KNOCK * 5.0)
    return done.exit_code in SOMEBODY


def _flag(name: str, good: bool, detail: str = "") -> Measurement:
    return Measurement(name, good, "bool", datetime.now(UTC), detail=detail)
