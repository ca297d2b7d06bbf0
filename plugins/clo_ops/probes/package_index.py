"""Ask a package index for the newest version of each Python package (M4-04): their names leave the house, no more."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from clo_ops.findings import Answer, Measurement
from clo_ops.policy.updates import Index
from clo_ops.probes.reaching import nobody_answered
from clo_ops.probes.targets import WebTarget

# An index may answer with every release of a package that was ever made.
LONGEST = 32 * 1024 * 1024
AT_ONCE = 6


def newest(target: WebTarget, index: Index, packages: Mapping[str, str]) -> tuple[dict[str, str], Answer]:
    """By package what the index says; those it does not know are left out.

    Unanswered where it answers nothing at all: a package it does not know is an answer, a silent index is none.
    """
    from clo_ops.probes.exchange import Browser, NoReply

    names = sorted(packages)
    with Browser(target, body_limit=LONGEST) as browser:
        replies = browser.ask_all([index.path.replace("{package}", name) for name in names], at_once=AT_ONCE)
    silent = [one for one in replies if isinstance(one, NoReply)]
    if silent:
        tried = f"GET {index.path} for {len(names)} packages, {len(silent)} without an answer"
        return {}, nobody_answered(["the newest versions of the libraries"], target, tried, silent[0].reason)
    found = {}
    for name, reply in zip(names, replies, strict=True):
        version = _version(reply.json(), index.field) if not isinstance(reply, NoReply) and reply.status == 200 else ""
        if version:
            found[name] = version
    read = Measurement("feed.read", len(found), "count", datetime.now(UTC), {"feed": str(target), "path": index.path})
    return found, Answer((read,))


def _version(body: Any, field: str) -> str:
    for key in field.split("."):
        body = body.get(key) if isinstance(body, dict) else None
    return body if isinstance(body, str) else ""
