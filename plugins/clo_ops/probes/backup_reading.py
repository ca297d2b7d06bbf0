"""Read one backup from its first byte to its last, once: hashed and decoded on the way (D21).

A local archive is read by pg_restore itself while another core hashes the same pages of the cache; whatever is wrapped,
or lies elsewhere, is read in blocks that go both ways.
"""

from __future__ import annotations

import os
import re
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from clo_ops.probes import pg_programs
from clo_ops.probes.backup_entries import digest_of_files
from clo_ops.probes.backup_files import TOC, BackupFiles, StoredFile
from clo_ops.probes.backup_formats import HEAD, Format, recognise
from clo_ops.probes.backup_streams import (
    BLOCK,
    CANNOT,
    Archive,
    Digest,
    HashedReader,
    Nothing,
    Plain,
    broken,
    unwrapped,
)
from clo_ops.probes.pg_programs import Program, ProgramMissing, program

DATA_ENTRY = re.compile(rb"^(\d+); \d+ \d+ TABLE DATA ", re.MULTILINE)
TAR_DATA = re.compile(rb"\$\$PATH\$\$/(\d+\.dat)")
# These give nothing of a block before they have it whole: up to 128 KiB of zstd, 4 MiB of lz4.
WRAPPED_HEAD = {"zstd": 256 * 1024, "lz4": 5 * 1024 * 1024}
END_OF_DATA = b"\\.\n\n\n"
# Which pg_restore could not decode which compression; asked again in the next process.
UNABLE: set[tuple[Path, str]] = set()


@dataclass(frozen=True, slots=True)
class Reading:
    """What came of reading it whole. ``size`` and ``sha256`` are of the bytes as stored (D21).

    ``problem`` is what is wrong with the backup itself, ``could_not`` why it could not be decoded here; where both are
    empty and the format is one that can be restored, every byte was decoded. ``files`` are a directory's.
    """

    format: Format
    size: int
    sha256: str
    problem: str = ""
    could_not: str = ""
    files: Mapping[str, tuple[int, str]] = field(default_factory=dict)

    @property
    def decoded(self) -> bool:
        return self.format.restorable and not self.problem and not self.could_not


