"""The month's evidence in one file that verifies offline (docs/evidence.md, docs/verify_evidence.py).

The same ledger and store give the same bytes. A file that is gone or altered is left out, named in the head, and told.
"""

from __future__ import annotations

import hashlib
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clo_ops.findings import CheckFailed, CouldNotCheck
from clo_ops.findings.monthly import FILES, FORMAT, HEAD, INDEX, Entry, Head, Month
from clo_ops.reports.bundle import A_TIME

if TYPE_CHECKING:
    from clo_ops.ledger import Ledger
    from clo_ops.ledger.evidence import EvidenceStore

# A month's bundle is itself evidence of the next month: it is listed there, and not packed again.
BUNDLE = "evidence-{month}.zip"


@dataclass(frozen=True, slots=True)
class Bundled:
    """``files`` are enclosed, ``lost`` says in a sentence each what could not be."""

    head: Head
    files: int
    lost: Sequence[str]
    path: Path


def name_of(month: Month) -> str:
    return BUNDLE.format(month=month)


@contextmanager
def bundled(
    ledger: Ledger, store: EvidenceStore, month: Month, *, previous: str = "", live: Sequence[Mapping[str, Any]] = ()
) -> Iterator[Bundled]:
    """The bundle in a file that is gone afterwards. ``previous`` is the head hash of the anchor before, ``live`` the
    newest rows of audit trails as their databases say now. One file of evidence at a time is in memory.
    """
    with tempfile.TemporaryDirectory(prefix="clo-ops-evidence-") as folder:
        path = Path(folder) / name_of(month)
        lost: list[str] = []
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=6, allowZip64=True) as archive:
            index, files = _enclosed(archive, ledger, store, month, lost)
            head = _head(ledger, month, index, files, lost, previous, live)
            _write(archive, INDEX, index)
            _write(archive, HEAD, head.data)
        yield Bundled(head, files, lost, path)


def _enclosed(
    archive: zipfile.ZipFile, ledger: Ledger, store: EvidenceStore, month: Month, lost: list[str]
) -> tuple[bytes, int]:
    from clo_ops.ledger.evidence import canonical_json

    lines, files, seen = bytearray(), 0, set()
    for entry in ledger.evidence_between(month.starts, month.ends):
        path = _path(store, entry)
        if path in seen:
            lost.append(f"{path} is on record with two different hashes")
            continue
        seen.add(path)
        wanted = not entry.evidence.name.startswith("evidence-2")
        data = _read(store, entry, lost) if wanted else None
        if data is not None:
            _write(archive, path, data)
            files += 1
        lines += canonical_json(entry.line(path, data is not None))
    return bytes(lines), files


def _path(store: EvidenceStore, entry: Entry) -> str:
    """Its place below the store's root; a file of another store by its hash."""
    place = str(store.files._strip_protocol(entry.evidence.uri))
    root = store.root.rstrip("/") + "/"
    if place.startswith(root):
        return f"{FILES}/{place.removeprefix(root)}"
    return f"{FILES}/elsewhere/{hashlib.sha256(place.encode()).hexdigest()[:16]}-{entry.evidence.name}"


def _read(store: EvidenceStore, entry: Entry, lost: list[str]) -> bytes | None:
    try:
        return store.read(entry.evidence)
    except (CheckFailed, CouldNotCheck) as error:
        lost.append(str(error).rstrip("."))
        return None


def _head(  # noqa: PLR0917 - what a head says, in its order
    ledger: Ledger,
    month: Month,
    index: bytes,
    files: int,
    lost: Sequence[str],
    previous: str,
    live: Sequence[Mapping[str, Any]],
) -> Head:
    from clo_ops.ledger.evidence import canonical_json

    facts = {
        "format": FORMAT,
        "month": str(month),
        "files": files,
        "index_sha256": hashlib.sha256(index).hexdigest(),
        **ledger.trail_ends(),
        "live": [dict(one) for one in live],
        "lost": list(lost),
        "previous": previous,
    }
    return Head(month, canonical_json(facts), facts)


def _write(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    entry = zipfile.ZipInfo(name, A_TIME)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, data)
