"""A demo world on a real PostgreSQL, a real Redis and a real ledger, as the reviews of Monday and Friday see them."""

from __future__ import annotations

import dataclasses
import json
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import unquote

import psycopg
import pytest

from clo_ops.findings import ConfigurationError, Finding, Status
from clo_ops.ledger import Ledger
from clo_ops.orchestration import access_audit, access_review, audit_register, inactive_accounts, vulnerability_scan
from clo_ops.orchestration.connections import Connections
from clo_ops.orchestration.controls import assess
from clo_ops.orchestration.recording import carry_out
from clo_ops.orchestration.run import Run
from clo_ops.policy import Policy, load_policy
from clo_ops.policy.firing import by_hand
from demo.mornings import Plain
from demo.stack.app import postgres_connection
from demo.stack.postgres import Cluster
from demo.stack.redis import Redis
from demo.switches import switch_off_all
from demo.world import build, prepare
from demo.world.database import ROLES

PAGES = {"WM": "weekly_monday_maintenance", "WF": "weekly_friday_compliance", "M1": "monthly_week1_security_audit"}
# What asks more than the controls of its own name.
OF_THE_MONTH = {
    "M1-01": access_audit.accounts,
    "M1-02": inactive_accounts.inactive,
    "M1-03": access_audit.roles,
    "M1-04": access_audit.privileges,
    "M1-05": vulnerability_scan.vulnerabilities,
    "M1-06": access_audit.configuration,
    "M1-07": audit_register.penetration_tests,
    "M1-08": audit_register.compliance_gaps,
    "M1-09": audit_register.improvements,
}
_numbers = count(1)
# A host whose lists are fresh and that waits for nothing; what the machine of the tests waits for is another matter.
APT = """#!/bin/sh
case "$0 $*" in
    *apt-config*) echo "lists='$(dirname "$0")'" ;;
    *dist-upgrade*) cat "$(dirname "$0")/pending" ;;
esac
"""


@dataclass
class Site:
    """The CLO system, a ledger, and the reviews run on them. ``state`` is what the switches are given."""

    state: Path
    cluster: Cluster
    redis: Redis
    ledger: Ledger
    policy: Policy
    name: str = "clo"
    account: str = "clo-ops-probe"
    elsewhere: dict[str, dict[str, Any]] = field(default_factory=dict)
    at: datetime = field(default_factory=lambda: datetime.now(UTC) + timedelta(minutes=1))

    def database(self, user: str = "clo_app") -> psycopg.Connection[Any]:
        return psycopg.connect(self.cluster.url(self.name, user), autocommit=True)

    @contextmanager
    def run(self, procedure: str, at: datetime | None = None) -> Iterator[Run]:
        dag = PAGES[procedure[:2]]
        at = at or self.at + timedelta(seconds=next(_numbers))
        name = f"test__{next(_numbers)}"
        key = self.ledger.open_run(dag, name, at, "")
        connections = Connections("clo_ops/test", self._connection)
        yield Run(dag, name, "test", at, self.policy, connections, self.ledger, key)

    def judged(self, procedure: str, at: datetime | None = None) -> list[Finding]:
        """What the procedure finds, on record as the task would leave it."""
        with self.run(procedure, at) as run:
            return carry_out(run, [procedure], OF_THE_MONTH.get(procedure, lambda one: assess(one, procedure)))

    @contextmanager
    def review(self, at: datetime | None = None) -> Iterator[Run]:
        """A run of an access review, whose lists are put and on record."""
        with self.run("M1-01", at) as run:
            asking = dataclasses.replace(run, firing=by_hand(self.policy, run.dag_id, access_review.CADENCE))
            carry_out(asking, ["M1-01"], access_audit.accounts)
            yield asking

    def reviewed(self) -> Run:
        """An access review in which everybody kept what they have."""
        with self.review() as run:
            for item in access_review.open_items(run).values():
                (user, *_) = access_review.may_answer(run, item, access_review.rows_of(run, item))
                access_review.answer(run, item.key, access_review.KEEP, user, {"list": item.detail})
            carry_out(run, ["M1-09"], audit_register.improvements)
            return run

    def broken(self, *procedures: str, at: datetime | None = None) -> dict[str, str]:
        """Controls that are neither passed nor told to be not assessed, with what they say."""
        return {one.subject: one.message for one in self.red(*procedures, at=at)}

    def red(self, *procedures: str, at: datetime | None = None) -> list[Finding]:
        """What the procedures find that is neither passed nor told to be not assessed."""
        findings = [one for procedure in procedures for one in self.judged(procedure, at)]
        return [one for one in findings if one.status not in (Status.PASS, Status.NOT_APPLICABLE)]

    def _connection(self, conn_id: str) -> Plain:
        known = {
            "clo_postgres": postgres_connection(self.cluster, self.name, "clo_ops_reader"),
            "clo_postgres_accounts": postgres_connection(self.cluster, self.name, "clo_ops_accounts"),
            "clo_redis": {"host": "127.0.0.1", "port": self.redis.port, "password": self.redis.password},
            "clo_api": {"host": "http://127.0.0.1:1", "login": self.account, "password": "none"},
            "clo_archive": {"extra": json.dumps({"url": f"file://{self.state / 'archive'}"})},
            "clo_host_app1": {"host": "localhost", "extra": json.dumps({"transport": "local"})},
            **self.elsewhere,
        }
        if conn_id not in known:
            raise ConfigurationError(f"there is no connection {conn_id!r}")
        return Plain(conn_id, **known[conn_id])


