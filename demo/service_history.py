"""Months of made-up service: what users met, whether it answered, what sessions waited for; one month with outages.

The month before ``now`` misses its availability (an outage of 31 minutes, and one of 50 in a window announced in time),
so that a performance review has an error budget to show. Told beside ``demo.history``, in the same way.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from sqlalchemy import func, insert, select

from clo_ops.findings import Measurement, Severity
from clo_ops.ledger import Ledger, Rolled, schema
from clo_ops.ledger.records import NoticeRow
from clo_ops.orchestration.roll_ups import terms
from clo_ops.policy import Policy
from clo_ops.policy.calendar import is_business_day
from clo_ops.rules import felt, looks, waits
from clo_ops.rules.periods import month_before
from clo_ops.rules.requests import Window
from demo.history import DETAIL, GAP, office

MONTHS = 4
LOOK, HOUR, DAY = timedelta(minutes=5), timedelta(hours=1), timedelta(days=1)
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, math.inf)
RELEASED = timedelta(days=-35)  # the release of demo.history's step: users felt it
CAUSE = "alert:response_time:endpoint=health"
TOLD_AHEAD = timedelta(hours=49)


@dataclass(frozen=True, slots=True)
class Away:
    """The service did not answer from ``at`` on; ``announced`` is the window users were told of, if any."""

    at: datetime
    length: timedelta
    announced: tuple[datetime, datetime] | None = None

    def holds(self, at: datetime) -> bool:
        return self.at <= at < self.at + self.length


def outages(now: datetime) -> tuple[Away, ...]:
    """In the month before that of ``now``: on its second Tuesday, and in its first Sunday's window; one more before."""
    month, earlier = (month_before(now), month_before(month_before(now).since))
    tuesday = _nth(month.since, 1, 2) + timedelta(hours=10)
    sunday = _nth(month.since, 6, 1) + timedelta(hours=2)
    window = (sunday, sunday + timedelta(hours=4))
    return (
        Away(_nth(earlier.since, 3, 3) + timedelta(hours=14), timedelta(minutes=12)),
        Away(sunday + timedelta(minutes=10), timedelta(minutes=50), window),
        Away(tuesday, timedelta(minutes=31)),
        Away(tuesday + timedelta(days=9, hours=5), timedelta(minutes=16)),
    )


def _nth(month: datetime, weekday: int, number: int) -> datetime:
    return month + DAY * ((weekday - month.weekday()) % 7 + 7 * (number - 1))


def plant(ledger: Ledger, policy: Policy, now: datetime, *, months: int = MONTHS, seed: int = 7) -> Rolled:
    """Into the ledger; done again it is the same. Raises what the ledger raises."""
    rolling, random, done = terms(policy), np.random.default_rng([seed, 11]), Rolled()
    month, away = month_before(now).since, outages(now)
    since = (now - timedelta(days=31 * months)).replace(hour=0, minute=0, second=0, microsecond=0)
    done += ledger.import_samples(looked(since, now, away), rolling)
    done += ledger.import_samples(waited(month, now, random), rolling)
    done += ledger.import_samples(requested(since, now, policy, random), rolling)
    for one in away:
        _incident(ledger, one)
        if one.announced:
            starts, ends = one.announced
            ledger.record_notice(NoticeRow("monthly", "ahead", starts, ends, starts - TOLD_AHEAD))
    return done


def _times(since: datetime, now: datetime, step: timedelta) -> Iterator[datetime]:
    at = since
    while at < now:
        if not GAP[0] <= (at - now) / DAY < GAP[1]:
            yield at
        at += step


def looked(since: datetime, now: datetime, away: tuple[Away, ...]) -> Iterator[Measurement]:
    """The watch's looks, every five minutes."""
    for at in _times(since, now, LOOK):
        value = looks.DOWN if any(one.holds(at) for one in away) else looks.UP
        yield Measurement(looks.METRIC, value, "percent", at, {}, DETAIL)


def waited(since: datetime, now: datetime, random: np.random.Generator) -> Iterator[Measurement]:
    """Sessions at work, and those of them that waited: for a lock the more often the busier it is."""
    for at in _times(since, now, 2 * LOOK):
        locked = 2 * int(random.random() < 0.01 + 0.05 * office(at))
        yield Measurement(waits.ACTIVE, 1 + locked, "count", at, {}, DETAIL)
        yield Measurement(waits.WAITING, 1, "count", at, {"event": waits.CPU}, DETAIL)
        if locked:
            yield Measurement(waits.WAITING, locked, "count", at, {"event": "Lock: transactionid"}, DETAIL)


def requested(since: datetime, now: datetime, policy: Policy, random: np.random.Generator) -> Iterator[Measurement]:
    """What users asked for in the hours of business days: the longer half since the release."""
    for at in _times(since, now, HOUR):
        if 8 <= at.hour < 18 and is_business_day(at.date(), policy.business_calendar):
            middle = -3.1 if at - now < RELEASED else -2.7
            times = random.lognormal(middle, 0.8, 150 + round(100 * office(at)))
            counted = {bound: float((times <= bound).sum()) for bound in BOUNDS}
            failed = float(random.random() < 0.1)
            window = Window(HOUR, float(len(times)), failed, float(times.sum()), counted)
            yield from felt.counted(window, at)


def _incident(ledger: Ledger, one: Away) -> None:
    """Put down when it was over already: an open one would be told to people."""
    ends, title = one.at + one.length, f"The API did not answer ({DETAIL})"
    row = {
        "cause": CAUSE, "severity": Severity.P1.value, "title": title, "procedure": "AL-04", "opened_at": one.at,
        "last_seen_at": ends, "acknowledged_at": one.at + LOOK, "acknowledged_by": "demo", "closed_at": ends,
        "closed_by": "demo", "close_reason": "it answers",
    }  # fmt: skip
    events = ((one.at, "opened", title), (one.at + LOOK, "acknowledged", ""), (ends, "closed", "it answers"))
    table = schema.incidents
    with ledger.transaction() as connection:
        known = select(func.count()).where(table.c.cause == CAUSE, table.c.opened_at == one.at)
        if connection.execute(known).scalar_one():
            return
        number = connection.execute(insert(table).values(row).returning(table.c.id)).scalar_one()
        told = [
            {"incident_id": number, "at": at, "kind": kind, "detail": said, "actor": "demo"}
            for at, kind, said in events
        ]
        connection.execute(insert(schema.incident_events), told)


def told(now: datetime) -> Iterator[str]:
    """A line for each story, with its dates."""
    for one in outages(now.astimezone(UTC)):
        where = ", in a window announced in time" if one.announced else ""
        yield f"{one.at:%Y-%m-%d %H:%M} UTC: no answer for {one.length / timedelta(minutes=1):.0f} min{where}"
