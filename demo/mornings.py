"""Past mornings for the demo's ledger, so that trends and anomalies have a history to stand on from the first run.

Each series is calibrated round what this machine measures now and spread as widely as a busy laptop swings, so that
a healthy morning stays inside its band. The values are made up and their runs say so: ``demo-history__<date>``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from clo_ops.findings import Answer, ConfigurationError, Measurement, Status
from clo_ops.ledger import Ledger
from clo_ops.orchestration.connections import Connections
from clo_ops.policy import load_policy
from clo_ops.probes.baseline import baseline
from clo_ops.rules.baselines import listed

DAG_ID = "daily_morning_startup"
RUN_PREFIX = "demo-history__"
MORNING = time(8, 0, tzinfo=UTC)
# Multiples of the golden ratio spread evenly over any run of days, of every weekday too, and never drift.
GOLDEN = (5**0.5 - 1) / 2
# The 24 hours before 08:00 are Sunday's on a Monday: quiet mornings are Sunday's and Monday's.
BUSY = {6: 0.35, 0: 0.45}
DETAIL = "demo history, made up"


@dataclass(frozen=True, slots=True)
class Profile:
    """Where a metric's mornings lie: ``between`` gives the lowest and the highest from what was measured now."""

    between: Callable[[float], tuple[float, float]]
    weekly: bool = False
    whole: bool = False


def _round(share: float, least: float = 0.0) -> Callable[[float], tuple[float, float]]:
    """So much either side of now, but of ``least`` where now is next to nothing."""
    return lambda now: (max(now, least) * (1 - share), max(now, least) * (1 + share))


PROFILES = {
    "system.cpu.utilization": Profile(lambda _: (8.0, 84.0)),
    "system.memory.utilization": Profile(lambda now: (max(2.0, now - 14), min(97.0, now + 14))),
    "system.filesystem.utilization": Profile(lambda now: (max(0.1, now - 1.5), min(99.9, now + 1.5))),
    "postgresql.connection.count": Profile(lambda now: (0.0, max(9.0, 2 * now)), whole=True),
    "postgresql.database.size": Profile(_round(0.04), whole=True),
    "postgresql.cache.hit_ratio": Profile(lambda now: (min(now - 10, 86.0), 99.9)),
    "redis.memory.used": Profile(_round(0.25), whole=True),
    "redis.cache.hit_ratio": Profile(lambda _: (20.0, 100.0)),
    "redis.clients.connected": Profile(lambda now: (1.0, max(12.0, 2 * now)), whole=True),
    "http.client.request.duration": Profile(lambda now: (max(20.0, now / 2), max(180.0, 1.5 * now))),
    "clo.calculation.duration": Profile(_round(0.7)),
    "clo.report.duration": Profile(_round(0.7)),
    "clo.calculation.failed": Profile(lambda now: (0.0, max(4.0, 2 * now)), whole=True),
    "clo.login.count": Profile(_round(0.7, 20), weekly=True, whole=True),
    "clo.login.failed": Profile(_round(0.8, 5), weekly=True, whole=True),
    "clo.user.active": Profile(_round(0.7, 10), weekly=True, whole=True),
}
OTHERS = Profile(_round(0.3))


@dataclass(frozen=True, slots=True)
class Plain:
    """An Airflow connection as its JSON has it, without Airflow."""

    conn_id: str
    host: str | None = None
    port: int | None = None
    login: str | None = None
    password: str | None = None
    schema: str | None = None
    conn_type: str = ""
    extra: str | Mapping[str, Any] = "{}"

    @property
    def extra_dejson(self) -> dict[str, Any]:
        return dict(json.loads(self.extra) if isinstance(self.extra, str) else self.extra)


def connected(connections: Mapping[str, Mapping[str, Any]], client_name: str) -> Connections:
    """What a task is given to ask, without Airflow; ``connections`` is Airflow's JSON by connection id."""

    def get(conn_id: str) -> Any:
        if conn_id not in connections:
            raise ConfigurationError(f"there is no connection {conn_id!r}", allowed=", ".join(connections))
        return Plain(conn_id, **connections[conn_id])

    return Connections(client_name, get)


def measure(connections: Mapping[str, Mapping[str, Any]], *, at: datetime) -> Answer:
    """The morning baseline of the demo system now; ``connections`` is Airflow's JSON by connection id."""
    policy = load_policy(mode="demo")
    answer = baseline(policy, connected(connections, "demo/mornings"), at=at)
    return Answer(listed(answer.measurements, policy.baseline), answer.unanswered)


def seed(ledger: Ledger, today: Answer, *, at: datetime, days: int = 35, seed: int = 7) -> int:
    """Put ``days`` mornings before ``at`` into the ledger; returns how many values were put down now.

    ``today`` is what the baseline probe measures (clo_ops.probes.baseline). The same arguments give the same values;
    a morning that has a value keeps it, so that this may be called on every start.
    """
    put = 0
    for past in history(today, at=at, days=days, seed=seed):
        run = ledger.open_run(DAG_ID, f"{RUN_PREFIX}{past.day}", past.at, "", "demo")
        put += ledger.record_baseline(past.day, past.measurements, run).inserted
        # Nobody judged these mornings; they must not look as if somebody had.
        ledger.close_run(run, Status.NOT_APPLICABLE, {})
    return put


@dataclass(frozen=True, slots=True)
class Past:
    day: date
    at: datetime
    measurements: tuple[Measurement, ...]


def history(today: Answer, *, at: datetime, days: int = 35, seed: int = 7) -> Iterator[Past]:
    """The mornings before ``at``, oldest first."""
    now = at.astimezone(UTC).date()
    for ago in range(days, 0, -1):
        day = now - timedelta(days=ago)
        morning = datetime.combine(day, MORNING)
        measured = tuple(_then(one, day, now, morning, seed) for one in today.measurements)
        yield Past(day, morning, measured)


def _then(one: Measurement, day: date, now: date, morning: datetime, seed: int) -> Measurement:
    profile = PROFILES.get(one.name, OTHERS)
    low, high = profile.between(one.value)
    value = low + (high - low) * _place(one, day, seed)
    if profile.weekly:
        value *= BUSY.get(day.weekday(), 1.0) / BUSY.get(now.weekday(), 1.0)
    return Measurement(one.name, round(value) if profile.whole else value, one.unit, morning, one.labels, DETAIL)


def _place(one: Measurement, day: date, seed: int) -> float:
    """0 to 1, even over the days, and another start for every series."""
    name = f"{seed} {one.name} {sorted(one.labels.items())}"
    start = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) / 2**64
    return (start + day.toordinal() * GOLDEN) % 1.0
