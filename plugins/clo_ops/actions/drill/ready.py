"""Waiting until the application listens, or has said that it will not."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import urlsplit

from clo_ops.probes.exchange import Browser, NoReply
from clo_ops.probes.targets import WebTarget

LOOK_AGAIN = 0.2  # seconds
CLIENT = "clo_ops/drill"


def until_ready(url: str, within: timedelta, stopped: Callable[[], str]) -> str:
    """Empty once ``url`` answers 200; else why not: ``stopped`` said that a part ended, or the time was up.

    ``stopped`` is asked between two looks and returns a reason, or nothing while everything runs.
    """
    parts = urlsplit(url)
    deadline, last = time.monotonic() + within.total_seconds(), "was not asked"
    target = WebTarget(f"{parts.scheme}://{parts.netloc}", CLIENT, connect_timeout=1.0, read_timeout=3.0)
    with Browser(target) as browser:
        while time.monotonic() < deadline:
            reply = browser.ask("GET", parts.path)
            if not isinstance(reply, NoReply) and reply.status == 200:
                return ""
            last = reply.reason if isinstance(reply, NoReply) else f"HTTP {reply.status}"
            if why := stopped():
                return why
            time.sleep(LOOK_AGAIN)
    return f"the application did not answer 200 on {parts.path} within {within.total_seconds():g} s (last: {last})"
