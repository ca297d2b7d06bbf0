"""Our own image as compose wants it, with what this machine needs to reach its package index.

``python3 -m demo.compose.image [TAG]`` is ``docker build`` of this checkout where a proxy has a certificate
of its own (those the administrator put into /usr/local/share/ca-certificates go along) and where no registry can be
reached (the Python image is then made from Debian's packages). What has not changed since is taken from Docker's
cache. Standard library only.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from demo.stack import engine, images

ROOT = Path(__file__).resolve().parents[2]
TAG = "clo-ops:local"
BASE = "python:3.11-slim-bookworm"
NEEDED = ("Dockerfile", "requirements.lock", "dags", "plugins", "include", "demo")
CERTIFICATES = Path("/usr/local/share/ca-certificates")
BUILD_SECONDS = 900.0


def ensure(tag: str = TAG) -> str:
    """The image of this checkout under ``tag``. Raises NoImage with the end of what Docker said."""
    images.ensure(BASE)
    with images.alone("clo-ops"), tempfile.TemporaryDirectory() as place:
        started = time.monotonic()
        _context(Path(place))
        built = subprocess.run(
            ["docker", "build", "--force-rm", *_index(), "-t", tag, place],
            capture_output=True,
            text=True,
            check=False,
            timeout=BUILD_SECONDS,
        )
        if built.returncode:
            raise images.NoImage(f"{tag} could not be built: {(built.stderr or built.stdout).strip()[-1500:]}")
        print(f"[images] {tag}: built in {time.monotonic() - started:.0f} s", flush=True)
    return tag


def _context(place: Path) -> None:
    left_out = shutil.ignore_patterns("__pycache__", ".clo-ops")
    for name in NEEDED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, place / name, ignore=left_out)
        else:
            shutil.copy2(source, place / name)
    certificates = sorted(CERTIFICATES.glob("**/*.crt")) if CERTIFICATES.is_dir() else []
    (place / "certificates").mkdir()
    for path in certificates:
        shutil.copy(path, place / "certificates")


def _index() -> list[str]:
    url = os.environ.get("PIP_INDEX_URL")
    return [f"--build-arg=PIP_INDEX_URL={url}"] if url else []


def main(arguments: list[str]) -> int:
    reason = engine.ensure()
    if reason:
        print(f"[images] {reason}", file=sys.stderr)
        return 1
    try:
        print(f"[images] {ensure(*arguments[:1])} is here", flush=True)
    except (images.NoImage, subprocess.TimeoutExpired) as error:
        print(f"[images] {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
