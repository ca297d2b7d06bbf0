"""The demo CLO system, once for this folder, as the probes' targets see it; switches are put back after each test."""

from __future__ import annotations

import base64
import itertools
import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
import pytest

from clo_ops.findings import Finding
from clo_ops.policy import Policy, load_policy
from clo_ops.probes.targets import Account, PostgresTarget, RedisTarget, WebTarget
from demo import switches
from demo.stack.content import World
from demo.stack.system import DemoSystem


@dataclass(frozen=True)
class Site:
    """What the operator's connections would hold."""

    system: DemoSystem
    api: WebTarget
    frontend: WebTarget
    account: Account
    redis: RedisTarget
    postgres: PostgresTarget

    @contextmanager
    def broken(self, *names: str) -> Iterator[None]:
        for name in names:
            switches.switch_on(self.system.state, name)
        try:
            yield
        finally:
            switches.switch_off_all(self.system.state)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with DemoSystem(tmp_path_factory.mktemp("clo"), world=World(scale=0.01, days=2), backups=False) as system:
        given = system.connections
        api, table, store = given["clo_api"], given["clo_postgres"], given["clo_redis"]
        extra = json.loads(api["extra"])
        yield Site(
            system=system,
            api=WebTarget(api["host"], "clo_ops/test/web", read_timeout=3.0),
            frontend=WebTarget(given["clo_frontend"]["host"], "clo_ops/test/web", read_timeout=3.0),
            account=Account(api["login"], api["password"], extra["totp_secret"], extra["totp_interval"]),
            redis=RedisTarget(store["host"], store["port"], password=store["password"], client_name="clo_ops/test"),
            postgres=PostgresTarget(
                table["host"], table["port"], table["schema"], table["login"], table["password"], "disable"
            ),
        )


NEW_ACCOUNT = """WITH made AS (
    INSERT INTO app_users (username, full_name, email, password_hash, totp_secret, is_service)
    SELECT %(name)s, full_name, email, password_hash, %(secret)s, is_service
    FROM app_users WHERE username = %(like)s RETURNING user_id)
INSERT INTO app_user_roles (user_id, role_id, granted_by)
SELECT made.user_id, role_id, 'test' FROM made, app_user_roles JOIN app_users USING (user_id)
WHERE username = %(like)s"""
_numbers = itertools.count(1)


@pytest.fixture
def account(site: Site) -> Account:
    """A synthetic account of its own for each test, so that none waits for a code another has used."""
    name, secret = f"{site.account.username}-{next(_numbers)}", base64.b32encode(secrets.token_bytes(20)).decode()
    with psycopg.connect(site.system.cluster.url("clo", "clo_app")) as connection:
        connection.execute(NEW_ACCOUNT, {"name": name, "secret": secret, "like": site.account.username})
    return replace(site.account, username=name, totp_secret=secret)


@pytest.fixture(scope="session")
def policy() -> Policy:
    return load_policy(Path(__file__).resolve().parents[3] / "include" / "policy", "demo")


Verdicts = Callable[[list[Finding]], dict[str, str]]


@pytest.fixture(scope="session")
def verdicts() -> Verdicts:
    """``{"endpoint up portfolios": "pass", ...}``: what each finding says, by name and subject."""
    return lambda findings: {f"{one.name} {one.subject}".strip(): one.status.value for one in findings}
