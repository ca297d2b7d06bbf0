"""One PostgreSQL cluster on the loopback, as the demo and the tests start it.

TCP only, SCRAM passwords made up at creation, no unix socket. ``fsync`` is off unless ``durable``: the demo's data can
be made again in a minute. Run by root, the server runs as an ordinary account and keeps its data in a private
directory below /var/tmp, since the state directory is closed to everybody else.

    with Cluster(directory) as cluster:
        cluster.create_user("clo_app")
        cluster.create_database("clo", owner="clo_app")
        psycopg.connect(cluster.url("clo", "clo_app"))
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import psycopg
from psycopg import sql

from demo.stack import accounts, processes, servers
from demo.stack.files import write_private
from demo.stack.ports import LOOPBACK, free_port

START_SECONDS = 30.0
SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "shared_buffers": "64MB",
    "max_connections": "100",
    "password_encryption": "scram-sha-256",
    "log_line_prefix": "%m [%p] %q%u@%d %a ",
    "log_min_messages": "warning",
    "log_connections": "on",
    "log_disconnections": "on",
    "log_statement": "ddl",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
STATEMENTS = {"shared_preload_libraries": "pg_stat_statements", "pg_stat_statements.track": "top"}


class ClusterFailed(RuntimeError):
    """The cluster could not be made or started; the sentence ends with what the server said."""


class Cluster:
    """A cluster in ``directory`` (made on first start, found again later).

    ``choice`` as in demo.stack.servers; ``port`` is the one preferred, the next free one is taken; ``settings`` go to
    postgresql.conf; ``mark`` says whose process it is (demo.stack.processes). Raises servers.NoServer, ClusterFailed.
    """

    def __init__(
        self,
        directory: Path | str,
        *,
        port: int | None = None,
        choice: str | None = None,
        settings: dict[str, str] | None = None,
        durable: bool = False,
        mark: str | None = None,
    ) -> None:
        self.directory = Path(directory)
        self.server = servers.postgres(choice)
        self.account = accounts.unprivileged()
        self.settings = SETTINGS | ({} if durable else NOT_DURABLE) | (settings or {})
        self._preferred = port
        self._child: subprocess.Popen[bytes] | None = None
        self._facts: dict[str, Any] = self._load()
        if mark:
            self._facts["mark"] = mark

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.destroy()

    @property
    def port(self) -> int:
        return int(self._facts["port"])

    @property
    def data(self) -> Path:
        return Path(self._facts["data"])

    @property
    def log(self) -> Path:
        return self.directory / "postgres.log"

    @property
    def bin(self) -> Path:
        """Where the cluster's own client programs are (psql, pg_dump, pg_restore ...)."""
        return self.server.bin

    @property
    def has_statements(self) -> bool:
        """Whether pg_stat_statements is loaded; the wheel's server comes without contrib."""
        return self.server.statements

    @property
    def process(self) -> processes.Process | None:
        known = self._facts.get("process")
        return processes.Process(known["pid"], known["started"]) if known else None

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.alive()

    def start(self) -> Self:
        """Make the cluster if need be and start it; nothing happens when it runs. A port lost meanwhile: the next."""
        if self.running:
            return self
        if "data" not in self._facts or not (self.data / "PG_VERSION").exists():
            self._create()
        preferred = self._preferred or self._facts.get("port")
        for _ in range(5):
            port = free_port(preferred)
            if self._start_on(port):
                return self
            preferred = None if preferred is None else port + 1
        raise ClusterFailed(f"PostgreSQL {self.server.version} did not start on 5 ports: {self.log_tail()}")

    def stop(self, *, grace: float = 15.0) -> None:
        """Fast shutdown; killed when it takes longer than ``grace`` seconds. Does nothing when it does not run."""
        process = self.process
        if process and process.alive():
            processes.end([process], grace=grace, first=signal.SIGINT)
        self._reap()

    def kill(self) -> None:
        """As a crash: the server is given no chance to say goodbye."""
        process = self.process
        if process:
            process.signal(signal.SIGKILL)
            processes.wait_gone([process], 5.0)
        self._reap()

    def destroy(self) -> None:
        """Stop and remove all that belongs to it, the private directory included."""
        self.stop()
        private = self._facts.get("private")
        for folder in (private, str(self.directory)):
            if folder:
                shutil.rmtree(folder, ignore_errors=True)
        self._facts = {}

    def url(self, database: str = "postgres", user: str = "postgres") -> str:
        """``postgresql://user:password@127.0.0.1:port/database``. Raises KeyError for a user it did not make."""
        password = quote(self.password(user), safe="")
        return f"postgresql://{quote(user, safe='')}:{password}@{LOOPBACK}:{self.port}/{quote(database, safe='')}"

    def password(self, user: str = "postgres") -> str:
        return str(self._facts["passwords"][user])

    @property
    def users(self) -> frozenset[str]:
        """Who was made through create_user, and postgres."""
        return frozenset(self._facts.get("passwords", {}))

    def connect(self, database: str = "postgres", user: str = "postgres") -> psycopg.Connection[Any]:
        return psycopg.connect(self.url(database, user), autocommit=True, application_name="demo/stack")

    def create_user(self, name: str, password: str | None = None, *, options: str = "") -> None:
        """A login role; made again it keeps its password. ``options`` as of CREATE ROLE, never from outside."""
        passwords = self._facts["passwords"]
        passwords[name] = password or passwords.get(name) or secrets.token_urlsafe(18)
        with self.connect() as connection:
            known = connection.execute("select 1 from pg_roles where rolname = %s", [name]).fetchone()
            connection.execute("set log_statement = 'none'")  # the statement holds a password
            verb = "alter" if known else "create"
            statement = sql.SQL("{} role {} login password {} {}").format(
                sql.SQL(verb), sql.Identifier(name), sql.Literal(passwords[name]), sql.SQL(options)
            )
            connection.execute(statement)
        self._save()

    def create_database(self, name: str, owner: str = "postgres") -> bool:
        """True when it was made now, False when it was there."""
        with self.connect() as connection:
            if connection.execute("select 1 from pg_database where datname = %s", [name]).fetchone():
                return False
            statement = sql.SQL("create database {} owner {} template template0 encoding 'UTF8'")
            connection.execute(statement.format(sql.Identifier(name), sql.Identifier(owner)))
        return True

    def psql(self, *arguments: str, database: str = "postgres", user: str = "postgres") -> str:
        """Run psql, stopping at the first error; returns its output. Raises subprocess.CalledProcessError."""
        command = [str(self.bin / "psql"), "-XqAt", "-v", "ON_ERROR_STOP=1", *self.client(database, user), *arguments]
        done = subprocess.run(command, env=self.environment(user), capture_output=True, text=True, check=True)
        return done.stdout

    def client(self, database: str = "postgres", user: str = "postgres") -> list[str]:
        """The arguments every PostgreSQL client program understands; the password goes by ``environment``."""
        return ["-h", LOOPBACK, "-p", str(self.port), "-U", user, "-d", database]

    def environment(self, user: str = "postgres") -> dict[str, str]:
        return {**os.environ, "PGPASSWORD": self.password(user), "PGCONNECT_TIMEOUT": "10"}

    def log_tail(self, characters: int = 600) -> str:
        return self.log.read_text(errors="replace")[-characters:].strip() if self.log.exists() else "(no log)"

    def _create(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._place()
        password = secrets.token_urlsafe(18)
        self._initialise(password)
        settings = self.settings | (STATEMENTS if self.has_statements else {})
        lines = "".join(f"{name} = '{value}'\n" for name, value in settings.items())
        with (self.data / "postgresql.conf").open("a") as conf:
            conf.write(lines)
        self._facts["passwords"] = {"postgres": password}
        self._save()

    def _place(self) -> None:
        """Decide where data and programs are; what a former, killed attempt left is removed first."""
        for leftover in (self._facts.get("private"), self._facts.get("data")):
            shutil.rmtree(leftover, ignore_errors=True) if leftover else None
        kept = {"mark": self._facts["mark"]} if "mark" in self._facts else {}
        self._facts = kept | {"data": str((self.directory / "data").resolve())}
        if self.account and not self.account.reaches(self.directory):
            private = accounts.private_directory(self.account, "clo-ops-pg-")
            self._facts |= {"private": str(private), "data": str(private / "data")}
        self._facts["bin"] = str(self._programs())
        self._save()

    def _programs(self) -> Path:
        """The server's own directory, or a copy when its account may not enter it (a checkout in /root)."""
        if not self.account or self.account.reaches(self.server.bin):
            return self.server.bin
        install = self.server.bin.parent
        copy = Path(self._facts["private"]) / "server"
        # A wheel keeps its shared libraries beside the package, and finds them by their relative place.
        for libraries in install.parents[1].glob(f"{install.parent.name}.libs"):
            shutil.copytree(libraries, copy / libraries.name, symlinks=True)
        shutil.copytree(install, copy / install.parent.name / install.name, symlinks=True)
        return copy / install.parent.name / install.name / "bin"

    def _initialise(self, password: str) -> None:
        parent = self.data.parent
        if self.account and "private" not in self._facts:
            accounts.give(parent, self.account)
        pwfile = parent / f"pw-{secrets.token_hex(4)}"
        write_private(pwfile, password)
        if self.account:
            accounts.give(pwfile, self.account)
        try:
            self._initdb(pwfile)
        finally:
            pwfile.unlink(missing_ok=True)

    def _initdb(self, pwfile: Path) -> None:
        program = Path(self._facts["bin"]) / "initdb"
        options = ["-U", "postgres", "--auth=scram-sha-256", f"--pwfile={pwfile}", "--encoding=UTF8", "--locale=C"]
        done = subprocess.run(
            [program, "-D", self.data, *options, "--no-sync", "--no-instructions"],
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            env=self._server_environment(),
            **accounts.as_account(self.account),
        )
        if done.returncode:
            raise ClusterFailed(f"initdb of PostgreSQL {self.server.version} failed: {done.stderr.strip()[-600:]}")

    def _start_on(self, port: int) -> bool:
        command = [self._facts["bin"] + "/postgres", "-D", str(self.data), "-p", str(port)]
        environment = self._server_environment()
        self._child, process = processes.spawn(
            command, log=self.log, environment=environment, directory=Path("/"), account=self.account
        )
        self._facts |= {"port": port, "process": {"pid": process.pid, "started": process.started}}
        self._save()
        deadline = time.monotonic() + START_SECONDS
        while process.alive() and time.monotonic() < deadline:
            if self._accepts(process.pid):
                return True
            time.sleep(0.02)
        self.stop()
        return False

    def _accepts(self, pid: int) -> bool:
        """The server's own word in postmaster.pid: our process, and its last line says ready."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) >= 8 and lines[0].strip() == str(pid) and lines[7].strip() == "ready"

    def _server_environment(self) -> dict[str, str]:
        """Nothing of the caller's PG* variables; LC_ALL so that a machine without locales serves."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
        mark = {processes.MARK: self._facts["mark"]} if "mark" in self._facts else {}
        return kept | mark | {"LC_ALL": "C", "HOME": "/"}

    def _reap(self) -> None:
        if self._child is not None:
            self._child.wait(timeout=10)
            self._child = None

    def _load(self) -> dict[str, Any]:
        path = self.directory / "cluster.json"
        return dict(json.loads(path.read_text())) if path.exists() else {}

    def _save(self) -> None:
        write_private(self.directory / "cluster.json", json.dumps(self._facts, indent=1))
