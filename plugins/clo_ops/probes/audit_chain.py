"""Whether the audit trail is whole: the live table and its archive walked as one chain, each row hashed anew.

Faults are told apart (``Fault``); retention, finished or broken off, is none of them. Nothing here trusts the CLO
database's own functions, and neither its receipts alone nor the ledger's: what one of them says the other bears out.
Tampering becomes evident, it is not prevented: who can write to the database, the archive and the ledger can forge.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import perf_counter
from typing import TYPE_CHECKING, Any

from clo_ops.findings import Answer, Measurement
from clo_ops.findings.audit import GENESIS, ArchiveFile, Fault, Head, Receipt, Remembered
from clo_ops.probes.audit_archive import AuditArchive, Damaged, NotThere
from clo_ops.probes.audit_receipts import Receipts, held_together, written
from clo_ops.probes.audit_stream import Ends, ahead, ends, live, trail
from clo_ops.probes.audit_walk import Found, Walk
from clo_ops.probes.backup_files import Unlistable
from clo_ops.probes.postgres import TRIED, rows
from clo_ops.probes.reaching import Unreachable, nobody_answered
from clo_ops.probes.targets import BackupRepository, PostgresTarget

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped]

TOLD = 20  # faults of one kind that are told one by one
QUESTION = "audit trail"


@dataclass(slots=True)
class Verified:
    """What was found. ``head`` is the newest row, to be remembered where nothing is wrong."""

    answer: Answer
    faults: list[Found] = field(default_factory=list)
    head: Head | None = None
    receipts: Receipts = field(default_factory=Receipts)
    ends: Ends | None = None

    @property
    def whole(self) -> bool:
        """Everything was asked, and nothing is wrong."""
        return not self.faults and not self.answer.unanswered


def verify(
    target: PostgresTarget,
    repository: BackupRepository,
    recall: Callable[[], Remembered],
    *,
    at: datetime,
    whole: bool = False,
) -> Verified:
    """WF-05, WM-03 (D08): the live trail from its first row to its last, and every file of the archive it leans on.

    ``recall`` says what the ledger knows, and is asked again where rows leave while this looks. ``whole`` also reads
    each archived row; else the files are there with their size and their manifests. Measures ``audit.chain.fault``
    count {kind} for every kind, ``audit.chain.rows`` count {part: live|archive}, ``audit.chain.head`` (id; its hash
    in the detail), ``audit.chain.moved`` (last row that left), ``audit.archive.files``, ``audit.archive.size`` bytes
    and ``audit.chain.duration`` s. Raises nothing for what cannot be asked.
    """
    check = _Chain(target, AuditArchive(repository), recall, whole)
    started = perf_counter()
    try:
        with trail(target) as connection:
            check.run(connection)
    except Unreachable as error:
        return Verified(error.unanswered(QUESTION, target, TRIED), check.faults)
    except Unlistable as error:
        lost = nobody_answered([f"{QUESTION}: archive"], repository, "reading it", str(error))
        return Verified(lost, check.faults, receipts=check.receipts, ends=check.ends)
    answer = Answer.of(check.measured(at, perf_counter() - started))
    return Verified(answer, check.faults, check.head(at), check.receipts, check.ends)


class _LiveWalk(Walk):
    """Where rows are missing, the receipts are read again: retention may have gone on meanwhile."""

    def __init__(self, chain: _Chain) -> None:
        super().__init__(1, GENESIS)
        self.chain = chain

    def gap(self, first: int, last: int) -> tuple[Found | None, str | None]:
        receipts = self.chain.receipts
        if last > receipts.moved_to:
            receipts = self.chain.receipts_now()
        if last <= receipts.moved_to:
            return None, receipts.hash if last == receipts.moved_to else None
        if first > receipts.moved_to + 1:
            return Found(
                Fault.MIDDLE, first, last, f"rows {first} to {last} are not there, and no receipt says why"
            ), None
        first = max(first, receipts.moved_to + 1)
        beyond = f"; receipts speak for those up to {receipts.moved_to}" if receipts.moved_to else ""
        return Found(Fault.HEAD, first, last, f"rows {first} to {last} are gone from the beginning{beyond}"), None


class _Chain:
    def __init__(
        self, target: PostgresTarget, archive: AuditArchive, recall: Callable[[], Remembered], whole: bool
    ) -> None:
        self.target, self.archive, self.recall, self.whole = target, archive, recall, whole
        self.known = Remembered({}, {})
        self.faults: list[Found] = []
        self.receipts = Receipts()
        self.ends: Ends | None = None
        self.files: list[ArchiveFile] = []
        self.counted: Counter[str] = Counter()
        self.pinned: dict[int, list[tuple[str, str]]] = {}
        self.walk = _LiveWalk(self)

    def run(self, connection: Any) -> None:
        self.ends = ends(connection)
        self.known = self.recall()
        self.receipts = held_together(written(connection), self.known)
        self.faults += self.receipts.faults
        self._pin(connection)
        self._archive(connection, self.ends.system)
        for table in ahead(lambda: live(connection)):
            self.faults += self.walk.over(table)
            self.counted["live"] += table.num_rows
            self.faults += self._unpinned(table)
        self.faults += self._cut()

    def receipts_now(self) -> Receipts:
        """On a session of its own: rows are under way on the other."""
        with trail(self.target) as connection:
            events = written(connection)
        self.known = self.recall()
        self.receipts = held_together(events, self.known)
        return self.receipts

    # --- hashes that were seen before

    def _pin(self, connection: Any) -> None:
        for row in rows(connection, "source/audit_anchors"):
            self._expect(row["last_id"], row["chain_hash"], f"the anchor of {row['anchor_date']}")
        for head in self.known.heads:
            self._expect(head.id, head.row_hash, f"the look of {head.seen_at:%Y-%m-%d %H:%M} UTC")

    def _expect(self, number: int, row_hash: str, who: str) -> None:
        self.pinned.setdefault(int(number), []).append((row_hash, who))

    def _unpinned(self, table: pa.Table) -> Iterator[Found]:
        """What was seen before is seen again, or the chain was written anew from some row on."""
        import numpy as np

        numbers = table["id"].to_numpy()
        low, high = int(numbers[0]), int(numbers[-1])
        for number in [one for one in self.pinned if low <= one <= high]:
            position = int(np.searchsorted(numbers, number))
            if int(numbers[position]) != number:
                continue
            found = str(table["row_hash"][position].as_py())
            for expected, who in self.pinned.pop(number):
                if found != expected:
                    kind = Fault.ANCHOR if who.startswith("the anchor") else Fault.REWRITTEN
                    said = f"row {number} has hash {found[:12]}…, {who} saw {expected[:12]}…"
                    yield Found(kind, number, number, said)

    def _cut(self) -> Iterator[Found]:
        """Rows that were seen and that nothing in the table comes up to any more."""
        last = self.walk.next_id - 1
        gone = {number: seen for number, seen in self.pinned.items() if number > max(last, self.receipts.moved_to)}
        if gone:
            number = max(gone)
            who = ", ".join(who for _, who in gone[number])
            yield Found(Fault.TAIL, last + 1, number, f"the trail ends with row {last}, {who} saw row {number}")

    # --- the archive

    def _archive(self, connection: Any, system: str) -> None:
        """Every file the receipts name, from where expiry ended; its rows as well where the whole is asked for."""
        named = [one for one in self.receipts.trusted if one.stretch.last_id > self.known.expired_to]
        if not named:
            return
        found, _ = self.archive.manifests(system)
        by_name = {one.name: one for one in found}
        for receipt in named:
            self.faults += self._file(connection, receipt, by_name.get(receipt.archive))

    def _file(self, connection: Any, receipt: Receipt, one: ArchiveFile | None) -> Iterator[Found]:
        name, stretch = receipt.archive, receipt.stretch

        def fault(kind: Fault, said: str) -> Found:
            return Found(kind, stretch.first_id, stretch.last_id, said)

        try:
            if one is None:
                one = self.archive.manifest(name)
            if one.manifest_sha256 != receipt.manifest_sha256:
                yield fault(Fault.DAMAGED, f"the manifest of {name} is not the one its receipt was written for")
                return
            self._present(one)
            self.files.append(one)
            if self.whole:
                yield from self._content(connection, one)
        except NotThere as missing:
            yield fault(Fault.MISSING, str(missing))
        except Damaged as damaged:
            yield fault(Fault.DAMAGED, str(damaged))

    def _present(self, one: ArchiveFile) -> None:
        system = self.archive.files.system
        with self.archive.files.errors_in_words(one.name):
            path = self.archive.files.path(one.name)
            size = int(system.size(path) or 0) if system.exists(path) else -1
        if size < 0:
            raise NotThere(f"{one.name} is not in {self.archive}")
        if size != one.size_bytes:
            raise Damaged(f"{one.name} has {size:,} bytes, its manifest says {one.size_bytes:,}")

    def _content(self, connection: Any, one: ArchiveFile) -> Iterator[Found]:
        """Each archived row hashed anew, and what still stands in the live table held against it."""
        self.archive.check_bytes(one)
        for got in self.archive.read_through(one):
            if isinstance(got, Found):
                yield Found(Fault.DAMAGED, got.first_id, got.last_id, f"{one.name}: {got.said}")
                continue
            self.counted["archive"] += got.num_rows
            yield from self._unpinned(got)
            yield from self._beside(connection, got)

    def _beside(self, connection: Any, archived: pa.Table) -> Iterator[Found]:
        """Rows that are held, or have yet to leave, are in both places and must be the same in both."""
        first, last = int(archived["id"][0].as_py()), int(archived["id"][-1].as_py())
        if self.ends is None or not self.ends.first_id or last < self.ends.first_id:
            return
        for table in live(connection, after=first - 1, last=last):
            here = table["id"].to_numpy() - first
            there = archived["row_hash"].take(here).to_pylist()
            for number, ours, theirs in zip(table["id"].to_pylist(), table["row_hash"].to_pylist(), there, strict=True):
                if ours != theirs:
                    yield Found(Fault.EDITED, number, number, f"row {number} differs from its copy in the archive")

    # --- what is told

    def head(self, at: datetime) -> Head | None:
        number = self.walk.next_id - 1
        return Head(number, self.walk.hash, at) if number and self.walk.hash else None

    def measured(self, at: datetime, seconds: float) -> Iterator[Measurement]:
        now = datetime.now(UTC)
        of_kind: dict[Fault, list[str]] = {kind: [] for kind in Fault}
        for found in self.faults:
            of_kind[found.kind].append(found.said)
        for kind, said in of_kind.items():
            rest = f"; and {len(said) - TOLD} more" if len(said) > TOLD else ""
            detail = "; ".join(said[:TOLD]) + rest
            yield Measurement("audit.chain.fault", len(said), "count", now, {"kind": kind.value}, detail)
        for part in ("live", "archive"):
            yield Measurement("audit.chain.rows", self.counted[part], "count", now, {"part": part})
        yield Measurement("audit.chain.head", self.walk.next_id - 1, "count", now, detail=self.walk.hash or "")
        yield Measurement("audit.chain.moved", self.receipts.moved_to, "count", now, detail=self.receipts.hash)
        yield Measurement("audit.archive.files", len(self.files), "count", now)
        yield Measurement("audit.archive.size", sum(one.size_bytes for one in self.files), "bytes", now)
        yield Measurement("audit.chain.duration", seconds, "s", now)
