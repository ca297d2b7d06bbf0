"""Whether code changed since a service was started: long-running processes keep the modules they imported."""

from __future__ import annotations

import hashlib
from pathlib import Path


def of_code(*folders: Path) -> str:
    """Changes when a Python, SQL, YAML or template file below the folders does (by size and time, not by content)."""
    digest = hashlib.sha256()
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.suffix in {".py", ".sql", ".yaml", ".yml", ".j2", ".html", ".txt", ".css", ".js"}:
                facts = path.stat()
                digest.update(f"{path}|{facts.st_size}|{facts.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]
