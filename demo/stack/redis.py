"""One Redis on the loopback with a password. A clean stop saves what it holds, a kill loses it.

with Redis(directory) as server:
    redis.Redis.from_url(server.url())
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any, Self

from demo.stack import processes, servers
from demo.stack.files import write_private
from demo.stack.ports import LOOPBACK, free_port

START_SECONDS = 15.0
MAINTAINER = "clo_ops_cache"
MAINTAINER_MAY = (
    "-@all +ping +info +scan +dbsize +pttl +select +unlink +memory|usage +memory|purge +client|setname +command|info"
)


class RedisFailed(RuntimeError):
    """Redis could not be started; the sentence ends with what it said."""


class Redis:
    """A server in ``directory``. ``port`` is the one preferred; ``settings`` go to redis.conf as they are.

    Raises servers.NoServer, RedisFailed.
    """

    def __init__(
        self,
        directory: Path | str,
        *,
        port: int | None = None,
        choice: str | None = None,
        settings: dict[str, str] | None = None,
        mark: str | None = None,
    ) -> None:
        self.directory = Path(directory)
        self.origin, self.program = servers.redis(choice)
        self.settings = settings or {}
        self._preferred = port
        self._child: subprocess.Popen[bytes] | None = None
        self._facts: dict[str, Any] = self._load()
        if mark:
            self._facts["mark"] = mark

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def port(self) -> int:
        return int(self._facts["port"])

    @property
    def password(self) -> str:
        return str(self._facts["password"])

    @property
    def log(self) -> Path:
        return self.directory / "redis.log"

    @property
    def process(self) -> processes.Process | None:
        known = self._facts.get("process")
        return processes.Process(known["pid"], known["started"]) if known else None

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.alive()

    def url(self, database: int = 0) -> str:
        return f"redis://:{self.password}@{LOOPBACK}:{self.port}/{database}"

    @property
    def maintainer(self) -> tuple[str, str]:
        """Name and password of the user who keeps the cache (WM-04, WM-05)."""
        return MAINTAINER, str(self._facts["maintainer_password"])

    def start(self) -> Self:
        if self.running:
            return self
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name in ("password", "maintainer_password"):
            self._facts.setdefault(name, secrets.token_urlsafe(18))
        preferred = self._preferred or self._facts.get("port")
        for _ in range(5):
            port = free_port(preferred)
            if self._start_on(port):
                return self
            preferred = None if preferred is None else port + 1
        raise RedisFailed(f"{self.program} did not start on 5 ports: {self.log_tail()}")

    def stop(self, *, grace: float = 5.0) -> None:
        process = self.process
        if process and process.alive():
            processes.end([process], grace=grace)
        self._reap()

    def kill(self) -> None:
        process = self.process
        if process:
            process.signal(signal.SIGKILL)
            processes.wait_gone([process], 5.0)
        self._reap()

    def log_tail(self, characters: int = 600) -> str:
        return self.log.read_text(errors="replace")[-characters:].strip() if self.log.exists() else "(no log)"

    def _start_on(self, port: int) -> bool:
        conf = self.directory / "redis.conf"
        write_private(conf, self._configuration(port))
        environment = {"PATH": os.defpath} | ({processes.MARK: self._facts["mark"]} if "mark" in self._facts else {})
        self._child, process = processes.spawn(
            [self.program, conf], log=self.log, directory=self.directory, environment=environment
        )
        self._facts |= {"port": port, "process": {"pid": process.pid, "started": process.started}}
        write_private(self.directory / "redis.json", json.dumps(self._facts))
        deadline = time.monotonic() + START_SECONDS
        while process.alive() and time.monotonic() < deadline:
            if self._answers(port):
                return True
            time.sleep(0.02)
        self.stop()
        return False

    def _configuration(self, port: int) -> str:
        """The password stands in a file of mode 600, never on a command line others can read."""
        settings = {
            "bind": LOOPBACK,
            "port": str(port),
            "requirepass": self.password,
            # A clean stop saves, a start loads: a stopped Redis that comes back has its sessions, as a real one would.
            "save": "3600 1",
            "appendonly": "no",
            "dir": str(self.directory.resolve()),
            "daemonize": "no",
            "databases": "16",
            f"user {MAINTAINER}": self._maintainer_rules(),
        } | self.settings
        return "".join(f"{name} {value}\n" for name, value in settings.items())

    def _maintainer_rules(self) -> str:
        """It reads every key and removes only what is marked expired; before Redis 7 keys are not told apart so."""
        version = subprocess.run([self.program, "--version"], capture_output=True, text=True, check=True).stdout
        told_apart = int(version.partition("v=")[2].partition(".")[0]) >= 7
        where = "%R~* ~expired:*" if told_apart else "~*"
        password = hashlib.sha256(self.maintainer[1].encode()).hexdigest()
        return f"on #{password} {where} {MAINTAINER_MAY}"

    def _answers(self, port: int) -> bool:
        request = f"AUTH {self.password}\r\nPING\r\n".encode()
        try:
            with socket.create_connection((LOOPBACK, port), timeout=1) as connection:
                connection.sendall(request)
                return self._read(connection).startswith(b"+OK\r\n+PONG")
        except OSError:
            return False

    @staticmethod
    def _read(connection: socket.socket) -> bytes:
        answer = b""
        while answer.count(b"\n") < 2:
            part = connection.recv(256)
            if not part or answer.startswith(b"-"):
                break
            answer += part
        return answer

    def _reap(self) -> None:
        if self._child is not None:
            self._child.wait(timeout=10)
            self._child = None

    def _load(self) -> dict[str, Any]:
        path = self.directory / "redis.json"
        return dict(json.loads(path.read_text())) if path.exists() else {}
