"""What lies where of a log, and what of it is due: the words that probing, judging and removing share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal


@dataclass(frozen=True, slots=True)
class LoggedFile:
    """A rotated file in ``folder`` on its host, as it was listed. ``changed`` is its last change: its youngest line."""

    source: str
    folder: str
    name: str
    inode: str
    size: int
    changed: datetime
    seconds: int

    @property
    def path(self) -> str:
        return f"{self.folder}/{self.name}"


@dataclass(frozen=True, slots=True)
class ArchivedLog:
    """A rotated file in the archive; ``sha256`` is that of what it holds unpacked, ``packed`` that of its bytes.

    Its lines are of ``begins`` .. ``ends``; None where nobody knows when they begin.
    """

    name: str
    source: str
    path: str
    begins: datetime | None
    ends: datetime
    size: int
    sha256: str
    packed: str
    packed_size: int


@dataclass(frozen=True, slots=True)
class DueFile:
    """``what`` is to become of it, and ``why``. ``begins`` is when its oldest line may have been written."""

    file: LoggedFile
    what: Literal["archive", "remove", "hold"]
    why: str
    begins: datetime | None = None


@dataclass(frozen=True, slots=True)
class TableState:
    """``due`` and ``held`` are counted no further than may go in one run; ``rows`` is about how many there are."""

    table: str
    at: str
    type: str
    rows: int
    due: int
    held: int
    oldest: datetime | None
    before: datetime
