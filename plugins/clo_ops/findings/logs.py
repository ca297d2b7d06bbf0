"""Where reading a log ended."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LogPosition:
    """``offset`` bytes of the file ``inode`` were read; its first ``seen`` bytes have the POSIX ``checksum``."""

    inode: str
    offset: int
    seen: int
    checksum: str