@pytest.fixture(scope="session")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("review")


@pytest.fixture(scope="session")
def cluster(state: Path) -> Iterator[Cluster]:
    """A world that ends with the hour that is now, and an empty ledger beside it."""
    with Cluster(state / "postgres") as running:
        for role in (*ROLES, "clo_ops"):
            running.create_user(role, secrets.token_urlsafe(12))
        running.create_database("clo", owner="clo_app")
        prepare(running.url("clo"), {role: running.password(role) for role in ROLES})
        build(running.url("clo", "clo_app"), scale=0.2)
        running.create_database("ledger_template", owner="clo_ops")
        with Ledger(running.url("ledger_template", "clo_ops")) as ledger:
            ledger.migrate()
        yield running


@pytest.fixture(scope="session")
def cache(state: Path) -> Iterator[Redis]:
    with Redis(state / "redis") as running:
        yield running


class Osv(ThreadingHTTPServer):
    """A vulnerability database that speaks the OSV protocol. ``known``: ids by package; ``entries`` by id.

    ``page_size`` ids an answer; ``broken`` is answered instead of anything, with its status.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _OsvAnswers)
        self.clear()

    def clear(self) -> None:
        self.known: dict[str, list[str]] = {}
        self.entries: dict[str, dict[str, Any]] = {}
        self.asked: list[str] = []
        self.page_size, self.broken = 1000, (200, b"")

    def add(self, package: str, *entries: dict[str, Any]) -> None:
        self.known[package] = [one["id"] for one in entries]
        self.entries |= {one["id"]: one for one in entries}

    def result(self, query: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(f"{query['package']['ecosystem']} {query['package']['name']} {query['version']}")
        ids, start = self.known.get(query["package"]["name"], []), int(query.get("page_token", 0))
        page = {"vulns": [{"id": one} for one in ids[start : start + self.page_size]]} if ids else {}
        more = start + self.page_size < len(ids)
        return page | ({"next_page_token": str(start + self.page_size)} if more else {})


class _OsvAnswers(BaseHTTPRequestHandler):
    server: Osv

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self._say({"results": [self.server.result(one) for one in body["queries"]]})

    def do_GET(self) -> None:
        self._say(self.server.entries[unquote(self.path.removeprefix("/v1/vulns/"))])

    def _say(self, found: Any) -> None:
        status, broken = self.server.broken
        data = broken or json.dumps(found).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="session")
def osv_server() -> Iterator[Osv]:
    server = Osv()
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def osv(osv_server: Osv) -> Osv:
    osv_server.clear()
    return osv_server


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What apt-get would say of this machine: lines of ``pending`` in this folder, whose time is the lists' age."""
    folder = tmp_path / "apt"
    folder.mkdir()
    (folder / "pending").touch()
    for name in ("apt-get", "apt-config", "apt-mark", "dpkg"):
        (folder / name).write_text(APT)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def demanding(policy: Policy, control: str, **parameters: Any) -> Policy:
    """The policy with other parameters of one control."""
    controls = policy.controls
    changed = controls[control].model_copy(update={"parameters": {**controls[control].parameters, **parameters}})
    catalogue = controls.model_copy(update={"catalogue": {**controls.catalogue, control: changed}})
    return policy.model_copy(update={"controls": catalogue})


@pytest.fixture
def judging(osv: Osv, apt: Path) -> Policy:
    """The demo's policy, with the vulnerability database of the tests."""
    policy = load_policy(mode="demo")
    for control in ("VUL-01", "VUL-02"):
        policy = demanding(policy, control, source=f"http://127.0.0.1:{osv.server_port}/")
    return policy


@pytest.fixture
def site(  # noqa: PLR0917 - what the system is made of
    state: Path, cluster: Cluster, cache: Redis, judging: Policy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Site]:
    """The system as it was built; whatever a test switches on is off again afterwards."""
    monkeypatch.setenv("CLO_OPS_EVIDENCE", str(tmp_path / "evidence"))
    monkeypatch.setenv("CLO_DATABASE_URL", cluster.url("clo", "clo_app"))
    name = f"ledger_{next(_numbers)}"
    with cluster.connect() as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE ledger_template OWNER clo_ops")
    with Ledger(cluster.url(name, "clo_ops"), client_name="clo_ops/test") as ledger:
        yield Site(state, cluster, cache, ledger, judging)
    switch_off_all(state)


@pytest.fixture
def copy(site: Site) -> Site:
    """The same on a copy of the world that a test may ruin."""
    site.name = f"clo_{next(_numbers)}"
    with site.cluster.connect() as connection:
        connection.execute(f"CREATE DATABASE {site.name} TEMPLATE clo OWNER clo_app")
    return site  # goes with its server


@pytest.fixture
def seen(site: Site) -> Callable[..., Site]:
    """The same after a first look, so that states have something to be compared with, and after an access review."""

    def look(*procedures: str) -> Site:
        site.reviewed()
        for procedure in procedures:
            site.judged(procedure)
        return site

    return look
