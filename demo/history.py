"""A year of made-up history with stories in it that a capacity review must find, and some it must not fall for.

Everything follows from ``now`` and ``seed``: the dates at which levels are crossed are known (``STORIES``). The samples
go to the ledger as an import does, so that what the demo measures itself takes their place where it says more.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
from sqlalchemy import text

from clo_ops.findings import Measurement, Status
from clo_ops.findings.statements import StatementRow, StatementSnapshot
from clo_ops.ledger import Ledger, Rolled
from clo_ops.orchestration.roll_ups import terms
from clo_ops.policy import load_policy

DETAIL = "demo history, made up"
STATEMENTS = "demo-history__statements-"
GAP = (-50.0, -47.0)  # days from now in which nothing was measured at all
YEAR = 365
STEP = timedelta(minutes=10)
# Older than what forecasts look at, a third of the samples is enough for a month's figures.
DENSE = -100.0
# Of a series' noise, how much is that of the hour before.
ALIKE = 0.6
Course = Callable[[float, datetime], float]


def office(at: datetime) -> float:
    """How busy it is: 1 in the middle of a working day, 0 at night and at week-ends."""
    if at.weekday() >= 5 or not 7 <= at.hour < 19:
        return 0.0
    return math.sin(math.pi * (at.hour + at.minute / 60 - 7) / 12)


@dataclass(frozen=True, slots=True)
class Story:
    """A series: its course by the days from now (negative) and the time, and how much it swings (deviation).

    ``says`` is what a review must say of it: ``{37}`` stands for the date in 37 days.
    """

    name: str
    metric: str
    unit: str
    labels: Mapping[str, str]
    course: Course
    noise: float
    bounds: tuple[float, float] = field(default=(0.0, math.inf))
    says: str = "no trend"

    def told(self, now: datetime) -> str:
        """``says`` with its dates."""
        return re.sub(r"\{(-?\d+)\}", lambda found: f"{now + timedelta(days=int(found[1])):%Y-%m-%d}", self.says)


PERCENT = (0.0, 100.0)
STORIES = (
    # 70 % today and 0.25 % a day since 100 days: 80 % in 40 days, 95 % in 100.
    Story(
        "slow leak",
        "system.memory.utilization",
        "percent",
        {"host": "app1"},
        lambda day, _: 70 + 0.25 * max(-100.0, day),
        1.5,
        PERCENT,
        says="over its warning level, 80 %, about {40}; the critical one, 95 %, about {100}",
    ),
    # Busy in office hours, the same every week: never a trend.
    Story(
        "seasonal load",
        "system.cpu.utilization",
        "percent",
        {"host": "app1"},
        lambda _, at: 12 + 40 * office(at),
        4.0,
        PERCENT,
        says="no trend: busy in office hours, the same every week",
    ),
    # A release 35 days ago made it slower, once.
    Story(
        "step after a release",
        "http.client.request.duration",
        "ms",
        {"endpoint": "deals"},
        lambda day, at: 90 + 25 * office(at) + (60 if day >= -35 else 0),
        8.0,
        says="a step of +60 ms about {-35}, and no trend",
    ),
    # 78 % today; full in 37 days. Every Sunday's maintenance gives back what a week of logs took.
    Story(
        "disk that fills in 37 days",
        "system.filesystem.utilization",
        "percent",
        {"host": "app1", "mount": "/data"},
        lambda day, at: 76 + 22 / 37 * max(-80.0, day) + 4 * ((at.weekday() + 1) % 7 * 24 + at.hour) / 168 - 2,
        0.3,
        PERCENT,
        says="full about {37}, whatever Sunday's maintenance gives back",
    ),
    Story("pure noise", "system.filesystem.utilization", "percent", {"host": "app1", "mount": "/"}, lambda *_: 41, 0.8),
    Story("pure noise", "http.client.request.duration", "ms", {"endpoint": "health"}, lambda *_: 30, 6.0),
    Story("users at work", "clo.user.active", "count", {}, lambda _, at: 2 + 60 * office(at), 3.0),
)

# Nothing to be found in these; without them a review has no figures of what they measure, and says so.
QUIET = (
    Story(
        "quiet",
        "postgresql.database.size",
        "bytes",
        {"database": "clo"},
        lambda day, _: 42e6 + 2e4 * day,
        2e4,
        says="grows by 20 kB a day",
    ),
    Story(
        "quiet",
        "network.io.rate",
        "bytes",
        {"host": "app1", "interface": "eth0", "direction": "out"},
        lambda _, at: 4e3 + 9e4 * office(at),
        2e3,
    ),
    Story("quiet", "postgresql.cache.hit_ratio", "percent", {"database": "clo"}, lambda *_: 98.6, 0.3, PERCENT),
    Story("quiet", "redis.cache.hit_ratio", "percent", {}, lambda *_: 93.5, 1.2, PERCENT),
)


def samples(
    story: Story, now: datetime, *, days: int = YEAR, seed: int = 7, step: timedelta = STEP
) -> Iterator[Measurement]:
    """The series' samples up to ``now``, oldest first, in whole days (UTC); every third of those before ``DENSE``."""
    random = np.random.default_rng([seed, int.from_bytes(hashlib.sha256(repr(story.labels).encode()).digest()[:4])])
    at, like = (now - timedelta(days=days)).replace(hour=0, minute=0, second=0, microsecond=0), 0.0
    keeps = ALIKE ** (step / timedelta(hours=1))
    while at < now:
        like = keeps * like + math.sqrt(1 - keeps**2) * float(random.normal(0, story.noise))
        day = (at - now) / timedelta(days=1)
        if not GAP[0] <= day < GAP[1]:
            value = min(max(story.course(day, at) + like, story.bounds[0]), story.bounds[1])
            yield Measurement(story.metric, value, story.unit, at, story.labels, DETAIL)
        at += step if day >= DENSE else 3 * step


