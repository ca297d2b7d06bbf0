"""Ask PostgreSQL which version runs, which extensions lag behind their files, what waits for a restart (M4-02)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from clo_ops.findings import Answer, Measurement
from clo_ops.probes.postgres import connect, rows
from clo_ops.probes.reaching import Unreachable
from clo_ops.probes.targets import PostgresTarget

VERSION, EXTENSION, WAITING = "postgresql.version.minor", "postgresql.extension.current", "postgresql.restart.waiting"


def patches(target: PostgresTarget) -> Answer:
    """M4-02: postgresql.version.minor (count; its detail is the version), .extension.current (bool) {extension}, whose
    detail is "installed available", and .restart.waiting (count), whose detail names the settings."""
    try:
        with connect(target) as connection:
            (server,) = rows(connection, "updates/version")
            extensions = rows(connection, "updates/extensions")
    except Unreachable as error:
        return error.unanswered("PostgreSQL's version", target, "a read-only session")
    at = datetime.now(UTC)
    version = str(server["version"]).split()[0]
    found = [
        Measurement(VERSION, float(version.partition(".")[2] or 0), "count", at, {}, version),
        Measurement(WAITING, len(server["waiting"]), "count", at, {}, ", ".join(server["waiting"])),
    ]
    return Answer.of([*found, *_extensions(extensions, at)])


def _extensions(found: list[dict[str, str]], at: datetime) -> Iterator[Measurement]:
    for one in found:
        same = one["installed"] == one["available"]
        said = f"{one['installed']} {one['available']}"
        yield Measurement(EXTENSION, float(same), "bool", at, {"extension": one["name"]}, said)
