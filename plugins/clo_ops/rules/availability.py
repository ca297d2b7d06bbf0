"""How much of a time the service answered (WF-09, M2-08; manual L152, L193, L437; resolution D45).

Three things are known of a moment: the service answered, it did not, or nobody looked. What nobody looked at is no time
of the service: it is neither up nor down, and said as "not observed". Time is down while an outage's incident says so,
and where the looks themselves found no answer. Announced windows are left out of one figure and kept in the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from clo_ops.rules.spans import NOTHING, Span, clipped, length, overlap, shared, united

HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Look:
    """An hour's looks: for how much of it they speak, and which share (0 to 1) of them found an answer."""

    starts: datetime
    covered: timedelta
    up: float


@dataclass(frozen=True, slots=True)
class Outage:
    """The service did not answer from ``starts`` to ``ends``; None while nothing says that it is over."""

    starts: datetime
    ends: datetime | None
    what: str
    cause: str = ""
    incident: int | None = None


@dataclass(frozen=True, slots=True)
class Availability:
    """Of since to until: ``observed`` time, ``down`` of it, and how much of both lay in windows announced in time.

    ``unexplained`` is down by the looks alone: no incident is on record for it. ``outages`` are cut to the time asked.
    """

    since: datetime
    until: datetime
    observed: timedelta
    down: timedelta
    observed_announced: timedelta
    down_announced: timedelta
    unexplained: timedelta
    outages: tuple[Outage, ...]

    @property
    def asked(self) -> timedelta:
        return self.until - self.since

    @property
    def not_observed(self) -> timedelta:
        return self.asked - self.observed

    @property
    def whole(self) -> float | None:
        """Percent of the observed time, announced windows counted like any other; None where nobody looked."""
        return _percent(self.observed - self.down, self.observed)

    @property
    def unannounced(self) -> float | None:
        """Percent of the observed time outside of announced windows."""
        observed, down = self.observed - self.observed_announced, self.down - self.down_announced
        return _percent(observed - down, observed)

    @property
    def at_worst(self) -> float:
        """Percent, were all that nobody looked at down: what can be claimed for certain."""
        return _percent(self.observed - (self.down - self.down_announced), self.asked) or 0.0

    @property
    def at_best(self) -> float:
        """Percent, were all that nobody looked at up."""
        return _percent(self.asked - (self.down - self.down_announced), self.asked) or 0.0


@dataclass(frozen=True, slots=True)
class Budget:
    """The time the target lets the service be down, and what is left of it (negative: overspent)."""

    allowed: timedelta
    left: timedelta
    left_whole: timedelta

    @property
    def spent(self) -> float:
        """Percent of the budget, announced windows left out."""
        return 100 * (1 - self.left / self.allowed) if self.allowed else 0.0


def _percent(part: timedelta, of: timedelta) -> float | None:
    return 100 * (part / of) if of > NOTHING else None


def availability(  # noqa: PLR0917 - what is known of a time, and the time
    looks: Iterable[Look],
    outages: Sequence[Outage],
    announced: Sequence[Span],
    since: datetime,
    until: datetime,
    grain: timedelta = NOTHING,
) -> Availability:
    """The hours' looks and the outages' times put together; an hour is down for whichever says more.

    ``grain`` is how long a look speaks: beside an outage whose times are known, looks that found no more than that of
    additional time down only saw the same outage, less exactly.
    """
    window = (since, until)
    incidents = united(clipped((one.starts, one.ends or until), window) for one in outages)
    planned = united(clipped(span, window) for span in announced)
    both = shared(incidents, planned)
    total = _Sum()
    hours = {one.starts: one for one in looks if one.starts < until and one.starts + HOUR > since}
    for starts in sorted(hours):
        total.add(_hour(hours[starts], window, incidents, planned, both, grain=grain))
    outside = [span for span in incidents if overlap(span, [(at, at + HOUR) for at in hours]) < span[1] - span[0]]
    for span in outside:
        total.add(_unseen(span, sorted(hours), both))
    mine = tuple(one for one in outages if one.starts < until and (one.ends or until) > since)
    seen = (total.observed, total.down, total.observed_announced, total.down_announced, total.unexplained)
    return Availability(since, until, *seen, mine)


@dataclass(slots=True)
class _Sum:
    observed: timedelta = NOTHING
    down: timedelta = NOTHING
    observed_announced: timedelta = NOTHING
    down_announced: timedelta = NOTHING
    unexplained: timedelta = NOTHING

    def add(self, other: _Sum) -> None:
        for name in _Sum.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


def _hour(
    look: Look, window: Span, incidents: list[Span], planned: list[Span], both: list[Span], *, grain: timedelta
) -> _Sum:
    """An outage that is known was seen: its time is observed, whoever looked. What the looks alone saw down lies evenly
    in the hour, as nothing says when."""
    span = clipped((look.starts, look.starts + HOUR), window)
    known, size = overlap(span, incidents), span[1] - span[0]
    looked = min(look.covered, size)
    by_looks = looked * (1 - look.up)
    down = known if known and by_looks <= known + grain else max(known, by_looks)
    share = overlap(span, planned) / size if size else 0.0
    observed = max(looked, known)
    alone = down - known
    in_windows = overlap(span, both)
    return _Sum(observed, down, max(observed * share, in_windows), in_windows + alone * share, alone)


def _unseen(span: Span, hours: Sequence[datetime], both: list[Span]) -> _Sum:
    """The part of a known outage in hours of which there is no look at all."""
    seen = united(clipped(span, (at, at + HOUR)) for at in hours)
    down = (span[1] - span[0]) - length(seen)
    announced = overlap(span, both) - length(shared(seen, both))
    return _Sum(down, down, announced, announced)


def budget(found: Availability, target: float) -> Budget:
    """Of the whole time asked for, not only of what was observed: 99.9 % of 30 days leave 43.2 minutes."""
    allowed = found.asked * (1 - target / 100)
    return Budget(allowed, allowed - (found.down - found.down_announced), allowed - found.down)
