"""Take a backup: a canary, one exported snapshot, pg_dump and the description of its contents inside it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from clo_ops.policy.backups import Taking
from clo_ops.probes.targets import BackupRepository, PostgresTarget


def take(
    target: PostgresTarget,
    repository: BackupRepository,
    policy: Taking,
    *,
    at: datetime | None = None,
    bin_dir: Path | None = None,
    more: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """One backup, whole, under its own name with its manifest beside it; returns the manifest."""
    raise NotImplementedError
