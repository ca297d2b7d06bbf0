"""Finding a pg_dump that fits the server, and running it without a password on its command line."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

_ENVIRONMENT = {
    "host": "PGHOST",
    "hostaddr": "PGHOSTADDR",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "dbname": "PGDATABASE",
    "sslmode": "PGSSLMODE",
}


class NoDumpProgram(RuntimeError):
    """No pg_dump as new as the server; the sentence says what was found."""


def candidates(bin_dir: Path | None) -> Iterator[Path]:
    if bin_dir:
        yield bin_dir / "pg_dump"
        return
    on_path = shutil.which("pg_dump")
    if on_path:
        yield Path(on_path)
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_dump"))


def version_of(program: Path) -> tuple[int, str] | None:
    """Major version and the program's own words; None when it cannot be run."""
    try:
        done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"(\d+)(?:\.\d+)?", done.stdout)
    return (int(found[1]), done.stdout.strip()) if found and done.returncode == 0 else None


def find(server_major: int, bin_dir: Path | None = None) -> tuple[Path, int, str]:
    """The oldest one that is new enough: an archive of a newer pg_dump may ask for a newer pg_restore."""
    known = [(path, version) for path in candidates(bin_dir) if (version := version_of(path))]
    fitting = sorted((version[0], str(path), version[1]) for path, version in known if version[0] >= server_major)
    if not fitting:
        found = ", ".join(f"{path} ({version[1]})" for path, version in known) or "none at all"
        raise NoDumpProgram(f"the server is PostgreSQL {server_major}; found of pg_dump: {found}")
    return Path(fitting[0][1]), fitting[0][0], fitting[0][2]


def compressions(major: int) -> list[tuple[str, str]]:
    """What to try in this order, as name and option; a pg_dump can be built without zstd."""
    gzip = ("gzip:1", "--compress=1")
    return [("zstd:1", "--compress=zstd:1"), gzip] if major >= 16 else [gzip]


def environment(dsn: str) -> Mapping[str, str]:
    """The connection as libpq's variables. Only what is in the DSN overrides what is set already."""
    parts = conninfo_to_dict(dsn)
    given = {_ENVIRONMENT[name]: str(value) for name, value in parts.items() if name in _ENVIRONMENT and value}
    return {**os.environ, "PGCONNECT_TIMEOUT": "10", "PGAPPNAME": "clo-backup", **given}


def run(program: Path, options: list[str], dsn: str) -> str | None:
    """None when it succeeded, else the end of what it said."""
    done = subprocess.run(
        [program, "--no-password", "--format=custom", "--lock-wait-timeout=60s", *options],
        env=environment(dsn),
        capture_output=True,
        text=True,
        check=False,
    )
    return None if done.returncode == 0 else done.stderr.strip()[-500:] or f"ended with {done.returncode}"
