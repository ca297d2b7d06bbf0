"""A host of its own with a real sshd, a real apt and a real dpkg, none of which can reach this machine's packages.

Its package database and its files are below a folder: the programs in front of the machine's own say so to apt and
dpkg, and packages have names nobody else has. Its repositories are folders of tiny packages, built when asked for.
"""

from __future__ import annotations

import getpass
import hashlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterable
from email.utils import formatdate
from pathlib import Path
from typing import Any

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
SetEnv PATH={folder}/programs:/usr/sbin:/usr/bin:/sbin:/bin APT_CONFIG={folder}/apt.conf DPKG_ROOT={folder}/root
"""
APT = """
APT::Architecture "amd64";
APT::Sandbox::User "root";
Dir "{folder}/apt";
Dir::Etc "{folder}/apt/etc";
Dir::State "{folder}/apt/state";
Dir::State::status "{folder}/root/var/lib/dpkg/status";
Dir::Cache "{folder}/apt/cache";
Dir::Log "{folder}/apt/log";
Dir::Bin::dpkg "{folder}/programs/dpkg";
Dir::Bin::solvers "/usr/lib/apt/solvers";
"""
REPOSITORIES = {"main": ("Debian", "stable"), "security": ("Debian-Security", "stable-security")}


class AptHost:
    """``package`` puts a package into a repository, ``refresh`` has apt read it, ``install`` is the site's own hand."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.root, self.port = folder, folder / "root", 0
        self._child: subprocess.Popen[bytes] | None = None
        for one in ("programs", "repo/main", "repo/security", "root/var/lib/dpkg/info", "root/var/lib/dpkg/updates",
                    "apt/etc/apt.conf.d", "apt/etc/preferences.d", "apt/state/lists/partial",
                    "apt/cache/archives/partial", "apt/log", "way-back"):  # fmt: skip
            (folder / one).mkdir(parents=True)
        (self.root / "var/lib/dpkg/status").touch()
        (folder / "apt.conf").write_text(APT.format(folder=folder))
        lines = [f"deb [trusted=yes] file:{folder}/repo/{name} ./" for name in REPOSITORIES]
        (folder / "apt/etc/sources.list").write_text("\n".join(lines) + "\n")
        self._programs()
        for name in REPOSITORIES:
            self._index(name)
        for name in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)

    def _programs(self) -> None:
        private = f"--root={self.root} --force-not-root --force-script-chrootless"
        for name, line in {
            "dpkg": f'exec /usr/bin/dpkg {private} --log={self.folder}/dpkg.log "$@"',
            "dpkg-query": f'exec /usr/bin/dpkg-query --admindir={self.root}/var/lib/dpkg "$@"',
            **{one: f'exec /usr/bin/{one} "$@"' for one in ("apt-get", "apt-config", "apt-mark")},
        }.items():
            path = self.folder / "programs" / name
            path.write_text(f"#!/bin/sh\nexport APT_CONFIG={self.folder}/apt.conf\n{line}\n")
            path.chmod(0o755)

    # ------------------------------------------------------------ packages

    def package(
        self,
        name: str,
        version: str,
        files: dict[str, str],
        repository: str = "main",
        *,
        depends: str = "",
        script: str = "",
    ) -> None:
        """``script`` is what the package runs as it is set up; below the host's folder it has no business."""
        tree = self.folder / "build" / f"{name}-{version}"
        for path, content in files.items():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_text(content)
        control = f"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: t <t@clo.test>\n"
        control += (f"Depends: {depends}\n" if depends else "") + "Description: a part of the test's system\n"
        (tree / "DEBIAN").mkdir(parents=True, exist_ok=True)
        (tree / "DEBIAN/control").write_text(control)
        if script:
            (tree / "DEBIAN/postinst").write_text(f"#!/bin/sh\n{script}\n")
            (tree / "DEBIAN/postinst").chmod(0o755)
        into = self.folder / "repo" / repository / f"{name}_{version.replace(':', '%3a')}_all.deb"
        subprocess.run(["dpkg-deb", "--root-owner-group", "-Znone", "-b", tree, into], check=True, capture_output=True)
        self._index(repository)

    def drop(self, name: str, version: str, repository: str = "main") -> None:
        """A repository that has only the newest version, as Debian's have."""
        (self.folder / "repo" / repository / f"{name}_{version}_all.deb").unlink()
        self._index(repository)

    def _index(self, repository: str) -> None:
        place, (label, suite) = self.folder / "repo" / repository, REPOSITORIES[repository]
        entries = "\n".join(self._entry(deb) for deb in sorted(place.glob("*.deb")))
        (place / "Packages").write_text(entries)
        sha, size = hashlib.sha256(entries.encode()).hexdigest(), len(entries.encode())
        head = f"Origin: Debian\nLabel: {label}\nSuite: {suite}\nDate: {formatdate(usegmt=True)}\n"
        release = f"{head}Architectures: all amd64\nSHA256:\n {sha} {size} Packages\n"
        (place / "Release").write_text(release)

    def _entry(self, deb: Path) -> str:
        control = subprocess.run(["dpkg-deb", "-f", deb], check=True, capture_output=True, text=True).stdout
        data = deb.read_bytes()
        return f"{control}Filename: ./{deb.name}\nSize: {len(data)}\nSHA256: {hashlib.sha256(data).hexdigest()}\n"

    def own(self, *words: str) -> str:
        """A command on the host by the site's own hand."""
        path = f"{self.folder}/programs:/usr/sbin:/usr/bin:/sbin:/bin"
        environment = {
            "PATH": path,
            "APT_CONFIG": f"{self.folder}/apt.conf",
            "DPKG_ROOT": str(self.root),
            "LC_ALL": "C",
        }
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    def refresh(self) -> None:
        self.own("apt-get", "-q", "update")

    def install(self, *packages: str) -> None:
        self.own("apt-get", "-y", "-q", "--allow-downgrades", "install", *packages)

    def versions(self, *names: str) -> dict[str, str]:
        said = self.own("dpkg-query", "-W", "-f", "${Package} ${Version} ${db:Status-Status}\n")
        found = [line.split() for line in said.splitlines()]
        return {one[0]: one[1] for one in found if one[-1] == "installed" and (not names or one[0] in names)}

    # ------------------------------------------------------------ sshd

    def start(self) -> None:
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        with socket.create_server(("127.0.0.1", 0)) as chosen:
            self.port = chosen.getsockname()[1]
        (self.folder / "sshd_config").write_text(CONFIG.format(port=self.port, folder=self.folder))
        with (self.folder / "log").open("ab") as log:
            self._child = subprocess.Popen([SSHD, "-D", "-e", "-f", self.folder / "sshd_config"], stderr=log)
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

    def connection(self) -> dict[str, Any]:
        """Its Airflow connection."""
        keys = {"private_key": (self.folder / "user").read_text(), "host_key": (self.folder / "host.pub").read_text()}
        return {"host": "127.0.0.1", "port": self.port, "login": getpass.getuser(), "extra": keys}


def missing_programs() -> list[str]:
    """What this machine lacks to be such a host."""
    wanted: Iterable[str] = ("apt-get", "dpkg", "dpkg-deb", "ssh-keygen")
    return [one for one in wanted if shutil.which(one) is None] + ([] if Path(SSHD).exists() else ["sshd"])
