"""One throw-away PostgreSQL on the worker's machine: loopback only, a socket directory and a password of its own."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from clo_ops.actions.drill.place import Done, PlaceFailed, PlaceGone
from clo_ops.probes.postgres import connect
from clo_ops.probes.reaching import Unreachable
from clo_ops.probes.targets import PostgresTarget

LOOPBACK = "127.0.0.1"
LOOK_AGAIN = 0.05
TIMED_OUT = 124
REPLICATION = "host replication postgres 127.0.0.1/32 scram-sha-256\n"
# What touches the data directory must be its owner; clients run as the worker, who may read the backup.
OF_THE_OWNER = frozenset({"pg_ctl", "initdb", "postgres", "pg_basebackup", "pg_controldata", "pg_rewind"})
# What this process started is waited for by it; another one finds a server by its directory.
_started: list[subprocess.Popen[bytes]] = []


def account() -> pwd.struct_passwd | None:
    """Whom PostgreSQL runs as: None for ourselves; for root, whom it refuses, `postgres` or `nobody`."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise PlaceFailed(
        "root may not run PostgreSQL, and this machine has neither an account postgres nor nobody",
        next_step="run the worker as an ordinary account",
    )


def as_account() -> dict[str, Any]:
    """What subprocess needs to start a program as that account."""
    owner = account()
    return {} if owner is None else {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}


@dataclass
class LocalServer:
    """See ``clo_ops.actions.drill.place.Server``. ``directory`` holds data, socket, log and port."""

    name: str
    directory: Path
    programs: Path
    database: str
    password: str = field(repr=False)

    @property
    def host(self) -> str:
        return LOOPBACK

    @property
    def data(self) -> Path:
        return self.directory / "data"

    @property
    def port(self) -> int:
        try:
            return int((self.directory / "port").read_text())
        except OSError:
            raise PlaceGone(f"the drill's {self.name} has no port below {self.directory}") from None

    @property
    def target(self) -> PostgresTarget:
        return PostgresTarget(
            host=LOOPBACK,
            port=self.port,
            database=self.database,
            user="postgres",
            password=self.password,
            client_name=f"clo_ops/drill/{self.name}",
            statement_timeout=600.0,
        )

    def initialise(self, password: str) -> None:
        self._make_directory()
        secret = self.directory / "password"
        secret.touch(mode=0o600)
        secret.write_text(password)
        self._give(secret)
        options = ["-U", "postgres", "-A", "scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "-N"]
        done = self._done("initdb", ["-D", str(self.data), f"--pwfile={secret}", *options], 120)
        secret.unlink()
        if done.exit_code:
            raise PlaceFailed(f"initdb of the drill's {self.name} failed: {done.stderr.strip()[-600:]}")

    def start(self, settings: Mapping[str, str]) -> None:
        port = _free_port()
        (self.directory / "port").write_text(str(port))
        given = {**settings, "port": str(port), "unix_socket_directories": str(self.directory / "socket")}
        arguments = [part for name, value in given.items() for part in ("-c", f"{name}={value}")]
        with (self.directory / "log").open("ab") as log:
            child = subprocess.Popen(
                [self.programs / "postgres", "-D", self.data, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=self._environment(),
                start_new_session=True,
                **as_account(),
            )
        _started.append(child)

    def copy_of(self, primary: LocalServer, timeout: float) -> None:
        """A base backup of ``primary`` with slot and connection of a standby. Raises PlaceFailed."""
        self._make_directory()
        hba = primary.data / "pg_hba.conf"
        if REPLICATION not in hba.read_text():
            with hba.open("a") as file:
                file.write(REPLICATION)
        primary.run("pg_ctl", "reload", "-s", "-D", str(primary.data), timeout=30)
        options = ["-X", "stream", "-C", "-S", "standby", "-c", "fast", "-R", "--no-sync"]
        done = primary.run(
            "pg_basebackup", "-D", str(self.data), *options, "-d", "application_name=standby", timeout=timeout
        )
        if done.exit_code:
            raise PlaceFailed(f"the standby could not be copied from the primary: {done.stderr.strip()[-600:]}")

    def run(self, program: str, *arguments: str, timeout: float, stdin: bytes | None = None) -> Done:
        if not self.data.exists():
            raise PlaceGone(f"the drill's {self.name} is not there any more: {self.data}")
        return self._done(program, list(arguments), timeout, stdin)

    def wait_ready(self, timeout: float) -> None:
        deadline, last = time.monotonic() + timeout, ""
        target = replace(self.target, database="postgres", connect_timeout=2.0, statement_timeout=5.0)
        while time.monotonic() < deadline:
            try:
                with connect(target):
                    return
            except Unreachable as error:
                last = error.observed
            if "database system is shut down" in self.log(3):
                break
            time.sleep(LOOK_AGAIN)
        raise PlaceFailed(f"the drill's {self.name} took no connection in {timeout:g} s: {last}. Log: {self.log()}")

    def kill(self) -> None:
        self.end(self.data)

    disconnect = kill

    def remove(self) -> None:
        """Whatever is there of it, running, half made or not at all."""
        if self.directory.exists():
            self.end(self.data)
            shutil.rmtree(self.directory)

    def log(self, lines: int = 40) -> str:
        path = self.directory / "log"
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.exists() else ""

    @staticmethod
    def end(data: Path) -> None:
        """SIGKILL to every program that works on ``data``, with its children: the server, or what was copying into it
        for a worker that was killed. Nothing where none runs.
        """
        import psutil

        family: list[psutil.Process] = []
        for process in psutil.process_iter(["name", "cmdline"]):
            # Only what names this very directory is ended.
            if process.info["name"] in OF_THE_OWNER and str(data) in (process.info["cmdline"] or ()):
                with suppress(psutil.NoSuchProcess):
                    family += [process, *process.children(recursive=True)]
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(family, timeout=10)
        _started[:] = [child for child in _started if child.poll() is None]

    def _make_directory(self) -> None:
        for path in (self.directory, self.directory / "socket"):
            path.mkdir(mode=0o700)
            self._give(path)

    def _give(self, path: Path) -> None:
        if (owner := account()) is not None:
            shutil.chown(path, owner.pw_uid, owner.pw_gid)

    def _done(self, program: str, arguments: list[str], timeout: float, stdin: bytes | None = None) -> Done:
        started = time.monotonic()
        command = [str(self.programs / program), *arguments]
        whose = as_account() if program in OF_THE_OWNER else {}
        try:
            done = subprocess.run(
                command, input=stdin or b"", capture_output=True, timeout=timeout, check=False, cwd="/",
                env=self._environment(), **whose,
            )  # fmt: skip
            code, out, err = done.returncode, done.stdout, done.stderr
        except subprocess.TimeoutExpired as error:
            code, out, err = TIMED_OUT, error.stdout or b"", error.stderr or b""
        except OSError as error:
            raise PlaceFailed(f"{command[0]} cannot be run: {error}") from None
        seconds = time.monotonic() - started
        return Done(code, out.decode(errors="replace"), err.decode(errors="replace"), seconds)

    def _environment(self) -> dict[str, str]:
        """Nothing of the worker's PG* variables: they may point at production."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
        port = self.directory / "port"
        reach = {"PGHOST": LOOPBACK, "PGUSER": "postgres", "PGPASSWORD": self.password, "PGCONNECT_TIMEOUT": "10"}
        return kept | reach | {"LC_ALL": "C.UTF-8"} | ({"PGPORT": port.read_text()} if port.exists() else {})


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
