"""A question that was put and what came back, so that somebody else can put it again and hold the answers together."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

Row = Mapping[str, Any]
# A row of kind "open" is under way and in time: named, and nothing against the control.
# One of kind "not asked" is a part of the system that gave no answer while others did.
LOOKED_AT, VIOLATION, OPEN, NOT_ASKED = "looked at", "violation", "open", "not asked"


def plain(value: Any) -> Any:
    """A value of the database as JSON keeps it, the same however it was fetched. Raises TypeError for what it does not
    know.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal | UUID):
        return str(value)
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, Sequence):
        return [plain(one) for one in value]
    raise TypeError(f"{type(value).__name__} is no part of an answer that can be asked for again")


def digest(value: Any) -> str:
    """SHA-256 of the one way to write ``value``: keys sorted, no spaces, UTF-8."""
    text = json.dumps(plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()


@dataclass(frozen=True, slots=True)
class Performed:
    """``asked`` is the statement's text or the probe's own words; ``name`` is where it is kept.

    ``identity`` says of whom: system identifier, database, server version, role and the moment of the snapshot.
    ``rows`` are in the order the question gives them.
    """

    kind: str  # "query" or "probe"
    name: str
    asked: str
    parameters: Mapping[str, Any]
    identity: Mapping[str, Any]
    rows: Sequence[Row] = field(repr=False)
    cut: str = ""  # why these are only the first rows, where there are more than anybody reads

    @property
    def result_sha256(self) -> str:
        return digest(self.rows)

    @property
    def asked_sha256(self) -> str:
        return hashlib.sha256(self.asked.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Violation:
    """``key`` names what breaks the control and says nothing of its contents; ``reason`` says what was seen."""

    key: str
    reason: str


@dataclass(frozen=True, slots=True)
class Judged:
    """How many things were looked at and which of them break the control; or why nothing can be said.

    ``open`` are under way and in time; ``not_asked`` are parts that gave no answer: the rest alone is no pass.
    """

    looked_at: int
    violations: tuple[Violation, ...] = ()
    not_assessed: str = ""
    open: tuple[Violation, ...] = ()
    not_asked: tuple[Violation, ...] = ()

    @classmethod
    def plainly(cls, rows: Sequence[Row]) -> Judged:
        """Rows of kind, key, reason: one "looked at" whose key is the count, then the violations and what is open."""
        counted = [row for row in rows if row["kind"] == LOOKED_AT]
        if len(counted) != 1:
            raise ValueError(f"{len(counted)} rows say how many were looked at; allowed is 1")
        broken, under_way, lost = (
            tuple(Violation(str(row["key"]), str(row["reason"])) for row in rows if row["kind"] == kind)
            for kind in (VIOLATION, OPEN, NOT_ASKED)
        )
        return cls(int(counted[0]["key"]), broken, open=under_way, not_asked=lost)
