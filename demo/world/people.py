"""Who uses the demo system, and the credentials of the few who can log in."""

from __future__ import annotations

import base64
import hashlib
import random
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from argon2 import PasswordHasher

from demo.world.plan import Plan
from demo.world.reference import Record

ROLES = {
    "admin": "Everything, users and configuration included",
    "manager": "Portfolios, calculations, reports, approvals",
    "analyst": "Portfolios, calculations, reports",
    "viewer": "Portfolios and finished reports, nothing to change",
}
PROBE = "clo-ops-probe"
# Who can really log in: username to role.
DEMO_USERS = {"admin": "admin", "manager": "manager", "analyst": "analyst", "viewer": "viewer", PROBE: "viewer"}
NOBODY = "!"  # no password matches it
FIRST = [
    "Ada",
    "Ben",
    "Cleo",
    "Dara",
    "Emil",
    "Fay",
    "Gus",
    "Hana",
    "Ivo",
    "Jana",
    "Kai",
    "Lena",
    "Milo",
    "Nora",
    "Otto",
    "Pia",
    "Quin",
    "Rosa",
    "Sven",
    "Tara",
]
LAST = [
    "Abel",
    "Brandt",
    "Cole",
    "Diaz",
    "Egan",
    "Fisk",
    "Gray",
    "Holt",
    "Ibsen",
    "Jones",
    "Klein",
    "Lund",
    "Moss",
    "Nolan",
    "Orr",
    "Pike",
    "Quist",
    "Reed",
    "Stone",
]
# Demo passwords are random and long; the cost that protects weak ones would only slow the demo down.
HASHER = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1)


@dataclass(frozen=True)
class Credential:
    username: str
    role: str
    password: str
    totp_secret: str

    def __repr__(self) -> str:
        return f"Credential({self.username!r}, {self.role!r}, ...)"


def credentials(given: Mapping[str, Mapping[str, str]] | None = None) -> dict[str, Credential]:
    """Of DEMO_USERS: password and TOTP secret (base32, 160 bits) as given, or drawn. Raises KeyError for others."""
    given = given or {}
    unknown = set(given) - set(DEMO_USERS)
    if unknown:
        raise KeyError(f"credentials for {sorted(unknown)}; allowed are those of {sorted(DEMO_USERS)}")
    return {name: _credential(name, role, given.get(name, {})) for name, role in DEMO_USERS.items()}


def _credential(name: str, role: str, given: Mapping[str, str]) -> Credential:
    secret = given.get("totp_secret") or base64.b32encode(secrets.token_bytes(20)).decode()
    return Credential(name, role, given.get("password") or secrets.token_urlsafe(18), secret)


@dataclass(frozen=True)
class User:
    user_id: int
    username: str
    full_name: str
    role: str
    created_at: datetime
    disabled: bool = False

    @property
    def is_service(self) -> bool:
        return self.username == PROBE


def users(plan: Plan) -> list[User]:
    """The five of DEMO_USERS first, then colleagues: more of them in a larger world."""
    rng, made = plan.rng("users"), list[User]()
    for name, role in DEMO_USERS.items():
        title = "Synthetic monitoring account" if name == PROBE else f"Demo {role}"
        made.append(User(len(made) + 1, name, title, role, plan.history_start - timedelta(days=400)))
    for number in range(min(320, 18 + round(6 * plan.scale))):
        made.append(_colleague(plan, rng, len(made) + 1, number))
    return made


def _colleague(plan: Plan, rng: random.Random, user_id: int, number: int) -> User:
    first, last = FIRST[number % len(FIRST)], LAST[(number // len(FIRST) + number) % len(LAST)]
    role = rng.choices(("manager", "analyst", "viewer"), (2, 6, 5))[0]
    since = plan.history_start - timedelta(days=rng.randint(30, 900), seconds=rng.randrange(86_400))
    username = f"{first}.{last}{number + 1}".lower()
    return User(user_id, username, f"{first} {last}", role, since, disabled=rng.random() < 0.05)


def user_rows(people: list[User], known: Mapping[str, Credential]) -> Iterator[Record]:
    for user in people:
        credential = known.get(user.username)
        yield {
            "user_id": user.user_id,
            "username": user.username,
            "full_name": user.full_name,
            "email": f"{user.username}@clo.example",
            "password_hash": HASHER.hash(credential.password) if credential else NOBODY,
            "totp_secret": credential.totp_secret if credential else _unused_secret(user),
            "totp_last_step": None,
            "is_service": user.is_service,
            "disabled": user.disabled,
            "created_at": user.created_at,
            "updated_at": user.created_at,
        }


def _unused_secret(user: User) -> str:
    """Everybody has a second factor; nobody gets as far as being asked for this one."""
    return base64.b32encode(hashlib.sha256(user.username.encode()).digest()[:20]).decode()


def role_rows() -> Iterator[Record]:
    for number, (name, description) in enumerate(ROLES.items(), 1):
        yield {"role_id": number, "role_name": name, "description": description}


def grant_rows(people: list[User]) -> Iterator[Record]:
    numbers = {name: number for number, name in enumerate(ROLES, 1)}
    for user in people:
        role = numbers[user.role]
        yield {"user_id": user.user_id, "role_id": role, "granted_at": user.created_at, "granted_by": "admin"}
