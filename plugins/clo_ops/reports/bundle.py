"""The evidence of one run in one file that somebody without our system can check."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clo_ops.findings import CheckFailed, CouldNotCheck
from clo_ops.reports import verify_bundle

if TYPE_CHECKING:
    from clo_ops.ledger import Evidence
    from clo_ops.ledger.evidence import EvidenceStore

# Every file bears the same time: the archive must be the same bytes for the same evidence.
A_TIME = (1980, 1, 1, 0, 0, 0)
FOLDER = "evidence"


def bundle(
    store: EvidenceStore, evidence: Iterable[Evidence], more: Mapping[str, bytes], *, about: Mapping[str, Any]
) -> tuple[bytes, list[str]]:
    """The archive, and one sentence for each file that is gone or altered: it is left out, and the manifest says so.

    ``more`` are files beside the evidence (the report), ``about`` what the manifest says of the run.
    """
    from clo_ops.ledger.evidence import canonical_json

    files, lost = dict(more), []
    for one in sorted(evidence, key=lambda one: (one.name, one.uri)):
        try:
            files[f"{FOLDER}/{one.name}"] = store.read(one)
        except (CheckFailed, CouldNotCheck) as error:
            lost.append(str(error))
    listed = [{"name": name, "sha256": sha256(files[name]).hexdigest(), "size": len(files[name])} for name in files]
    manifest = {"format": "clo-ops evidence bundle 1", **_plain(about), "files": listed, "lost": lost}
    files[verify_bundle.MANIFEST] = canonical_json(manifest)
    files["verify.py"] = Path(verify_bundle.__file__).read_bytes()
    return _zip(files), lost


def folder_as_zip(folder: Path) -> bytes:
    """Everything below a folder as one archive, the same bytes for the same files."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return _zip({path.relative_to(folder).as_posix(): path.read_bytes() for path in found})


def _plain(about: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value.isoformat() if isinstance(value, datetime) else value for key, value in about.items()}


def _zip(files: Mapping[str, bytes]) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, A_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, files[name])
    return whole.getvalue()
