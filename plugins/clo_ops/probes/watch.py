"""Ask everything the alert rules need, quickly: the questions of one look of the watch (AL-01 to AL-07, LM-02).

Each question is asked for itself and bounded by the watch's own time, so that one dead system hides no other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from clo_ops.findings import Answer, Measurement
from clo_ops.policy import Policy
from clo_ops.policy.alerting import ErrorLog
from clo_ops.probes import hosts, log_errors, postgres, web
from clo_ops.probes.log_errors import Positions
from clo_ops.probes.reaching import Unreachable, nobody_answered
from clo_ops.probes.targets import Account, HostTarget, PostgresTarget, PrometheusTarget, WebTarget
from clo_ops.rules.windows import in_use

Question = Callable[[datetime], Answer]
FAILED_LOGINS = "source/failed_logins_by_principal"


class Reach(Protocol):
    """Where the policy's connections lead: ``clo_ops.orchestration.connections.Connections``."""

    @property
    def postgres(self) -> PostgresTarget: ...
    @property
    def account(self) -> Account: ...
    @property
    def prometheus(self) -> PrometheusTarget | None: ...
    def host(self, name: str, conn_id: str) -> HostTarget: ...
    def web(self, conn_id: str) -> WebTarget: ...


@dataclass(frozen=True, slots=True)
class Asked:
    """One question of a look: its name, and the metrics that have no data when it is not answered."""

    name: str
    metrics: tuple[str, ...]
    ask: Question


def questions(policy: Policy, reach: Reach, positions: Positions | None = None) -> list[Asked]:
    """Every question of a look. Raises ConfigurationError for a connection that is not there.

    ``positions`` is where the logs are read on from, for whoever asks again after a break: nothing is left out then.
    """
    seconds = policy.alerting.watch.answer_within.total_seconds()
    database = replace(
        reach.postgres, connect_timeout=seconds, lock_timeout=min(1.0, seconds), statement_timeout=seconds
    )
    user = reach.account.username
    return [
        *_hosts(policy, reach, seconds),
        *_endpoints(policy, reach, seconds),
        Asked("connections", ("postgresql.connection.utilization",), lambda _: connections(database, policy)),
        Asked("failed calculations", ("clo.calculation.failed",), _calculations(database, user, policy)),
        Asked("failed logins", ("clo.login.failed",), _logins(database, user, policy)),
        *_logs(policy, reach, seconds, {} if positions is None else positions),
    ]


def _hosts(policy: Policy, reach: Reach, seconds: float) -> Iterator[Asked]:
    metrics = ("system.cpu.utilization", "system.memory.utilization", "system.filesystem.utilization")
    for host in policy.hosts:
        target = replace(reach.host(host.name, host.connection), connect_timeout=seconds, command_timeout=seconds)

        def ask(_: datetime, target: HostTarget = target, mounts: Sequence[str] = host.mounts) -> Answer:
            return hosts.resources(target, mounts, reach.prometheus)

        yield Asked(f"host {host.name}", metrics, ask)


def _endpoints(policy: Policy, reach: Reach, seconds: float) -> Iterator[Asked]:
    """Those without a login only: a login every few seconds would be a load of its own."""
    for endpoint in policy.endpoints:
        if endpoint.authenticated:
            continue
        target = replace(reach.web(endpoint.connection), connect_timeout=seconds, read_timeout=seconds)

        def ask(_: datetime, target: WebTarget = target, endpoint: web.Endpoint = endpoint) -> Answer:
            return working(web.endpoints(target, [endpoint], samples=1), endpoint)

        yield Asked(f"endpoint {endpoint.name}", ("http.client.request.duration",), ask)


def working(answer: Answer, endpoint: web.Endpoint) -> Answer:
    """How quick a reply was counts only where it has the status policy expects: a swift error page is no service."""
    if answer.value("http.response.status_code") in (None, endpoint.expect_status):
        return answer
    kept = tuple(one for one in answer.measurements if not one.name.startswith("http.client.request.duration"))
    return Answer(kept, answer.unanswered)


