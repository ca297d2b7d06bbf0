"""A day of one log in figures (LM-03): lines, levels, requests, marks and signatures; several can be added up.

Times are kept as counts of buckets 5 % wide: a percentile is right to within that, in little memory, and two parts of
a day give the same as the whole.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any, Self

from clo_ops.policy.logs import LogFile, Logs, Mark
from clo_ops.rules.log_lines import LogLine, LogRequest, read_line, signature

WIDTH = 1.05
FASTEST = 0.01  # ms; whatever is faster counts as this
MOST_ENDPOINTS = 300
OTHERS = "(others)"
Signature = tuple[str, str]  # level, text


def bucket(ms: float) -> int:
    return math.ceil(math.log(max(ms, FASTEST)) / math.log(WIDTH))


def percentile(buckets: Mapping[int, int], share: float) -> float | None:
    """The value below which ``share`` (0 to 1) of what was counted lies; the upper edge of its bucket."""
    wanted, seen = share * sum(buckets.values()), 0
    for index in sorted(buckets):
        seen += buckets[index]
        if seen >= wanted:
            return float(WIDTH**index)
    return None


@dataclass
class Requests:
    """``failed``: 5xx; ``refused``: 4xx."""

    count: int = 0
    failed: int = 0
    refused: int = 0
    ms: Counter[int] = field(default_factory=Counter)

    def add(self, one: LogRequest) -> None:
        self.count += 1
        self.failed += one.status >= 500
        self.refused += 400 <= one.status < 500
        if one.ms is not None:
            self.ms[bucket(one.ms)] += 1

    def __iadd__(self, other: Requests) -> Self:
        self.count += other.count
        self.failed += other.failed
        self.refused += other.refused
        self.ms += other.ms
        return self

    def as_json(self) -> dict[str, Any]:
        ms = {str(index): count for index, count in sorted(self.ms.items())}
        return {"count": self.count, "failed": self.failed, "refused": self.refused, "ms": ms}

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Self:
        ms = Counter({int(index): int(count) for index, count in given["ms"].items()})
        return cls(given["count"], given["failed"], given["refused"], ms)


@dataclass
class Marked:
    """How many lines a mark met, and what they said of milliseconds and bytes, added up and at most."""

    count: int = 0
    ms: float = 0.0
    most_ms: float = 0.0
    bytes: float = 0.0

    def add(self, found: Mapping[str, str | None]) -> None:
        self.count += 1
        ms = float(found.get("ms") or 0)
        self.ms, self.most_ms = self.ms + ms, max(self.most_ms, ms)
        self.bytes += float(found.get("bytes") or 0)

    def __iadd__(self, other: Marked) -> Self:
        self.count += other.count
        self.ms, self.most_ms = self.ms + other.ms, max(self.most_ms, other.most_ms)
        self.bytes += other.bytes
        return self

    def as_json(self) -> dict[str, float]:
        return {"count": self.count, "ms": self.ms, "most_ms": self.most_ms, "bytes": self.bytes}


@dataclass
class LogDay:
    lines: int = 0
    bytes: int = 0
    levels: Counter[str] = field(default_factory=Counter)
    marks: dict[str, Marked] = field(default_factory=dict)
    requests: dict[str, Requests] = field(default_factory=dict)
    signatures: Counter[Signature] = field(default_factory=Counter)

    def request(self, one: LogRequest) -> None:
        known = one.endpoint in self.requests or len(self.requests) < MOST_ENDPOINTS
        self.requests.setdefault(one.endpoint if known else OTHERS, Requests()).add(one)

    def sign(self, level: str, text: str, most: int) -> None:
        known = (level, text) in self.signatures or len(self.signatures) < most
        self.signatures[(level, text) if known else (level, OTHERS)] += 1

    def __iadd__(self, other: LogDay) -> Self:
        self.lines += other.lines
        self.bytes += other.bytes
        self.levels += other.levels
        for name, marked in other.marks.items():
            self.marks.setdefault(name, Marked()).__iadd__(marked)
        for endpoint, requests in other.requests.items():
            self.requests.setdefault(endpoint, Requests()).__iadd__(requests)
        self.signatures += other.signatures
        return self

    def as_json(self) -> dict[str, Any]:
        """Everything but the signatures, which have a place of their own."""
        return {
            "levels": dict(self.levels),
            "marks": {name: one.as_json() for name, one in sorted(self.marks.items())},
            "requests": {name: one.as_json() for name, one in sorted(self.requests.items())},
        }

    @classmethod
    def from_json(cls, lines: int, size: int, given: Mapping[str, Any]) -> Self:
        return cls(
            lines=lines,
            bytes=size,
            levels=Counter(given.get("levels", {})),
            marks={name: Marked(**one) for name, one in given.get("marks", {}).items()},
            requests={name: Requests.from_json(one) for name, one in given.get("requests", {}).items()},
        )


def day_of(at: datetime, ends: time) -> date:
    """The day a line belongs to: from ``ends`` (UTC) of the day before to ``ends`` of the day itself (D30)."""
    return at.date() + timedelta(days=1) if at.timetz() >= ends else at.date()


@dataclass
class Reader:
    """Lines in, days out. A line without a time belongs to the one before it, the first ones to ``read_at``."""

    source: LogFile
    policy: Logs
    ends: time
    read_at: datetime
    days: dict[date, LogDay] = field(default_factory=dict)
    last: datetime | None = None
    _marks: list[tuple[Mark, re.Pattern[str]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        mine = (one for one in self.policy.marks if one.form == self.source.form)
        self._marks = [(one, re.compile(one.matches)) for one in mine]

    def feed(self, lines: Iterable[bytes]) -> None:
        for raw in lines:
            self._line(raw)

    def _line(self, raw: bytes) -> None:
        line = read_line(raw.decode("utf-8", "replace").rstrip("\r\n"), self.source.form, self.source.fields)
        # A clock that runs ahead must not make days nobody has lived yet.
        if line.at is not None:
            self.last = min(line.at, self.read_at)
        day = self.days.setdefault(day_of(self.last or self.read_at, self.ends), LogDay())
        day.bytes += len(raw)
        if line.continued:
            return
        day.lines += 1
        self._count(day, line)

    def _count(self, day: LogDay, line: LogLine) -> None:
        day.levels[line.level] += 1
        if line.request is not None:
            day.request(line.request)
        reading = self.policy.reading
        day.sign(line.level, signature(line.message, reading.longest_signature), reading.most_signatures)
        for mark, pattern in self._marks:
            if found := pattern.search(line.message):
                day.marks.setdefault(mark.name, Marked()).add(found.groupdict())
