"""A little life: ``python -m demo.app.traffic --users FILE --seconds N``. Bounded in time and in requests.

FILE is JSON: [{"username", "password", "totp_secret"}, ...]. The API's address is CLO_API_URL, the interval of the
second factor CLO_TOTP_INTERVAL (seconds).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pyotp

from demo.app.settings import required

MOST_SECONDS, MOST_REQUESTS, MOST_USERS = 600.0, 2000, 10
_PAUSE = (0.05, 0.4)  # seconds between two requests of the same user


class NobodyLoggedIn(RuntimeError):
    """None of the users given could log in; the sentence carries the last answer."""


def log_in(client: httpx.Client, user: dict[str, Any], interval: int) -> dict[str, str] | None:
    """The header of a new session; None when refused. A code already used is waited out once."""
    totp = pyotp.TOTP(user["totp_secret"], interval=interval)
    for attempt in range(2):
        body = {"username": user["username"], "password": user["password"], "totp": totp.now()}
        answer = client.post("/api/v1/auth/login", json=body)
        if answer.status_code == 200:
            return {"Authorization": f"Bearer {answer.json()['access_token']}"}
        if attempt == 0:
            time.sleep(interval - time.time() % interval + 0.05)
    return None


def _act(client: httpx.Client, header: dict[str, str], deals: list[str], chance: random.Random) -> int:
    """One thing a user does; the status it got. A viewer's 403 is part of life."""
    what = chance.random()
    deal = chance.choice(deals)
    if what < 0.4:
        return client.get("/api/v1/portfolios", headers=header).status_code
    if what < 0.75:
        return client.get(f"/api/v1/portfolios/{deal}", headers=header).status_code
    if what < 0.95:
        return client.post("/api/v1/calculations", headers=header, json={"deal_id": deal}).status_code
    return client.post("/api/v1/reports", headers=header, json={"deal_id": deal, "format": "csv"}).status_code


def drive(
    api_url: str, users: Sequence[dict[str, Any]], seconds: float, interval: int, seed: int = 1
) -> dict[int, int]:
    """Returns how often each status was answered. Raises NobodyLoggedIn; logs everybody out at the end."""
    chance, counts = random.Random(seed), dict[int, int]()
    with httpx.Client(base_url=api_url, timeout=10, trust_env=False, headers={"User-Agent": "clo-traffic"}) as client:
        headers = [header for user in users[:MOST_USERS] if (header := log_in(client, user, interval))]
        if not headers:
            raise NobodyLoggedIn(f"none of {len(users)} users could log in at {api_url}")
        deals = [row["deal_id"] for row in client.get("/api/v1/portfolios", headers=headers[0]).json()["items"]]
        until = time.monotonic() + min(seconds, MOST_SECONDS)
        while deals and time.monotonic() < until and sum(counts.values()) < MOST_REQUESTS:
            status = _act(client, chance.choice(headers), deals, chance)
            counts[status] = counts.get(status, 0) + 1
            time.sleep(chance.uniform(*_PAUSE))
        for header in headers:
            client.post("/api/v1/auth/logout", headers=header)
    return counts


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m demo.app.traffic", description=__doc__)
    parser.add_argument("--users", type=Path, required=True, help="JSON file of users")
    parser.add_argument("--seconds", type=float, default=20, help=f"how long, at most {MOST_SECONDS:.0f}")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    users = json.loads(given.users.read_text("utf-8"))
    interval = int(os.environ.get("CLO_TOTP_INTERVAL", "30"))
    try:
        counts = drive(required(os.environ, "CLO_API_URL"), users, given.seconds, interval, given.seed)
    except NobodyLoggedIn as nobody:
        print(nobody, file=sys.stderr)
        return 1
    print(json.dumps({"requests": sum(counts.values()), "by_status": counts}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
