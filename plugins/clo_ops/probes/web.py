"""Ask the API's endpoints (DM-13, manual L34): up, status, how long a reply takes, and whether its body says it works.

Each endpoint is asked independently, so that a dead one hides no other. Latency is the median of several samples on
the monotonic clock, from request to last byte; setting up our own client is not part of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from statistics import median
from types import MappingProxyType
from typing import Any, Protocol

from clo_ops.findings import Answer, Measurement
from clo_ops.probes.exchange import Browser, NoReply, Reply
from clo_ops.probes.frontend import frontend
from clo_ops.probes.reaching import nobody_answered
from clo_ops.probes.signin import STANDARD, Attempt, Doors, Outcome, session
from clo_ops.probes.targets import Account, WebTarget

__all__ = ["Endpoint", "ExpectedBody", "endpoints", "frontend", "mismatch"]

REPEATABLE = ("GET", "HEAD")
SAMPLES = 3
SHOWN = 80


class ExpectedBody(Protocol):
    """``equals``: values by dotted key, as text; ``has``: keys that must be there; ``contains``: a text anywhere."""

    @property
    def equals(self) -> Mapping[str, str]: ...
    @property
    def has(self) -> Sequence[str]: ...
    @property
    def contains(self) -> str | None: ...


class Endpoint(Protocol):
    """What the policy says of one endpoint."""

    @property
    def name(self) -> str: ...
    @property
    def connection(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def method(self) -> str: ...
    @property
    def expect_status(self) -> int: ...
    @property
    def body(self) -> ExpectedBody | None: ...
    @property
    def authenticated(self) -> bool: ...


def endpoints(
    target: WebTarget,
    wanted: Sequence[Endpoint],
    account: Account | None = None,
    doors: Doors = STANDARD,
    *,
    elsewhere: Mapping[str, WebTarget] = MappingProxyType({}),
    samples: int = SAMPLES,
) -> Answer:
    """Ask every endpoint ``samples`` times; those behind a login with one session of ``account``, closed afterwards.

    ``target`` is where the login is, and every endpoint whose ``connection`` is not among ``elsewhere``.
    Emits per endpoint http.up (bool), http.client.request.duration and its .max (ms), http.response.status_code and,
    where the policy expects a body, http.response.body_matches (bool, detail says what was seen).
    """
    answer = Answer()
    with Browser(target) as browser, ExitStack() as leaving:
        browsers = {name: leaving.enter_context(Browser(other)) for name, other in elsewhere.items()}
        login: Attempt | None = None
        if account is not None and any(one.authenticated for one in wanted):
            login = leaving.enter_context(session(browser, account, doors))
        for one in wanted:
            answer += _ask(browsers.get(one.connection, browser), one, login, samples)
    return answer


def _ask(browser: Browser, endpoint: Endpoint, login: Attempt | None, samples: int) -> Answer:
    if not endpoint.authenticated:
        return _sampled(browser, endpoint, "", samples)
    if login is not None and login.accepted:
        return _sampled(browser, endpoint, login.token, samples)
    return _behind_closed_door(browser, endpoint, login)


def _behind_closed_door(browser: Browser, endpoint: Endpoint, login: Attempt | None) -> Answer:
    """Login got no reply from a host that is there: the endpoint's server is down. Otherwise nobody could ask."""
    if login is not None and login.outcome is Outcome.NO_REPLY and login.answered:
        return Answer((_up(endpoint, f"login: {login.reason}"),))
    reason = "no synthetic account is configured" if login is None else f"could not log in: {login.reason}"
    return nobody_answered([f"endpoint {endpoint.name}"], browser.target, _tried(browser, endpoint), reason)


def _tried(browser: Browser, endpoint: Endpoint) -> str:
    return f"{endpoint.method} {browser.url(endpoint.path)}"


def _up(endpoint: Endpoint, why_not: str = "") -> Measurement:
    up = 0.0 if why_not else 1.0
    return Measurement("http.up", up, "bool", datetime.now(UTC), {"endpoint": endpoint.name}, detail=why_not)


