"""A real sshd on a port of its own, with its own host key, user key and programs in front of the machine's."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from clo_ops.probes.targets import HostTarget

SSHD = shutil.which("sshd") or "/usr/sbin/sshd"
CONFIG = """
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host
PidFile none
AuthorizedKeysFile {folder}/user.pub
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
SetEnv PATH={folder}/programs:/usr/local/bin:/usr/bin:/bin
"""


def keygen(path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)


class Sshd:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = 0
        self._child: subprocess.Popen[bytes] | None = None
        (folder / "programs").mkdir()
        for name in ("host", "user", "stranger"):
            keygen(folder / name)

    @property
    def pid(self) -> int:
        assert self._child is not None
        return self._child.pid

    def start(self) -> None:
        if self._child is not None:
            return
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        with socket.create_server(("127.0.0.1", 0)) as chosen:
            self.port = chosen.getsockname()[1]
        (self.folder / "sshd_config").write_text(CONFIG.format(port=self.port, folder=self.folder))
        with (self.folder / "log").open("ab") as log:
            self._child = subprocess.Popen([SSHD, "-D", "-e", "-f", self.folder / "sshd_config"], stderr=log)
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise AssertionError((self.folder / "log").read_text())

    def stop(self) -> None:
        if self._child is not None:
            self._child.terminate()
            self._child.wait(timeout=10)
            self._child = None

    def program(self, name: str, script: str) -> Path:
        """Put a program of this name in front of the machine's own."""
        path = self.folder / "programs" / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path


@pytest.fixture(scope="module")
def shared_sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    if not Path(SSHD).exists():
        if os.environ.get("CI"):
            pytest.fail("CI must have sshd (Debian: openssh-server)")
        pytest.skip("no sshd on this machine (Debian: openssh-server)")
    server = Sshd(tmp_path_factory.mktemp("sshd"))
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def sshd(shared_sshd: Sshd) -> Iterator[Sshd]:
    shared_sshd.start()
    yield shared_sshd
    for program in (shared_sshd.folder / "programs").iterdir():
        program.unlink()


@pytest.fixture
def ssh_host(sshd: Sshd) -> Callable[..., HostTarget]:
    def make(**changes: Any) -> HostTarget:
        given: dict[str, Any] = {
            "name": "app1",
            "transport": "ssh",
            "address": "127.0.0.1",
            "port": sshd.port,
            "user": getpass.getuser(),
            "private_key": (sshd.folder / "user").read_text(),
            "host_key": (sshd.folder / "host.pub").read_text(),
            "connect_timeout": 3.0,
            "command_timeout": 10.0,
        }
        return HostTarget(**given | changes)

    return make
