"""The demo's backup job in docker-compose.yml: last night's backup if there is none, then one each night at 02:00 UTC.

``python -m demo.compose.nights``; CLO_BACKUP_URL and CLO_BACKUP_DIR say what and where. The file READY in the state
directory tells the health check that last night's backup is there.
"""

from __future__ import annotations

import os
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from signal import SIGINT, SIGTERM, signal

from demo.app.settings import required
from demo.backup import BackupFailed, manifest, seed_history, take_backup
from demo.stack.content import BACKUP_DAYS, last_night

READY = "backup-ready"
TRY_AGAIN = timedelta(minutes=5)


def night(dsn: str, repository: Path, now: datetime) -> bool:
    """Take the backup of the night before ``now`` unless it is there; True when taken. Raises BackupFailed.

    One that is taken late is dated 02:00, so that a demo started at noon has had a good night.
    """
    at = last_night(now)
    times = [manifest.time_of(dump.name) for dump in manifest.dumps(repository)]
    if any(time is not None and time >= at for time in times):
        return False
    first = not times
    take_backup(dsn, repository, at=at)
    if first:
        seed_history(repository, BACKUP_DAYS)
    return True


def until_next(now: datetime) -> timedelta:
    return last_night(now) + timedelta(days=1) - now


def main() -> int:
    stop = threading.Event()
    for number in (SIGTERM, SIGINT):
        signal(number, lambda *_: stop.set())
    dsn, repository = required(os.environ, "CLO_BACKUP_URL"), Path(required(os.environ, "CLO_BACKUP_DIR"))
    ready = Path(required(os.environ, "CLO_STATE_DIR")) / READY
    while not stop.is_set():
        try:
            taken = night(dsn, repository, datetime.now(UTC))
        except BackupFailed as failed:
            ready.unlink(missing_ok=True)
            print(failed, file=sys.stderr, flush=True)
            stop.wait(TRY_AGAIN.total_seconds())
            continue
        ready.touch()
        print("backup taken" if taken else "last night's backup is there", flush=True)
        stop.wait(until_next(datetime.now(UTC)).total_seconds())
    return 0


if __name__ == "__main__":
    sys.exit(main())
