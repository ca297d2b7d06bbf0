"""What the project never claims, and what never belongs in it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NEVER_CLAIMED = re.compile(r"compliant with (SOX|SEC|GDPR)|tamper-proof|zero-lock|guaranteed delivery", re.I)
SECRETS = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----|AKIA[0-9A-Z]{16}")


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def texts() -> list[tuple[Path, str]]:
    own = Path(__file__)
    found = []
    for path in tracked():
        if path == own or path.suffix in {".png", ".ico", ".woff2"}:
            continue
        found.append((path, path.read_text(encoding="utf-8")))
    return found


def test_we_never_claim_what_cannot_be_shown():
    for path, text in texts():
        assert not NEVER_CLAIMED.search(text), path


def test_no_private_key_or_cloud_key_in_the_repository():
    for path, text in texts():
        assert not SECRETS.search(text), path


def test_no_mocks_of_systems_in_the_tests_that_are_about_them():
    for path, text in texts():
        if "tests/integration" in path.as_posix() or "tests/sql" in path.as_posix():
            assert "unittest.mock" not in text, path
