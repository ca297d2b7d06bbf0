"""Processes we may end: each is known by its number and by the moment it started, so that a recycled number is safe.

The moment is the kernel's count of clock ticks since boot together with the boot's own id: unlike a time of day it
does not move when the clock is set. Every process is started in a session of its own; ending it ends that session.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from demo.stack.accounts import Account, as_account

PROC = Path("/proc")
MARK = "CLO_OPS_STACK"


@dataclass(frozen=True, slots=True)
class Process:
    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> Process | None:
        """The process that has this number now; None when there is none (or only its remains)."""
        started = identity(pid)
        return cls(pid, started) if started else None

    def alive(self) -> bool:
        return identity(self.pid) == self.started

    def signal(self, number: int) -> bool:
        """Send to this very process; False when it is gone. The pidfd closes the gap between looking and sending."""
        try:
            handle = os.pidfd_open(self.pid)
        except (ProcessLookupError, OSError):
            return False
        try:
            if not self.alive():
                return False
            signal.pidfd_send_signal(handle, number)
        except ProcessLookupError:
            return False
        finally:
            os.close(handle)
        return True

    def members(self) -> list[Process]:
        """What is left of the session this process leads or led, itself included."""
        leader = identity(self.pid)
        if leader is not None and leader != self.started:
            return []
        found = [Process.of(pid) for pid in pids() if _session(pid) == self.pid]
        ours = [one for one in found if one and _after(one.started, self.started)]
        return ours if leader else [one for one in ours if marked(one.pid)]


def boot_id() -> str:
    return (PROC / "sys/kernel/random/boot_id").read_text().strip()


def identity(pid: int) -> str | None:
    fields = _stat(pid)
    if not fields or fields[0] in {"Z", "X"}:
        return None
    return f"{boot_id()}:{fields[19]}"


def pids() -> list[int]:
    return [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit()]


def marked(pid: int, mark: str | None = None) -> bool:
    """Whether a process was started by us: our variable in its environment (any stack's unless ``mark`` is given)."""
    wanted = f"{MARK}={mark}".encode() if mark else f"{MARK}=".encode()
    try:
        entries = (PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return False
    return any(entry == wanted if mark else entry.startswith(wanted) for entry in entries)


def spawn(
    command: Sequence[str | Path],
    *,
    log: Path,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
    account: Account | None = None,
) -> tuple[subprocess.Popen[bytes], Process]:
    """Start a command in its own session, output appended to ``log``. Raises OSError when it cannot be started."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        child = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=directory,
            env=None if environment is None else dict(environment),
            **as_account(account),
        )
    process = Process.of(child.pid)
    return child, process or Process(child.pid, f"{boot_id()}:gone")


def end(processes: Sequence[Process], *, grace: float = 10.0, first: int = signal.SIGTERM) -> list[Process]:
    """Ask all at once, wait up to ``grace`` seconds, kill what is left of their sessions. Returns what was killed."""
    everybody = {member for process in processes for member in process.members()}
    for process in processes:
        process.signal(first)
    if not wait_gone(processes, grace):
        for process in processes:
            process.signal(signal.SIGKILL)
    leftovers = [one for one in everybody | _members(processes) if one.alive()]
    killed = [one for one in leftovers if one.signal(signal.SIGKILL)]
    wait_gone(list(everybody | set(leftovers)), 5.0)
    return killed


def wait_gone(processes: Sequence[Process], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while any(process.alive() for process in processes):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _members(processes: Sequence[Process]) -> set[Process]:
    return {member for process in processes for member in process.members()}


def _stat(pid: int) -> list[str]:
    """Fields of /proc/<pid>/stat after the command name, which may itself hold blanks and brackets."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _session(pid: int) -> int | None:
    fields = _stat(pid)
    return int(fields[3]) if fields else None


def _after(later: str, earlier: str) -> bool:
    boot, _, ticks = later.partition(":")
    earlier_boot, _, earlier_ticks = earlier.partition(":")
    return boot == earlier_boot and earlier_ticks.isdigit() and int(ticks) >= int(earlier_ticks)
