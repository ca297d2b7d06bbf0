"""Two months on record and two months of business, in numbers that can be recomputed by another way (October 2026)."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from clo_ops.findings import Answer, Finding, Measurement, Severity
from clo_ops.findings.statements import StatementRow, StatementSnapshot
from clo_ops.ledger import Ledger
from clo_ops.ledger.records import NoticeRow
from clo_ops.orchestration.connections import Connections
from clo_ops.orchestration.recording import carry_out
from clo_ops.orchestration.run import Run
from clo_ops.policy import Policy, load_policy
from clo_ops.policy.calendar import is_business_day
from clo_ops.rules import felt, looks, waits
from clo_ops.rules.requests import Window
from demo.mornings import Plain
from demo.stack.postgres import Cluster

DAGS = (
    "monthly_week2_performance_review",
    "weekly_friday_compliance",
    "reports_and_support",
    "weekly_wednesday_capacity",
)
DAG = DAGS[0]
AT = datetime(2026, 11, 9, 10, 0, tzinfo=UTC)
OCTOBER, NOVEMBER = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)
FRIDAY = datetime(2026, 10, 23, 10, 0, tzinfo=UTC)
GAP = (datetime(2026, 10, 13, tzinfo=UTC), datetime(2026, 10, 16, tzinfo=UTC))
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
SQL = Path(__file__).resolve().parents[3] / "demo" / "sql"
ROLES = ("clo_app", "clo_backup", "clo_ops_retention", "clo_ops_accounts")
BOUNDS = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, float("inf"))
# Positions of each deal, and the seconds its calculations take.
DEALS = {"SMALL": (40, 30.0), "LARGE": (250, 420.0)}


@dataclass(frozen=True)
class Down:
    """When service was away, the cause on record, and how its incident went."""

    at: datetime
    minutes: int
    cause: str = "alert:response_time:endpoint=health"
    late_p1: int = 0
    closed_after: int = 0


DOWNS = (
    Down(datetime(2026, 10, 20, 10, 0, tzinfo=UTC), 31),
    Down(datetime(2026, 10, 4, 2, 10, tzinfo=UTC), 50, "alert:database_connections:pool=server"),  # in a window
    # Slow for ten minutes, away for twenty; its incident stayed open for hours after service was back.
    Down(datetime(2026, 10, 22, 15, 0, tzinfo=UTC), 20, late_p1=10, closed_after=300),
)
WINDOW = (datetime(2026, 10, 4, 2, 0, tzinfo=UTC), datetime(2026, 10, 4, 6, 0, tzinfo=UTC))


def away(at: datetime) -> bool:
    return any(one.at + MINUTE * one.late_p1 <= at < one.at + MINUTE * (one.late_p1 + one.minutes) for one in DOWNS)


@dataclass
class Office:
    """A ledger, the application's database, and the judgements of the DAGs."""

    cluster: Cluster
    ledger: Ledger
    judgements: dict[str, Any]
    policy: Policy = field(default_factory=lambda: load_policy(mode="demo"))
    postgres: dict[str, Any] = field(default_factory=dict)

    def run(self, name: str, at: datetime = AT, dag: str = DAG) -> Run:
        key = self.ledger.open_run(dag, name, at, "")
        return Run(dag, name, "test", at, self.policy, Connections("clo_ops/test", self._get), self.ledger, key)

    def _get(self, conn_id: str) -> Plain:
        if conn_id == "clo_api":
            return Plain(conn_id, host="http://127.0.0.1:1", login="clo-ops-probe", password="none")
        assert conn_id == "clo_postgres"
        return Plain(conn_id, **self.postgres)

    def judged(self, name: str, *procedures: str, at: datetime = AT, dag: str = DAG) -> dict[str, list[Finding]]:
        return {one: carry_out(self.run(name, at, dag), [one], self.judgements[one]) for one in procedures}

    def rows(self, query: str, *values: Any) -> list[Any]:
        """Another way to the same figures: straight to the raw rows."""
        with psycopg.connect(self.cluster.url("ledger", "clo_ops")) as connection:
            return connection.execute(query.encode(), values).fetchall()

    def business(self, query: str, *values: Any) -> list[Any]:
        with self.cluster.connect("clo") as connection:
            return connection.execute(query.encode(), values).fetchall()

    def read(self, run: Run, name: str) -> bytes:
        kept = {one.name: one for one in self.ledger.evidence(run.ledger_run)}
        return run.connections.evidence().read(kept[name])


