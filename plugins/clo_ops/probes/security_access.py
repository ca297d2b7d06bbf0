"""Does anybody get in without a password, or with one everybody knows? (WM-09, manual L113)"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from clo_ops.findings.performed import LOOKED_AT, NOT_ASKED, VIOLATION, Performed, Row
from clo_ops.probes.postgres import connect
from clo_ops.probes.reaching import Reach, Unreachable
from clo_ops.probes.targets import PostgresTarget, RedisTarget

REDIS_ASKED = "PING without credentials; PING as each name with a password everybody knows"
POSTGRES_ASKED = "a session as each role with a password everybody knows, and with its own name"


def redis_access(target: RedisTarget, parameters: Mapping[str, Any]) -> Performed:
    """Redis without credentials, and with each of ``passwords``. Raises Unreachable where Redis does not answer."""
    found = []
    if _redis_lets_in(replace(target, username=None, password=None)):
        found.append(
            ("redis without credentials", "anybody who reaches it reads and changes the cache and the sessions")
        )
    found += [
        (f"redis with a known password, number {number} of the list", "it is in every list of passwords")
        for number, password in enumerate(parameters["passwords"], 1)
        if not found and _redis_lets_in(replace(target, username=None, password=password))
    ]
    return performed(
        "redis access", REDIS_ASKED, parameters, {"server": str(target)}, found, 1 + len(parameters["passwords"])
    )


def _redis_lets_in(target: RedisTarget) -> bool:
    from clo_ops.probes.redis import connect as connected

    try:
        with connected(target) as client:
            client.ping()
    except Unreachable as error:
        if error.reach is Reach.AUTHENTICATION:
            return False
        raise
    return True


def known_passwords(target: PostgresTarget, parameters: Mapping[str, Any]) -> Performed:
    """PostgreSQL as each of ``roles`` with each of ``passwords`` and its own name; and our own password held against
    them. Each try that is refused leaves a line in the server's log. Raises Unreachable where nobody answers.
    """
    passwords = list(parameters["passwords"])
    found = []
    if target.password in (*passwords, target.user):
        found.append((f"role {target.user}", "our own connection has a password everybody knows"))
    for role in parameters["roles"]:
        if any(_lets_in(replace(target, user=role, password=one)) for one in dict.fromkeys([role, *passwords])):
            found.append((f"role {role}", "lets in with a password everybody knows"))
    identity = {"server": str(target), "at": datetime.now(UTC).isoformat()}
    return performed("known passwords", POSTGRES_ASKED, parameters, identity, found, 1 + len(parameters["roles"]))


def _lets_in(target: PostgresTarget) -> bool:
    try:
        with connect(target):
            return True
    except Unreachable as error:
        if error.reach is Reach.AUTHENTICATION:
            return False
        raise


def performed(  # noqa: PLR0917 - who asked what of whom, and what came back
    name: str,
    asked: str,
    parameters: Mapping[str, Any],
    identity: Mapping[str, Any],
    found: Iterable[tuple[str, str]],
    looked_at: int,
    lost: Mapping[str, str] | None = None,
) -> Performed:
    """``lost``: who gave no answer, by name with the reason."""
    rows = [*_rows(found, looked_at), *not_asked(lost or {})]
    return Performed("probe", name, asked, dict(parameters), identity, rows)


def not_asked(lost: Mapping[str, str]) -> Iterator[Row]:
    yield from ({"kind": NOT_ASKED, "key": name, "reason": reason} for name, reason in sorted(lost.items()))


def _rows(found: Iterable[tuple[str, str]], looked_at: int) -> Iterator[Row]:
    yield {"kind": LOOKED_AT, "key": str(looked_at), "reason": ""}
    for key, reason in sorted(found):
        yield {"kind": VIOLATION, "key": key, "reason": reason}
