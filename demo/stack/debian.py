"""Debian's packages, installed so that the machine gets binaries and nothing starts by itself.

``python3 -m demo.stack.debian`` installs the servers the tests use, where they are missing. Standard library only.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

POLICY = Path("/usr/sbin/policy-rc.d")
CREATE_CLUSTER = Path("/etc/postgresql-common/createcluster.conf")
# What the tests use, and a program that shows it is there.
FOR_TESTS = {
    "postgresql": "/usr/lib/postgresql/*/bin/postgres",
    "redis-server": "/usr/bin/redis-server",
    "openssh-server": "/usr/sbin/sshd",
    "openssh-client": "/usr/bin/ssh-keygen",
    "docker.io": "/usr/sbin/dockerd",
    "docker-compose": "/usr/bin/docker-compose",
    "mmdebstrap": "/usr/bin/mmdebstrap",
    "pgbackrest": "/usr/bin/pgbackrest",
    "prometheus": "/usr/bin/promtool",
    "prometheus-alertmanager": "/usr/bin/amtool",
    # WeasyPrint draws PDF through these; without them a report says that its PDF is missing.
    "libpango-1.0-0": "/usr/lib/*/libpango-1.0.so.0",
    "libpangoft2-1.0-0": "/usr/lib/*/libpangoft2-1.0.so.0",
    "libharfbuzz-subset0": "/usr/lib/*/libharfbuzz-subset.so.0",
}


def can_install() -> bool:
    return os.geteuid() == 0 and Path("/etc/debian_version").exists() and shutil.which("apt-get") is not None


def install(packages: Sequence[str], *, timeout: float = 600.0) -> str | None:
    """Install packages; returns None, or in one sentence why it did not work. Never asks, never starts a service."""
    _no_default_cluster()
    with _no_services():
        for command in (["update", "-q"], ["install", "-y", "-q", "--no-install-recommends", *packages]):
            reason = _apt(command, timeout)
            if reason and command[0] == "install":
                return reason
    return None


def _apt(arguments: Sequence[str], timeout: float) -> str | None:
    options = ["-o", "Acquire::Retries=3", "-o", "DPkg::Lock::Timeout=120", "-o", "Dpkg::Options::=--force-confold"]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            ["apt-get", *options, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"apt-get {arguments[0]} took more than {timeout:.0f} s"
    if done.returncode:
        return f"apt-get {arguments[0]} ended {done.returncode}: {(done.stderr or done.stdout).strip()[-300:]}"
    return None


def _no_default_cluster() -> None:
    """Debian's postgresql makes a cluster `main` that starts at boot; we want none where there was none."""
    if not CREATE_CLUSTER.exists():
        CREATE_CLUSTER.parent.mkdir(parents=True, exist_ok=True)
        CREATE_CLUSTER.write_text(
            "# written by the CLO Ops demo: its clusters are its own\ncreate_main_cluster = false\n"
        )


@contextmanager
def _no_services() -> Iterator[None]:
    """Debian's own switch against services starting on installation; left alone when somebody set it already."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(POLICY.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    try:
        yield
    finally:
        POLICY.unlink(missing_ok=True)


def missing() -> list[str]:
    return [package for package, program in FOR_TESTS.items() if not any(Path("/").glob(program.lstrip("/")))]


def main() -> int:
    packages = missing()
    reason = install(packages) if packages else None
    print(f"[debian] {reason or 'installed: ' + (', '.join(packages) or 'nothing was missing')}")
    return 1 if reason else 0


if __name__ == "__main__":
    sys.exit(main())
