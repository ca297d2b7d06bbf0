"""What runs, written down: ``stack.json`` in the state directory, replaced at once, readable by its owner only.

It holds, for every service, how it is started and the process that was started; the environments services share
(secrets included); and the Airflow connections that reach the demo system. Several processes change it (the launcher,
the switch board, ``make stop``), so every change is made under a lock.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from demo.stack.files import write_private
from demo.stack.processes import Process

FORMAT = 1


class StateUnreadable(RuntimeError):
    """stack.json is there and is not ours to understand."""


@dataclass(frozen=True, slots=True)
class Service:
    """How one service is started. ``kind``: process, postgres or redis; ``ready``: a http or tcp URL, or a file."""

    name: str
    kind: str = "process"
    command: tuple[str, ...] = ()
    environment: str = ""
    ready: str = ""
    directory: str = ""
    port: int = 0
    code: str = ""
    start_seconds: float = 60.0
    stop_seconds: float = 10.0


class State:
    """The stack of one state directory."""

    def __init__(self, directory: Path | str) -> None:
        self.directory = Path(directory).resolve()

    @property
    def file(self) -> Path:
        return self.directory / "stack.json"

    @property
    def mark(self) -> str:
        """What our processes carry in their environment: this directory, so that it is known without stack.json."""
        return str(self.directory)

    def log(self, name: str) -> Path:
        return self.directory / "logs" / f"{name}.log"

    def read(self) -> dict[str, Any]:
        """The whole state; an empty one when nothing was ever started. Raises StateUnreadable."""
        try:
            found = json.loads(self.file.read_text())
        except FileNotFoundError:
            return {"format": FORMAT, "services": {}, "environments": {}, "connections": {}, "secrets": {}}
        except ValueError as problem:
            raise StateUnreadable(f"{self.file} is not JSON ({problem}); remove it and run make stop") from problem
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            raise StateUnreadable(f"{self.file} is of another version; run make clean")
        return found

    @contextmanager
    def changing(self) -> Iterator[dict[str, Any]]:
        """Read, change, write: one at a time over all processes and threads."""
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.directory.chmod(0o700)
        with (self.directory / "stack.lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            state = self.read()
            yield state
            write_private(self.file, json.dumps(state, indent=1, sort_keys=True))

    def service(self, name: str) -> Service:
        """Raises KeyError, naming the services there are."""
        services = self.read()["services"]
        if name not in services:
            raise KeyError(f"no service {name!r}; there are {', '.join(sorted(services)) or 'none'}")
        return _service(services[name]["definition"])

    def services(self) -> dict[str, Service]:
        return {name: _service(entry["definition"]) for name, entry in self.read()["services"].items()}

    def process(self, name: str) -> Process | None:
        """The process recorded for a service, alive or not."""
        entry = self.read()["services"].get(name, {})
        if entry.get("definition", {}).get("kind") in {"postgres", "redis"}:
            return _own_record(Path(entry["definition"]["directory"]))
        return _process(entry.get("process"))

    def define(self, service: Service) -> bool:
        """Record how a service is started; True when that differs from what was recorded."""
        wanted = json.loads(json.dumps(asdict(service)))
        with self.changing() as state:
            entry = state["services"].setdefault(service.name, {})
            changed = bool(entry.get("definition") != wanted)
            entry["definition"] = wanted
        return changed

    def record(self, name: str, process: Process | None) -> None:
        with self.changing() as state:
            state["services"][name]["process"] = asdict(process) if process else None

    def set_environment(self, name: str, values: Mapping[str, str]) -> bool:
        """The variables a group of services gets; True when they differ from what was recorded."""
        with self.changing() as state:
            changed = state["environments"].get(name) != dict(values)
            state["environments"][name] = dict(values)
        return bool(changed)


def _service(definition: dict[str, Any]) -> Service:
    return Service(**(definition | {"command": tuple(definition["command"])}))


def _process(known: dict[str, Any] | None) -> Process | None:
    return Process(int(known["pid"]), str(known["started"])) if known else None


def _own_record(directory: Path) -> Process | None:
    """Clusters and Redis keep their own record, since tests use them without a stack."""
    for name in ("cluster.json", "redis.json"):
        if (directory / name).exists():
            return _process(json.loads((directory / name).read_text()).get("process"))
    return None