def _sampled(browser: Browser, endpoint: Endpoint, token: str, samples: int) -> Answer:
    """Samples until one gets no reply or a reply the policy does not expect: that one speaks for the endpoint."""
    taken: list[Reply] = []
    for _ in range(samples if endpoint.method in REPEATABLE else 1):
        reply = browser.ask(endpoint.method, endpoint.path, token=token)
        if isinstance(reply, NoReply):
            return _no_reply(browser, endpoint, reply, len(taken))
        taken.append(reply)
        if not _as_expected(reply, endpoint):
            break
    return Answer(tuple(_measured(endpoint, taken)))


def _as_expected(reply: Reply, endpoint: Endpoint) -> bool:
    return reply.status == endpoint.expect_status and not mismatch(reply, endpoint.body)


def _no_reply(browser: Browser, endpoint: Endpoint, reply: NoReply, before: int) -> Answer:
    reason = f"{reply.reason} (after {before} good replies)" if before else reply.reason
    if reply.answered:
        return Answer((_up(endpoint, reason),))
    return nobody_answered([f"endpoint {endpoint.name}"], browser.target, _tried(browser, endpoint), reason)


def _measured(endpoint: Endpoint, taken: Sequence[Reply]) -> list[Measurement]:
    now, labels, last = datetime.now(UTC), {"endpoint": endpoint.name}, taken[-1]
    spent = [reply.ms for reply in taken]
    found = [
        _up(endpoint),
        Measurement("http.client.request.duration", median(spent), "ms", now, labels, detail=f"median of {len(spent)}"),
        Measurement("http.client.request.duration.max", max(spent), "ms", now, labels),
        Measurement("http.response.status_code", last.status, "count", now, labels, detail=_where_to(last)),
    ]
    if endpoint.body is not None:
        wrong = mismatch(last, endpoint.body)
        matches = Measurement("http.response.body_matches", 0.0 if wrong else 1.0, "bool", now, labels, detail=wrong)
        found.append(matches)
    return found


def _where_to(reply: Reply) -> str:
    """A redirect says where to; without its query, which may carry secrets."""
    where = reply.headers.get("location", "").partition("?")[0]
    return f"redirects to {where[:SHOWN]}" if where else ""


def mismatch(reply: Reply, expected: ExpectedBody | None) -> str:
    """What the body says instead of what is expected, or nothing where it is as expected."""
    if expected is None:
        return ""
    wrong = [f"body longer than the {len(reply.body)} bytes read"] if reply.truncated else []
    if expected.equals or expected.has:
        wrong += _json_mismatches(reply, expected)
    if expected.contains and expected.contains not in reply.text():
        wrong.append(f"text {expected.contains!r} is missing")
    return "; ".join(wrong)


def _json_mismatches(reply: Reply, expected: ExpectedBody) -> list[str]:
    answer = reply.json()
    if answer is None:
        return [f"body is not JSON ({reply.content_type() or 'no content type'}, {len(reply.body)} bytes)"]
    found = {key: _as_text(_looked_up(answer, key)) for key in (*expected.has, *expected.equals)}
    missing = [f"key {key!r} is missing" for key, value in found.items() if value is None]
    return missing + [
        f"{key} is {str(found[key])[:SHOWN]!r}, not {value!r}"
        for key, value in expected.equals.items()
        if found[key] is not None and found[key] != value
    ]


_ABSENT = object()


def _looked_up(answer: Any, key: str) -> Any:
    """The value below a dotted key; one that is there and null is not one that is missing."""
    for part in key.split("."):
        answer = answer.get(part, _ABSENT) if isinstance(answer, dict) else _ABSENT
    return answer


def _as_text(value: Any) -> str | None:
    """A text as itself, everything else as JSON writes it (``true``, ``3``); None where there is nothing."""
    if value is _ABSENT:
        return None
    return value if isinstance(value, str) else json.dumps(value)
