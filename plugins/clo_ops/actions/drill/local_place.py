"""A drill's place without Docker: throw-away clusters on the worker's own machine. Never chosen silently.

Each drill has a directory below the policy's, with its labels in a file, so that a later task and the reaper find it.
Started by root, the servers run as an ordinary account.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from clo_ops.actions.drill.leftover import begin_anew
from clo_ops.actions.drill.local_server import LocalServer, account
from clo_ops.actions.drill.place import ChosenBackup, Labels, PlaceFailed, PlaceGone, Server
from clo_ops.actions.drill.roles import source_of
from clo_ops.actions.drill.staging import PIECE, Source, unpacked_name
from clo_ops.policy import DrillSpec, Recovery
from clo_ops.probes.pg_programs import program

LABELS = "labels.json"
ISOLATION = (
    "Isolation was weaker than in Docker: the restored copy ran on the worker's own machine, could reach whatever the "
    "worker can, and was bounded in neither memory nor processor."
)
NOT_IN_DOCKER = {"listen_addresses": "127.0.0.1", "timezone": "UTC", "log_timezone": "UTC"}


@dataclass
class LocalPlace:
    """See ``clo_ops.actions.drill.place.Place``. Raises ProgramMissing where this machine has no PostgreSQL server."""

    spec: DrillSpec
    recovery: Recovery
    backup: ChosenBackup
    labels: Labels
    kind: str = field(default="local", init=False)
    isolation: str = field(default=ISOLATION, init=False)

    @property
    def drill(self) -> str:
        return self.labels.drill

    @property
    def directory(self) -> Path:
        return home(self.recovery) / self.drill

    def start(self) -> Server:
        self.remove()
        programs = program("initdb", self.backup.major).path.resolve().parent
        try:
            self._make_directory()
            self._stage()
            server = self._server("primary", programs)
            server.initialise(self._password())
            server.start(self._settings())
            server.wait_ready(self.recovery.drill.ready_within.total_seconds())
        except BaseException:
            self.remove()
            raise
        return server

    def primary(self) -> LocalServer:
        return self._found("primary")

    def standby(self) -> LocalServer:
        return self._found("standby")

    def clone(self) -> Server:
        if "failover" not in self.spec.parts:
            raise PlaceFailed("the primary of this drill was started for a restore only", "a drill with part failover")
        primary = self.primary()
        standby = self._server("standby", primary.programs)
        begin_anew(primary, source_of(self.backup), standby.remove)
        standby.copy_of(primary, self.recovery.drill.restore_within.total_seconds())
        standby.start(self._settings())
        standby.wait_ready(self.recovery.drill.restore_within.total_seconds())
        return standby

    def backup_path(self, name: str) -> str:
        staged = self.directory / "backup" / (unpacked_name(self.backup) if name == self.backup.name else name)
        if staged.exists():
            return str(staged)
        return str(Source(self.backup).path or staged)

    def start_application(self, database: Server) -> str:
        from clo_ops.actions.drill.application import start_in

        return start_in(self, database)

    def remove(self) -> list[str]:
        return remove_at(self.directory)

    def _make_directory(self) -> None:
        base = self.directory.parent
        try:
            base.mkdir(parents=True, exist_ok=True, mode=0o755)
            if base.stat().st_uid != os.geteuid():
                raise _not_ours(base, "it belongs to another user")
            self.directory.mkdir(mode=0o700)
        except OSError as error:
            raise _not_ours(base, error.strerror or str(error)) from None
        (self.directory / LABELS).write_text(json.dumps(self.labels.as_dict("place")))
        if (owner := account()) is not None:
            shutil.chown(self.directory, owner.pw_uid, owner.pw_gid)

    def _stage(self) -> None:
        """Copy the backup beside the cluster where it lies elsewhere or is wrapped; else it is read where it lies."""
        source = Source(self.backup)
        if source.path is not None and not self.backup.wrapped:
            return
        for name, path in source.files().items():
            target = self.directory / "backup" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with source.open(path) as given, target.open("wb") as taken:
                shutil.copyfileobj(given, taken, PIECE)

    def _settings(self) -> dict[str, str]:
        return {**self.recovery.settings.of(self.spec.parts), **NOT_IN_DOCKER}

    def _password(self) -> str:
        path = self.directory / "password"
        if not path.exists():
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_urlsafe(24))
        return path.read_text()

    def _server(self, name: str, programs: Path) -> LocalServer:
        return LocalServer(name, self.directory / name, programs, self.backup.database, self._password())

    def _found(self, name: str) -> LocalServer:
        if not (self.directory / name / "data").exists():
            raise PlaceGone(f"drill {self.drill} has no {name} below {self.directory}", "what its first step made")
        return self._server(name, program("initdb", self.backup.major).path.resolve().parent)


def home(recovery: Recovery) -> Path:
    """Where the drills of this user are: what another user made there could be moved and read by them."""
    return Path(recovery.local.directory.replace("{uid}", str(os.geteuid())))


def _not_ours(base: Path, why: str) -> PlaceFailed:
    return PlaceFailed(
        f"no drill can be made below {base}: {why}",
        allowed="a directory that this user makes and owns (recovery.yaml, local: directory)",
        next_step=f"name another one there, or remove {base} when nothing in it is needed",
    )


def places(base: Path) -> Iterator[tuple[Path, Labels]]:
    """Each drill's directory with its labels; what has none of ours is not ours."""
    for path in sorted(base.glob(f"*/{LABELS}")):
        with suppress(OSError, ValueError):
            labels = Labels.read(json.loads(path.read_text()))
            if labels is not None and labels.drill == path.parent.name:
                yield path.parent, labels


def remove_at(directory: Path) -> list[str]:
    """One drill's directory, also where it was not labelled yet; empty where there is none."""
    return [_removed(directory)] if directory.exists() else []


def remove_where(base: Path, wanted: Callable[[Labels], bool]) -> list[str]:
    return [_removed(path) for path, labels in places(base) if wanted(labels)]


def _removed(directory: Path) -> str:
    """Processes first: a cluster whose files vanish below it would write them again."""
    from clo_ops.actions.drill.application_processes import end_processes

    end_processes(directory)
    for server in directory.glob("*/data"):
        LocalServer.end(server)
    shutil.rmtree(directory)
    return f"cluster {directory}"


__all__ = ["LocalPlace", "home", "places", "remove_at", "remove_where"]