class BackupReader:
    """``tool`` is the pg_restore to use, the newest there is by default. ``stalled_after`` is seconds without progress.

    ``read`` raises Unlistable where the storage does not give the bytes, FileNotFoundError where they are gone, and
    Stalled.
    """

    def __init__(self, files: BackupFiles, stalled_after: float, tool: Program | None = None) -> None:
        self.files, self.stalled_after, self._tool = files, stalled_after, tool

    def read(self, stored: StoredFile) -> Reading:
        """Where the newest pg_restore was built without what compresses this archive, by the next that can."""
        while True:
            reading = self._directory(stored) if stored.is_directory else self._file(stored)
            if not (reading.could_not and CANNOT.search(reading.could_not) and self._next(reading.format)):
                return reading

    def hashed(self, stored: StoredFile) -> str:
        """The SHA-256 alone, of a directory that of its files' list."""
        if not stored.is_directory:
            return self._hash_of(stored.name)
        return digest_of_files({part.name: self._hash_of(f"{stored.name}/{part.name}") for part in stored.parts})

    def _hash_of(self, name: str) -> str:
        with self.files.open(name) as file, Digest() as digest:
            while block := file.read(BLOCK):
                digest.update(block)
            return digest.hexdigest()

    def _restorer(self, found: Format | None) -> Program:
        """Raises ProgramMissing."""
        if self._tool is not None:
            return self._tool
        packed = _compression(found)
        able = [one for one in pg_programs.programs("pg_restore") if (one.path, packed) not in UNABLE]
        return max(able, key=lambda one: one.major) if able else program("pg_restore")

    def _next(self, found: Format) -> bool:
        """Whether another pg_restore than the one that could not is left to be asked; remembered while we run."""
        if self._tool is not None or not _compression(found):
            return False
        UNABLE.add((self._restorer(found).path, _compression(found)))
        return any((one.path, _compression(found)) not in UNABLE for one in pg_programs.programs("pg_restore"))

    def format_of(self, stored: StoredFile) -> Format:
        """By its first bytes, unwrapped as far as they reach; nothing else is read."""
        name = f"{stored.name}/{TOC}" if stored.is_directory else stored.name
        head = self.files.head(name, HEAD) or b""
        found = recognise(head)
        if found.wrapper in WRAPPED_HEAD:
            head = self.files.head(name, WRAPPED_HEAD[found.wrapper]) or b""
        return self._inner(found, head) if found.wrapper else found

    @staticmethod
    def _inner(outer: Format, head: bytes) -> Format:
        import io

        with Digest() as digest:
            try:
                reader = unwrapped(HashedReader(io.BytesIO(head), digest), outer.wrapper)
                inside = reader.raw.read(1024) or b""  # what a decoder gives of a head without asking for more
            except broken():
                return outer
        return replace(recognise(inside), wrapper=outer.wrapper)

    # ------------------------------------------------------------ one file

    def _file(self, stored: StoredFile) -> Reading:
        with self.files.open(stored.name) as file, Digest() as digest:
            head = file.read(HEAD)
            found = recognise(head)
            if found.wrapper or found.kind == "tar":
                return self._pulled(found, file, head, digest)
            local = self.files.local(stored.name)
            if local is not None and found.kind == "custom":
                problem, could_not = self._beside(local, found, digest)
            else:
                with self._consumer(found) as (consumer, reason):
                    _pumped(file, head, consumer, digest)
                    problem, could_not = consumer.finish()
                could_not = could_not or reason
            if found.kind == "directory":
                problem = "it is the table of contents of a directory, without the data"
            return Reading(found, digest.size, digest.hexdigest(), _wrong(found, problem), could_not)

    def _beside(self, path: Path, found: Format, digest: Digest) -> tuple[str, str]:
        """pg_restore reads the file by itself while it is hashed here: one open file, so it is the same one."""
        with path.open("rb", buffering=0) as file, self._consumer(found, file.fileno()) as (consumer, reason):
            digest.whole(file.fileno(), os.fstat(file.fileno()).st_size)
            problem, ours = consumer.finish()
            return problem, ours or reason

    def _pulled(self, outer: Format, file: IO[bytes], head: bytes, digest: Digest) -> Reading:
        source = HashedReader(file, digest, head)
        inner, problem, ours = outer, "", ""
        try:
            inside = unwrapped(source, outer.wrapper)
            inner = replace(recognise(inside.peek(HEAD)[:HEAD]), wrapper=outer.wrapper)
            if inner.kind == "tar":
                problem = tar_problem(inside)
            else:
                problem, ours = self._consumed(inner, inside)
        except broken() as error:
            problem = f"its {outer.wrapper or 'tar'} does not decode: {error}"
        source.rest()
        return Reading(inner, digest.size, digest.hexdigest(), _wrong(inner, problem), ours)

    def _consumed(self, inner: Format, inside: IO[bytes]) -> tuple[str, str]:
        with self._consumer(inner) as (consumer, could_not):
            while block := inside.read(BLOCK):
                consumer.write(block)
            problem, ours = consumer.finish()
            return problem, ours or could_not

    @contextmanager
    def _consumer(self, found: Format, file: int | None = None) -> Iterator[tuple[Nothing, str]]:
        """What decodes this format, the open ``file`` or what is written to it, and why nothing here does."""
        if found.kind == "plain":
            yield Plain(), ""
        elif found.kind == "custom":
            try:
                tool = self._restorer(found)
            except ProgramMissing as missing:
                yield Nothing(), str(missing)
                return
            with closing(Archive(tool, self.stalled_after, file)) as archive:
                yield archive, ""
        else:
            yield Nothing(), ""

    # ------------------------------------------------------------ a directory

    def _directory(self, stored: StoredFile) -> Reading:
        found = self.format_of(stored)
        parts = [self._part(stored, part) for part in stored.parts]
        files = {part.name: (size, sha256) for part, (size, sha256, _) in zip(stored.parts, parts, strict=True)}
        problems = [problem for _, _, problem in parts if problem]
        missing, could_not = self._incomplete(stored) if found.kind == "directory" else ("", "")
        digest = digest_of_files({name: sha256 for name, (_, sha256) in files.items()})
        size = sum(one for one, _ in files.values())
        return Reading(found, size, digest, _wrong(found, "; ".join(problems[:3]) or missing), could_not, files)

    def _part(self, stored: StoredFile, part: StoredFile) -> tuple[int, str, str]:
        """Size, SHA-256 and what is wrong with one file. Table data end with a mark, whatever is round them."""
        tail, problem = b"", ""
        with self.files.open(f"{stored.name}/{part.name}") as file, Digest() as digest:
            source = HashedReader(file, digest)
            try:
                inside = unwrapped(source, _wrapper_of(part.name))  # type: ignore[arg-type]
                while block := inside.read(BLOCK):
                    tail = (tail + block)[-len(END_OF_DATA) :]
            except broken() as error:
                problem = f"{part.name} does not decode: {error}"
            source.rest()
            if not problem and _is_table(part.name) and tail != END_OF_DATA:
                problem = f"{part.name} breaks off inside its table's data"
            return digest.size, digest.hexdigest(), problem

    def _incomplete(self, stored: StoredFile) -> tuple[str, str]:
        """Whether each table of the table of contents has its file; read with pg_restore, from a copy of that alone."""
        try:
            tool = self._restorer(None)
        except ProgramMissing as missing:
            return "", str(missing)
        with tempfile.TemporaryDirectory(prefix="clo-ops-toc-") as folder, ExitStack() as stack:
            source = stack.enter_context(self.files.open(f"{stored.name}/{TOC}"))
            (Path(folder) / TOC).write_bytes(source.read())
            done = subprocess.run([tool.path, "--list", folder], capture_output=True, check=False, timeout=60)
        if done.returncode:
            return f"its table of contents does not decode: {done.stderr.decode('utf-8', 'replace').strip()[:200]}", ""
        there = {part.name.partition(".")[0] for part in stored.parts}
        lost = [number.decode() for number in DATA_ENTRY.findall(done.stdout) if number.decode() not in there]
        return (f"the data of {len(lost)} tables are missing: {', '.join(lost[:5])}.dat" if lost else ""), ""


