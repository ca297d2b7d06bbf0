"""The commands to do it for real: with the names, options and figures of this very drill, and without a secret."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from clo_ops.reports.drill_facts import DrillFacts

UNPACK = {"gzip": "gunzip --keep", "zstd": "zstd -d --keep", "lz4": "lz4 -d --keep"}


@dataclass(frozen=True, slots=True)
class Step:
    """What is done, the command for it, and what must be seen before the next."""

    what: str
    command: str
    seen: str


def runbook(facts: DrillFacts) -> list[Step]:
    """Recovery onto a new server, step by step; empty where the drill did not get as far as choosing a backup."""
    taken = dict(facts.phases).get("restore")
    known = {**facts.facts, "restore.seconds": f"{taken:.0f}" if taken else "an unknown number of"}
    return list(_steps(known)) if known.get("backup.path") else []


def _steps(known: Mapping[str, str]) -> Iterator[Step]:
    path, database = known["backup.path"], known.get("backup.database") or "clo"
    major = known.get("backup.server_major") or "15"
    file = shlex.quote(path.rsplit("/", 1)[-1])
    yield Step(
        f"Stop the application's writers, and fetch {path} from {known.get('backup.repository', 'the repository')}",
        f"sha256sum {file}",
        known.get("backup.sha256") or "the SHA-256 of the manifest beside it",
    )
    yield Step(
        f"A server of PostgreSQL {major} with production's locale ({known.get('backup.collation', 'see production')})",
        f"pg_createcluster {major} recovered --start   # or: initdb, pg_ctl start",
        "pg_isready answers: accepting connections",
    )
    if roles := known.get("backup.roles"):
        yield Step(
            "The roles first; their passwords come from the vault, never from the backup",
            "\n".join(f"createuser --no-superuser {shlex.quote(role)}" for role in roles.split(", ")),
            "each of them in \\du",
        )
    if unpack := UNPACK.get(known.get("backup.wrapped", "")):
        yield Step("What is round the archive taken off", f"{unpack} {file}", "no error; the file beside it")
    yield from _restoring(known, file, database)


def _restoring(known: Mapping[str, str], file: str, database: str) -> Iterator[Step]:
    name = shlex.quote(database)
    yield Step("An empty database", f"createdb --template=template0 --encoding=UTF8 {name}", "no error")
    restore = known.get("restore.command") or f"pg_restore --dbname={name} --jobs=2 {file}"
    yield Step(
        "The restore; its last lines are read, its exit code alone is not believed",
        restore,
        f"no line with 'error:' ({known['restore.seconds']} s in this drill)",
    )
    yield Step("Planner statistics", f"psql --dbname={name} --command='ANALYZE'", "ANALYZE")
    if nonce := known.get("backup.canary"):
        table = known.get("backup.canary_table", "backup_canary")
        yield Step(
            "The canary of this very backup",
            f"psql --dbname={name} --command='TABLE {table}' | grep --count {shlex.quote(nonce)}",
            "1",
        )
    yield Step(
        "Point the application at the new server, start it, then see that operations agree",
        "airflow dags trigger daily_morning_startup",
        "the morning start-up green; then a new backup at once",
    )
