"""What is wrong with one backup, first of all and in words: held against its manifest and what reading it gave."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Literal

from clo_ops.findings import Measurement
from clo_ops.probes.backup_catalogue import Entry
from clo_ops.probes.backup_entries import LACKS
from clo_ops.probes.backup_reading import Reading

Fault = Literal["", "manifest", "incomplete", "future", "empty", "truncated", "grown", "hash", "format", "decode"]


def examine(one: Entry, reading: Reading | None, now: datetime) -> tuple[Fault, str, int]:
    """What is wrong first of all, in words, and the level at which it shows; without a fault, what was proven."""
    fault, detail = unread_fault(one, now)
    if fault:
        return fault, detail, 0
    manifest = one.backup.manifest
    if reading is None:
        return "", "there, and as large as its manifest says" if manifest else "there", 0
    if manifest and reading.sha256 != manifest.sha256:
        said = f"SHA-256 {reading.sha256}, its manifest says {manifest.sha256}"
        return "hash", "; ".join(filter(None, [said, reading.problem, _changed(one, reading)])), 1
    return _decoded(one, reading)


def unread_fault(one: Entry, now: datetime) -> tuple[Fault, str]:
    """What shows without reading it."""
    manifest, size = one.backup.manifest, one.backup.size
    if one.backup.problem and not one.alone:
        return ("manifest" if "of another file" in one.backup.problem else "incomplete"), one.backup.problem
    if one.backup.is_after(now):
        return "future", f"taken at {one.taken:%Y-%m-%d %H:%M:%S} UTC, which is later than now"
    if size == 0:
        return "empty", "the file is empty"
    if manifest and size is not None and size != manifest.size_bytes:
        said = f"{size} bytes, its manifest says {manifest.size_bytes}"
        return ("truncated" if size < manifest.size_bytes else "grown"), said
    return "", ""


def _changed(one: Entry, reading: Reading) -> str:
    manifest = one.backup.manifest
    if not manifest or not manifest.files:
        return ""
    other = sorted(
        name for name in {*manifest.files, *reading.files} if manifest.files.get(name) != reading.files.get(name)
    )
    return f"not as they were: {', '.join(other[:5])}"


def _decoded(one: Entry, reading: Reading) -> tuple[Fault, str, int]:
    manifest = one.backup.manifest
    if reading.problem:
        fault: Fault = "decode" if reading.format.restorable or reading.format.wrapper else "format"
        return fault, f"{reading.format}: {reading.problem}", 2
    if manifest and reading.format.kind != manifest.format:
        return "format", f"it is {reading.format}, its manifest says {manifest.format}", 2
    if reading.could_not:
        return "", f"its SHA-256 is its manifest's; not decoded: {reading.could_not}", 1
    hashed = "its SHA-256 is its manifest's and" if manifest else "no manifest to hold its bytes against;"
    return "", f"{reading.format}: {hashed} every byte decodes", 2


def of_newest(ours: Sequence[Entry], repository: str) -> Iterator[Measurement]:
    """Whether the newest can be proven equal one day, and which tables lost rows since the one before."""
    told = [one for one in ours if one.backup.manifest and one.backup.good]
    if not told:
        return
    now, newest = datetime.now(UTC), told[0]
    manifest = newest.backup.manifest
    assert manifest is not None  # noqa: S101 - told are those with a manifest
    labels = {"repository": repository, "path": newest.path}
    lacks = manifest.facts.get(LACKS) or {}
    said = "; ".join(f"{what}: {why}" for what, why in sorted(lacks.items()))
    yield Measurement("backup.described", manifest.described and not lacks, "bool", now, labels, said)
    before = next((one.backup.manifest for one in told[1:] if one.backup.manifest and one.backup.manifest.rows), None)
    for table, rows in sorted((before.rows if before and manifest.rows else {}).items()):
        left = manifest.rows.get(table, 0)
        if left < rows:
            detail = f"{rows} -> {left} rows" if table in manifest.rows else f"{rows} rows -> no such table"
            lost = (rows - left) / rows * 100
            yield Measurement("backup.table.lost", lost, "percent", now, labels | {"table": table}, detail)
            yield Measurement("backup.table.rows", rows, "count", now, labels | {"table": table})
