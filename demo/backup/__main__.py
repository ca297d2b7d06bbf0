"""``python -m demo.backup --dsn postgresql://clo_backup@host:port/clo --repository DIR``; password from PGPASSWORD."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

from demo.backup import BackupFailed, seed_history, take_backup


def _moment(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text} has no time zone; write 2026-01-31T02:00:00+00:00")
    return at


def _without_password(text: str) -> str:
    """Everybody on the machine can read a command line."""
    if conninfo_to_dict(text).get("password"):
        raise argparse.ArgumentTypeError("the password does not belong on the command line; set PGPASSWORD")
    return text


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m demo.backup", description=__doc__)
    parser.add_argument("--dsn", type=_without_password, help="default: the environment variable CLO_BACKUP_DSN")
    parser.add_argument("--repository", type=Path, required=True)
    parser.add_argument("--at", type=_moment, help="back-date the backup (demonstrations only)")
    parser.add_argument("--bin-dir", type=Path, help="where pg_dump is; default PATH, then /usr/lib/postgresql")
    parser.add_argument("--history", type=int, default=0, metavar="DAYS", help="link the archive back for DAYS days")
    given = parser.parse_args(arguments)
    dsn = given.dsn or os.environ.get("CLO_BACKUP_DSN", "")
    if not dsn:
        parser.error("give --dsn or set CLO_BACKUP_DSN")
    try:
        dump = take_backup(dsn, given.repository, at=given.at, bin_dir=given.bin_dir)
    except BackupFailed as failed:
        print(failed, file=sys.stderr)
        return 1
    linked = seed_history(given.repository, given.history)
    print(f"{dump} ({dump.stat().st_size} bytes)" + (f" and {len(linked)} older ones" if linked else ""))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
