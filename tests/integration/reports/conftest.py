"""A demo world and a ledger with ten days on record, on a real PostgreSQL, as the reports' tasks find them."""

from __future__ import annotations

import math
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest

from clo_ops.findings import Answer, Finding, Measurement, Severity
from clo_ops.ledger import Ledger
from clo_ops.orchestration import capacity
from clo_ops.orchestration.connections import Connections
from clo_ops.orchestration.recording import Judgement, carry_out
from clo_ops.orchestration.run import Run
from clo_ops.policy import load_policy
from demo.mornings import Plain
from demo.stack.app import postgres_connection
from demo.stack.postgres import Cluster
from demo.world import build, prepare
from demo.world.database import ROLES

# A Friday. The day is Thursday 18:00 to Friday 18:00, the week Friday the 13th to Thursday the 19th.
FRIDAY = datetime(2026, 11, 20, 18, tzinfo=UTC)
_numbers = count(1)


@dataclass
class Office:
    cluster: Cluster
    ledger: Ledger
    postgres: dict[str, Any] = field(default_factory=dict)

    def database(self, user: str = "clo_app") -> psycopg.Connection[Any]:
        return psycopg.connect(self.cluster.url("clo", user), autocommit=True)

    def run(self, dag: str, name: str = "", at: datetime = FRIDAY) -> Run:
        name = name or f"test__{next(_numbers)}"
        connections = Connections("clo_ops/test", self._connection)
        key = self.ledger.open_run(dag, name, at, "")
        return Run(dag, name, "test", at, load_policy(mode="demo"), connections, self.ledger, key)

    def judged(self, run: Run, procedure: str, judgement: Judgement) -> list[Finding]:
        """What the procedure finds, on record as its task would leave it."""
        run.evidence, run.answer = [], Answer()
        return carry_out(run, [procedure], judgement)

    def kept(self, run: Run, name: str) -> bytes:
        (one,) = [one for one in self.ledger.evidence(run.ledger_run) if one.name == name]
        return run.connections.evidence().read(one)

    def _connection(self, conn_id: str) -> Plain:
        known = {
            "clo_postgres": self.postgres or postgres_connection(self.cluster, "clo", "clo_ops_reader"),
            "clo_api": {"host": "http://127.0.0.1:1", "login": "clo-ops-probe", "password": "none"},
        }
        return Plain(conn_id, **known[conn_id])


@pytest.fixture(scope="session")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    directory: Path = tmp_path_factory.mktemp("reports")
    patch = pytest.MonkeyPatch()
    patch.setenv("CLO_OPS_EVIDENCE", str(directory / "evidence"))
    with Cluster(directory / "postgres") as cluster:
        for role in (*ROLES, "clo_ops"):
            cluster.create_user(role, secrets.token_urlsafe(12))
        cluster.create_database("clo", owner="clo_app")
        prepare(cluster.url("clo"), {role: cluster.password(role) for role in ROLES})
        build(cluster.url("clo", "clo_app"), scale=0.2, as_of=FRIDAY + timedelta(hours=1))
        cluster.create_database("ledger", owner="clo_ops")
        with Ledger(cluster.url("ledger", "clo_ops"), client_name="clo_ops/test") as ledger:
            ledger.migrate()
            made = Office(cluster, ledger)
            _measured(made)
            _incidents(ledger)
            yield made
    patch.undo()


def _measured(office: Office) -> None:
    """Ten days of samples every ten minutes, rolled up as the end of day does it."""
    run = office.run("business_hours_monitoring", "measured", FRIDAY)
    office.ledger.record(run.ledger_run, "BH-01", [], Answer(tuple(_samples())))
    capacity.figures_up_to_date(run)


def _samples() -> Iterator[Measurement]:
    for number in range(10 * 144):
        at = FRIDAY - timedelta(minutes=10 * number + 3)
        busy = max(0.0, math.sin(math.pi * (at.hour - 7) / 12)) if 7 <= at.hour < 19 else 0.0
        jitter = (number * 37 % 11) / 10
        busy *= (1.0, 0.7, 1.1, 0.85)[number // 144 % 4]  # no day is like the one before
        # For ten minutes nothing answered.
        yield Measurement("clo.service.availability", 0 if number == 20 else 100, "percent", at)
        yield Measurement("system.cpu.utilization", 15 + 45 * busy + jitter, "percent", at, {"host": "app1"})
        # Over its critical level on Friday noon, for an hour and a half.
        leak = 97.0 if 24 <= number < 33 else 61 + jitter
        yield Measurement("system.memory.utilization", leak, "percent", at, {"host": "app1"})
        yield Measurement(
            "system.filesystem.utilization", 41 + jitter, "percent", at, {"host": "app1", "mount": "/data"}
        )
        for endpoint, base in (("health", 30.0), ("portfolios", 120.0)):
            labels = {"endpoint": endpoint}
            yield Measurement("http.client.request.duration", base * (1 + busy) + jitter, "ms", at, labels)


def _incidents(ledger: Ledger) -> None:
    """Security and other ones, in time and late, over and open, in the week and on its last day."""
    hour = timedelta(hours=1)
    told = [  # cause, severity, procedure, opened, answered after, resolved after
        ("logins", Severity.P2, "AL-06", FRIDAY - timedelta(days=3), hour / 4, 2 * hour),
        ("events", Severity.P3, "WF-08", FRIDAY - timedelta(days=2), 3 * hour, 30 * hour),
        ("disk", Severity.P3, "AL-03", FRIDAY - timedelta(days=4), hour, 20 * hour),
        ("outage", Severity.P1, "AL-04", FRIDAY - 5 * hour, hour / 10, hour),
        ("open", Severity.P2, "AL-07", FRIDAY - 2 * hour, hour, None),
    ]
    due = {Severity.P1: (hour / 4, 4 * hour), Severity.P2: (hour / 2, 8 * hour), Severity.P3: (2 * hour, 24 * hour)}
    for cause, severity, procedure, at, answered, resolved in told:
        one = ledger.open_incident(cause, severity, f"<b>{cause}</b> & co", procedure, at)
        ledger.set_incident_clocks(one.id, at + due[severity][0], at + due[severity][1], at + hour)
        ledger.acknowledge_incident(one.id, "ann", at + answered)
        if resolved is not None:
            ledger.close_incident(one.id, "ann", at + resolved, "over")
