"""Restore the backup into the drill's place (M3-02; manual L204; D16, D17), in parallel where its format allows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from clo_ops.actions.drill.phases import phase
from clo_ops.actions.drill.place import ChosenBackup, Done, Place, PlaceGone, Server
from clo_ops.actions.drill.roles import source_of
from clo_ops.actions.drill.session import execute, writing
from clo_ops.findings import Answer, Measurement
from clo_ops.policy.recovery import RestoreTerms
from clo_ops.probes.postgres import connect, rows
from clo_ops.probes.reaching import Unreachable, nobody_answered
from clo_ops.rules.restore import EMPTY, EXIT_CODE, MESSAGE, TABLES, classify

if TYPE_CHECKING:
    from clo_ops.actions.drill.session import Connection

# Used where the container does not know the locale the backup was taken with; the parity gate says so.
KNOWN_EVERYWHERE = "C.UTF-8"
SHOWN = 5
DECIDED_BY_CONTENT = "plain"


def restore(
    place: Place,
    backup: ChosenBackup,
    terms: RestoreTerms,
    *,
    timeout: float,
    server: Server | None = None,
    database: str = "",
    path: str = "",
) -> Answer:
    """Make the database (empty, with the backup's encoding and collation) and restore into it; ``timeout`` in seconds.

    ``restore.target.empty`` (bool), ``restore.exit_code``, ``restore.message`` (count {kind}; detail has the first
    ones), ``restore.tables`` (count {side: expected|missing}), ``drill.database.size`` (bytes) and
    ``drill.phase.duration`` {phase: restore}. A target
    that is not empty is left alone and nothing else is measured. A server that goes away is told by what pg_restore
    says, and by what nobody could be asked afterwards. ``server``, ``database`` and ``path``
    are for the fault table. Raises PlaceFailed where the target is production, Unreachable where it cannot be reached
    at first, PlaceGone.
    """
    server = server or place.primary()
    server_target = replace(server.target, database=database or backup.database)
    with phase("restore") as taken:
        with writing(server_target, production=source_of(backup), database="postgres") as session:
            _make_database(session, server_target.database, backup)
        with connect(server_target) as session:
            things = rows(session, "drill/target_contents")[0]["things"]
        if things:
            return _measured(EMPTY, 0, "bool", f"{things} things in {server_target.database}")
        command = command_of(backup, path or place.backup_path(backup.name), server_target.database, terms.jobs)
        done = server.run(command[0], *command[1:], timeout=timeout)
    said = _measured(EMPTY, 1, "bool") + Answer.of(_said(done, terms))
    return said + _looked_at(server, server_target.database, backup) + taken.answer


def drop(server: Server, backup: ChosenBackup) -> None:
    """What a restore begun by a worker that was killed left: it begins anew, on this drill's own server (M3-01).

    What could not be dropped is found by the restore, which wants its database empty. Raises Unreachable, PlaceFailed.
    """
    from psycopg import Error, sql

    with writing(server.target, production=source_of(backup), database="postgres") as session, suppress(Error):
        execute(session, "drill/drop_database", database=sql.Identifier(backup.database))


def command_of(backup: ChosenBackup, path: str, database: str, jobs: int) -> list[str]:
    """pg_restore for archives, in parallel where the format lets it seek; psql, in one transaction, for plain SQL."""
    if backup.format == DECIDED_BY_CONTENT:
        return ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-1", "-o", "/dev/null", "-d", database, "-f", path]
    parallel = [] if backup.format == "tar" else ["-j", str(jobs)]
    # Owners and grants need their roles; a backup that carries none is restored without them, and that is told.
    whole = [] if backup.manifest.get("roles") else ["--no-owner", "--no-privileges"]
    return ["pg_restore", "-d", database, *parallel, *whole, path]


def analyze(server: Server, backup: ChosenBackup, terms: RestoreTerms, *, timeout: float) -> Answer:
    """ANALYZE of every table; ``drill.phase.duration`` {phase: analyze} and ``drill.analyzed`` (bool).

    Without it the planner guesses, and every check after the restore takes its time.
    """
    arguments = ["--analyze-only", "-j", str(terms.jobs), "-d", backup.database]
    with phase("analyze") as taken:
        done = server.run("vacuumdb", "-q", *arguments, timeout=timeout)
    words = done.stderr.strip().splitlines()
    return taken.answer + _measured("drill.analyzed", done.exit_code == 0, "bool", words[0] if words else "")


def _make_database(session: Connection, name: str, backup: ChosenBackup) -> None:
    """Only where it is not there: what is in one that is there is looked at before anything is restored into it."""
    from psycopg import sql
    from psycopg.errors import DuplicateDatabase

    collation = backup.manifest.get("collation") or {}
    collate = _known(session, collation.get("collate"))
    try:
        execute(
            session,
            "drill/make_database",
            database=sql.Identifier(name),
            encoding=sql.Literal(collation.get("encoding") or "UTF8"),
            collate=sql.Literal(collate),
            ctype=sql.Literal(_known(session, collation.get("ctype"))),
            provider=_provider(collation),
        )
    except DuplicateDatabase:
        return


def _known(session: Connection, locale: str | None) -> str:
    if locale and rows(session, "drill/collation_known", {"locale": locale})[0]["known"]:
        return locale
    return KNOWN_EVERYWHERE


def _provider(collation: dict[str, Any]) -> Any:
    from psycopg import sql

    kinds = {"i": ("icu", "icu_locale"), "b": ("builtin", "builtin_locale")}
    if collation.get("provider") not in kinds or not collation.get("locale"):
        return sql.SQL("")
    kind, key = kinds[collation["provider"]]
    return sql.SQL("locale_provider {} {} {}").format(sql.SQL(kind), sql.SQL(key), sql.Literal(collation["locale"]))


def _said(done: Done, terms: RestoreTerms) -> Iterator[Measurement]:
    at, messages = datetime.now(UTC), classify(done.stderr, terms)
    last = [line for line in done.stderr.strip().splitlines() if line][-1:]
    yield Measurement(EXIT_CODE, done.exit_code, "count", at, detail="".join(last)[:300])
    for kind in ("fatal", "tolerated", "unknown"):
        texts = [f"{one.text} ({one.why})" for one in messages if one.kind == kind]
        yield Measurement(MESSAGE, len(texts), "count", at, {"kind": kind}, _shown(texts))


def _looked_at(server: Server, database: str, backup: ChosenBackup) -> Answer:
    """What is there now, asked of the catalog: pg_restore's own word is not taken for it."""
    expected = sorted(backup.manifest.get("tables") or [])
    try:
        with connect(replace(server.target, database=database)) as session:
            there = {f"{row['schema']}.{row['name']}" for row in rows(session, "contents/tables")}
            size = rows(session, "drill/restored_size")[0]["bytes"]
    except (Unreachable, PlaceGone) as error:
        tried = "a session after the restore"
        return nobody_answered(["what was restored"], f"the drill's {server.name}", tried, error.observed)
    # A backup without a manifest is compared with itself: at least something must have come.
    whence = "the manifest" if expected else "what was restored: the backup has no list of its tables"
    missing = [name for name in expected if name not in there]
    return (
        _measured(TABLES, len(expected or there), "count", whence, side="expected")
        + _measured(TABLES, len(missing), "count", _shown(missing), side="missing")
        + _measured("drill.database.size", size, "bytes")
    )


def _shown(texts: Sequence[str]) -> str:
    more = f" | and {len(texts) - SHOWN} more" if len(texts) > SHOWN else ""
    return " | ".join(texts[:SHOWN]) + more


def _measured(name: str, value: float, unit: str, detail: str = "", **labels: str) -> Answer:
    return Answer((Measurement(name, value, unit, datetime.now(UTC), labels, detail),))