def application(cluster: Cluster) -> dict[str, Any]:
    """The application's own tables with calculations, reports, sessions and ratings of two months."""
    for role in ROLES:
        cluster.create_user(role)
    cluster.create_user("clo_ops_reader", options="in role pg_monitor")
    cluster.create_database("clo", owner="clo_app")
    with cluster.connect("clo", "clo_app") as connection:
        for name in ("schema", "audit", "grants"):
            connection.execute((SQL / f"{name}.sql").read_bytes())
        people(connection)
        portfolios(connection)
        jobs(connection)
    return {
        "host": "127.0.0.1",
        "port": cluster.port,
        "login": "clo_ops_reader",
        "schema": "clo",
        "password": cluster.password("clo_ops_reader"),
    }


def people(connection: psycopg.Connection[Any]) -> None:
    connection.execute("insert into app_roles (role_name, description) values ('analyst', 'a'), ('viewer', 'v')")
    for number, (name, role) in enumerate((("ana", 1), ("ben", 1), ("vic", 2), ("clo-ops-probe", 1)), 1):
        connection.execute(
            "insert into app_users (user_id, username, full_name, email) values (%s, %s, %s, %s)",
            [number, name, name, f"{name}@example.org"],
        )
        connection.execute(
            "insert into app_user_roles (user_id, role_id, granted_by) values (%s, %s, 'x')", [number, role]
        )
        if name != "ben":  # on leave in October
            connection.execute(
                "insert into app_sessions (session_id, user_id, created_at, last_seen_at, expires_at)"
                " values (%s, %s, %s, %s, %s)",
                [f"s{number}", number, OCTOBER + 9 * DAY, OCTOBER + 9 * DAY + HOUR, OCTOBER + 10 * DAY],
            )
    for number in range(60):
        connection.execute(
            "insert into feedback (at, username, rating, category) values (%s, %s, %s, 'application')",
            [OCTOBER + number * 8 * HOUR, "ana" if number % 2 else "vic", 5 if number % 5 else 2],
        )


def portfolios(connection: psycopg.Connection[Any]) -> None:
    for deal, (positions, _) in DEALS.items():
        connection.execute(
            "insert into clo_deals (deal_id, deal_name, deal_status) values (%s, %s, 'active')", [deal, deal]
        )
        connection.execute(
            "insert into assets (blkrock_id, issue_name, issuer_name, issuer_id, par_amount, currency, maturity)"
            " select %s || n, 'x', 'x', 'x', 1, 'USD', '2030-01-01' from generate_series(1, %s) as n",
            [deal, positions],
        )
        connection.execute(
            "insert into deal_assets (deal_id, blkrock_id, par_amount, position_status, purchase_date)"
            " select %s, %s || n, 1, 'ACTIVE', '2026-01-01' from generate_series(1, %s) as n",
            [deal, deal, positions],
        )


def jobs(connection: psycopg.Connection[Any]) -> None:
    """October: 200 small and 20 large calculations, 3 failed; reports; and as much in September at other times."""
    chance = random.Random(5)  # noqa: S311 - figures, not secrets
    for table, month, count in (("calculation_jobs", 0, 200), ("calculation_jobs", -30, 100), ("report_jobs", 0, 150)):
        for number in range(count):
            deal = "LARGE" if table == "calculation_jobs" and number % 10 == 0 else "SMALL"
            took = timedelta(seconds=DEALS[deal][1] * chance.uniform(0.8, 1.4))
            started = OCTOBER + timedelta(days=month) + number * 3 * HOUR + timedelta(seconds=chance.uniform(0, 60))
            status = "failed" if table == "calculation_jobs" and number % 70 == 3 else "completed"
            who = "clo-ops-probe" if number % 50 == 49 else "ana"
            connection.execute(
                f"insert into {table} (deal_id, requested_by, status, queued_at, started_at, finished_at)"  # noqa: S608
                " values (%s, %s, %s, %s, %s, %s)",
                [deal, who, status, started - timedelta(seconds=2), started, started + took],
            )


