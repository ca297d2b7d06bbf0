"""Opening and closing a session of the synthetic account (D61), as a user does: password, second factor, logout.

A TOTP code may be used once, and several procedures share the account: where the second factor is refused, the next
step's code is tried, twice at most. No password, token or code ever gets into a reason.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from clo_ops.findings import ConfigurationError
from clo_ops.probes.exchange import Browser, NoReply, Reply
from clo_ops.probes.targets import Account

STEPS_TO_WAIT = 2
# The other side's clock may be a little behind ours; a code of a step that has not begun there is refused.
STEP_MARGIN = 0.1
REASON_LENGTH = 120


class LoginNames(Protocol):
    """What the API calls things in the login's request and answer; ``identity`` is the name in who one is."""

    @property
    def username(self) -> str: ...
    @property
    def password(self) -> str: ...
    @property
    def code(self) -> str: ...
    @property
    def token(self) -> str: ...
    @property
    def lifetime(self) -> str: ...
    @property
    def refusal(self) -> str: ...
    @property
    def identity(self) -> str: ...


class Doors(Protocol):
    """Where one logs in and out and asks who one is, and how a refusal reads; the policy's access figures are such.
    A refusal with ``second_factor_words`` in it is one of the second factor."""

    @property
    def login_path(self) -> str: ...
    @property
    def logout_path(self) -> str: ...
    @property
    def me_path(self) -> str: ...
    @property
    def refused_status(self) -> int: ...
    @property
    def second_factor_words(self) -> str: ...
    @property
    def fields(self) -> LoginNames: ...


@dataclass(frozen=True, slots=True)
class StandardNames:
    """The CLO API's own."""

    username: str = "username"
    password: str = "password"  # noqa: S105 - the name of a field
    code: str = "totp"
    token: str = "access_token"  # noqa: S105 - the name of a field
    lifetime: str = "expires_in"
    refusal: str = "detail"
    identity: str = "username"


@dataclass(frozen=True, slots=True)
class StandardDoors:
    """The CLO API's own."""

    login_path: str = "/api/v1/auth/login"
    logout_path: str = "/api/v1/auth/logout"
    me_path: str = "/api/v1/auth/me"
    refused_status: int = 401
    second_factor_words: str = "second factor"
    fields: LoginNames = StandardNames()


STANDARD = StandardDoors()


class Outcome(StrEnum):
    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNCLEAR = "unclear"
    NO_REPLY = "no reply"


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one login came to. ``answered`` is False only where nobody could be reached; ``code`` is what was sent;
    ``granted`` is for how many seconds the session is said to be good (0: not said)."""

    outcome: Outcome
    reason: str
    token: str = field(repr=False, default="")
    code: str = field(repr=False, default="")
    granted: float = 0.0
    second_factor_refused: bool = False
    answered: bool = True

    @property
    def accepted(self) -> bool:
        return self.outcome is Outcome.ACCEPTED


def code_now(account: Account, moment: float | None = None) -> str:
    """The account's six-digit TOTP code (RFC 6238, SHA-1) of the step ``moment`` (seconds since 1970) is in.

    By hand, because libraries refuse the 80-bit secrets that many authenticators were given. Raises
    ConfigurationError where the secret is not base32.
    """
    step = int(time.time() if moment is None else moment) // account.totp_interval
    mac = hmac.digest(_secret_bytes(account), step.to_bytes(8), "sha1")
    offset = mac[-1] & 0x0F
    number = int.from_bytes(mac[offset : offset + 4]) & 0x7FFF_FFFF
    return f"{number % 1_000_000:06d}"


def _secret_bytes(account: Account) -> bytes:
    text = account.totp_secret.replace(" ", "").upper()
    try:
        return base64.b32decode(text + "=" * (-len(text) % 8))
    except binascii.Error:
        raise ConfigurationError(
            f"the second factor's secret of {account.username!r} is not base32",
            allowed="letters A-Z and digits 2-7, as shown when the second factor was set up",
            next_step="correct totp_secret in the extra of the connection clo_api",
        ) from None


def wait_for_next_step(account: Account) -> None:
    """Sleep until the next TOTP step has begun: at most ``totp_interval`` seconds and a margin."""
    time.sleep(account.totp_interval - time.time() % account.totp_interval + STEP_MARGIN)


def attempt(
    browser: Browser, account: Account, doors: Doors = STANDARD, *, password: str | None = None, code: str = ""
) -> Attempt:
    """One login, with the account's password unless another is given, and with ``code`` where there is one."""
    secret = account.password if password is None else password
    names = doors.fields
    form = {names.username: account.username, names.password: secret} | ({names.code: code} if code else {})
    reply = browser.ask("POST", doors.login_path, body=form)
    if isinstance(reply, NoReply):
        return Attempt(Outcome.NO_REPLY, reply.reason, code=code, answered=reply.answered)
    return _judged(reply, code, doors, hidden=(secret, account.password, code, account.totp_secret))


def _judged(reply: Reply, code: str, doors: Doors, hidden: tuple[str, ...]) -> Attempt:
    """A token means a session is open, whatever the status says. Only the agreed status is a refusal: a server in
    trouble refuses everybody and proves nothing."""
    answer, names = reply.json(), doors.fields
    said_in: dict[str, Any] = answer if isinstance(answer, dict) else {}
    token = said_in.get(names.token)
    if isinstance(token, str) and token:
        length = said_in.get(names.lifetime)
        granted = float(length) if isinstance(length, int | float) else 0.0
        return Attempt(Outcome.ACCEPTED, f"HTTP {reply.status}, session opened", token, code, granted)
    said = _scrubbed(str(said_in.get(names.refusal, "no session opened")), hidden)
    outcome = Outcome.REFUSED if reply.status == doors.refused_status else Outcome.UNCLEAR
    refused = outcome is Outcome.REFUSED and doors.second_factor_words.lower() in said.lower()
    return Attempt(outcome, f"HTTP {reply.status}, {said}", code=code, second_factor_refused=refused)


def _scrubbed(said: str, hidden: tuple[str, ...]) -> str:
    """What the server said, without anything secret it may have echoed, on one short line."""
    for secret in filter(None, hidden):
        said = said.replace(secret, "***")
    return " ".join(said.split())[:REASON_LENGTH]


def attempt_with_code(
    browser: Browser, account: Account, doors: Doors = STANDARD, *, password: str | None = None
) -> Attempt:
    """Log in with the current step's code; where the second factor is refused, again with the next, twice at most."""
    if not account.totp_secret:
        return attempt(browser, account, doors, password=password)
    last = attempt(browser, account, doors, password=password, code=code_now(account))
    for _ in range(STEPS_TO_WAIT):
        if not last.second_factor_refused:
            break
        wait_for_next_step(account)
        last = attempt(browser, account, doors, password=password, code=code_now(account))
    return last


def sign_out(browser: Browser, token: str, doors: Doors = STANDARD) -> Reply | NoReply:
    return browser.ask("POST", doors.logout_path, token=token)


@contextmanager
def opened(browser: Browser, made: Attempt, doors: Doors = STANDARD) -> Iterator[Attempt]:
    """Log out again whatever happens in between; what was not opened is not closed."""
    try:
        yield made
    finally:
        if made.token:
            sign_out(browser, made.token, doors)


@contextmanager
def session(browser: Browser, account: Account, doors: Doors = STANDARD) -> Iterator[Attempt]:
    """A session of the account for the length of a ``with`` block; ask ``accepted`` before using its token."""
    with opened(browser, attempt_with_code(browser, account, doors), doors) as made:
        yield made
