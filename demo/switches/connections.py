"""Faults held by a process of their own: leaked connections, a forgotten transaction, blocked and slow sessions."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg

from demo.stack import processes
from demo.stack.processes import MARK, Process
from demo.switches.actions import Memory
from demo.switches.places import Places

_PATIENCE = 30.0  # seconds a holder may take until it holds
_ROOT = Path(__file__).resolve().parents[2]
_END = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE application_name = %s AND pid <> pg_backend_pid()"""
_LEFT = "SELECT count(*) AS sessions FROM pg_stat_activity WHERE application_name = %s"


class HolderFailed(RuntimeError):
    """The process that was to hold the connections did not get them; the sentence ends with what it said."""


@dataclass(frozen=True, slots=True)
class Hold:
    fault: str

    def plan(self, places: Places) -> Memory:
        return {"application_name": f"clo-app/{self.fault}", "log": str(places.state / "logs" / f"{self.fault}.log")}

    def do(self, places: Places, memory: Memory) -> None:
        log = Path(memory["log"])
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("")
        environment = {**os.environ, "CLO_DATABASE_URL": places.database_url, MARK: _mark(places)}
        command = [sys.executable, "-m", "demo.switches.holder", self.fault]
        child, process = processes.spawn(command, log=log, environment=environment, directory=_ROOT)
        memory["process"] = {"pid": process.pid, "started": process.started}
        _children.append(child)
        self._wait(log, process)

    def _wait(self, log: Path, process: Process) -> None:
        until = time.monotonic() + _PATIENCE
        while "ready" not in log.read_text():
            if not process.alive() or time.monotonic() > until:
                processes.end([process], grace=2.0)
                raise HolderFailed(f"{self.fault} could not be switched on: {log.read_text()[-400:].strip()}")
            time.sleep(0.05)

    def undo(self, places: Places, memory: Memory) -> None:
        """Found by what they are, not by a recorded number: a board killed while starting one recorded none."""
        processes.end(holders(places, self.fault), grace=3.0)
        for child in [child for child in _children if child.poll() is not None]:
            _children.remove(child)
        # With the server down there is no session left to end.
        with suppress(psycopg.OperationalError):
            _end_sessions(places, memory["application_name"])


# Kept so that a child that ended is waited for, and one that lives is not warned about.
_children: list[subprocess.Popen[bytes]] = []


def holders(places: Places, fault: str) -> list[Process]:
    found = (Process.of(pid) for pid in processes.pids() if _holds(pid, fault) and processes.marked(pid, _mark(places)))
    return [process for process in found if process]


def _holds(pid: int, fault: str) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return b"demo.switches.holder" in words and fault.encode() in words


def _mark(places: Places) -> str:
    """The same as the stack's own processes carry, so that stopping the stack ends a forgotten holder, too."""
    return str(places.state.resolve())


def _end_sessions(places: Places, name: str) -> None:
    until = time.monotonic() + 10
    with places.database() as connection:
        while time.monotonic() < until:
            connection.execute(_END, (name,))
            row = connection.execute(_LEFT, (name,)).fetchone()
            if row is None or row["sessions"] == 0:
                return
            time.sleep(0.05)
    raise HolderFailed(f"sessions named {name} are still there after 10 s")
