"""What a container of the drill may do: nothing that PostgreSQL, or the application, does not need (D15, D20).

No capability, no new privilege, a root it cannot write to, bounded memory, processor and processes, no published port,
and only the drill's own network, which leads nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from clo_ops.policy.recovery import DockerLimits

DATA = "/clo/data"
PGDATA = f"{DATA}/pgdata"
BACKUP = "/backup"
SOCKETS = "/var/run/postgresql"
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Mount:
    """``source`` is a path of the host (bind), a volume's name, or empty for memory of ``size`` bytes."""

    kind: str
    target: str
    source: str = ""
    read_only: bool = False
    size: int = 0

    def as_api(self) -> dict[str, Any]:
        if self.kind == "tmpfs":
            options = {"SizeBytes": self.size, "Mode": 0o1777}
            return {"Type": "tmpfs", "Target": self.target, "TmpfsOptions": options}
        return {"Type": self.kind, "Source": self.source, "Target": self.target, "ReadOnly": self.read_only}


@dataclass(frozen=True, slots=True)
class Container:
    """One container to be made. ``memory`` in bytes is for its programs; memory mounts come on top."""

    name: str
    role: str
    image: str
    network: str
    labels: Mapping[str, str]
    memory: int
    user: str
    command: Sequence[str] = ()
    entrypoint: Sequence[str] | None = None
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    mounts: Sequence[Mount] = ()
    health: Sequence[str] = ()

    def as_api(self, limits: DockerLimits, declared: Sequence[str]) -> dict[str, Any]:
        """The body of the engine's "create". ``declared`` are the image's own volumes.

        Memory is put over each declared volume that nothing else is mounted on: an anonymous volume would be made for
        it, and anonymous means without our labels, which no reaper finds.
        """
        taken = {mount.target for mount in self.mounts} | {"/tmp", SOCKETS}  # noqa: S108
        covers = [Mount("tmpfs", path, size=MIB) for path in declared if path not in taken]
        body = {
            "Image": self.image,
            "User": self.user,
            "Hostname": self.role,
            "Labels": dict(self.labels),
            "Env": [f"{name}={value}" for name, value in self.environment.items()],
            "Cmd": list(self.command) or None,
            "Entrypoint": None if self.entrypoint is None else list(self.entrypoint),
            "HostConfig": self._host([*self.mounts, *covers], limits),
            "NetworkingConfig": {"EndpointsConfig": {self.network: {"Aliases": [self.role]}}},
        }
        return body | ({"Healthcheck": _health(self.health)} if self.health else {})

    def _host(self, mounts: Sequence[Mount], limits: DockerLimits) -> dict[str, Any]:
        memory = self.memory + sum(mount.size for mount in mounts)
        return {
            "NetworkMode": self.network,
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges"],
            "ReadonlyRootfs": True,
            "Init": True,
            "PidsLimit": limits.pids,
            "Memory": memory,
            "MemorySwap": memory,
            "NanoCpus": int(limits.cpus * 1e9),
            "ShmSize": limits.shared_memory,
            "RestartPolicy": {"Name": "no"},
            "LogConfig": {"Type": "json-file", "Config": {"max-size": "20m", "max-file": "1"}},
            "Mounts": [mount.as_api() for mount in mounts],
            "Tmpfs": {"/tmp": "size=64m,mode=1777,nosuid,nodev", SOCKETS: "size=8m,mode=1777,nosuid,nodev"},  # noqa: S108
        }


def _health(test: Sequence[str]) -> dict[str, Any]:
    return {"Test": ["CMD", *test], "Interval": 5_000_000_000, "Timeout": 3_000_000_000, "Retries": 3}
