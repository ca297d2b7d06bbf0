"""The evidence store held against the ledger's index: files nobody recorded, and records whose file is gone.

Only names are compared here, of every month that is over; what is in the files of a month its bundle reads.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from clo_ops.findings import CouldNotCheck
from clo_ops.findings.monthly import Month

if TYPE_CHECKING:
    from clo_ops.ledger import Ledger
    from clo_ops.ledger.evidence import EvidenceStore


@dataclass(slots=True)
class Compared:
    """Places below the store's root. ``strays`` are not on record, ``gone`` are on record and not there."""

    files: int = 0
    strays: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)

    @property
    def wrong(self) -> list[str]:
        return [f"{one} is not on record" for one in self.strays] + [f"{one} is gone" for one in self.gone]


@dataclass(slots=True)
class _Layout:
    """Folders of days by month, and what lies where no run puts anything."""

    days: dict[Month, list[str]] = field(default_factory=dict)
    elsewhere: list[str] = field(default_factory=list)


def compare(ledger: Ledger, store: EvidenceStore, until: Month, today: date) -> Compared:
    """All months up to ``until``, one in memory at a time. Raises CouldNotCheck where the store cannot be listed.

    A folder of a day later than ``today`` is as much out of place as one that is no day.
    """
    try:
        return _compared(ledger, store, until, today)
    except OSError as error:
        said = f"the evidence store {store.root} cannot be listed: {error}"
        raise CouldNotCheck(said, "its files, held against the index") from error


def _compared(ledger: Ledger, store: EvidenceStore, until: Month, today: date) -> Compared:
    layout = _layout(store, today)
    result = Compared(strays=layout.elsewhere)
    for month in _months(ledger, layout, until):
        there = {place for folder in layout.days.get(month, ()) for place in _below(store, folder)}
        known = set(_known(ledger, store, month))
        result.files += len(there)
        result.strays += sorted(there - known)
        result.gone += sorted(known - there)
    return result


def _months(ledger: Ledger, layout: _Layout, until: Month) -> Iterator[Month]:
    oldest = ledger.evidence_since()
    begin = [Month(oldest.year, oldest.month)] if oldest else []
    month = min([*begin, *layout.days], default=until)
    while month <= until:
        yield month
        month = month.following


def _known(ledger: Ledger, store: EvidenceStore, month: Month) -> Iterator[str]:
    """What is on record of this store; a file of another one is not looked for here."""
    root = store.root.rstrip("/") + "/"
    for uri in ledger.evidence_uris(month.starts, month.ends):
        place = str(store.files._strip_protocol(uri))
        if place.startswith(root):
            yield place.removeprefix(root)


def _layout(store: EvidenceStore, today: date) -> _Layout:
    """<DAG>/<day>/<run>/<file>, as ``EvidenceStore.path`` puts it."""
    found = _Layout()
    for dag in _entries(store, store.root):
        for entry in _entries(store, dag["name"]) if dag["type"] == "directory" else (dag,):
            day = _day(entry)
            if day is None or day > today:
                found.elsewhere += _below(store, entry["name"])
            else:
                found.days.setdefault(Month(day.year, day.month), []).append(entry["name"])
    return found


def _entries(store: EvidenceStore, folder: str) -> list[dict[str, Any]]:
    if not store.files.exists(folder):
        return []
    return sorted(store.files.ls(folder, detail=True), key=lambda one: str(one["name"]))


def _day(entry: dict[str, Any]) -> date | None:
    try:
        return date.fromisoformat(str(entry["name"]).rstrip("/").rpartition("/")[2])
    except ValueError:
        return None


def _below(store: EvidenceStore, path: str) -> list[str]:
    """Every file at or below ``path``, below the store's root."""
    root = store.root.rstrip("/") + "/"
    return [str(one).removeprefix(root) for one in store.files.find(path)]
