"""Airflow's own task logs on this machine that are older than they are kept (LM-01, class task_logs)."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from clo_ops.actions.maintenance.plan import Effect, Outcome
from clo_ops.rules.log_retention import Hold, held

SUFFIX = ".log"
# A log is of one try of a task, and no run is longer.
LONGEST_TRY = timedelta(days=1)


def due(folder: Path, before: datetime, most: int, holds: Sequence[Hold] = ()) -> Iterator[tuple[str, os.stat_result]]:
    """Plain files ``*.log`` below the folder that nothing was written to since ``before``, at most so many.

    What was written while one of ``holds`` runs is not due.

    No link is followed, neither of a file nor of a folder, the folder itself included.
    """
    found = 0
    if folder.is_symlink():
        return
    for place, _, names in os.walk(folder, followlinks=False):
        for name in names:
            path = os.path.join(place, name)  # noqa: PTH118 - millions of them, and Path costs more than stat
            with suppress(OSError):
                seen = os.lstat(path)
                if not (name.endswith(SUFFIX) and stat.S_ISREG(seen.st_mode)):
                    continue
                if seen.st_mtime < before.timestamp() and not _held(seen.st_mtime, holds):
                    yield path, seen
                    found += 1
                    if found == most:
                        return


def _held(changed: float, holds: Sequence[Hold]) -> bool:
    ends = datetime.fromtimestamp(changed, UTC)
    return held(ends - LONGEST_TRY, ends, holds)


def oldest(folder: Path) -> datetime | None:
    """The last change of the oldest log there is."""
    ages = (seen.st_mtime for _, seen in due(folder, datetime.now(UTC), 1 << 30))
    first = min(ages, default=None)
    return None if first is None else datetime.fromtimestamp(first, UTC)


def remove(folder: Path, before: datetime, most: int, holds: Sequence[Hold] = ()) -> Effect:
    """Those that are due go, and folders that are left empty. What cannot be removed stays and is counted."""
    begun, gone, size, stayed = time.monotonic(), 0, 0, 0
    for path, seen in list(due(folder, before, most, holds)):
        try:
            os.unlink(path)  # noqa: PTH108
        except OSError:
            stayed += 1
            continue
        gone, size = gone + 1, size + seen.st_size
        for above in list(Path(path).parents):
            if above == folder or folder not in above.parents:
                break
            with suppress(OSError):
                above.rmdir()
    figures = {"files": gone, "bytes": size, "stayed": stayed}
    outcome = Outcome.FAILED if stayed and not gone else Outcome.APPLIED
    reason = f"{gone:,} task logs removed" + (f", {stayed:,} could not be" if stayed else "")
    return Effect(outcome, reason, time.monotonic() - begun, figures)