def statement_snapshots(now: datetime, days: int = 15) -> Iterator[StatementSnapshot]:
    """The counters of each morning: one statement became three times as slow a week ago, and they were reset once."""
    reset = now - timedelta(days=days + 25)
    counted = {"slower": (0, 0.0), "steady": (0, 0.0)}
    for ago in range(days, -1, -1):
        if ago == 4:
            reset, counted = now - timedelta(days=ago, hours=3), dict.fromkeys(counted, (0, 0.0))
        mean = {"slower": 24.0 if ago < 7 else 8.0, "steady": 3.0}
        counted = {name: (calls + 400, total + 400 * mean[name]) for name, (calls, total) in counted.items()}
        yield StatementSnapshot(now - timedelta(days=ago), reset, tuple(_rows(counted)))


def _rows(counted: Mapping[str, tuple[int, float]]) -> Iterator[StatementRow]:
    texts = {"slower": "SELECT * FROM positions WHERE deal_id = $1", "steady": "SELECT * FROM deals WHERE id = $1"}
    for number, (name, (calls, total)) in enumerate(counted.items(), 101):
        yield StatementRow(number, "clo_app", "clo", True, calls, total, calls, texts[name])


def fill(
    ledger: Ledger,
    now: datetime,
    *,
    days: int = YEAR,
    seed: int = 7,
    step: timedelta = STEP,
    snapshots: int = 15,
    quiet: bool = False,
) -> Rolled:
    """Put the year before ``now`` into the ledger, story by story; done again it takes the place of what it put there.

    ``snapshots`` is of how many days there are the counters of statements; ``quiet`` adds the series without a story.
    """
    rolling, done = terms(load_policy(mode="demo")), Rolled()
    for story in (*STORIES, *(QUIET if quiet else ())):
        done += ledger.import_samples(samples(story, now, days=days, seed=seed, step=step), rolling)
    _forget_statements(ledger)
    for snapshot in statement_snapshots(now.astimezone(UTC), snapshots):
        at = snapshot.taken_at
        run = ledger.open_run("daily_morning_startup", f"{STATEMENTS}{at:%Y-%m-%dT%H:%M:%S}", at, "", "demo")
        ledger.record_statements(run, snapshot)
        # Nobody judged that morning; it must not look as if somebody had, nor as if it went on.
        ledger.close_run(run, Status.NOT_APPLICABLE, {})
    return done


def _forget_statements(ledger: Ledger) -> None:
    """Counters that were made up at another time would lie between these."""
    made_up = "SELECT id FROM clo_ops.runs WHERE run_id LIKE :name"
    with ledger.transaction() as connection:
        forget = text(f"DELETE FROM clo_ops.statement_snapshots WHERE run_id IN ({made_up})")  # noqa: S608
        connection.execute(forget, {"name": f"{STATEMENTS}%"})
