"""Whether pgBackRest's backups are whole, by its own ``verify``: every file read, decoded and held against the checksum
of its manifest, and the WAL each backup needs is in the archive.

Its exit code says nothing (0 for a repository full of faults, as of 2.45): what it writes is read.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from clo_ops.policy.backups import PgBackRestTerms
from clo_ops.probes.pgbackrest import PgBackRestBackup

OF_BACKUP = re.compile(r"backup: (?P<label>\S+), status: (?P<status>[^,\n]+)(?P<counts>[^\n]*)")
OF_ARCHIVE = re.compile(r"archiveId: (?P<id>\S+),[^\n]*")
COUNTS = re.compile(r"(missing|checksum invalid|size invalid|other): (\d+)")
SEGMENT = re.compile(r"(?:^|/)([0-9A-F]{24})(?:-[0-9a-f]{40}|$)")
LOW = 8  # hexadecimal digits: a segment within its log file
MOST = 4096  # segments of one backup that are looked for by name


class NotVerified(Exception):
    """pgBackRest could not be asked; the text says why."""


class NoProgram(NotVerified):
    """This worker has no pgBackRest: its backups are known by its report only."""


@dataclass(frozen=True, slots=True)
class Stanza:
    """``faults`` by label, empty for a backup that is whole; ``archive`` are faults of the WAL archive as a whole."""

    faults: dict[str, str]
    said: dict[str, str]
    archive: list[str] = field(default_factory=list)
    segments: frozenset[str] = frozenset()

    def fault(self, backup: PgBackRestBackup) -> str:
        """What is wrong with one backup; empty when it is whole and the WAL it needs is there."""
        lost = [one for one in needed(backup) if one not in self.segments]
        wal = f"the WAL it needs is not in the archive: {', '.join(lost[:3])}" if lost else ""
        return "; ".join(filter(None, [self.faults.get(backup.label, ""), wal]))


def verify(terms: PgBackRestTerms, stanza: str) -> Stanza:
    """Everything of ``stanza``, read by pgBackRest. Raises NotVerified."""
    said = _run(terms, stanza, "verify", "--output=text", "--verbose")
    faults, told = {}, {}
    blocks = re.split(r"\n(?=  (?:backup|archiveId): )", said)
    for block in blocks:
        if (found := OF_BACKUP.search(block)) is not None:
            counts = {name: int(number) for name, number in COUNTS.findall(block)}
            wrong = ", ".join(f"{number} {name}" for name, number in counts.items() if number)
            good = found["status"] == "valid" and counts and not wrong
            told[found["label"]] = found["counts"].strip(", ")
            faults[found["label"]] = "" if good else f"pgbackrest verify: {found['status']}, {wrong or 'not said why'}"
    if not faults:
        raise NotVerified(f"pgbackrest verify of stanza {stanza} told of no backup: {' '.join(said.split())[:200]}")
    return Stanza(faults, told, list(_archive_faults(blocks)), _segments(terms, stanza))


def _archive_faults(blocks: Sequence[str]) -> Iterator[str]:
    for block in blocks:
        if (found := OF_ARCHIVE.search(block)) is not None:
            wrong = ", ".join(f"{number} {name}" for name, number in COUNTS.findall(block) if int(number))
            if wrong:
                yield f"WAL archive {found['id']}: {wrong}"


def needed(backup: PgBackRestBackup) -> list[str]:
    """The WAL from its start to its stop. Across log files only the first and the last: how many lie between depends on
    the size of a segment."""
    first, last = backup.wal
    if not first or not last:
        return []
    if first[:-LOW] != last[:-LOW] or int(last[-LOW:], 16) - int(first[-LOW:], 16) > MOST:
        return sorted({first, last})
    return [f"{first[:-LOW]}{number:08X}" for number in range(int(first[-LOW:], 16), int(last[-LOW:], 16) + 1)]


def _segments(terms: PgBackRestTerms, stanza: str) -> frozenset[str]:
    listed = _run(terms, stanza, "repo-ls", "--recurse", "--output=json", f"archive/{stanza}")
    try:
        names = list(json.loads(listed))
    except ValueError:
        raise NotVerified(f"pgbackrest repo-ls wrote no JSON: {listed[:100]}") from None
    return frozenset(found[1] for name in names if (found := SEGMENT.search(name)))


def _run(terms: PgBackRestTerms, stanza: str, command: str, *arguments: str) -> str:
    quiet = ["--log-level-console=off", "--log-level-file=off", "--log-level-stderr=error"]
    whose = [f"--stanza={stanza}"] if command == "verify" else []
    line = [terms.program, *terms.options, *quiet, *whose, command, *arguments]
    within = terms.within.total_seconds()
    try:
        done = subprocess.run(
            line,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=within,
            check=False,
        )
    except OSError as error:
        raise NoProgram(f"the program {terms.program} cannot be run here: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise NotVerified(f"pgbackrest {command} took longer than {within:g} s") from None
    if done.returncode:
        raise NotVerified(f"pgbackrest {command} ended {done.returncode}: {' '.join(done.stderr.split())[:200]}")
    return done.stdout
