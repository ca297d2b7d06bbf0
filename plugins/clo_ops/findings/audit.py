"""Audit rows that left for the archive: what a manifest says of a file, and a receipt of the rows in it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Literal, Self

ArchiveState = Literal["planned", "written", "verified", "leaving", "done", "expiring", "expired"]
# What the first row of a chain stands on.
GENESIS = "0" * 64


class Fault(StrEnum):
    """What can be wrong with an audit trail, each told apart from the others and from retention."""

    EDITED = "edited row"
    REWRITTEN = "rewritten chain"
    HEAD = "deleted head"
    MIDDLE = "deleted middle"
    TAIL = "cut tail"
    DOUBLED = "doubled row"
    FORGED = "forged receipt"
    RECEIPT_LOST = "lost receipt"
    DAMAGED = "archive file damaged"
    MISSING = "archive file missing"
    ANCHOR = "anchor differs"


@dataclass(frozen=True, slots=True)
class Stretch:
    """Rows ``first_id`` to ``last_id`` of the chain, all of them, between the hash before and the hash of the last."""

    first_id: int
    last_id: int
    prev_hash: str
    last_hash: str

    @property
    def rows(self) -> int:
        """How many: the ids of a chain have no gaps."""
        return self.last_id - self.first_id + 1


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment of one database as its transactions count it: ``oldest`` is the first that was not over, ``next`` the
    one there was yet to be; ``timeline`` is the one they are counted on.
    """

    oldest: int
    next: int
    timeline: str


@dataclass(frozen=True, slots=True)
class ArchiveFile:
    """One file of the archive as its manifest has it; ``manifest_sha256`` is of the manifest's own bytes.

    ``as_of``: a moment before the live rows were read, None where the manifest names none.
    """

    name: str
    period: str
    stretch: Stretch
    first_at: datetime
    last_at: datetime
    size_bytes: int
    sha256: str
    content_sha256: str
    system: str
    manifest_sha256: str
    written_at: datetime
    as_of: Moment | None = None

    @classmethod
    def read(cls, facts: Mapping[str, Any], manifest: bytes) -> Self:
        """Raises KeyError, TypeError or ValueError where the manifest is not one of ours."""
        stretch = Stretch(
            int(facts["first_id"]), int(facts["last_id"]), str(facts["prev_hash"]), str(facts["last_hash"])
        )
        if int(facts["rows"]) != stretch.rows or stretch.rows < 1:
            raise ValueError(f"it says {facts['rows']} rows and has room for {stretch.rows}")
        first_at, last_at, written_at = (
            datetime.fromisoformat(facts[key]).astimezone(UTC) for key in ("first_at", "last_at", "written_at")
        )
        return cls(
            name=str(facts["file"]),
            period=str(facts["period"]),
            stretch=stretch,
            first_at=first_at,
            last_at=last_at,
            size_bytes=int(facts["size_bytes"]),
            sha256=str(facts["sha256"]),
            content_sha256=str(facts["content_sha256"]),
            system=str(facts["source"]["system"]),
            manifest_sha256=hashlib.sha256(manifest).hexdigest(),
            written_at=written_at,
            as_of=_moment(facts.get("as_of")),
        )


def _moment(facts: Mapping[str, Any] | None) -> Moment | None:
    return None if facts is None else Moment(int(facts["oldest"]), int(facts["next"]), str(facts["timeline"]))


@dataclass(frozen=True, slots=True)
class Receipt:
    """That a stretch left for the archive: a row of the audit trail itself, and a record of the ledger.

    ``hash`` covers everything but ``audit_id`` (the row it is) and ``previous`` is the hash of the receipt before.
    """

    number: int
    stretch: Stretch
    archive: str
    manifest_sha256: str
    previous: str
    hash: str
    audit_id: int

    def computed(self) -> str:
        """What ``hash`` must be: as the function audit_receipt of the CLO database works it out."""
        one = self.stretch
        said = [self.number, one.first_id, one.last_id, one.rows, one.prev_hash, one.last_hash]
        text = json.dumps([*said, self.archive, self.manifest_sha256], ensure_ascii=False)
        return hashlib.sha256((self.previous + text).encode()).hexdigest()

    @classmethod
    def of_event(cls, audit_id: int, detail: Mapping[str, Any]) -> Self:
        """Raises KeyError, TypeError or ValueError where the row is not what the function writes."""
        stretch = Stretch(
            int(detail["first_id"]),
            int(detail["last_id"]),
            str(detail["first_prev_hash"]),
            str(detail["last_row_hash"]),
        )
        return cls(
            number=int(detail["number"]),
            stretch=stretch,
            archive=str(detail["archive"]),
            manifest_sha256=str(detail["manifest_sha256"]),
            previous=str(detail["previous"]),
            hash=str(detail["receipt_hash"]),
            audit_id=audit_id,
        )


@dataclass(frozen=True, slots=True)
class Head:
    """The newest row of the trail when somebody looked, and its hash: remembered outside the CLO database."""

    id: int
    row_hash: str
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class Remembered:
    """What the ledger knows of one trail: receipts by their number, files on their way out, heads, what has expired.

    ``expired_to`` is the last row that left the archive itself on two approvals; 0 where none did.
    """

    receipts: Mapping[int, Receipt]
    leaving: Mapping[str, str]
    heads: tuple[Head, ...] = ()
    expired_to: int = 0
    expired_hash: str = GENESIS


@dataclass(frozen=True, slots=True)
class ArchiveRow:
    """One file of the archive and how far its rows have come: ``deleted`` of the live table, ``held`` back there."""

    system: str
    name: str
    period: str
    first_id: int
    last_id: int
    state: ArchiveState
    deleted: int = 0
    held: int = 0
    prev_hash: str = ""
    last_hash: str = ""
    sha256: str = ""
    manifest_sha256: str = ""
    size_bytes: int | None = None
    failure: str = ""
    approved_by: tuple[str, ...] = ()
    changed_at: datetime | None = None

    @property
    def rows(self) -> int:
        return self.last_id - self.first_id + 1
