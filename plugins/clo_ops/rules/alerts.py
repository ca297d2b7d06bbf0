"""When a measured value becomes an alert, and when it is over (AL-01 to AL-08; manual L319-L353, resolution D46).

Raised strictly above the level, held for the threshold's ``hold_for``; eased at or below its clearing level. Critical
hides warning: an alert has one level at a time. No data is a level of its own, never "ok". A value that flaps round
its threshold is said to flap once, when it starts and when it ends, and is silent between unless it gets worse than
anybody was told.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import IntEnum
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from clo_ops.policy.thresholds import Level as Limit
    from clo_ops.policy.thresholds import Threshold


class Level(IntEnum):
    """How bad; ``unknown`` stands aside: it is neither better nor worse, somebody must look."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


EventKind = Literal["raised", "eased", "cleared", "no data", "flapping", "flapping ended"]


class Damping(Protocol):
    """``changes`` turns within ``within`` are flapping: up, down, up again. It ends after ``quiet`` without one."""

    @property
    def changes(self) -> int: ...
    @property
    def within(self) -> timedelta: ...
    @property
    def quiet(self) -> timedelta: ...


@dataclass(frozen=True, slots=True)
class State:
    """What is remembered of one alert between two looks.

    ``over_warning`` and ``over_critical`` say since when the value is over that level, before it is held long enough;
    ``changed`` are the turns: changes of level in another direction than the one before; ``rising`` is the direction
    of the last change, None before the first. ``told`` is the level the world was last told; of a value that flaps the
    worst.
    """

    level: Level = Level.OK
    since: datetime | None = None
    over_warning: datetime | None = None
    over_critical: datetime | None = None
    changed: tuple[datetime, ...] = ()
    flapping: bool = False
    told: Level = Level.OK
    rising: bool | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """Something the world is told: the kind, and the level it is at now."""

    kind: EventKind
    level: Level
    at: datetime
    value: float | None


def step(
    state: State, value: float | None, threshold: Threshold, damping: Damping, now: datetime
) -> tuple[State, Event | None]:
    """One look at an alert: its new state, and what is to be told, if anything.

    ``value`` is the threshold's statistic over its window, None where the window holds no sample.
    """
    looked = _damped(_looked(state, value, threshold, now), damping, now)
    kind = _kind(state, looked)
    if kind is None:
        return looked, None
    told = max(state.told, looked.level) if looked.flapping else looked.level
    return replace(looked, told=told), Event(kind, looked.level, now, value)


def _kind(before: State, after: State) -> EventKind | None:
    """What the world is told of the difference, if anything."""
    if after.flapping is not before.flapping:
        return "flapping" if after.flapping else "flapping ended"
    if after.level is before.told or (after.flapping and after.level < before.told):
        return None
    if after.level is Level.UNKNOWN:
        return "no data"
    if after.level is Level.OK:
        return "cleared"
    worse = before.told is Level.UNKNOWN or after.level > before.told
    return "raised" if worse else "eased"


def _looked(state: State, value: float | None, threshold: Threshold, now: datetime) -> State:
    if value is None:
        # What it was over before, it is taken to be over still: silence never ends an alert.
        return _at(state, Level.UNKNOWN, now)
    warning, critical = state.over_warning, state.over_critical
    held = replace(
        state,
        over_warning=_since(warning, value, threshold.warning, now, _was(state, Level.WARNING, warning, threshold)),
        over_critical=_since(
            critical, value, threshold.critical, now, _was(state, Level.CRITICAL, critical, threshold)
        ),
    )
    return _at(held, _level(held, threshold.hold_for, now), now)


def _was(state: State, level: Level, over: datetime | None, threshold: Threshold) -> bool:
    """Whether it was raised to this level; of one without data, before it fell silent."""
    if state.level is not Level.UNKNOWN:
        return state.level >= level
    return over is not None and state.since is not None and state.since - over >= threshold.hold_for


def _since(since: datetime | None, value: float, limit: Limit, now: datetime, raised: bool) -> datetime | None:
    """Since when the value is over the limit; once raised it stays over until the clearing level."""
    over = value > limit.above or (raised and since is not None and value > limit.clear_at)
    return (since or now) if over else None


def _level(state: State, hold_for: timedelta, now: datetime) -> Level:
    for level, since in ((Level.CRITICAL, state.over_critical), (Level.WARNING, state.over_warning)):
        if since is not None and now - since >= hold_for:
            return level
    return Level.OK


def _at(state: State, level: Level, now: datetime) -> State:
    if level is state.level:
        return state if state.since else replace(state, since=now)
    # On the way up through warning and down again nothing flaps: only a turn counts.
    rising = level > state.level
    turns = state.changed if rising is state.rising else (*state.changed, now)
    return replace(state, level=level, since=now, changed=turns, rising=rising)


def _damped(state: State, damping: Damping, now: datetime) -> State:
    """Only the changes that still count are kept, so that a state never grows."""
    recent = tuple(at for at in state.changed if now - at < damping.within)[-damping.changes :]
    last = state.changed[-1] if state.changed else None
    if state.flapping:
        calm = last is None or now - last >= damping.quiet
        return replace(state, changed=() if calm else (recent or state.changed[-1:]), flapping=not calm)
    return replace(state, changed=recent, flapping=len(recent) >= damping.changes)
