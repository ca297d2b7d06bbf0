"""Ask feeds over HTTP: PostgreSQL's versions (M4-02), an application's releases and its running version (M4-03)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any, TypeVar

from clo_ops.findings import Answer, Measurement
from clo_ops.findings.updates import Release, parts
from clo_ops.policy.updates import KnownVersion
from clo_ops.probes.reaching import Reach, Unreachable, nobody_answered
from clo_ops.probes.targets import WebTarget

Read = TypeVar("Read")
PATIENCE = 20.0


@dataclass(frozen=True, slots=True)
class Fetched:
    """What one question brought: ``content`` is None where nobody answered, and ``answer`` says so."""

    content: Any
    answer: Answer


def versions(target: WebTarget, path: str, today: date) -> Fetched:
    """By major version what the feed says is its newest. ``content`` is a mapping of KnownVersion."""

    def read(body: Any) -> dict[str, KnownVersion]:
        known = {}
        for one in body:
            major, minor = str(one["major"]), str(one["latestMinor"])
            if major.isdigit():
                until = date.fromisoformat(str(one["eolDate"])[:10])
                known[major] = KnownVersion(newest=f"{major}.{int(minor)}", as_of=today, until=until)
        return known

    return _fetched(target, path, "the newest PostgreSQL versions", read)


def releases(target: WebTarget, path: str, application: str) -> Fetched:
    """The releases of an application; ``content`` is a tuple of Release, oldest first."""

    def read(body: Any) -> tuple[Release, ...]:
        found = [Release.of(one) for one in body["releases"]]
        return tuple(sorted(found, key=lambda one: parts(one.version)))

    return _fetched(target, path, f"releases of {application}", read)


def running(target: WebTarget, path: str, field: str, application: str) -> Fetched:
    """The version an application says it runs; ``content`` is a text."""

    def read(body: Any) -> str:
        for key in field.split("."):
            body = body[key]
        parts(str(body))
        return str(body)

    return _fetched(target, path, f"running version of {application}", read)


def _fetched(target: WebTarget, path: str, question: str, read: Callable[[Any], Read]) -> Fetched:
    tried = f"GET {path}"
    try:
        content = read(_json(target, path))
    except Unreachable as error:
        return Fetched(None, error.unanswered(question, target, tried))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        said = f"its answer is not of the form agreed: {type(error).__name__}: {error}"[:200]
        return Fetched(None, nobody_answered([question], target, tried, said))
    count = len(content) if isinstance(content, Mapping | tuple) else 1
    read_at = Measurement("feed.read", count, "count", datetime.now(UTC), {"feed": str(target), "path": path}, question)
    return Fetched(content, Answer((read_at,)))


def _json(target: WebTarget, path: str) -> Any:
    """Raises Unreachable where there is no good reply."""
    from clo_ops.probes.exchange import Browser, NoReply

    with Browser(replace(target, read_timeout=PATIENCE)) as browser:
        reply = browser.ask("GET", path, redirects=2)
    if isinstance(reply, NoReply):
        raise Unreachable(Reach.SILENT if reply.answered else Reach.OTHER, reply.reason)
    if reply.status != 200 or reply.truncated:
        raise Unreachable(Reach.OTHER, f"HTTP {reply.status}" + (", longer than is read" if reply.truncated else ""))
    return reply.json()
