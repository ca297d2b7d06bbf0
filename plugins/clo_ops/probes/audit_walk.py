"""One step after the other along a chain of audit rows: what a stretch of rows says about itself and the one before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clo_ops.findings.audit import GENESIS, Fault
from clo_ops.probes.audit_rows import DIGITS, canonical, hashes, recomputed

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped]


@dataclass(frozen=True, slots=True)
class Found:
    """One fault: the rows it is about, and a sentence with what was expected and what is there."""

    kind: Fault
    first_id: int
    last_id: int
    said: str


@dataclass(slots=True)
class Walk:
    """Follows rows in the order of their ids. ``next_id`` and ``hash`` are what the next row has to be and stand on.

    ``hash`` None: rows before the next one are elsewhere, so that it may stand on anything.
    """

    next_id: int = 1
    hash: str | None = GENESIS
    rows: int = 0

    def over(self, table: pa.Table, texts: pa.Array | None = None) -> Iterator[Found]:
        """The faults of the next rows; ``gap`` is asked of whoever walks before a missing row is one.

        ``texts``: what of each row is hashed, where somebody has it already.
        """
        computed = recomputed(canonical(table) if texts is None else texts)
        if self._sound(table, computed):
            self._on(table, int(table["id"][-1].as_py()))
        else:
            yield from self._slowly(table, computed)
        self.rows += table.num_rows

    def gap(self, first: int, last: int) -> tuple[Found | None, str | None]:
        """What it means that rows first..last are not there, and the hash the next row has to stand on, if known."""
        return Found(Fault.MIDDLE, first, last, f"rows {first} to {last} are not there"), None

    def _on(self, table: pa.Table, last: int) -> None:
        self.next_id, self.hash = last + 1, str(table["row_hash"][-1].as_py())

    def _sound(self, table: pa.Table, computed: bytes) -> bool:
        import numpy as np

        ids = table["id"].to_numpy()
        stored, before = _array(table["row_hash"]), _array(table["prev_hash"])
        return bool(
            ids[0] == self.next_id
            and (len(ids) == 1 or np.all(np.diff(ids) == 1))
            and (self.hash is None or before[0].as_py() == self.hash)
            and before.slice(1).equals(stored.slice(0, len(stored) - 1))
            and hashes(table) == computed
        )

    def _slowly(self, table: pa.Table, computed: bytes) -> Iterator[Found]:
        columns = (table[name].to_pylist() for name in ("id", "prev_hash", "row_hash"))
        each = [computed[start : start + DIGITS].decode() for start in range(0, len(computed), DIGITS)]
        for number, before, stored, right in zip(*columns, each, strict=True):
            if number < 1:
                yield Found(Fault.EDITED, number, number, f"row {number} is none of this chain: it begins with row 1")
                continue
            if number < self.next_id:
                yield Found(Fault.DOUBLED, number, number, f"row {number} stands there a second time")
                continue
            if number > self.next_id:
                fault, self.hash = self.gap(self.next_id, number - 1)
                if fault:
                    yield fault
            yield from self._row(number, before, stored, right)
            self.next_id, self.hash = number + 1, stored

    def _row(self, number: int, before: str, stored: str, right: str) -> Iterator[Found]:
        if right != stored:
            said = f"row {number} has hash {stored[:12]}… and its content makes {right[:12]}…"
            yield Found(Fault.EDITED, number, number, said)
        elif self.hash is not None and before != self.hash:
            said = f"row {number} stands on {before[:12]}…, and the row before it has {self.hash[:12]}…"
            yield Found(Fault.EDITED, number - 1, number - 1, said)


def _array(column: Any) -> Any:
    return column.combine_chunks() if hasattr(column, "combine_chunks") else column
