"""A Docker engine for the tests and the drill: the one that is there, else Debian's, started by us.

``python3 -m demo.stack.engine`` sees to it that an engine answers; ``... stop`` ends one that we started, never
one that was there. Standard library only.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from demo.stack import debian
from demo.stack.processes import Process, end, spawn

DEFAULT = "unix:///var/run/docker.sock"
START_SECONDS, ASK_SECONDS, STOP_SECONDS = 60.0, 10.0, 30.0
PACKAGES = ("docker.io",)
DENIED = "permission denied"
# Those of this process: it outlives a caller that does not stop it, and leaves no remains where it is stopped.
_children: list[subprocess.Popen[bytes]] = []


def place() -> Path:
    """Where we remember what we started, with its log; one for the machine, since there is one socket."""
    return Path(tempfile.gettempdir()) / f"clo-ops-engine-{os.geteuid()}"


def missing() -> str | None:
    """None when an engine answers, else one sentence: what was tried, what it said, what to do."""
    host = os.environ.get("DOCKER_HOST") or DEFAULT
    if shutil.which("docker") is None:
        return "there is no docker program on PATH (Debian: apt-get install docker.io)"
    try:
        done = subprocess.run(
            ["docker", "version", "--format", "{{.Server.Version}}"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=ASK_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"the Docker engine at {host} does not answer: {error}"
    if done.returncode == 0 and done.stdout.strip():
        return None
    said = " ".join((done.stderr or done.stdout).split())
    if DENIED in said:
        return f"this user may not use the Docker engine at {host}: {DENIED}"
    return f"no Docker engine answers at {host}: {said[:200]}"


def ensure(*, options: tuple[str, ...] = ()) -> str | None:
    """An engine that answers; None, or one sentence why there is none and what to do.

    Installs and starts one only as root on Debian or Ubuntu, and only where DOCKER_HOST names no other. ``options`` go
    to a dockerd that is started.
    """
    reason = missing()
    if reason is None:
        return None
    if os.environ.get("DOCKER_HOST", DEFAULT) != DEFAULT:
        return f"{reason}; DOCKER_HOST names it, so no other one is looked for"
    if DENIED in reason:
        return f"{reason}; be in the group docker (as root: usermod -aG docker <user>) and log in again"
    if shutil.which("dockerd") is None and (told := _install()):
        return f"{reason}; {told}"
    if os.geteuid() != 0:
        return f"{reason}; start it (as root: systemctl start docker) and be in the group docker"
    return start(options)


def _install() -> str | None:
    if not debian.can_install():
        return "install Docker, or run as root on Debian, where it is installed by itself"
    return debian.install(PACKAGES)


def start(options: tuple[str, ...] = ()) -> str | None:
    """Start dockerd in a session of its own and wait until it answers; None, or why it did not."""
    place().mkdir(mode=0o700, exist_ok=True)
    log = place() / "dockerd.log"
    child, process = spawn(("dockerd", *options), log=log)
    _children.append(child)
    _record().write_text(json.dumps({"pid": process.pid, "started": process.started}))
    deadline = time.monotonic() + START_SECONDS
    while reason := missing():
        if child.poll() is not None or time.monotonic() > deadline:
            ended = "does not answer" if child.poll() is None else f"ended {child.returncode}"
            stop()
            return f"{reason}; dockerd was started and {ended}: see {log}"
        time.sleep(0.3)
    return None


def stop() -> bool:
    """End the engine that ``start`` started; False when there is none of ours. Its containers end with it."""
    try:
        ours = Process(**json.loads(_record().read_text()))
    except (OSError, ValueError, TypeError):
        return False
    alive = ours.alive()
    if alive:
        end([ours], grace=STOP_SECONDS)
    while _children:
        _children.pop().wait()
    _record().unlink(missing_ok=True)
    return alive


def _record() -> Path:
    return place() / "dockerd.json"


def main(arguments: list[str]) -> int:
    if arguments == ["stop"]:
        print(f"[engine] {'stopped' if stop() else 'none of ours runs'}")
        return 0
    reason = ensure()
    print(f"[engine] {reason or 'a Docker engine answers'}", file=sys.stderr if reason else sys.stdout)
    return 1 if reason else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
