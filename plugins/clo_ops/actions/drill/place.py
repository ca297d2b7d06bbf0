"""The drill's place: throw-away PostgreSQL servers that cannot be mistaken for production, found again by name.

    place = open_place(spec, policy, backup, dag_id=..., run_id=...)
    primary = place.start()                       # task "environment"
    place.primary().run("pg_restore", ...)        # any later task, in any process
    place.remove()                                # teardown; idempotent

What a place is made of carries the labels of ``Labels``; the reaper knows nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from clo_ops.findings import CloOpsError, CouldNotCheck
from clo_ops.policy import DrillSpec, Policy
from clo_ops.probes.targets import BackupRepository, DockerTarget, PostgresTarget

DRILL, DAG, RUN, EXPIRES, ROLE = ("clo_ops.drill", "clo_ops.dag", "clo_ops.run", "clo_ops.expires", "clo_ops.role")
PREFIX = "clo-ops-drill"
SELF_TEST = " self-test"  # behind the run id, of the places of a drill's own self-test


class PlaceFailed(CloOpsError):
    """The place could not be made or is not what it must be. What was begun has been removed."""


class PlaceUnreachable(CouldNotCheck):
    """Nobody could be asked: no Docker engine, no permission to use it. Worth another try; never a pass."""


class PlaceGone(CloOpsError):
    """The place of this drill is not there any more: it was removed, or its server died."""


@dataclass(frozen=True, slots=True)
class Done:
    """How a program beside a server ended. ``seconds`` is wall time; ``exit_code`` 124 is "ran out of time"."""

    exit_code: int
    stdout: str
    stderr: str
    seconds: float


@dataclass(frozen=True, slots=True)
class ChosenBackup:
    """What is restored: ``name`` is a file (or, for the directory format, a directory) of ``repository``.

    ``database_bytes`` is the size of the database it was taken of, 0 where nobody knows; ``wrapped`` is "gzip" or
    "zstd" where the archive as a whole is compressed once more.
    """

    repository: BackupRepository
    name: str
    database: str
    major: int
    format: str = "custom"
    size_bytes: int = 0
    database_bytes: int = 0
    wrapped: str = ""
    manifest: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Labels:
    """Whose a thing is, and from when on the reaper may have it."""

    drill: str
    dag: str
    run: str
    expires: datetime

    def as_dict(self, role: str) -> dict[str, str]:
        expires = self.expires.astimezone(UTC).isoformat(timespec="seconds")
        return {DRILL: self.drill, DAG: self.dag, RUN: self.run, EXPIRES: expires, ROLE: role}

    @classmethod
    def read(cls, labels: Mapping[str, str]) -> Labels | None:
        """None for what is not ours, or carries labels nobody can read: that is left alone."""
        try:
            expires = datetime.fromisoformat(labels[EXPIRES])
            read = cls(labels[DRILL], labels[DAG], labels[RUN], expires)
        except (KeyError, ValueError):
            return None
        return read if read.expires.tzinfo is not None and read.drill == drill_id(read.dag, read.run) else None

    @property
    def whose(self) -> tuple[str, str]:
        """The DAG and the run it belongs to; the self-test of a run belongs to that run."""
        return self.dag, self.run.partition(SELF_TEST)[0]

    def is_over(self, now: datetime, runs_over: Collection[tuple[str, str]] = ()) -> bool:
        return now > self.expires or self.whose in runs_over or (self.dag, self.run) in runs_over


def drill_id(dag_id: str, run_id: str) -> str:
    """Short and the same in every task of a run: ten hexadecimal digits of SHA-256."""
    return hashlib.sha256(f"{dag_id}/{run_id}".encode()).hexdigest()[:10]


class Server(Protocol):
    """One throw-away PostgreSQL. ``name`` is "primary" or "standby"."""

    @property
    def name(self) -> str: ...

    @property
    def host(self) -> str:
        """How the other servers and the application of this place reach it: a name or address, port 5432 in Docker."""

    @property
    def target(self) -> PostgresTarget:
        """How this process reaches it: superuser of the throw-away server, database as restored.

        The password is made for this run and read from the place each time; never put it in XCom. The restored
        database exists from the restore on; before, ask ``target`` with ``database="postgres"`` (dataclasses.replace).
        """

    def run(self, program: str, *arguments: str, timeout: float, stdin: bytes | None = None) -> Done:
        """Run a PostgreSQL program beside the server, as the server's account, connected to it by PG* variables.

        ``timeout`` is seconds; what runs longer is ended and has exit code 124. A program killed with its server ends
        with a code of its own. Raises PlaceGone where the server's container is not there, PlaceUnreachable where
        nobody can be asked.
        """

    def wait_ready(self, timeout: float) -> None:
        """Until it takes connections by TCP. PlaceFailed with the end of its log when it dies or stays silent."""

    def kill(self) -> None:
        """Cut it off at an instant (SIGKILL); nothing is told, flushed or said goodbye to. Idempotent."""

    def disconnect(self) -> None:
        """Take it off the network and leave it running: what a cut cable does. Same as ``kill`` for a local place."""

    def log(self, lines: int = 40) -> str:
        """The end of the server's own log."""


