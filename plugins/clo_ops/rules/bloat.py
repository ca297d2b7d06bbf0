"""How much of an index is air: by reading its pages, by its own best, or by what its entries should take.

Three ways, the first that can be had: pgstattuple read all of it; bytes per row against the fewest this index was ever
seen with (M. Boguk's ratio; any access method); a B-tree's entries times their width against its pages, the way of
check_postgres and ioguix' pgsql-bloat-estimation. That one knows no deduplication: it sees less air than there is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, floor

from clo_ops.findings.upkeep import IndexSnapshot, IndexState, Pages, Width

PAGE = 8192
# Of a B-tree page: its header, what the B-tree keeps at its end, and a line pointer for each entry.
HEADER, SPECIAL, POINTER = 24, 16, 4
ENTRY = 8
WORD = 8

READ, RATIO, ESTIMATED = "read", "own best", "estimated"


@dataclass(frozen=True, slots=True)
class Air:
    """``share`` (percent) and ``bytes`` a rebuild would give back; ``how`` it is known, ``said`` for a person."""

    share: float
    bytes: int
    how: str
    said: str


def air(snapshot: IndexSnapshot, index: IndexState, best: Mapping[str, float]) -> Air | None:
    """None where it cannot be told: not a B-tree or without statistics, and never seen before.

    ``best`` are the fewest bytes per row each index was seen with, by its full name.
    """
    pages, width = snapshot.pages.get(index.oid), snapshot.widths.get(index.oid)
    if pages is not None:
        return _made(index.bytes, expected_of(pages, index.filled), READ, f"its leaves are {pages.density:.0f} % full")
    known = best.get(index.full_name)
    if known and index.rows > 0:
        return _made(
            index.bytes,
            known * index.rows,
            RATIO,
            f"{index.bytes / index.rows:.1f} bytes for each row, {known:.1f} at its best",
        )
    if width is not None and width.known == width.columns and not width.by_name and index.rows >= 0:
        expected = expected_pages(index.rows, width, index.filled) * PAGE
        return _made(index.bytes, expected, ESTIMATED, f"{index.rows:,.0f} entries of {width.width:.0f} bytes")
    return None


def _made(actual: int, expected: float, how: str, said: str) -> Air:
    won = max(0, actual - round(expected))
    return Air(100 * won / actual if actual else 0.0, won, how, said)


def expected_of(pages: Pages, filled: int) -> float:
    """Bytes of the same entries in leaves that are as full as a new index's; the pages above them shrink alike."""
    fuller = min(1.0, pages.density / filled)
    return PAGE * (ceil(pages.leaf_pages * fuller) + ceil(max(pages.other_pages - 1, 0) * fuller) + 1)


def expected_pages(rows: float, width: Width, filled: int) -> int:
    """Pages of a new B-tree with that many entries: aligned to 8 bytes, with a bitmap where a column has nulls."""
    entry = _aligned(ENTRY + (4 if width.has_nulls else 0)) + _aligned(width.width) + POINTER
    each = max(1, floor((PAGE - HEADER - SPECIAL) * filled / 100 / entry))
    return 1 + ceil(rows / each)


def _aligned(length: float) -> int:
    return ceil(length / WORD) * WORD
