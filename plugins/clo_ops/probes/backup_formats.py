"""What a file is, by its content and not by its name: pg_dump's three archive formats, plain SQL, gzip, zstd or lz4
round any of them, and the report of ``pgbackrest info --output=json``.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Kind = Literal["custom", "directory", "tar", "plain", "pgbackrest", "empty", "unknown"]
Wrapper = Literal["", "gzip", "zstd", "lz4"]

HEAD = 64 * 1024  # bytes: the header of a pg_dump, and the first of its table of contents
MAGIC = b"PGDMP"
WRAPPERS: tuple[tuple[bytes, Wrapper], ...] = (
    (b"\x1f\x8b", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x04\x22\x4d\x18", "lz4"),
)
# The table of contents of a directory says it were one of a tar; by itself it holds no data.
ARCHIVES: dict[int, Kind] = {1: "custom", 3: "directory", 5: "directory"}
PLAIN = re.compile(rb"^(?:\\restrict [^\n]*\n|--[^\n]*\n|\s)*-- PostgreSQL database (?:cluster )?dump\b")
PLAIN_VERSION = re.compile(rb"-- Dumped from database version (\d+)")
PGBACKREST = re.compile(rb'^\s*\[\s*(?:\{[^\x00]*?"(?:archive|backup|stanza|cipher|db)"|\])')
COMPRESSIONS = ("none", "gzip", "lz4", "zstd")  # by pg_dump's number for each


@dataclass(frozen=True, slots=True)
class ArchiveHead:
    """What pg_dump wrote at the head of an archive. ``created`` is in the time zone of the machine that dumped."""

    version: tuple[int, int, int]
    compression: str
    created: datetime | None
    database: str
    server_version: str
    dump_version: str

    @property
    def server_major(self) -> int | None:
        number = re.match(r"(\d+)", self.server_version)
        return int(number[1]) if number else None


@dataclass(frozen=True, slots=True)
class Format:
    """``wrapper`` is what is round it; ``head`` is there for pg_dump's archives, as far as it can be read.

    ``server_major`` is of the server it was taken of, None where its first bytes do not tell.
    """

    kind: Kind
    wrapper: Wrapper = ""
    head: ArchiveHead | None = None
    plain_of: int | None = None

    @property
    def server_major(self) -> int | None:
        return self.head.server_major if self.head else self.plain_of

    def __str__(self) -> str:
        names = {"custom": "custom archive", "tar": "tar archive", "plain": "plain SQL", "directory": "directory"}
        said = names.get(self.kind, self.kind)
        return f"{said} in {self.wrapper}" if self.wrapper else said

    @property
    def restorable(self) -> bool:
        return self.kind in ("custom", "directory", "tar", "plain")


def recognise(head: bytes) -> Format:
    """By the first bytes. What is wrapped is named as its wrapper with kind ``unknown``: unwrap and ask again."""
    if not head:
        return Format("empty")
    for magic, wrapper in WRAPPERS:
        if head.startswith(magic):
            return Format("unknown", wrapper)
    if head.startswith(MAGIC):
        return _archive(head)
    if head[257:262] == b"ustar" or (head[:8] == b"toc.dat\0" and len(head) >= 512):
        return Format("tar", head=_archive(head[512:]).head) if head[:8] == b"toc.dat\0" else Format("unknown")
    if PLAIN.match(head[:4096]):
        return Format("plain", plain_of=plain_version(head))
    return Format("pgbackrest") if PGBACKREST.match(head[:4096]) else Format("unknown")


def _archive(head: bytes) -> Format:
    try:
        version, compression, parts = _fields(head)
    except (struct.error, IndexError, ValueError, StopIteration):
        return Format("unknown")
    return Format(ARCHIVES.get(head[10], "unknown"), head=ArchiveHead(version, compression, *parts))


def _fields(head: bytes) -> tuple[tuple[int, int, int], str, tuple[datetime | None, str, str, str]]:
    """The layout of pg_backup_archiver.c, the same since PostgreSQL 8; 1.15 (16) turned the level into an algorithm."""
    if not head.startswith(MAGIC):
        raise ValueError("no archive")
    version = (head[5], head[6], head[7])
    values = _Values(head, 11, head[8])
    # Before 1.15 a level stood here, -1 for the default one, and gzip was all there was.
    compression = COMPRESSIONS[values.byte() if version >= (1, 15, 0) else min(1, abs(values.integer()))]
    moment = [values.integer() for _ in range(7)]
    return version, compression, (_moment(moment), values.text(), values.text(), values.text())


class _Values:
    """Integers are a sign byte and ``width`` little-endian ones, texts an integer and so many bytes."""

    def __init__(self, raw: bytes, at: int, width: int) -> None:
        self.raw, self.at, self.width = raw, at, width

    def byte(self) -> int:
        self.at += 1
        return self.raw[self.at - 1]

    def integer(self) -> int:
        sign = self.byte()
        part = self.raw[self.at : self.at + self.width]
        if len(part) < self.width:
            raise ValueError("the head ends early")
        self.at += self.width
        value = int.from_bytes(part, "little")
        return -value if sign else value

    def text(self) -> str:
        length = self.integer()
        if length < 0:
            return ""
        part = self.raw[self.at : self.at + length]
        if len(part) < length:
            raise ValueError("the head ends early")
        self.at += length
        return part.decode("utf-8", "replace")


def _moment(fields: list[int]) -> datetime | None:
    second, minute, hour, day, month, year, _ = fields
    try:
        return datetime(year + 1900, month + 1, day, hour, minute, min(second, 59))  # noqa: DTZ001 - it has no zone
    except ValueError:
        return None


def plain_version(head: bytes) -> int | None:
    """The server's major version in the head of a plain dump."""
    found = PLAIN_VERSION.search(head, 0, 4096)
    return int(found[1]) if found else None


