"""The Docker engine of the tests: a real second dockerd is started and stopped; the one that was there is let be."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.stack import engine
from demo.stack.processes import Process

ROOT = Path(__file__).resolve().parents[3]
# Everything is imported before: the interpreter may lie where nobody may read.
AS_NOBODY = """
import os, pwd
from demo.stack import engine
os.setgroups([]), os.setgid(65534), os.setuid(65534)
print(engine.ensure())
"""


@pytest.fixture
def elsewhere(monkeypatch) -> Iterator[Path]:
    """A short path (sockets have 108 characters), where no engine is."""
    directory = Path(tempfile.mkdtemp(prefix="clo-e-"))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{directory}/d.sock")
    monkeypatch.setattr(engine, "place", lambda: directory / "ours")
    yield directory
    engine.stop()
    for mount in reversed([line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]):
        if mount.startswith(f"{directory}/"):
            subprocess.run(["umount", "-l", mount], check=False)
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def options(elsewhere, monkeypatch) -> tuple[str, ...]:
    """Of a second dockerd that shares nothing with the first.

    Its network is a namespace of its own: told to do without a bridge, dockerd removes the machine's docker0, whose
    ever it is.
    """
    real = shutil.which("dockerd")
    if os.geteuid() != 0 or real is None:
        reason = "a second dockerd needs root and Debian's docker.io"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    (elsewhere / "dockerd").write_text(f'#!/bin/sh\nexec unshare --net {real} "$@"\n')
    (elsewhere / "dockerd").chmod(0o755)
    monkeypatch.setenv("PATH", f"{elsewhere}:{os.environ['PATH']}")
    return (
        f"--host=unix://{elsewhere}/d.sock",
        f"--data-root={elsewhere}/data",
        f"--exec-root={elsewhere}/exec",
        f"--pidfile={elsewhere}/d.pid",
        "--bridge=none",
        "--iptables=false",
    )


def test_an_engine_that_is_not_there_is_said_so_and_where(elsewhere):
    reason = engine.missing()
    assert reason is not None
    assert f"{elsewhere}/d.sock" in reason or "no docker program" in reason


def test_where_docker_host_names_another_none_is_started(elsewhere):
    reason = engine.ensure()
    assert reason is not None
    assert "DOCKER_HOST" in reason
    assert not (elsewhere / "ours").exists()


def test_a_user_who_may_not_use_the_engine_is_told_so_and_how(monkeypatch):
    """As nobody, with the machine's own engine: nothing is installed or started, and no other one is looked for."""
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    if os.geteuid() != 0 or engine.ensure() is not None:
        reason = "root's own engine is needed, to be refused by it as somebody else"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    command = [sys.executable, "-c", AS_NOBODY]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "may not use the Docker engine at unix:///var/run/docker.sock: permission denied" in done.stdout
    assert "usermod -aG docker <user>" in done.stdout


def test_one_is_started_answers_and_is_stopped_again(options, elsewhere):
    assert engine.start(options) is None
    assert engine.missing() is None
    pid = int((elsewhere / "d.pid").read_text())
    assert engine.stop()
    assert Process.of(pid) is None
    assert engine.missing() is not None
    assert not engine.stop(), "it is stopped once"


def test_one_that_ends_at_once_is_told_with_its_log_and_forgotten(options):
    reason = engine.start((*options, "--no-such-option"))
    assert reason is not None
    assert "dockerd was started and ended 1" in reason
    assert "no-such-option" in (engine.place() / "dockerd.log").read_text()
    assert not engine.stop()


def test_a_recycled_number_is_not_stopped(elsewhere):
    """After a reboot the number in our record may be anybody's."""
    sleeper = subprocess.Popen(["sleep", "60"])
    try:
        engine.place().mkdir()
        (engine.place() / "dockerd.json").write_text(f'{{"pid": {sleeper.pid}, "started": "another boot:1"}}')
        assert not engine.stop()
        assert sleeper.poll() is None
    finally:
        sleeper.kill()
        sleeper.wait()