def _compression(found: Format | None) -> str:
    return found.head.compression if found is not None and found.head is not None else ""


def _pumped(file: Any, head: bytes, consumer: Nothing, digest: Digest) -> None:
    block = head or file.read(BLOCK)
    while block:
        digest.update(block)
        consumer.write(block)
        block = file.read(BLOCK)


def _wrong(found: Format, problem: str) -> str:
    if problem:
        return problem
    if found.kind == "empty":
        return "it is empty"
    return "" if found.restorable or found.kind == "pgbackrest" else "it is in no format a database is restored from"


def tar_problem(stream: IO[bytes]) -> str:
    """A tar archive read to its end. pg_restore waits for ever on one that is cut short, so it is not asked."""
    names, wanted = set(), b""
    with tarfile.open(fileobj=stream, mode="r|") as tar:
        for member in tar:
            tail, content = b"", tar.extractfile(member)
            while content and (block := content.read(BLOCK)):
                tail = (tail + block)[-len(END_OF_DATA) :]
                wanted = wanted + block if member.name == "restore.sql" else b""
            if _is_table(member.name) and tail != END_OF_DATA:
                return f"{member.name} in it breaks off inside its table's data"
            names.add(member.name)
    lost = sorted({name.decode() for name in TAR_DATA.findall(wanted)} - names)
    if lost or "restore.sql" not in names:
        return f"it ends before {lost[0] if lost else 'restore.sql'}, its last part"
    return ""


def _wrapper_of(name: str) -> str:
    return {"gz": "gzip", "zst": "zstd", "lz4": "lz4"}.get(name.rpartition(".")[2], "")


def _is_table(name: str) -> bool:
    return re.match(r"\d+\.dat\b", name) is not None
