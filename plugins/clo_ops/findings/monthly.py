"""A month's evidence: what its index says of a file, and the head that stands for all of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clo_ops.ledger.records import Evidence

FORMAT = "clo-ops evidence month 1"
HEAD, INDEX, FILES = "head.json", "index.jsonl", "files"


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A calendar month in UTC. Raises ValueError for what is none."""

    year: int
    month: int

    def __post_init__(self) -> None:
        if not 1 <= self.month <= 12 or not 2000 <= self.year <= 9999:
            raise ValueError(f"{self.year}-{self.month} is no month")

    @classmethod
    def of(cls, text: str) -> Month:
        year, _, month = text.partition("-")
        if not (year.isdigit() and month.isdigit() and len(text) == 7):
            raise ValueError(f"{text!r} is not a month such as 2026-11")
        return cls(int(year), int(month))

    @classmethod
    def before(cls, at: datetime) -> Month:
        """The month that was over at this time."""
        return cls(at.year - (at.month == 1), (at.month - 2) % 12 + 1)

    @property
    def starts(self) -> datetime:
        return datetime(self.year, self.month, 1, tzinfo=UTC)

    @property
    def ends(self) -> datetime:
        return datetime(self.year + self.month // 12, self.month % 12 + 1, 1, tzinfo=UTC)

    @property
    def following(self) -> Month:
        return Month(self.ends.year, self.ends.month)

    def __str__(self) -> str:
        return f"{self.year:04}-{self.month:02}"


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of evidence on record, with the run that made it."""

    evidence: Evidence
    dag_id: str
    run_id: str
    at: datetime
    procedures: tuple[str, ...]

    def line(self, path: str, enclosed: bool) -> dict[str, Any]:
        """What the index says of it."""
        one = self.evidence
        return {
            "path": path,
            "enclosed": enclosed,
            "sha256": one.sha256,
            "size": one.size,
            "media_type": one.media_type,
            "dag": self.dag_id,
            "run": self.run_id,
            "at": self.at.astimezone(UTC).isoformat(),
            "procedures": list(self.procedures),
        }


@dataclass(frozen=True, slots=True)
class Head:
    """What is anchored: its bytes, and their SHA-256, which is the head hash."""

    month: Month
    data: bytes
    facts: Mapping[str, Any]

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @property
    def name(self) -> str:
        """Its name in the anchor's repository: nobody can change it and keep its name."""
        return f"{self.month}-{self.sha256}.json"
