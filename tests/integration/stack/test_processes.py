"""What may be ended and what may not: a recycled number, a stranger, a session whose leader is gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.stack import processes
from demo.stack.processes import MARK, Process

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
# Starts a child in its own session, says its number, and waits.
PARENT = [
    sys.executable,
    "-c",
    "import subprocess, sys, time; c = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
    "print(c.pid, flush=True); time.sleep(60)",
]


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """A process that is nobody's business but the test's."""
    with subprocess.Popen(SLEEP, start_new_session=True) as child:
        yield child
        child.kill()


def test_a_process_is_known_by_its_start(stranger: subprocess.Popen[bytes]) -> None:
    process = Process.of(stranger.pid)
    assert process is not None
    assert process.alive()
    stranger.kill()
    stranger.wait()
    assert not process.alive()


def test_a_recycled_number_is_not_signalled(stranger: subprocess.Popen[bytes]) -> None:
    """The record is of a process that had this number before: another start, hence another process."""
    boot = processes.boot_id()
    recorded = Process(stranger.pid, f"{boot}:1")
    assert not recorded.signal(signal.SIGKILL)
    assert recorded.members() == []
    assert processes.end([recorded], grace=0.1) == []
    assert stranger.poll() is None


def test_a_record_of_another_boot_is_not_signalled(stranger: subprocess.Popen[bytes]) -> None:
    now = Process.of(stranger.pid)
    assert now is not None
    recorded = Process(now.pid, now.started.replace(processes.boot_id(), "0000"))
    processes.end([recorded], grace=0.1)
    assert stranger.poll() is None


def test_remains_count_as_gone() -> None:
    """A zombie has a number and a start, and nothing to end."""
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        deadline = time.monotonic() + 10
        while Process.of(child.pid) is not None:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_the_whole_session_is_ended(tmp_path: Path) -> None:
    child, process = processes.spawn(PARENT, log=tmp_path / "log", environment=marked(tmp_path))
    below = Process.of(number_in(tmp_path / "log"))
    assert below is not None
    processes.end([process], grace=5)
    child.wait()
    assert not below.alive()


def test_what_a_dead_leader_left_is_ended(tmp_path: Path) -> None:
    child, process = processes.spawn(PARENT, log=tmp_path / "log", environment=marked(tmp_path))
    below = Process.of(number_in(tmp_path / "log"))
    assert below is not None
    process.signal(signal.SIGKILL)
    child.wait()
    assert below.alive()
    processes.end([process], grace=0.1)
    assert not below.alive()


def test_a_strangers_session_of_the_same_number_is_left_alone(tmp_path: Path) -> None:
    """The leader's number is gone and the session's members do not carry our mark: not ours."""
    unmarked = {name: value for name, value in os.environ.items() if name != MARK}
    child, process = processes.spawn(PARENT, log=tmp_path / "log", environment=unmarked)
    below = Process.of(number_in(tmp_path / "log"))
    assert below is not None
    process.signal(signal.SIGKILL)
    child.wait()
    processes.end([process], grace=0.1)
    assert below.alive()
    below.signal(signal.SIGKILL)
    processes.wait_gone([below], 5)


def test_who_does_not_listen_is_killed(tmp_path: Path) -> None:
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
    child, process = processes.spawn([sys.executable, "-c", deaf], log=tmp_path / "log")
    number_in(tmp_path / "log")
    processes.end([process], grace=0.2)
    assert child.wait() == -signal.SIGKILL


def marked(folder: Path) -> dict[str, str]:
    return {**os.environ, MARK: str(folder)}


def number_in(log: Path) -> int:
    """The number the process prints first."""
    deadline = time.monotonic() + 20
    while not (log.exists() and log.read_text().strip()):
        assert time.monotonic() < deadline, "it never said a word"
        time.sleep(0.02)
    return int(log.read_text().split()[0])
