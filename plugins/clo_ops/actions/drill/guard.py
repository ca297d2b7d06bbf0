"""What is asked before a drill may start, and before it may restore (M3-01; D15, D18, D69). Nothing is changed here.

before(place, ...)   nothing else runs, the image is there, room is enough     -> rules.guard.judge_before
place.start()
proofs(place, ...)   three independent proofs that the target is not production -> rules.guard.judge_proofs
parity(place, ...)   versions, collation, extensions                            -> rules.guard.judge_parity
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from clo_ops.actions.drill.docker_place import DockerPlace
from clo_ops.actions.drill.local_place import LocalPlace, home
from clo_ops.actions.drill.others import Standing, standing
from clo_ops.actions.drill.place import ChosenBackup, Place, PlaceFailed, PlaceGone, PlaceUnreachable, Server
from clo_ops.actions.drill.roles import source_of
from clo_ops.findings import Answer, Measurement
from clo_ops.policy import Recovery
from clo_ops.probes.postgres import connect, rows
from clo_ops.probes.reaching import Unreachable, nobody_answered
from clo_ops.probes.targets import PostgresTarget
from clo_ops.rules.guard import BUSY, FREE, IMAGE, NEEDED, OTHER, PROOF
from clo_ops.rules.room import expected_size, needed_room

MISSED = 2  # pg_isready: nobody answered
LOOK_OUT = 2  # seconds to wait for production to answer from inside the place, where nothing must


StateOf = Callable[[str, str], str]


def before(
    place: Place,
    recovery: Recovery,
    backup: ChosenBackup,
    production: PostgresTarget,
    *,
    largest: int = 0,
    state_of: StateOf = lambda dag, run: "",
) -> Answer:
    """``largest`` is the largest ``drill.database.size`` of earlier drills in bytes, 0 where there was none;
    ``state_of`` a DAG and a run is what Airflow says of it, empty where it does not know.

    ``guard.busy`` (count {kind: drill|backup}; detail names them), ``guard.other`` of each other drill (s since 1970,
    when it was begun {drill, dag, run, state, expires}; detail names its things), ``guard.image`` (bool),
    ``guard.room.needed`` and ``guard.room.free`` (bytes {kind: disk|memory}). A Docker engine or a production server
    that does not answer leaves its question open: unknown, and the drill does not start.
    """
    return (
        _tried("another drill", place, lambda: _other_drills(place, recovery, state_of))
        + _backups_running(production)
        + _tried("the image", place, lambda: _image(place))
        + _tried("room", place, lambda: _room(place, recovery, backup, largest))
    )


def proofs(place: Place, backup: ChosenBackup, production: Sequence[PostgresTarget]) -> Answer:
    """``guard.proof`` (bool {proof}; detail has both sides). ``production``: every server not to be written to.

    ``container``: found in the engine by this drill's labels, on an internal network only, no port published.
    ``address``: differs from all that production's names resolve to. ``system_identifier``: the target's own, read from
    it, is neither that of a production server (each is asked, read-only) nor the one in the manifest. ``no_way_out``:
    from inside, no production server answers. Of a local place ``cluster``, in place of the first and the last: the
    server that answers works on the data directory this drill made.
    """
    asked = [_proof(place, "address", lambda: _address(place, production))]
    asked.append(_proof(place, "system_identifier", lambda: _identifier(place, backup, production)))
    if isinstance(place, LocalPlace):
        asked.append(_proof(place, "cluster", lambda: _cluster(place)))
    if isinstance(place, DockerPlace):
        asked.append(_proof(place, "container", lambda: _container(place)))
        asked.append(_proof(place, "no_way_out", lambda: _no_way_out(place, production)))
    return sum(asked, Answer())


def _measured(name: str, value: float, unit: str, detail: str = "", **labels: str) -> Answer:
    return Answer((Measurement(name, value, unit, datetime.now(UTC), labels, detail),))


def _tried(question: str, place: Place, ask: Callable[[], Answer]) -> Answer:
    try:
        return ask()
    except (PlaceUnreachable, PlaceGone) as error:
        return nobody_answered([question], f"the {place.kind} place", "asking the engine", error.observed)


def _proof(place: Place, name: str, look: Callable[[], tuple[bool, str]]) -> Answer:
    """A proof nobody could look at stays open; a place that is gone has proven nothing either."""
    try:
        holds, detail = look()
    except (Unreachable, PlaceUnreachable, PlaceGone) as error:
        return nobody_answered([f"proof: {name}"], f"the {place.kind} place", "reading both sides", error.observed)
    return _measured(PROOF, holds, "bool", detail, proof=name)


# ---------------------------------------------------------------- before the start


def _other_drills(place: Place, recovery: Recovery, state_of: StateOf) -> Answer:
    """Those that have expired are the reaper's, and stop nobody."""
    now, engine = datetime.now(UTC), place.engine if isinstance(place, DockerPlace) else None
    found = [one for one in standing(recovery, engine) if not one.is_over(now)]
    others = [one for one in found if (one.dag, one.run) != place.labels.whose]
    told = sum((_other(one, state_of(one.dag, one.run)) for one in others), Answer())
    return told + _measured(
        BUSY, len(others), "count", ", ".join(f"{one.dag} {one.run}" for one in others), kind="drill"
    )


