"""What a probe brings back: measurements with units and time, and the questions nobody answered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any


def _aware(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError(f"a measurement's time needs a time zone, got {at!r}")
    return at.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Measurement:
    """One number, its unit, the time it was taken and what it belongs to.

    ``name`` is a dotted OpenTelemetry-style name (``postgresql.backends``); ``unit`` is one of ``percent``, ``ms``,
    ``s``, ``bytes``, ``count``, ``bool`` (1.0 or 0.0) and ``ratio``; ``labels`` are text and tell series apart.
    ``detail`` is text worth showing that is not part of the series' identity (a statement, an error, a banner).
    """

    name: str
    value: float
    unit: str
    at: datetime
    labels: Mapping[str, str] = field(default_factory=dict)
    detail: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "at", _aware(self.at))
        object.__setattr__(self, "value", float(self.value))
        object.__setattr__(self, "labels", {key: str(self.labels[key]) for key in sorted(self.labels)})

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "value": self.value,
            "unit": self.unit,
            "at": self.at.isoformat(),
            "labels": dict(self.labels),
            "detail": self.detail,
        }


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A question that got no answer: what was asked, of whom, how it was tried and why it failed."""

    question: str
    target: str
    tried: str
    reason: str
    at: datetime

    def __post_init__(self) -> None:
        object.__setattr__(self, "at", _aware(self.at))

    def as_json(self) -> dict[str, Any]:
        return {
            "question": self.question,
            "target": self.target,
            "tried": self.tried,
            "reason": self.reason,
            "at": self.at.isoformat(),
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """Everything one probe measured, with everything it could not."""

    measurements: tuple[Measurement, ...] = ()
    unanswered: tuple[Unanswered, ...] = ()

    def __add__(self, other: Answer) -> Answer:
        return Answer(self.measurements + other.measurements, self.unanswered + other.unanswered)

    @classmethod
    def of(cls, measurements: Iterable[Measurement] = (), unanswered: Iterable[Unanswered] = ()) -> Answer:
        return cls(tuple(measurements), tuple(unanswered))

    def select(self, name: str, **labels: str) -> Iterator[Measurement]:
        """Measurements called ``name`` that carry at least these labels, in the order they were taken."""
        for one in self.measurements:
            if one.name == name and all(one.labels.get(key) == value for key, value in labels.items()):
                yield one

    def first(self, name: str, **labels: str) -> Measurement | None:
        return next(self.select(name, **labels), None)

    def value(self, name: str, **labels: str) -> float | None:
        """The first matching measurement's value, or None where nothing was measured. Never a default."""
        one = self.first(name, **labels)
        return None if one is None else one.value

    def as_json(self) -> dict[str, Any]:
        return {
            "measurements": [one.as_json() for one in self.measurements],
            "unanswered": [one.as_json() for one in self.unanswered],
        }