def _logs(policy: Policy, reach: Reach, seconds: float, positions: Positions) -> Iterator[Asked]:
    """One question for each host that has logs of alerting.yaml."""
    window = policy.thresholds["log_errors"].window
    for host in policy.hosts:
        sources = [one for one in policy.alerting.error_logs if one.host == host.name]
        if not sources:
            continue
        target = replace(reach.host(host.name, host.connection), connect_timeout=seconds, command_timeout=seconds)

        def ask(at: datetime, target: HostTarget = target, sources: Sequence[ErrorLog] = sources) -> Answer:
            return log_errors.errors(target, sources, positions, at, window)

        yield Asked(f"error logs of {host.name}", (log_errors.METRIC,), ask)


def connections(target: PostgresTarget, policy: Policy) -> Answer:
    """AL-07: ``postgresql.connection.utilization`` (percent) of the pool and of the server's own limit ({pool})."""
    answer = postgres.connections(target)
    slot = answer.first("postgresql.connection.slot_free")
    if slot is not None and not slot.value:
        # Refused because every slot is taken: that is the figure.
        return Answer((_utilization("server", 100.0, slot.at),), answer.unanswered)
    most = answer.first("postgresql.connection.max")
    if most is None or not most.value:
        return answer
    clients = list(answer.select("postgresql.connection.by_client"))
    mine = [one for one in clients if one.labels["user"] in policy.connections.pool_users]
    pool = 100 * _used(mine) / policy.connections.pool_size
    return Answer(
        (_utilization("pool", pool, most.at), _utilization("server", 100 * _used(clients) / most.value, most.at))
    )


def _used(clients: Sequence[Measurement]) -> float:
    return in_use((one.labels["state"], one.value) for one in clients)


def _utilization(pool: str, percent: float, at: datetime) -> Measurement:
    return Measurement("postgresql.connection.utilization", percent, "percent", at, {"pool": pool})


def _calculations(target: PostgresTarget, user: str, policy: Policy) -> Question:
    window = policy.thresholds["failed_calculations"].window

    def ask(at: datetime) -> Answer:
        def read(row: dict[str, Any]) -> Measurement:
            return Measurement("clo.calculation.failed", row["failed"], "count", at)

        return _counted(target, "source/calculation_statistics", user, at, window, read=read)

    return ask


def _logins(target: PostgresTarget, user: str, policy: Policy) -> Question:
    window = policy.thresholds["failed_logins"].window

    def ask(at: datetime) -> Answer:
        def each(row: dict[str, Any]) -> Measurement:
            labels = {"principal": row["principal"]}
            return Measurement("clo.login.failed", row["refused"], "count", at, labels)

        def all_of_them(row: dict[str, Any]) -> Measurement:
            return Measurement("clo.login.failed", row["refused"], "count", at)

        total = _counted(target, "source/login_statistics", user, at, window, read=all_of_them)
        return total + (Answer() if total.unanswered else _counted(target, FAILED_LOGINS, user, at, window, read=each))

    return ask


def _counted(
    target: PostgresTarget,
    name: str,
    user: str,
    at: datetime,
    window: timedelta,
    *,
    read: Callable[[dict[str, Any]], Measurement],
) -> Answer:
    """The application's own counts over the ``window`` before ``at``; unanswered where they cannot be had."""
    import psycopg

    values = {"since": at - window, "until": at, "synthetic_user": user}
    try:
        with postgres.connect(target) as connection:
            return Answer.of([read(row) for row in postgres.rows(connection, name, values)])
    except Unreachable as error:
        return nobody_answered([name], target, "PostgreSQL", error.reason)
    except psycopg.Error as error:
        return nobody_answered([name], target, f"include/sql/{name}.sql", " ".join(str(error).split()))
