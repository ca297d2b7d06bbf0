"""The receipts of rows that left for the archive: those in the audit trail held against those the ledger keeps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from clo_ops.findings.audit import GENESIS, Fault, Receipt, Remembered
from clo_ops.probes.audit_walk import Found
from clo_ops.probes.postgres import rows

if TYPE_CHECKING:
    import psycopg
    from psycopg.rows import DictRow


@dataclass(frozen=True, slots=True)
class Receipts:
    """``trusted`` follow each other from the first row that ever left; ``unknown`` the ledger has yet to take in."""

    trusted: tuple[Receipt, ...] = ()
    unknown: tuple[Receipt, ...] = ()
    faults: tuple[Found, ...] = ()

    @property
    def moved_to(self) -> int:
        """The last row that has left or is leaving."""
        return self.trusted[-1].stretch.last_id if self.trusted else 0

    @property
    def hash(self) -> str:
        """What the row behind it stands on."""
        return self.trusted[-1].stretch.last_hash if self.trusted else GENESIS


def written(connection: psycopg.Connection[DictRow]) -> list[Mapping[str, Any]]:
    """The rows of the live audit trail that are receipts, or say they are."""
    return list(rows(connection, "source/audit_receipts"))


def held_together(events: Iterable[Mapping[str, Any]], known: Remembered) -> Receipts:
    """Every receipt that two places bear out, as far as they follow each other, and each one that is none."""
    check = _Check(known)
    for event in events:
        check.event(event)
    check.lost()
    return check.done()


@dataclass(slots=True)
class _Check:
    known: Remembered
    good: dict[int, Receipt] = field(default_factory=dict)
    unknown: dict[int, Receipt] = field(default_factory=dict)
    faults: list[Found] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)
    oldest_event: int = 0

    def event(self, row: Mapping[str, Any]) -> None:
        audit_id = int(row["audit_id"])
        self.oldest_event = self.oldest_event or audit_id
        try:
            receipt = Receipt.of_event(audit_id, row["detail"])
        except (KeyError, TypeError, ValueError):
            self._forged(audit_id, audit_id, f"row {audit_id} says that rows were moved and is no receipt")
            return
        self.seen.add(receipt.number)
        if why := self._why_not(receipt):
            one = receipt.stretch
            words = f"receipt {receipt.number} for rows {one.first_id} to {one.last_id} (row {audit_id}): {why}"
            self._forged(one.first_id, one.last_id, words)

    def _why_not(self, receipt: Receipt) -> str:
        if receipt.computed() != receipt.hash:
            return "its hash is not that of what it says"
        recorded = self.known.receipts.get(receipt.number)
        if recorded is not None:
            return "" if recorded == receipt else "it is not the one on record in the ledger"
        if self.known.leaving.get(receipt.archive) != receipt.manifest_sha256:
            return "the ledger knows of no retention that wrote it"
        self.unknown[receipt.number] = receipt
        return ""

    def _forged(self, first: int, last: int, said: str) -> None:
        self.faults.append(Found(Fault.FORGED, first, last, said))

    def lost(self) -> None:
        """A receipt of the ledger whose row should still be in the live table: one older than the rest has moved."""
        moved = max((one.stretch.last_id for one in self.known.receipts.values()), default=0)
        for number, receipt in sorted(self.known.receipts.items()):
            if receipt.computed() != receipt.hash:
                self._forged(receipt.audit_id, receipt.audit_id, f"receipt {number} was changed in the ledger")
            elif number not in self.seen and receipt.audit_id > moved:
                said = f"receipt {number}, row {receipt.audit_id} of the trail, is on record and not in the trail"
                self.faults.append(Found(Fault.RECEIPT_LOST, receipt.audit_id, receipt.audit_id, said))

    def done(self) -> Receipts:
        candidates = {**self.known.receipts, **self.unknown}
        trusted: list[Receipt] = []
        for number in sorted(candidates):
            receipt = candidates[number]
            if receipt.computed() != receipt.hash:
                break
            if why := _does_not_follow(trusted[-1] if trusted else None, receipt):
                self._forged(receipt.stretch.first_id, receipt.stretch.last_id, f"receipt {number} {why}")
                break
            trusted.append(receipt)
        fresh = tuple(one for one in trusted if one.number in self.unknown)
        return Receipts(tuple(trusted), fresh, tuple(self.faults))


def _does_not_follow(before: Receipt | None, receipt: Receipt) -> str:
    if before is None:
        first = receipt.number == 1 and receipt.previous == GENESIS
        return "" if first else "is the first on record and not the first that was written"
    if (receipt.number, receipt.previous) != (before.number + 1, before.hash):
        return f"does not carry the hash of receipt {before.number}"
    start, end = receipt.stretch, before.stretch
    if (start.first_id, start.prev_hash) != (end.last_id + 1, end.last_hash):
        return f"begins with row {start.first_id}, receipt {before.number} ends with {end.last_id}"
    return ""
