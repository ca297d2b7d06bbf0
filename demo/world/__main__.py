"""``python -m demo.world``: build the world and say, once, who can log in."""

from __future__ import annotations

import argparse
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from demo.world.build import Built, OtherWorld, build


def _moment(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m demo.world", description=__doc__)
    parser.add_argument("--dsn", required=True, help="database of the CLO system, as its owner clo_app")
    parser.add_argument("--scale", type=float, default=1.0, help="1 is about 40 MB, 40 about 1 GB (default 1)")
    parser.add_argument("--seed", type=int, default=7, help="same seed, scale, days and end: same world (default 7)")
    parser.add_argument("--days", type=int, default=35, help="days of operating history (default 35)")
    parser.add_argument("--as-of", type=_moment, help="where the world ends, such as 2026-11-23T07:00Z (default now)")
    parser.add_argument("--reset", action="store_true", help="drop whatever the database holds first")
    parser.add_argument("--users-file", type=Path, help="write the credentials there (mode 600), not to the terminal")
    return parser.parse_args()


def _tell(built: Built, users_file: Path | None) -> None:
    if built.already_there:
        print("already there: nothing changed")
        return
    print(f"{built.rows:,} rows in {built.seconds:.1f} s")
    users = {user.username: vars(user) for user in built.credentials}
    if users_file is None:
        for user in built.credentials:
            print(f"{user.username} ({user.role}): {user.password} TOTP {user.totp_secret}")
        return
    handle = os.open(users_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        json.dump(users, file, indent=1)


def main() -> int:
    given = _arguments()
    try:
        built = build(
            given.dsn,
            scale=given.scale,
            seed=given.seed,
            days=given.days,
            as_of=given.as_of,
            reset=given.reset,
            progress=lambda line: print(line, flush=True),
        )
    except (OtherWorld, ValueError, psycopg.OperationalError) as error:
        print(f"not built: {error}", file=sys.stderr)
        return 1
    _tell(built, given.users_file)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
