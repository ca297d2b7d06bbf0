"""Stretches of time: put together where they touch, cut to a window, and how much of one lies in another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

Span = tuple[datetime, datetime]
NOTHING = timedelta()


def united(spans: Iterable[Span]) -> list[Span]:
    """The same time, each moment once, in order; empty stretches are left out."""
    found: list[Span] = []
    for begin, end in sorted(span for span in spans if span[0] < span[1]):
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((begin, end))
    return found


def clipped(span: Span, window: Span) -> Span:
    """What of ``span`` lies in ``window``; where nothing does, a stretch without length."""
    begin = max(span[0], window[0])
    return begin, max(begin, min(span[1], window[1]))


def length(spans: Iterable[Span]) -> timedelta:
    """All of them added up; of ``united`` spans that is the time they cover."""
    return sum((end - begin for begin, end in spans), NOTHING)


def overlap(window: Span, spans: Sequence[Span]) -> timedelta:
    """How much of ``window`` these ``united`` spans cover."""
    return length(clipped(span, window) for span in spans)


def shared(first: Sequence[Span], second: Sequence[Span]) -> list[Span]:
    """The time that lies in both."""
    return united(clipped(one, other) for one in first for other in second)