def _other(one: Standing, state: str) -> Answer:
    labels = {"drill": one.drill, "dag": one.dag, "run": one.run, "state": state, "expires": one.expires.isoformat()}
    return _measured(OTHER, one.since.timestamp(), "s", ", ".join(one.things), **labels)


def _backups_running(production: PostgresTarget) -> Answer:
    try:
        with connect(production) as session:
            running = rows(session, "drill/backups_running")
    except Unreachable as error:
        return error.unanswered("a running backup", production, "a read-only session")
    detail = ", ".join(f"{row['application'] or 'a session'} since {row['since']:%H:%M:%S}" for row in running)
    return _measured(BUSY, len(running), "count", detail, kind="backup")


def _image(place: Place) -> Answer:
    if not isinstance(place, DockerPlace):
        return Answer()
    try:
        found = place.engine.image(place.image)
    except PlaceFailed as error:
        return _measured(IMAGE, 0, "bool", f"{error.observed}; {error.next_step}")
    return _measured(IMAGE, 1, "bool", f"{place.image}, {found['Id'][:19]}")


def _room(place: Place, recovery: Recovery, backup: ChosenBackup, largest: int) -> Answer:
    """By the manifest's figures, or what an earlier drill took where that was more."""
    import shutil

    import psutil

    size = max(expected_size(backup, recovery.guard), largest)
    needed = needed_room(size, recovery.guard, place_feeds_standby(place))
    why = f"a database of {size:,} bytes"
    docker = place if isinstance(place, DockerPlace) else None
    if docker and not docker.engine.local:
        return _needed(docker, recovery, needed, why)
    base = Path(docker.engine.info()["DockerRootDir"]) if docker else home(recovery)
    disk = shutil.disk_usage(next(path for path in (base, *base.parents) if path.exists())).free
    free = _measured(FREE, disk, "bytes", str(base), kind="disk")
    free += _measured(FREE, psutil.virtual_memory().available, "bytes", kind="memory")
    return _needed(docker, recovery, needed, why) + free


def place_feeds_standby(place: Place) -> bool:
    spec = getattr(place, "spec", None)
    return spec is not None and "failover" in spec.parts


def _needed(docker: DockerPlace | None, recovery: Recovery, needed: int, why: str) -> Answer:
    """Of each kind, for all servers of the drill: data in memory count as memory, what is copied counts as disk."""
    servers = 2 if docker and place_feeds_standby(docker) else 1
    # What a server takes while it restores and is read; its limit is four times that.
    memory = recovery.docker.memory // 4 * servers
    in_memory = bool(docker and docker.in_memory)
    return _measured(NEEDED, servers * needed * (not in_memory), "bytes", why, kind="disk") + _measured(
        NEEDED, memory + servers * needed * in_memory, "bytes", why, kind="memory"
    )


