"""Is the throw-away server like the one the backup was taken of: version, encoding, collation, extensions (M3-01)?

What the manifest does not tell is not asked for: there is nothing to compare it with.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from clo_ops.actions.drill.place import ChosenBackup, Server
from clo_ops.findings import Answer, Measurement
from clo_ops.probes.postgres import connect, rows
from clo_ops.probes.reaching import Unreachable
from clo_ops.rules.guard import PARITY

if TYPE_CHECKING:
    from clo_ops.actions.drill.session import Connection

PROVIDERS = {"c": "libc", "i": "icu", "b": "builtin"}


def parity(server: Server, backup: ChosenBackup) -> Answer:
    """``guard.parity`` (bool {aspect, of}; detail has both sides), after the start and before the restore."""
    target = replace(server.target, database="postgres")
    try:
        with connect(target) as session:
            identity = rows(session, "server_identity")[0]
            collation = backup.manifest.get("collation") or {}
            locale = collation.get("collate")
            known = bool(locale and rows(session, "drill/collation_known", {"locale": locale})[0]["known"])
            extensions = {row["name"]: row["versions"] for row in rows(session, "drill/available_extensions")}
            version = _version_here(session, collation)
    except Unreachable as error:
        return error.unanswered("versions, collations and extensions", target, "a read-only session")
    return Answer.of(
        [
            *_versions(identity, backup),
            *_collation(collation, known, version, identity["version_num"] // 10000),
            *_extensions(backup.manifest.get("extensions") or {}, extensions),
        ]
    )


def _version_here(session: Connection, then: dict[str, Any]) -> str:
    """Of the backup's collation on this server; empty where it has none, or does not know it."""
    provider = then.get("provider") or "c"
    name = then.get("collate") if provider == "c" else then.get("locale")
    found = rows(session, "drill/collation_version", {"provider": provider, "name": name or ""})
    return str(found[0]["version"] or "") if found else ""


def _same(aspect: str, holds: bool, detail: str, of: str = "") -> Measurement:
    return Measurement(PARITY, holds, "bool", datetime.now(UTC), {"aspect": aspect, "of": of}, detail)


def _versions(identity: dict[str, Any], backup: ChosenBackup) -> Iterator[Measurement]:
    major = identity["version_num"] // 10000
    detail = f"backup of PostgreSQL {backup.major}, server {identity['server_version']}"
    yield _same("major_version", major >= backup.major, detail)
    yield _same("same_major", major == backup.major, detail)
    minor = re.match(r"(\d+)\.(\d+)", str(backup.manifest.get("server_version") or ""))
    if minor and int(minor[1]) == major:
        here = identity["version_num"] % 10000
        yield _same(
            "minor_version", here >= int(minor[2]), f"backup of {minor[0]}, server {identity['server_version']}"
        )


def _collation(then: dict[str, Any], known: bool, version: str, major: int) -> Iterator[Measurement]:
    if then.get("encoding"):
        # Every encoding but these few can be a database's; what makes the database asks for the backup's own.
        client_only = {"SJIS", "BIG5", "GBK", "UHC", "GB18030", "JOHAB", "SHIFT_JIS_2004"}
        yield _same("encoding", then["encoding"] not in client_only, f"backup {then['encoding']}")
    if then.get("provider"):
        since = {"c": 0, "i": 15, "b": 17}.get(then["provider"], 10**6)
        name = PROVIDERS.get(then["provider"], then["provider"])
        yield _same(
            "provider", major >= since, f"backup {name}, a database of PostgreSQL {major} can have it: {major >= since}"
        )
    if then.get("collate"):
        yield _same("locale", known, f"backup {then['collate']}, {'known' if known else 'not known'} to the server")
    if then.get("collation_version") and version:
        detail = f"backup {then['collation_version']}, server {version}"
        yield _same("collation_version", then["collation_version"] == version, detail)


def _extensions(wanted: dict[str, str], available: dict[str, list[str]]) -> Iterator[Measurement]:
    for name, version in sorted(wanted.items()):
        versions = available.get(name) or []
        there = f"server has {', '.join(versions) or 'none'}"
        yield _same("extension", bool(versions), f"backup {name}, {there}", name)
        if versions:
            yield _same("extension_version", version in versions, f"backup {name} {version}, {there}", name)