class PlainScan:
    """Whether plain SQL is whole: every COPY block ends, and pg_dump's last line is there. Memory stays flat."""

    COPY = re.compile(rb"^COPY [^\n]* FROM stdin;\r?\n", re.MULTILINE)
    COPY_END = b"\\.\n"
    COMPLETE = re.compile(rb"-- PostgreSQL database (?:cluster )?dump complete\b")
    LONGEST = 1024 * 1024
    AMID = b"\x01"  # stands for the beginning of a line too long to be a mark

    def __init__(self) -> None:
        self._rest = self._tail = b""
        self._copying = self._nul = False
        self.blocks = 0

    def feed(self, block: bytes) -> None:
        self._nul = self._nul or b"\0" in block
        self._tail = (self._tail + block[-4096:])[-4096:]
        text = self._rest + block
        whole = text.rfind(b"\n") + 1
        at = 0
        while (end := self._next_mark(text, at, whole)) is not None:
            self.blocks += self._copying
            self._copying = not self._copying
            at = end
        rest = text[whole:]
        self._rest = rest if len(rest) <= self.LONGEST else self.AMID

    def _next_mark(self, text: bytes, at: int, whole: int) -> int | None:
        """Where the line after the next beginning or end of a table's data starts, among whole lines."""
        if not self._copying:
            found = self.COPY.search(text, at, whole)
            return found.end() if found else None
        place = text.find(self.COPY_END, at, whole)
        while place > 0 and text[place - 1] != 0x0A:
            place = text.find(self.COPY_END, place + 1, whole)
        return None if place < 0 else place + len(self.COPY_END)

    def problem(self) -> str:
        if self._nul:
            return "it holds NUL bytes, which no SQL text does"
        if self._copying:
            return f"it breaks off inside the data of its table number {self.blocks + 1}"
        return "" if self.COMPLETE.search(self._tail) else "its last line, 'database dump complete', is missing"