class Place(Protocol):
    """Where one drill runs. Every method may be called from another process than the one that started it."""

    @property
    def kind(self) -> str:
        """ "docker" or "local"."""

    @property
    def drill(self) -> str: ...

    @property
    def labels(self) -> Labels: ...

    @property
    def backup(self) -> ChosenBackup:
        """What is restored here."""

    @property
    def isolation(self) -> str:
        """Empty for Docker; for a local place one sentence that says what is weaker."""

    def start(self) -> Server:
        """Network, room for the data, the backup within reach, the primary, ready for connections.

        A failing start removes what it began before it raises PlaceFailed or PlaceUnreachable. Started again, it
        removes what an earlier, killed attempt of the same run left and begins anew.
        """

    def primary(self) -> Server:
        """Found again by label. Raises PlaceGone where there is none."""

    def standby(self) -> Server:
        """Found again by label. Raises PlaceGone where there is none."""

    def clone(self) -> Server:
        """A standby built from the primary by pg_basebackup, started and streaming from slot "standby".

        Complete: base backup, slot, replication entry in pg_hba.conf. It returns when the standby takes read-only
        connections; whether it has caught up is for the caller to measure. Only where "failover" is among the parts:
        a restore-only primary writes too little WAL (PlaceFailed). Its application_name to the primary is "standby".
        """

    def backup_path(self, name: str) -> str:
        """The backup as seen by programs beside the server, not wrapped in gzip or zstd any more."""

    def start_application(self, database: Server) -> str:
        """The application's container on the same network, on ``database``; its base URL as this process reaches it."""

    def remove(self) -> list[str]:
        """Everything of this drill; the names of what was removed. Idempotent; empty when nothing was left."""


def open_place(
    spec: DrillSpec,
    policy: Policy,
    backup: ChosenBackup,
    *,
    dag_id: str,
    run_id: str,
    engine: DockerTarget | None = None,
    now: datetime | None = None,
    largest: int = 0,
) -> Place:
    """The place of this run: nothing is started, looked for or asked until one of its methods is called.

    ``engine`` is the Docker engine of the connection clo_docker, the policy's when left out. ``now`` is when the place
    is made, from which its expiry counts; the wall clock when left out. ``largest`` is the largest database earlier
    drills restored, in bytes: memory or volume is made for it where the manifest knows of less.
    """
    made = now or datetime.now(UTC)
    labels = Labels(drill_id(dag_id, run_id), dag_id, run_id, made + policy.recovery.drill.expires)
    if spec.place == "local":
        from clo_ops.actions.drill.local_place import LocalPlace

        return LocalPlace(spec, policy.recovery, backup, labels)
    from clo_ops.actions.drill.docker_place import DockerPlace
    from clo_ops.actions.drill.engine import Engine

    reached = Engine(engine or DockerTarget(policy.recovery.docker.engine))
    return DockerPlace(spec, policy.recovery, backup, labels, reached, largest=largest)
