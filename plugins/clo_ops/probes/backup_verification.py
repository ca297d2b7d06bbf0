"""ED-04: how deep each backup of the repository is proven, without a restore (manual L79; D21, T9-T11).

L0 it is there, whole by its size and not from the future; L1 its bytes have the SHA-256 of its manifest; L2 every byte
decodes. A backup without a manifest can only be L2, one of pgBackRest is what pgBackRest says of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic

from clo_ops.findings import Answer, Measurement, Unanswered
from clo_ops.policy.backups import Verification
from clo_ops.policy.morning import Backups
from clo_ops.probes.backup_catalogue import ALONE, Entry, entries
from clo_ops.probes.backup_entries import Backup
from clo_ops.probes.backup_faults import examine, of_newest, unread_fault
from clo_ops.probes.backup_files import BackupFiles, StoredFile, Unlistable
from clo_ops.probes.backup_reading import BackupReader, Reading
from clo_ops.probes.backup_streams import Stalled
from clo_ops.probes.pgbackrest import read_info
from clo_ops.probes.pgbackrest_reports import Report, reports
from clo_ops.probes.reaching import nobody_answered
from clo_ops.probes.targets import BackupRepository
from clo_ops.rules.rereading import Candidate, Remembered, due

QUESTION = "how deep the backups are proven"
TRIED = "reading it whole, once"
REPORT_LIMIT = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Proof:
    """What is now known of a backup, to be remembered. ``levels`` were proven by reading it at ``read_at``."""

    entry: Entry
    sha256: str = ""
    levels: tuple[int, ...] = ()
    read_at: datetime | None = None
    failed_at: datetime | None = None
    failure: str = ""


@dataclass(slots=True)
class Verified:
    """The answer for the rule and the proofs for the ledger; ``paths`` are all there are, where that was ``listed``."""

    answer: Answer = field(default_factory=Answer)
    proofs: list[Proof] = field(default_factory=list)
    listed: bool = False
    paths: frozenset[str] = frozenset()


def verify(
    repository: BackupRepository,
    terms: Verification,
    policy: Backups,
    known: Mapping[str, Remembered],
    *,
    at: datetime,
    only: str | None = None,
    proven: Callable[[Proof], None] = lambda proof: None,
) -> Verified:
    """Read what is due, newest first, until time is up; ``proven`` is called after each, so that nothing is lost.

    Labels {repository, path}. ``backup.verified`` (bool) {level, fault}: fault names what is wrong, detail says it.
    ``backup.depth`` (count, 0 to 4; detail: since when). ``backup.read.count``, ``.size`` (bytes), ``.duration`` (s)
    are today's; ``backup.read.left`` (count) was due and time was up; ``backup.read.age`` (s) of each backup since it
    was last read whole. ``backup.described`` (bool) of the newest; ``backup.table.lost`` (percent) {table} of its rows
    since the manifest before. ``only`` reads that one whatever is remembered (MW-04).
    """
    files = BackupFiles(repository)
    reader = BackupReader(files, terms.stalled_after.total_seconds())
    try:
        found = entries(files, reader, policy)
    except (Unlistable, FileNotFoundError) as error:
        return Verified(nobody_answered([QUESTION], repository, "listing and reading manifests", str(error)))
    return _Round(files, reader, terms, policy, known, at, proven).run(found, only)


class _Round:
    """One round over the repository."""

    def __init__(  # noqa: PLR0917 - what verify was given
        self,
        files: BackupFiles,
        reader: BackupReader,
        terms: Verification,
        policy: Backups,
        known: Mapping[str, Remembered],
        at: datetime,
        proven: Callable[[Proof], None],
    ) -> None:
        self.files, self.reader, self.terms, self.policy = files, reader, terms, policy
        self.known, self.at, self.proven = known, at, proven
        self.taken: list[Measurement] = []
        self.open: list[Unanswered] = []
        self.proofs: list[Proof] = []

    def run(self, found: Sequence[Entry], only: str | None) -> Verified:
        # What failed by its own word has nothing to verify: ED-03 tells of it.
        ours = [one for one in found if not (one.report or one.failed or one.backup.foreign(self.policy.database))]
        if only is not None:
            ours = [one for one in ours if one.path == only]
        now = datetime.now(UTC)
        readable = {one.path: self._candidate(one) for one in ours if one.stored and not unread_fault(one, now)[0]}
        wanted = list(readable.values()) if only is not None else due(list(readable.values()), self.terms, self.at)
        readings = self._read({one.path: one for one in ours}, wanted)
        reported: list[str] = []
        for one in ours:
            self._judge(one, readable.get(one.path), readings.get(one.path))
        if only is None:
            for report in (one for one in found if one.report):
                reported += self._reported(report)
        self._measure("backup.count", len(ours) + len(reported), "count")
        self.taken.extend(of_newest(ours, str(self.files)))
        paths = frozenset([*(one.path for one in found if one.stored is not None), *reported])
        return Verified(Answer.of(self.taken, self.open), self.proofs, listed=True, paths=paths)

    def _candidate(self, one: Entry) -> Candidate:
        assert one.stored is not None  # noqa: S101 - only those with files are candidates
        sha256 = one.backup.manifest.sha256 if one.backup.manifest else ""
        return Candidate(one.path, one.stored.size, one.stored.modified, sha256, one.taken, self.known.get(one.path))

    def _read(self, found: Mapping[str, Entry], wanted: Sequence[Candidate]) -> dict[str, Reading | None]:
        """By path; None where it could not be read."""
        begun, size = monotonic(), 0
        readings: dict[str, Reading | None] = {}
        for index, candidate in enumerate(wanted):
            if readings and monotonic() - begun > self.terms.spend_at_most.total_seconds():
                self._measure("backup.read.left", len(wanted) - index, "count")
                break
            reading = self._one(found[candidate.path])
            readings[candidate.path] = reading
            size += reading.size if reading else 0
        self._measure("backup.read.count", sum(one is not None for one in readings.values()), "count")
        self._measure("backup.read.size", size, "bytes")
        self._measure("backup.read.duration", monotonic() - begun, "s")
        return readings

    def _one(self, one: Entry) -> Reading | None:
        assert one.stored is not None  # noqa: S101
        try:
            reading = self.reader.read(one.stored)
        except (Unlistable, Stalled, OSError) as error:
            self._unanswered(one, str(error))
            return None
        if reading.could_not:
            self._unanswered(one, reading.could_not)
        self._proof(one, reading)
        return reading

    def _proof(self, one: Entry, reading: Reading | None) -> None:
        """Kept at once: a worker killed after an hour of reading has not read in vain."""
        now = datetime.now(UTC)
        fault, detail, _ = examine(one, reading, now)
        if fault:
            proof = Proof(one, reading.sha256 if reading else "", failed_at=now, failure=f"{fault}: {detail}")
        elif reading is None:
            proof = Proof(one, levels=(0,))
        else:
            levels = (0, *((1,) if one.backup.manifest else ()), *((2,) if reading.decoded else ()))
            proof = Proof(one, reading.sha256, levels, read_at=now if reading.decoded else None)
        self.proofs.append(proof)
        self.proven(proof)

    def _judge(self, one: Entry, candidate: Candidate | None, reading: Reading | None) -> None:
        remembered = candidate.remembered if candidate and not candidate.changed else None
        fault: str
        fault, detail, level = examine(one, reading, datetime.now(UTC))
        if not fault and reading is None and candidate and candidate.failing and remembered and remembered.failed_at:
            level, (fault, _, words) = 2, remembered.failure.partition(": ")
            detail = f"{words}; found on {remembered.failed_at:%Y-%m-%d %H:%M} UTC, the same file since"
        elif reading is None:
            self._proof(one, None)
        self._verified(one, level, fault, detail)
        self._depth(one, remembered, fault, reading)

    def _depth(self, one: Entry, remembered: Remembered | None, fault: str, reading: Reading | None) -> None:
        """The deepest level that holds for these bytes, and since when it was first proven."""
        now = datetime.now(UTC)
        read = 0 if reading is None or fault else 2 if reading.decoded else 1 if one.backup.manifest else 0
        before = (remembered.level or 0) if remembered and not fault else 0
        since = remembered.since if remembered and before >= read else None
        kind = f"{reading.format}, " if reading else ""
        said = f"{kind}L{max(read, before)} since {since or now:%Y-%m-%d %H:%M} UTC"
        self._measure("backup.depth", max(read, before), "count", one, said)
        last = now if read == 2 else remembered.read_at if remembered else None
        if last is not None:
            self._measure("backup.read.age", max(0.0, (self.at - last).total_seconds()), "s", one)

    def _verified(self, one: Entry, level: int, fault: str, detail: str) -> None:
        labels = {"level": f"L{level}"} | ({"fault": fault} if fault else {})
        self._measure("backup.verified", 0 if fault else 1, "bool", one, detail, **labels)

    def _reported(self, one: Entry) -> list[str]:
        """pgBackRest's backups are in a repository of its own: it tells of them, and verifies them itself."""
        try:
            listed, wrong = read_info(self.files.head(one.path, REPORT_LIMIT) or b"")
        except ValueError as error:
            self._verified(one, 0, "decode", str(error))
            return []
        for words in wrong:
            self._verified(one, 0, "incomplete", words)
        told = reports(listed, self.known, self.terms, at=self.at)
        for report in told:
            self._of_pgbackrest(report)
        return [report.backup.path for report in told]

    def _of_pgbackrest(self, told: Report) -> None:
        """One that is whole is remembered, and not read again without need."""
        backup, now = told.backup, self._now()
        stored = StoredFile(backup.path, backup.size, backup.ended)
        entry = Entry(Backup(backup.path, backup.size, None, ALONE), stored)
        if told.could_not:
            self._unanswered(entry, told.could_not)
        self._verified(entry, 2 if told.fault else told.level, told.fault, told.detail)
        self._measure("backup.depth", 0 if told.fault else told.level, "count", entry, told.detail)
        last = now if told.read else told.read_at
        if last is not None and not told.fault:
            self._measure("backup.read.age", max(0.0, (self.at - last).total_seconds()), "s", entry)
        if told.read:
            failure = f"{told.fault}: {told.detail}" if told.fault else ""
            proof = Proof(
                entry,
                levels=() if failure else (0, 1, 2),
                read_at=None if failure else now,
                failed_at=now if failure else None,
                failure=failure,
            )
            self.proofs.append(proof)
            self.proven(proof)

    def _measure(
        self, name: str, value: float, unit: str, one: Entry | None = None, detail: str = "", **more: str
    ) -> None:
        labels = {"repository": str(self.files)} | ({} if one is None else {"path": one.path}) | more
        self.taken.append(Measurement(name, value, unit, self._now(), labels, detail))

    def _unanswered(self, one: Entry, reason: str) -> None:
        self.open.append(Unanswered(f"the contents of {one.path}", str(self.files), TRIED, reason, self._now()))

    @staticmethod
    def _now() -> datetime:
        return datetime.now(UTC)
