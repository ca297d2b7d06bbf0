"""Ask for a page without a login: it must be there, and it must not open (RP-05)."""

from __future__ import annotations

from datetime import UTC, datetime

from clo_ops.findings import Answer, Measurement
from clo_ops.probes.exchange import Browser, NoReply
from clo_ops.probes.reaching import nobody_answered
from clo_ops.probes.targets import WebTarget


def door(target: WebTarget, path: str) -> Answer:
    """``http.response.status_code`` {path} of one GET without a login, redirects not followed; 0 where nothing listens.

    Unanswered where the server cannot be reached at all.
    """
    with Browser(target) as browser:
        reply = browser.ask("GET", path)
        if isinstance(reply, NoReply) and not reply.answered:
            return nobody_answered([f"page {path}"], target, f"GET {browser.url(path)}", reply.reason)
    labels, now = {"path": path}, datetime.now(UTC)
    if isinstance(reply, NoReply):
        return Answer((Measurement("http.response.status_code", 0, "count", now, labels, reply.reason),))
    return Answer((Measurement("http.response.status_code", reply.status, "count", now, labels),))
