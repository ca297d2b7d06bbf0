"""A year of made-up history with stories in it that a capacity review must find, and some it must not fall for.

Everything follows from ``now`` and ``seed``: the dates at which levels are crossed are known (``STORIES``). The samples
go to the ledger as an import does, so that what the demo measures itself takes their place where it says more.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np

from clo_ops.findings import Measurement
from clo_ops.findings.statements import StatementRow, StatementSnapshot
from clo_ops.ledger import Ledger, Rolled
from clo_ops.orchestration.roll_ups import terms
from clo_ops.policy import load_policy

DETAIL = "demo history, made up"
GAP = (-50.0, -47.0)  # days from now in which nothing was measured at all
YEAR = 365
STEP = timedelta(minutes=10)
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
    """A series: its course by the days from now (negative) and the time, and how much it swings (deviation)."""

    name: str
    metric: str
    unit: str
    labels: Mapping[str, str]
    course: Course
    noise: float
    bounds: tuple[float, float] = field(default=(0.0, math.inf))


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
    ),
    # A release 35 days ago made it slower, once.
    Story(
        "step after a release",
        "http.client.request.duration",
        "ms",
        {"endpoint": "deals"},
        lambda day, at: 90 + 25 * office(at) + (60 if day >= -35 else 0),
        8.0,
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
    ),
    Story("pure noise", "system.filesystem.utilization", "percent", {"host": "app1", "mount": "/"}, lambda *_: 41, 0.8),
    Story("pure noise", "http.client.request.duration", "ms", {"endpoint": "health"}, lambda *_: 30, 6.0),
    Story("users at work", "clo.user.active", "count", {}, lambda _, at: 2 + 60 * office(at), 3.0),
)


def samples(
    story: Story, now: datetime, *, days: int = YEAR, seed: int = 7, step: timedelta = STEP
) -> Iterator[Measurement]:
    """The series' samples up to ``now``, oldest first, in whole days (UTC)."""
    random = np.random.default_rng([seed, int.from_bytes(hashlib.sha256(repr(story.labels).encode()).digest()[:4])])
    at, like = (now - timedelta(days=days)).replace(hour=0, minute=0, second=0, microsecond=0), 0.0
    keeps = ALIKE ** (step / timedelta(hours=1))
    while at < now:
        like = keeps * like + math.sqrt(1 - keeps**2) * float(random.normal(0, story.noise))
        day = (at - now) / timedelta(days=1)
        if not GAP[0] <= day < GAP[1]:
            value = min(max(story.course(day, at) + like, story.bounds[0]), story.bounds[1])
            yield Measurement(story.metric, value, story.unit, at, story.labels, DETAIL)
        at += step


def statement_snapshots(now: datetime, days: int = 15) -> Iterator[StatementSnapshot]:
    """The counters of each morning: one statement became three times as slow a week ago, and they were reset once."""
    reset = now - timedelta(days=40)
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


def fill(ledger: Ledger, now: datetime, *, days: int = YEAR, seed: int = 7, step: timedelta = STEP) -> Rolled:
    """Put the year before ``now`` into the ledger, story by story; done again it is the same."""
    rolling, done = terms(load_policy(mode="demo")), Rolled()
    for story in STORIES:
        done += ledger.import_samples(samples(story, now, days=days, seed=seed, step=step), rolling)
    for number, snapshot in enumerate(statement_snapshots(now.astimezone(UTC))):
        run = ledger.open_run(
            "daily_morning_startup", f"demo-history__statements-{number}", snapshot.taken_at, "", "demo"
        )
        ledger.record_statements(run, snapshot)
    return done
