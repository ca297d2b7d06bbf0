"""Check an evidence bundle: every file is the one that was recorded, none is missing, none was added.

Needs Python 3.8 or newer and nothing else; run it as ``python3 verify.py`` in the unpacked bundle, or as
``python3 verify.py bundle.zip``. Ends 0 when everything is as recorded, 1 when not, 2 when there is nothing to check.

The manifest proves that the files belong together; that nobody replaced them all at once is proven by comparing the
manifest's own SHA-256, printed here, with the one in the report that was mailed and in the ledger.
"""

from __future__ import annotations

import hashlib
import json
import sys
import zipfile
from pathlib import Path

MANIFEST = "manifest.json"
BESIDE = (MANIFEST, "verify.py")


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def lacked(files: dict[str, bytes]) -> list[str]:
    """What the manifest says was gone or altered already when the bundle was made."""
    said = json.loads(files[MANIFEST].decode()).get("lost", [])
    return [str(one) for one in said]


def complaints(files: dict[str, bytes]) -> list[str]:
    """What is wrong with ``files``, one sentence each. Raises ValueError without a readable manifest."""
    if MANIFEST not in files:
        raise ValueError("there is no " + MANIFEST)
    try:
        recorded = {str(one["name"]): one for one in json.loads(files[MANIFEST].decode())["files"]}
    except (ValueError, KeyError, TypeError) as problem:
        raise ValueError(f"{MANIFEST} cannot be read: {problem}") from None
    wrong = [f"{name}: missing" for name in sorted(set(recorded) - set(files))]
    wrong += [f"{name}: not recorded" for name in sorted(set(files) - set(recorded) - set(BESIDE))]
    for name in sorted(set(recorded) & set(files)):
        found, wanted = sha256(files[name]), str(recorded[name]["sha256"])
        if found != wanted:
            wrong.append(f"{name}: SHA-256 is {found}, recorded was {wanted}")
    return wrong


def unpacked(path: Path) -> dict[str, bytes]:
    """The bundle's files: of a .zip, or of the folder it was unpacked into."""
    if path.is_dir():
        return {one.relative_to(path).as_posix(): one.read_bytes() for one in path.rglob("*") if one.is_file()}
    with zipfile.ZipFile(path) as archive:
        names = [one.filename for one in archive.infolist()]
        if len(names) != len(set(names)):
            raise ValueError("a name is in the archive twice")
        return {name: archive.read(name) for name in names}


def main(arguments: list[str]) -> int:
    path = Path(arguments[0]) if arguments else Path(__file__).resolve().parent
    try:
        files = unpacked(path)
        wrong = complaints(files)
    except (OSError, ValueError, zipfile.BadZipFile) as problem:
        sys.stdout.write(f"cannot be checked: {problem}\n")
        return 2
    for one in wrong:
        sys.stdout.write(f"WRONG  {one}\n")
    for one in lacked(files):
        sys.stdout.write(f"LACKED when it was made: {one}\n")
    count = len(files) - len([name for name in BESIDE if name in files])
    sys.stdout.write(
        "{}: {} files; {} SHA-256 {}\n".format(
            "NOT as recorded" if wrong else "as recorded", count, MANIFEST, sha256(files[MANIFEST])
        )
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
