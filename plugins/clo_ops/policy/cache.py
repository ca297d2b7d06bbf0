"""The cache: which keys may go, and when its memory is given back (WM-04, WM-05; D11 to D14)."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from clo_ops.policy.base import Cited, Count, Model, Positive, Text, unique
from clo_ops.policy.units import Bytes, Duration, Number, refuse

PATTERN_FORM = 'a prefix of three characters or more and a * behind it, such as "expired:*"'
PREFIX = re.compile(r"[A-Za-z0-9_.:/{}-]{3,}")
# What begins a part of a Redis pattern that is not literal.
GLOB = re.compile(r"[*?\[\\]")
# One call of SCAN looks at about this many keys, one UNLINK takes at most as many: the server's one thread is ours no
# longer than that.
LARGEST_BATCH = 1_000


def prefix_of(pattern: str) -> str:
    """What every key like this Redis pattern begins with; empty where it may begin with anything."""
    return GLOB.split(pattern, maxsplit=1)[0]


def may_meet(one: str, other: str) -> bool:
    """Whether a key can begin with what both patterns begin with. Never wrong in saying no."""
    first, second = prefix_of(one), prefix_of(other)
    return first.startswith(second) or second.startswith(first)


def _prefix(given: Any) -> str:
    if not isinstance(given, str) or not given.endswith("*") or not PREFIX.fullmatch(given[:-1]):
        raise refuse(given, PATTERN_FORM)
    return given


KeysToGo = Annotated[str, BeforeValidator(_prefix), Field(description=PATTERN_FORM)]


class Removal(Model):
    """Keys like ``pattern`` may be removed, because of ``why``."""

    pattern: KeysToGo
    why: Text


def _differ(given: tuple[Removal, ...]) -> tuple[Removal, ...]:
    unique([one.pattern for one in given], "patterns")
    return given


class Purge(Model):
    """MEMORY PURGE is worth it from this ratio of fragmentation and this much used memory on (D13)."""

    ratio: Number
    used_memory: Bytes


class Cache(Cited):
    """Section ``cache`` of maintenance.yaml.

    The session store's keys (morning.yaml, ``access.session_key_pattern``) can never be among ``remove``: that is
    refused when the policy is loaded. ``batch`` keys are looked at and removed at a time, with ``pause`` between, and
    at most ``most_keys`` of a pattern in one run. ``look_for`` and ``look_at`` bound the look over all keys;
    ``measured`` is how many keys are measured one by one, beyond that every n-th.
    """

    remove: Annotated[tuple[Removal, ...], AfterValidator(_differ)] = ()
    batch: Positive
    pause: Duration
    most_keys: Positive
    look_at: Positive
    look_for: Duration
    measured: Positive
    large_key: Bytes
    endless_allowed: tuple[Text, ...] = ()
    endless_warning: Count
    hit_rate_from: Positive
    purge: Purge

    @model_validator(mode="after")
    def _gentle(self) -> Self:
        if self.batch > LARGEST_BATCH:
            raise refuse(self.batch, f"at most {LARGEST_BATCH}: the server does nothing else meanwhile", key="batch")
        if not timedelta(0) < self.pause <= timedelta(seconds=1):
            raise refuse(self.pause, "more than 0 and at most 1 s", key="pause")
        if self.purge.ratio < 1:
            raise refuse(self.purge.ratio, "1 or more", key="purge.ratio")
        return self

    def protected(self, sessions: str) -> tuple[Removal, ...]:
        """What of ``remove`` could take a session away, whose keys are like ``sessions``."""
        return tuple(one for one in self.remove if may_meet(one.pattern, sessions))
