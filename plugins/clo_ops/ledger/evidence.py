"""Evidence files: what was seen, in a place and under a name that anybody can work out, with its SHA-256.

The store is any fsspec URL; a local directory needs nothing more. Another driver (s3fs, adlfs ...) is installed by
the site that uses it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import uuid
from collections.abc import Mapping
from contextlib import suppress
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clo_ops.findings import CheckFailed, CouldNotCheck
from clo_ops.ledger.records import Evidence

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem  # type: ignore[import-untyped]

LONGEST_NAME = 120
PART = 1 << 20


def canonical_json(value: Any) -> bytes:
    """The one way to write this value: keys sorted, UTF-8, no spaces, ends with a newline.

    Raises ValueError for NaN and infinities, which are no JSON; TypeError for what JSON does not know.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_plain)
    return text.encode("utf-8", "backslashreplace") + b"\n"


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} cannot be evidence: JSON does not know it")


def file_name(text: str) -> str:
    """``text`` as the name of one file or directory: nothing that climbs, hides or is too long.

    Names that had to change end with a digest of the original, so that two of them never meet.
    """
    stem, dot, suffix = text.rpartition(".")
    if not stem or not re.fullmatch(r"[A-Za-z0-9]{1,10}", suffix):
        stem, dot, suffix = text, "", ""
    plain = re.sub(r"[^A-Za-z0-9._=-]+", "_", stem).lstrip(".-")
    if plain == stem and plain and len(text) <= LONGEST_NAME:
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:10]
    return f"{plain[: LONGEST_NAME - 30].rstrip('.') or 'unnamed'}-{digest}{dot}{suffix}"


def _read_only(partial: str) -> None:
    """On a local disk nobody writes to a file of evidence by accident; another store has rights of its own."""
    with suppress(OSError):
        place = Path(partial)
        place.chmod(place.stat().st_mode & ~0o222)


def _sync(file: Any) -> None:
    try:
        number = file.fileno()
    except (AttributeError, OSError):
        return  # not a local file
    os.fsync(number)


class EvidenceStore:
    """``url`` is any fsspec URL or a path; ``storage_options`` are the driver's."""

    def __init__(self, url: str, storage_options: Mapping[str, Any] | None = None) -> None:
        # Only who keeps evidence needs the file systems.
        from fsspec.core import url_to_fs  # type: ignore[import-untyped]

        self.files: AbstractFileSystem
        self.files, self.root = url_to_fs(url, **(storage_options or {}))

    def path(self, dag_id: str, day: date, run_id: str, name: str) -> str:
        parts = (file_name(dag_id), day.isoformat(), file_name(run_id), file_name(name))
        return "/".join((self.root.rstrip("/"), *parts))

    def put(  # noqa: PLR0917 - the path's parts from left to right, then the file
        self, dag_id: str, day: date, run_id: str, name: str, data: bytes, media_type: str
    ) -> Evidence:
        """Keep ``data``; a repeat of the run puts its own in the same place. Nobody ever sees half a file.

        Raises CouldNotCheck where the store does not take it.
        """
        path = self.path(dag_id, day, run_id, name)
        try:
            self._write(path, data)
        except OSError as error:
            raise CouldNotCheck(
                f"evidence {path} could not be written: {error}",
                allowed="a finding with the evidence for it",
                next_step="see that the place named by CLO_OPS_EVIDENCE exists and may be written to",
            ) from error
        return Evidence(
            uri=str(self.files.unstrip_protocol(path)),
            sha256=hashlib.sha256(data).hexdigest(),
            size=len(data),
            media_type=media_type,
            name=name,
        )

    def put_file(  # noqa: PLR0917 - the path's parts from left to right, then the file
        self, dag_id: str, day: date, run_id: str, name: str, file: Path, media_type: str = "application/zip"
    ) -> Evidence:
        """Keep a file that is too large for memory, as ``put`` keeps bytes. Raises CouldNotCheck."""
        path, digest = self.path(dag_id, day, run_id, name), hashlib.sha256()
        folder, _, last = path.rpartition("/")
        partial = f"{folder}/.{last}.{uuid.uuid4().hex}.part"
        try:
            self.files.makedirs(folder, exist_ok=True)
            with file.open("rb") as source, self.files.open(partial, "wb") as kept:
                while part := source.read(PART):
                    digest.update(part)
                    kept.write(part)
            _read_only(partial)
            self.files.mv(partial, path)
        except OSError as error:
            with suppress(OSError):
                self.files.rm(partial)
            raise CouldNotCheck(
                f"evidence {path} could not be written: {error}",
                allowed="a store that takes the file",
                next_step="see that the place named by CLO_OPS_EVIDENCE exists and has room",
            ) from error
        uri = str(self.files.unstrip_protocol(path))
        return Evidence(uri, digest.hexdigest(), file.stat().st_size, media_type, name)

    def _write(self, path: str, data: bytes) -> None:
        folder, _, name = path.rpartition("/")
        partial = f"{folder}/.{name}.{uuid.uuid4().hex}.part"
        self.files.makedirs(folder, exist_ok=True)
        try:
            with self.files.open(partial, "wb") as file:
                file.write(data)
                file.flush()
                _sync(file)
            _read_only(partial)
            self.files.mv(partial, path)
        except BaseException:
            with suppress(OSError):
                self.files.rm(partial)
            raise

    def read(self, evidence: Evidence) -> bytes:
        """The file, proven to be the one recorded. Raises CheckFailed if it is not, CouldNotCheck if it is gone."""
        path = str(self.files._strip_protocol(evidence.uri))
        try:
            data = self.files.cat_file(path)
        except OSError as error:
            raise CouldNotCheck(f"evidence {evidence.uri} cannot be read: {error}", "the file recorded") from error
        found = hashlib.sha256(data).hexdigest()
        if found != evidence.sha256:
            raise CheckFailed(
                f"evidence {evidence.uri} has SHA-256 {found}",
                allowed=f"{evidence.sha256}, as recorded",
                next_step="treat the file as altered; find out who wrote to the evidence store",
            )
        return bytes(data)
