"""One backup of a repository: its archive's size, its manifest read strictly, and what is wrong with the two."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

SUFFIX = ".manifest.json"
FORMAT_VERSIONS = (1, 2)
NAME = re.compile(r"-(?P<at>\d{8}T\d{6}Z)\.")
SHA256 = re.compile(r"^[0-9a-f]{64}$")
CLOCKS_APART = timedelta(minutes=5)
SHAPES: dict[str, type] = {
    **dict.fromkeys(("tables", "files", "lacks", "canary", "collation", "extensions", "sequences"), dict),
    **dict.fromkeys(("schema", "newest", "invariants"), dict),
    "roles": list,
}
LACKS = "lacks"  # what a manifest could not say of its backup, with the reason for each


@dataclass(frozen=True, slots=True)
class Manifest:
    """``size_bytes`` and ``sha256`` are of the archive when it was written; a failed backup has none.

    ``files`` are size and SHA-256 of each file of a directory, whose own ``sha256`` is that of their list. ``rows``
    are counts by table in the snapshot. ``facts`` is all that was written down.
    """

    database: str
    succeeded: bool
    taken: datetime
    size_bytes: int
    sha256: str
    error: str
    format: str = "custom"
    files: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    rows: Mapping[str, int] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def described(self) -> bool:
        """Whether a restored copy can be proven equal: counts and fingerprints of the snapshot are there."""
        tables = self.facts.get("tables")
        return isinstance(tables, dict) and any(
            "fingerprint" in one for one in tables.values() if isinstance(one, dict)
        )


@dataclass(frozen=True, slots=True)
class Backup:
    """``size`` is the archive's own, None without one. ``read`` is False for old ones whose manifest was left alone."""

    name: str
    size: int | None
    manifest: Manifest | None
    problem: str
    read: bool = True

    @property
    def taken(self) -> datetime | None:
        """When its data was current: the snapshot in the manifest, or the time in its name where there is none."""
        return self.manifest.taken if self.manifest else named_time(self.name)

    @property
    def good(self) -> bool:
        """Ended successfully, with both files there and something in the archive."""
        return bool(self.manifest and self.manifest.succeeded and self.size and not self.problem)

    @property
    def sha256(self) -> str:
        return f"SHA-256 {self.manifest.sha256}" if self.manifest and self.manifest.sha256 else ""

    @property
    def sound(self) -> bool:
        """Good, and as large as its manifest says: fit to be restored or compared with."""
        return self.good and not self.mismatch()

    def foreign(self, database: str) -> bool:
        """Whether its manifest says that it is of another database."""
        return self.manifest is not None and self.manifest.database != database

    def mismatch(self) -> str:
        if self.manifest is None or not self.manifest.succeeded or self.size in (None, self.manifest.size_bytes):
            return ""
        return f"manifest says {self.manifest.size_bytes} bytes, the file has {self.size}"

    def age(self, at: datetime) -> float:
        """Seconds from its snapshot to ``at``; 0 where it was taken after ``at``, or nobody knows when."""
        return max(0.0, (at - self.taken).total_seconds()) if self.taken else 0.0

    def is_after(self, at: datetime) -> bool:
        return self.taken is not None and self.taken > at + CLOCKS_APART

    def story(self) -> str:
        """What an operator reads first."""
        if self.problem:
            return self.problem
        if self.manifest is None:
            return "its manifest was not read"
        if not self.manifest.succeeded:
            return f"its manifest says failed: {self.manifest.error or 'no reason given'}"
        if not self.size:
            return "the archive is empty"
        return f"{self.size} bytes, {self.sha256}"


def named_time(name: str) -> datetime | None:
    """The time in a backup's name (``clo-20261123T020000Z.dump``), None where there is none."""
    match = NAME.search(name)
    try:
        return datetime.strptime(match["at"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC) if match else None
    except ValueError:
        return None


def read_manifest(name: str, raw: bytes) -> tuple[Manifest | None, str]:
    """The manifest, or None; and what is wrong with it, or nothing."""
    try:
        facts = json.loads(raw)
    except (ValueError, RecursionError):
        return None, "its manifest is no JSON"
    if not isinstance(facts, dict) or facts.get("format_version") not in FORMAT_VERSIONS:
        return None, f"its manifest is not of format {' or '.join(map(str, FORMAT_VERSIONS))}"
    try:
        manifest = _manifest(facts)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        return None, f"its manifest lacks or garbles a value: {error}"
    return manifest, "" if facts.get("path") == name else f"its manifest is of another file: {facts.get('path')}"


def _manifest(facts: dict[str, Any]) -> Manifest:
    """Raises KeyError, TypeError, ValueError, AttributeError or OverflowError. What was not known may be missing."""
    _shaped(facts)
    succeeded = _one_of(facts["status"], "success", "failed") == "success"
    taken = facts.get("snapshot_at") or facts["started_at"]
    checksum = facts["sha256"] if succeeded else ""
    if succeeded and not SHA256.match(checksum):
        raise ValueError("sha256 is not one")
    return Manifest(
        database=str(facts["database"]),
        succeeded=succeeded,
        taken=_moment(taken),
        size_bytes=_size(facts["size_bytes"]) if succeeded else 0,
        sha256=checksum,
        error=str(facts.get("error") or "")[:300],
        format=str(facts.get("format") or "custom"),
        files=_files(facts.get("files") or {}),
        rows=_rows(facts.get("tables") or {}),
        facts=facts,
    )


def _shaped(facts: Mapping[str, Any]) -> None:
    """What others read off it later is of the right kind: one garbled manifest must not hide the other backups."""
    for name, kind in SHAPES.items():
        if facts.get(name) is not None and not isinstance(facts[name], kind):
            raise ValueError(f"{name} is no {'list' if kind is list else 'mapping'}")
    for name in ("server_major", "database_bytes"):
        _size(facts.get(name) or 0)
    for name in ("snapshot_at", "ended_at"):
        if facts.get(name):
            _moment(facts[name])


def _files(given: dict[str, Any]) -> dict[str, tuple[int, str]]:
    return {str(name): (_size(one["size_bytes"]), str(one["sha256"])) for name, one in given.items()}


def _rows(given: dict[str, Any]) -> dict[str, int]:
    """Tables of format 1 were of public and named without it."""
    return {name if "." in name else f"public.{name}": _size(one["rows"]) for name, one in given.items()}


def digest_of_files(files: Mapping[str, str]) -> str:
    """The SHA-256 that stands for a directory: over the list ``sha256sum`` would print, sorted by name."""
    lines = "".join(f"{sha256}  {name}\n" for name, sha256 in sorted(files.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def _one_of(given: Any, *allowed: str) -> str:
    if given not in allowed:
        raise ValueError(f"status is {given!r}")
    return str(given)


def _size(given: Any) -> int:
    if isinstance(given, bool) or not isinstance(given, int) or given < 0:
        raise ValueError(f"size_bytes is {given!r}")
    return given


def _moment(given: str) -> datetime:
    moment = datetime.fromisoformat(given)
    if moment.tzinfo is None:
        raise ValueError(f"{given} has no time zone")
    return moment.astimezone(UTC)
