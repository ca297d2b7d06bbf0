"""Whom the smoke checks log in as (M3-06): an account made in the restored copy, with secrets drawn for this run.

Production's own accounts would tie a drill to the age of its backup: a password or second factor changed since is in
no older backup. So nobody's credentials are used, and none of production's come near the drill.
"""

from __future__ import annotations

import base64
import secrets
from typing import TYPE_CHECKING

from clo_ops.policy.failover import DrillAccount, PasswordHash
from clo_ops.probes.postgres import rows
from clo_ops.probes.targets import Account

if TYPE_CHECKING:
    import psycopg
    from psycopg.rows import DictRow

SECRET_BYTES = 20  # what RFC 4226 recommends for the second factor's secret


def drawn(terms: DrillAccount) -> Account:
    """A new password and second factor for the policy's name. Nothing is made yet."""
    factor = base64.b32encode(secrets.token_bytes(SECRET_BYTES)).decode() if terms.second_factor else ""
    return Account(terms.username, secrets.token_urlsafe(24), factor, int(terms.totp_interval.total_seconds()))


def make(connection: psycopg.Connection[DictRow], account: Account, terms: DrillAccount) -> bool:
    """Write ``account`` with its role into the restored copy; False where no such role is there.

    One that already has the name, from an earlier attempt of the same drill, gets the new secrets. ``connection`` is
    one of ``session.writing``, so never production's. Raises psycopg errors where the copy's tables are other ones
    than include/sql/source/drill_account.sql knows.
    """
    values = {
        "username": account.username,
        "password_hash": hashed(account.password, terms.password_hash),
        "totp_secret": account.totp_secret or None,
        "role": terms.role,
    }
    return bool(rows(connection, "source/drill_account", values))


def hashed(password: str, how: PasswordHash) -> str:
    """``password`` as the application keeps it. The libraries are imported here: hashing is for drills only."""
    if how == "bcrypt":
        import bcrypt

        return bcrypt.hashpw(password.encode(), bcrypt.gensalt()).decode()
    from argon2 import PasswordHasher

    return PasswordHasher().hash(password)
