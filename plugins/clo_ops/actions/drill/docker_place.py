"""A drill's place in Docker (D15, D18, D20; manual L201): an internal network, PostgreSQL of the backup's major version
on it, reached by this machine through the bridge and by nobody else.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from clo_ops.actions.drill.container import BACKUP, DATA, MIB, PGDATA, Container, Mount
from clo_ops.actions.drill.docker_server import DockerServer
from clo_ops.actions.drill.engine import Engine, Found
from clo_ops.actions.drill.leftover import begin_anew, remove_standby
from clo_ops.actions.drill.place import (
    DRILL,
    PREFIX,
    ROLE,
    ChosenBackup,
    Labels,
    PlaceFailed,
    PlaceGone,
    PlaceUnreachable,
    Server,
)
from clo_ops.actions.drill.roles import source_of
from clo_ops.actions.drill.staging import Source, as_tar, directory, unpacked_name
from clo_ops.findings import CloOpsError
from clo_ops.policy import DrillSpec, Recovery
from clo_ops.rules.room import expected_size, needed_room

# pg_basebackup answers nobody before it has copied everything; then the same container becomes the standby.
BECOME_STANDBY = (
    'pg_basebackup -h primary -U postgres -D "$PGDATA" -X stream -C -S standby -c fast -R --no-sync '
    '-d "application_name=standby" && exec postgres "$@"'
)
ALLOW_REPLICATION = (
    'line="host replication postgres all scram-sha-256"; '
    'grep -qxF "$line" "$PGDATA/pg_hba.conf" || echo "$line" >>"$PGDATA/pg_hba.conf"; pg_ctl reload -s'
)


@dataclass
class DockerPlace:
    """See ``clo_ops.actions.drill.place.Place``. ``extra_mounts`` are for the fault table: a disk that is soon full.

    ``largest`` is what earlier drills took in bytes: room is made for that where the manifest says less.
    """

    spec: DrillSpec
    recovery: Recovery
    backup: ChosenBackup
    labels: Labels
    engine: Engine
    extra_mounts: Sequence[Mount] = ()
    largest: int = 0
    kind: str = field(default="docker", init=False)
    isolation: str = field(default="", init=False)

    @property
    def drill(self) -> str:
        return self.labels.drill

    @property
    def image(self) -> str:
        return self.recovery.docker.image.format(major=self.backup.major)

    @property
    def network(self) -> str:
        return self._name("net")

    def start(self) -> Server:
        self.remove()
        declared = self._declared_volumes(self.image)
        try:
            self._make_network()
            mounts = [self._data_mount("primary"), self._backup_mount(), *self.extra_mounts]
            self._run(self._postgres("primary", mounts), declared)
            server = self.primary()
            server.wait_ready(self.recovery.drill.ready_within.total_seconds())
        except BaseException:
            self._undo()
            raise
        return server

    def primary(self) -> DockerServer:
        return self._server("primary")

    def standby(self) -> DockerServer:
        return self._server("standby")

    def clone(self) -> Server:
        if "failover" not in self.spec.parts:
            raise PlaceFailed(
                "the primary of this drill was started for a restore only and writes too little WAL for a standby",
                allowed="a drill with the part failover",
            )
        begin_anew(self.primary(), source_of(self.backup), lambda: remove_standby(self.engine, self.drill))
        self._allow_replication()
        container = self._postgres("standby", [self._data_mount("standby")])
        self._run(container, self._declared_volumes(self.image))
        server = self.standby()
        server.wait_ready(self.recovery.drill.restore_within.total_seconds())
        return server

    def backup_path(self, name: str) -> str:
        # Whatever it is called in the repository, what programs see is no longer wrapped.
        return f"{BACKUP}/{unpacked_name(self.backup) if name == self.backup.name else name}"

    def start_application(self, database: Server) -> str:
        from clo_ops.actions.drill.application import start_in

        return start_in(self, database)

    def add_container(
        self,
        role: str,
        image: str,
        *,
        command: Sequence[str] = (),
        environment: dict[str, str] | None = None,
        user: str = "",
        memory: int = 512 * MIB,
        mounts: Sequence[Mount] = (),
        health: Sequence[str] = (),
    ) -> str:
        """Another container on this drill's network, as bounded as the servers; its id.

        Reached by the others as ``role``, by this process at ``address(role)``. ``environment`` may hold secrets: they
        are the container's and go with it. Raises PlaceFailed where the engine has no such image.
        """
        declared = self._declared_volumes(image)
        container = Container(
            self._name(role),
            role,
            image,
            self.network,
            self.labels.as_dict(role),
            memory,
            user or self.recovery.docker.user,
            command=command,
            environment=environment or {},
            mounts=mounts,
            health=health,
        )
        return self._run(container, declared)

    def address(self, role: str) -> str:
        """The address of one of this drill's containers on its network, as this process reaches it."""
        return self._server(role).address

    def remove(self) -> list[str]:
        return remove_all(self.engine, lambda one: one.labels.drill == self.drill)

    # ---------------------------------------------------------------- what it is made of

    def _name(self, role: str) -> str:
        return f"{PREFIX}-{self.drill}-{role}"

    def _server(self, role: str) -> DockerServer:
        with self.engine.asked(f"looking for the drill's {role}") as client:
            filters = {"label": [f"{DRILL}={self.drill}", f"{ROLE}={role}"]}
            found = client.containers(all=True, filters=filters)
        if not found:
            raise PlaceGone(
                f"drill {self.drill} has no {role} in the Docker engine at {self.engine.target}",
                allowed="the container its first step started",
                next_step="run the drill again from its start: the place was removed, or its engine restarted",
            )
        self._join()
        return DockerServer(role, self.engine, found[0]["Id"], self.network, self.backup.database)

    def _join(self) -> None:
        """A worker that is itself a container of this engine must be on the network to reach anything on it."""
        inside = self.engine.own_container
        if inside:
            with suppress(PlaceFailed), self.engine.asked("joining the drill's network") as client:
                client.connect_container_to_network(inside, self.network)

    def _declared_volumes(self, image: str) -> list[str]:
        return list((self.engine.image(image)["Config"] or {}).get("Volumes") or {})

    def _make_network(self) -> None:
        with self.engine.asked("making the drill's network") as client:
            labels = self.labels.as_dict("network")
            client.create_network(self.network, driver="bridge", internal=True, labels=labels, check_duplicate=True)

    def _run(self, container: Container, declared: Sequence[str]) -> str:
        with self.engine.asked(f"starting the drill's {container.role}") as client:
            body = container.as_api(self.recovery.docker, declared)
            made = client.create_container_from_config(body, name=container.name)
            client.start(made["Id"])
            return str(made["Id"])

    def _postgres(self, role: str, mounts: list[Mount]) -> Container:
        settings = {"listen_addresses": "*", **self.recovery.settings.of(self.spec.parts)}
        arguments = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        first = role == "primary"
        password = secrets.token_urlsafe(24) if first else self.primary().password
        environment = {"PGDATA": PGDATA, "POSTGRES_PASSWORD": password, "POSTGRES_USER": "postgres"}
        environment |= {"POSTGRES_INITDB_ARGS": "--no-sync"}
        standby = {} if first else {"PGPASSWORD": password}
        return Container(
            self._name(role),
            role,
            self.image,
            self.network,
            self.labels.as_dict(role),
            self.recovery.docker.memory,
            self.recovery.docker.user,
            command=["postgres", *arguments] if first else ["-c", BECOME_STANDBY, "standby", *arguments],
            entrypoint=None if first else ["sh"],
            environment=environment | standby,
            mounts=mounts,
            health=["pg_isready", "-q", "-h", "127.0.0.1", "-U", "postgres"],
        )

    def _allow_replication(self) -> None:
        primary = self.primary()
        done = self.engine.execute(primary.container, ["sh", "-c", ALLOW_REPLICATION], timeout=30)
        if done.exit_code:
            raise PlaceFailed(f"the primary could not be told to let a standby in: {done.stderr.strip()}")

    # ---------------------------------------------------------------- room

    @property
    def needed(self) -> int:
        """Bytes of room for one of its servers."""
        guard = self.recovery.guard
        size = max(expected_size(self.backup, guard), self.largest)
        return needed_room(size, guard, "failover" in self.spec.parts)

    @property
    def in_memory(self) -> bool:
        return self.needed <= self.recovery.docker.tmpfs_up_to

    def _data_mount(self, role: str) -> Mount:
        if self.in_memory:
            # Memory is taken as it is filled: the bound is generous where the policy's own is.
            return Mount("tmpfs", DATA, size=min(2 * self.needed, self.recovery.docker.tmpfs_up_to))
        name = self._make_volume(f"{role}-data")
        uid, _, gid = self.recovery.docker.user.partition(":")
        self._put(name, DATA, directory("pgdata", int(uid), int(gid or uid)))
        return Mount("volume", DATA, name)

    def _backup_mount(self) -> Mount:
        source = Source(self.backup)
        wanted = self.recovery.docker.backup_from
        can_bind = self.engine.local and source.readable_by_all()
        if wanted == "bind" or (wanted == "auto" and can_bind):
            path = source.path
            if path is None:
                raise PlaceFailed(f"{self.backup.repository} is not on this machine and cannot be mounted")
            return Mount("bind", self.backup_path(self.backup.name), str(path), read_only=True)
        name = self._make_volume("backup")
        self._put(name, BACKUP, as_tar(source))
        return Mount("volume", BACKUP, name, read_only=True)

    def _make_volume(self, role: str) -> str:
        with self.engine.asked(f"making room for the drill's {role}") as client:
            name = self._name(role)
            client.create_volume(name, labels=self.labels.as_dict(role))
        return name

    def _put(self, volume: str, path: str, archive: Any) -> None:
        """Write a tar archive into a volume, through a container that is made for it and never started."""
        role = f"{volume.rpartition('-')[2]}-staging"
        body = Container(
            self._name(role),
            role,
            self.image,
            self.network,
            self.labels.as_dict(role),
            64 * MIB,
            "0:0",
            mounts=[Mount("volume", path, volume)],
        ).as_api(self.recovery.docker, ())
        with self.engine.asked("copying into the drill's volume") as client:
            made = client.create_container_from_config(body, name=self._name(role))
            try:
                client.put_archive(made["Id"], path, archive)
            finally:
                client.remove_container(made["Id"], v=False, force=True)

    def _undo(self) -> None:
        """What a failing start began. An engine that went away meanwhile leaves it to the reaper."""
        with suppress(PlaceUnreachable):
            self.remove()


def remove_all(engine: Engine, wanted: Callable[[Found], bool]) -> list[str]:
    """Containers, then networks and volumes of ours for which ``wanted``; what could not go is tried last, and told."""
    removed, failed = [], []
    for one in engine.ours():
        if wanted(one):
            try:
                removed += [str(one)] if engine.remove(one) else []
            except PlaceUnreachable:
                raise
            except CloOpsError as error:
                failed.append(f"{one}: {error.observed}")
    if failed:
        raise PlaceFailed(
            f"could not remove {'; '.join(failed)}", next_step="docker ps -a --filter label=clo_ops.drill"
        )
    return removed
