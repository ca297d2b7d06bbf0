"""What the parts of the application are told when a drill starts them (M3-06, manual L213): filled in from the policy,
with the throw-away database, a password and a secret made for this run, and nothing else.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from clo_ops.actions.drill.place import PlaceFailed
from clo_ops.actions.drill.session import execute, writing
from clo_ops.policy.failover import IN_BRACES, Application, Part
from clo_ops.probes.targets import PostgresTarget

LISTENS_ON = 5432  # PostgreSQL in its container


@dataclass(frozen=True, slots=True)
class Address:
    """Where a part listens, as the other parts reach it."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Told:
    """A part's own words, filled in. Its environment holds secrets of this run."""

    command: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)


def give_password(target: PostgresTarget, role: str, production: str = "") -> str:
    """A password for ``role`` on the throw-away server: roles are restored without.

    Only its SCRAM verifier is sent, so that it is in no log of the server. Raises PlaceFailed where there is no such
    role or the server is production's (``production`` as of ``session.writing``), Unreachable where none answers.
    """
    import psycopg
    from psycopg import sql

    password = secrets.token_urlsafe(24)
    try:
        with writing(target, production=production) as connection:
            verifier = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
            words = {"role": sql.Identifier(role), "password": sql.Literal(verifier.decode())}
            execute(connection, "application/role_password", **words)
    except psycopg.errors.UndefinedObject:
        raise PlaceFailed(
            f"the restored server has no role {role!r}",
            allowed="the role the application logs in with (recovery.yaml, application: database_role)",
            next_step="see whether the backup's roles were restored",
        ) from None
    return password


def words(
    application: Application, database: PostgresTarget, password: str, addresses: Mapping[str, Address]
) -> dict[str, str]:
    """What stands for each word in braces, those of a part's own (``bind``, ``port``, ``state``) left to ``told``.

    ``database`` is as the parts reach it.
    """
    user, host = application.database_role, database.host
    login = f"{quote(user, safe='')}:{quote(password, safe='')}"
    known = {
        "database_url": f"postgresql://{login}@{host}:{database.port}/{quote(database.database, safe='')}",
        "database_host": host,
        "database_port": str(database.port),
        "database_name": database.database,
        "database_user": user,
        "database_password": password,
        "secret": secrets.token_urlsafe(24),
        "totp_interval": f"{application.account.totp_interval.total_seconds():.0f}",
    }
    for name, one in addresses.items():
        known |= {f"{name}_host": one.host, f"{name}_port": str(one.port)}
    return known


def told(application: Application, part: Part, known: Mapping[str, str], own: Mapping[str, str]) -> Told:
    """``own`` are the part's: bind, port, state."""
    values = {**known, **own}

    def filled(text: str) -> str:
        # What is no word of ours (JSON in a variable) stays as it is.
        return IN_BRACES.sub(lambda found: values.get(found[1], found[0]), text)

    environment = {**application.environment, **part.environment}
    return Told(tuple(map(filled, part.command)), {name: filled(text) for name, text in environment.items()})


def without_secrets(said: str, known: Mapping[str, str]) -> str:
    """What a part said, for a report: an application that fails may well tell what it was told."""
    for name in ("database_password", "secret"):
        for secret in (known[name], quote(known[name], safe="")):
            said = said.replace(secret, "***")
    return said
