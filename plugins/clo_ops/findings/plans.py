"""A plan of changes to the CLO system: what would be done, why, at what cost; and what became of each step.

Plan first, then apply: what is approved, recorded and carried out is a plan, known by its hash.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from typing import Any

Figure = float | int | str


@dataclass(frozen=True, slots=True)
class Step:
    """One change. ``key`` is its stable identity ("reindex public.loans_pkey"): the same work has it next week too.

    ``action`` is its kind ("analyze", "reindex", "archive" ...), ``why`` says why this one was chosen, with figures,
    ``statement`` what is run as a person would read it. ``seconds``, ``wal_bytes`` and ``disk_bytes`` are what is
    expected of it; None where nobody knows. ``before`` was measured when it was planned.
    """

    key: str
    action: str
    target: str
    why: str
    statement: str
    seconds: float | None = None
    wal_bytes: int | None = None
    disk_bytes: int | None = None
    before: Mapping[str, Figure] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__} | {"before": dict(self.before)}


@dataclass(frozen=True)
class Plan:
    """Steps in their order. Raises ValueError where two of them have one key."""

    kind: str
    system: str
    steps: tuple[Step, ...] = ()

    def __post_init__(self) -> None:
        keys = [step.key for step in self.steps]
        if twice := sorted({key for key in keys if keys.count(key) > 1}):
            raise ValueError(f"a plan of {self.kind} has the same step twice: {', '.join(twice)}")

    @cached_property
    def hash(self) -> str:
        """SHA-256 over kind, system and each step's action, target and statement, in order: what an approval names.

        Expected times and measurements are not in it: the same work an hour later is the same plan.
        """
        said = [self.kind, self.system, [[step.action, step.target, step.statement] for step in self.steps]]
        return hashlib.sha256(json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()

    def with_first(self, keys: Collection[str]) -> Plan:
        """The same steps, those of ``keys`` (what the last run left over) before the others."""
        first = [step for step in self.steps if step.key in keys]
        return replace(self, steps=(*first, *(step for step in self.steps if step.key not in keys)))


class Outcome(StrEnum):
    """What became of a step. Only ``APPLIED`` changed something for certain; ``LEFT_OVER`` comes first next time."""

    APPLIED = "applied"
    SKIPPED = "skipped"
    FAILED = "failed"
    LEFT_OVER = "left over"


@dataclass(frozen=True, slots=True)
class Effect:
    """What a step did: ``reason`` in a sentence, ``seconds`` it took, ``after`` measured when it had ended."""

    outcome: Outcome
    reason: str
    seconds: float = 0.0
    after: Mapping[str, Figure] = field(default_factory=dict)


def hash_of(plans: Iterable[str]) -> str:
    """One hash for all the plans of a piece of work, by their own; their order does not matter."""
    return hashlib.sha256("\n".join(sorted(plans)).encode()).hexdigest()