# ---------------------------------------------------------------- the proofs


def _resolved(target: PostgresTarget) -> set[str]:
    """Every address of a name: one that resolves to nothing is nobody's, and is told by the server's own silence."""
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise PlaceUnreachable(f"{target.host} does not resolve: {error}") from None
    return {str(one[4][0]) for one in found}


def _address(place: Place, production: Sequence[PostgresTarget]) -> tuple[bool, str]:
    target = place.primary().target
    taken = {(address, one.port) for one in production for address in _resolved(one)}
    same = {(address, target.port) for address in _resolved(target)} & taken
    told = ", ".join(f"{address}:{port}" for address, port in sorted(taken))
    return not same and bool(taken), f"target {target.host}:{target.port}, production {told or 'not named'}"


def _identifier(place: Place, backup: ChosenBackup, production: Sequence[PostgresTarget]) -> tuple[bool, str]:
    target = _identifier_of(replace(place.primary().target, database="postgres"))
    others = {str(one): _identifier_of(one) for one in production}
    if source_of(backup):
        others["the manifest"] = source_of(backup)
    told = ", ".join(f"{identifier} ({name})" for name, identifier in others.items())
    return bool(others) and target not in others.values(), f"target {target}, not to be {told or 'anything known'}"


def _identifier_of(target: PostgresTarget) -> str:
    with connect(target) as session:
        return str(rows(session, "server_identity")[0]["system_identifier"])


def _container(place: DockerPlace) -> tuple[bool, str]:
    facts = place.primary().facts
    joined = sorted(facts["NetworkSettings"]["Networks"])
    published = [port for port, bound in (facts["NetworkSettings"]["Ports"] or {}).items() if bound]
    with place.engine.asked("looking at the drill's network") as client:
        internal = bool(client.inspect_network(place.network)["Internal"])
    ours = facts["Config"]["Labels"] == {**facts["Config"]["Labels"], **place.labels.as_dict("primary")}
    detail = (
        f"container {facts['Id'][:12]} of drill {place.drill}, networks {', '.join(joined)}"
        f" ({'internal' if internal else 'NOT internal'}), {len(published)} published ports"
    )
    return bool(ours and internal and joined == [place.network] and not published), detail


def _cluster(place: LocalPlace) -> tuple[bool, str]:
    server = place.primary()
    with connect(replace(server.target, database="postgres")) as session:
        works_on = str(rows(session, "drill/data_directory")[0]["data_directory"])
    return Path(works_on).resolve() == server.data.resolve(), f"the target works on {works_on}, made was {server.data}"


def _no_way_out(place: DockerPlace, production: Sequence[PostgresTarget]) -> tuple[bool, str]:
    server = place.primary()
    ways = sorted({(_from_inside(place, address), one.port) for one in production for address in _resolved(one)})
    reached = [f"{address}:{port}" for address, port in ways if _answers(server, address, port)]
    asked = ", ".join(f"{address}:{port}" for address, port in ways)
    return bool(
        ways
    ) and not reached, f"asked from inside {asked or 'nothing'}, answered {', '.join(reached) or 'none'}"


def _from_inside(place: DockerPlace, address: str) -> str:
    """This machine's loopback is the network's gateway for a container, where the engine runs on this machine."""
    if not address.startswith("127.") and address != "::1":
        return address
    with place.engine.asked("looking at the drill's network") as client:
        return str(client.inspect_network(place.network)["IPAM"]["Config"][0]["Gateway"])


def _answers(server: Server, address: str, port: int) -> bool:
    done = server.run("pg_isready", "-h", address, "-p", str(port), "-t", str(LOOK_OUT), timeout=LOOK_OUT + 10)
    return done.exit_code != MISSED
