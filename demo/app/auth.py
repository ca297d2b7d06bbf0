"""Login: password, then second factor; the lock-out, the replay defence and the record of every attempt."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

import anyio
import pyotp
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from psycopg import AsyncConnection

from demo.app.faults import Faults

LOCK_AFTER = 10
LOCK_WINDOW = timedelta(minutes=5)
# A service account (the synthetic user of the morning check) sends wrong passwords and replays codes on purpose;
# only guessing its code can lock it.
_COUNTED = {
    True: ["invalid second factor"],
    False: ["invalid credentials", "invalid second factor", "replayed second factor"],
}
# Not secret: gives an unknown user name the same amount of hashing as a known one.
_NOBODY = PasswordHasher().hash("nobody")
_ROLES = ("admin", "manager", "analyst", "viewer")
_USER = """SELECT u.user_id, u.username, u.password_hash, u.totp_secret, NOT u.disabled AS is_active, u.is_service,
       array_agg(r.role_name) FILTER (WHERE r.role_name IS NOT NULL) AS roles
FROM app_users u LEFT JOIN app_user_roles ur USING (user_id) LEFT JOIN app_roles r USING (role_id)
WHERE u.username = %s GROUP BY u.user_id"""
_FAILURES = """SELECT count(*) AS failures FROM login_attempts
WHERE username = %s AND NOT success AND reason = ANY(%s) AND at > now() - %s"""
_USE_STEP = """UPDATE app_users SET totp_last_step = %(step)s
WHERE user_id = %(user_id)s AND coalesce(totp_last_step, -1) < %(step)s"""


@dataclass
class Refused(Exception):
    """A login that opens no session: what the client is told, and what the record says."""

    status: int
    detail: str
    reason: str
    mfa_required: bool = False


@dataclass(frozen=True, slots=True)
class User:
    user_id: int
    username: str
    password_hash: str
    totp_secret: str | None
    is_active: bool
    is_service: bool
    role: str


async def find_user(connection: AsyncConnection[dict[str, Any]], username: str) -> User | None:
    row = await (await connection.execute(_USER, (username,))).fetchone()
    if row is None:
        return None
    roles = row.pop("roles") or []
    return User(**row, role=next((role for role in _ROLES if role in roles), "viewer"))


async def refuse_if_locked(connection: AsyncConnection[dict[str, Any]], username: str, user: User | None) -> None:
    """Counted by user name, known or not, so that the answer does not tell which names exist."""
    reasons = _COUNTED[user is not None and user.is_service]
    row = await (await connection.execute(_FAILURES, (username, reasons, LOCK_WINDOW))).fetchone()
    if cast(dict[str, int], row)["failures"] >= LOCK_AFTER:
        raise Refused(429, "too many failed attempts", "locked out")


async def password_right(user: User | None, password: str) -> bool:
    """Hashing takes tens of milliseconds of CPU: in a thread, and for unknown users too."""
    stored = user.password_hash if user else _NOBODY
    right = await anyio.to_thread.run_sync(_verify, stored, password)
    return right and user is not None and user.is_active


def _verify(stored: str, password: str) -> bool:
    try:
        return PasswordHasher().verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False


def matching_step(secret: str, code: str, interval: int, now: float) -> int | None:
    """The time step whose code this is: the current one, the one before or the one after (RFC 6238)."""
    totp = pyotp.TOTP(secret, interval=interval)
    current = int(now) // interval
    for step in (current, current - 1, current + 1):
        if pyotp.utils.strings_equal(code, totp.generate_otp(step)):
            return step
    return None


async def check_second_factor(
    connection: AsyncConnection[dict[str, Any]], user: User, code: str | None, interval: int, faults: Faults
) -> None:
    """Raise Refused unless the code is right and its step was never used before."""
    if code is None:
        if faults.on("login-without-mfa"):
            return
        raise Refused(401, "second factor required", "second factor required", mfa_required=True)
    step = matching_step(user.totp_secret, code, interval, time.time()) if user.totp_secret else None
    if step is None:
        raise Refused(401, "invalid second factor", "invalid second factor")
    # One statement decides: of two logins with the same code, the row lock lets exactly one through.
    used = await connection.execute(_USE_STEP, {"step": step, "user_id": user.user_id})
    if used.rowcount != 1 and not faults.on("replayed-code-accepted"):
        raise Refused(401, "invalid second factor", "replayed second factor")


async def note_attempt(
    connection: AsyncConnection[dict[str, Any]], username: str, reason: str | None, source_ip: str
) -> None:
    """``reason`` None is a success."""
    await connection.execute(
        "INSERT INTO login_attempts (username, success, reason, source_ip) VALUES (%s, %s, %s, %s)",
        (username, reason is None, reason, source_ip),
    )