def measured(office: Office) -> None:
    """Looks and waits every five minutes, counted requests every hour of business days; not in the gap."""
    chance, found = random.Random(11), list[Measurement]()  # noqa: S311
    at = OCTOBER
    while at < NOVEMBER:
        if not GAP[0] <= at < GAP[1]:
            found.append(Measurement(looks.METRIC, 0.0 if away(at) else 100.0, "percent", at))
            locked = int(chance.random() < 0.04) * 2
            found.append(Measurement(waits.ACTIVE, locked + 1, "count", at))
            found.append(Measurement(waits.WAITING, 1, "count", at, {"event": "CPU"}))
            if locked:
                found.append(Measurement(waits.WAITING, locked, "count", at, {"event": "Lock: transactionid"}))
        at += 5 * MINUTE
    office.ledger.record(office.run("looks").ledger_run, "AL-04", [], Answer(tuple(found)))
    office.ledger.record(office.run("requests").ledger_run, "BH-03", [], Answer(tuple(requests(office, chance))))
    resources(office, chance)


def requests(office: Office, chance: random.Random) -> Iterator[Measurement]:
    for day in (OCTOBER + DAY * number for number in range(31)):
        if not is_business_day(day.date(), office.policy.business_calendar) or GAP[0] <= day < GAP[1]:
            continue
        for hour in range(8, 18):
            times = [chance.lognormvariate(-3.2, 0.9) for _ in range(200)]
            counted = {bound: float(sum(one <= bound for one in times)) for bound in BOUNDS}
            window = Window(HOUR, 200.0, float(chance.random() < 0.3), sum(times), counted)
            yield from felt.counted(window, day + HOUR * hour)


def resources(office: Office, chance: random.Random) -> None:
    """A host whose CPU is over its warning level one hour in twelve, for two months."""
    found = list[Measurement]()
    for number in range(70 * 48):
        at = AT - 70 * DAY + 30 * MINUTE * number
        busy = 75.0 if at.hour in (10, 11) else 30.0
        found.append(Measurement("system.cpu.utilization", busy + chance.gauss(0, 1), "percent", at, {"host": "app1"}))
        found.append(
            Measurement("http.client.request.duration", 40 + chance.random(), "ms", at, {"endpoint": "health"})
        )
    office.ledger.record(office.run("resources").ledger_run, "BH-01", [], Answer(tuple(found)))
    reset = OCTOBER - 10 * DAY
    for number in range(31):
        rows = (
            StatementRow(1, "clo_app", "clo", True, 100 * number, 3_600_000.0 * number, 1, "SELECT * FROM slow_one"),
            StatementRow(2, "clo_app", "clo", True, 100 * number, 900.0 * number, 1, "SELECT 1"),
        )
        at = OCTOBER + DAY * number + 8 * HOUR
        key = office.ledger.open_run("daily_morning_startup", f"morning-{number}", at, "")
        office.ledger.record_statements(key, StatementSnapshot(at, reset, rows))


def incidents(office: Office) -> None:
    ledger = office.ledger
    for one in DOWNS:
        severity = Severity.P3 if one.late_p1 else Severity.P1
        known = ledger.open_incident(one.cause, severity, f"away at {one.at:%d %H:%M}", "AL-04", one.at)
        began = one.at + MINUTE * one.late_p1
        if one.late_p1:
            ledger.open_incident(one.cause, Severity.P1, "cannot be measured", "AL-04", began)
        closed = one.at + MINUTE * (one.closed_after or one.late_p1 + one.minutes)
        ledger.close_incident(known.id, "the watch", closed, "it answers")
    slow = ledger.open_incident("alert:cpu:host=app1", Severity.P2, "CPU", "AL-01", OCTOBER + 5 * DAY)
    ledger.close_incident(slow.id, "the watch", OCTOBER + 6 * DAY, "calm")
    ledger.record_notice(NoticeRow("monthly", "ahead", *WINDOW, WINDOW[0] - timedelta(hours=49)))
    late = WINDOW[0] + 7 * DAY
    ledger.record_notice(NoticeRow("weekly", "ahead", late, late + 2 * HOUR, late - timedelta(hours=47)))
