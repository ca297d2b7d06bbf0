"""Read on in a log on its host and count what it says (LM-03): whole lines, streamed, from where the last look ended.

A file that was moved aside, copied or compressed is found again by its first bytes and read to its end, then those
rotated after it, then the new one. Where it cannot be found what it held in between is lost, and said to be.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time

from clo_ops.findings import Answer, Measurement
from clo_ops.findings.logs import LogPosition
from clo_ops.policy.logs import LogFile, Logs
from clo_ops.policy.paths import INCLUDE
from clo_ops.probes import shell
from clo_ops.probes.log_errors import path_on
from clo_ops.probes.reaching import Reach, Unreachable, nobody_answered
from clo_ops.probes.shell_stream import Stream, streamed
from clo_ops.probes.targets import HostTarget
from clo_ops.rules.log_tally import Reader

SCRIPT = "log_lines.sh"
FIELDS = 8
UNKNOWN = ("-", "-", "-", "-")
MISSING = "there is no file"
NO_BYTES = "4294967295"  # cksum of nothing
# Of one line; what is longer is taken in pieces.
LONGEST = 1 << 20


@dataclass(frozen=True, slots=True)
class Look:
    """What one look found. ``position`` is None where nobody answered, which ``answer`` then says.

    ``lost``: lines between the last look and a rotation were not found. ``left`` bytes are for the next look.
    """

    answer: Answer
    position: LogPosition | None = None
    reader: Reader | None = None
    lost: bool = False
    left: int = 0
    read: int = 0


@dataclass(frozen=True, slots=True)
class _Segment:
    inode: str
    start: int
    length: int
    head: int
    checksum: str
    ended: bool


def read_on(
    host: HostTarget, source: LogFile, since: LogPosition | None, policy: Logs, *, at: datetime, ends: time
) -> Look:
    """Everything whole that was written since, at most ``policy.reading.most_bytes``; ``ends`` is when a day ends."""
    question, how = f"lines of {source.name}", shell.tried(host)
    path = path_on(host, source.path)
    if not path:
        reason = "its path is relative and the host's connection has no `logs` to look in"
        return Look(nobody_answered([question], host, "the connection", reason))
    mark = UNKNOWN if since is None else (since.inode, str(since.offset), str(since.seen), since.checksum)
    arguments = [path, source.rotated or "-", str(policy.reading.most_bytes), *mark]
    script = (INCLUDE / "sh" / SCRIPT).read_text(encoding="utf-8")
    reader = Reader(source, policy, ends, at)
    try:
        with streamed(host, script, arguments, policy.reading.within.total_seconds()) as stream:
            return _read(stream, reader, since)
    except Unreachable as error:
        if source.may_be_missing and MISSING in error.reason:
            there = Measurement("log.missing", 1, "bool", at, {"source": source.name}, error.reason)
            return Look(Answer((there,)))
        return Look(nobody_answered([question], host, how, error.reason))


def _read(stream: Stream, reader: Reader, position: LogPosition | None) -> Look:
    total = 0
    while (said := stream.line()).startswith("segment "):
        segment = _segment(said)
        taken = _feed(stream, reader, segment)
        total += taken
        position = _position(segment, segment.start + taken)
    kind, _, rest = said.partition(" ")
    words = rest.split()
    if kind != "end" or len(words) != 2 or not words[0].isdigit():
        raise Unreachable(Reach.OTHER, rest if kind == "no_log" else f"the script said {said[:80]!r}")
    return Look(Answer(), position, reader, lost=words[1] == "lost", left=int(words[0]), read=total)


def _segment(said: str) -> _Segment:
    words = said.split()[1:]
    if len(words) != FIELDS - 1 or not all(word.isdigit() for word in words[:5]):
        raise Unreachable(Reach.OTHER, f"the script said {said[:80]!r}")
    inode, start, length, head, checksum, kind, _ = words
    return _Segment(inode, int(start), int(length), int(head), checksum, kind == "old")


def _position(segment: _Segment, offset: int) -> LogPosition:
    """Its first bytes tell the file again, unless it was read less far than those go."""
    if offset < segment.head:
        return LogPosition(segment.inode, offset, 0, NO_BYTES)
    return LogPosition(segment.inode, offset, segment.head, segment.checksum)


def _feed(stream: Stream, reader: Reader, segment: _Segment) -> int:
    """How many bytes were taken: of a live file whole lines only, of one that nobody writes any more everything."""
    rest, taken = b"", 0
    for piece in stream.part(segment.length):
        rest += piece
        *lines, rest = rest.split(b"\n")
        reader.feed(line + b"\n" for line in lines)
        taken += sum(len(line) + 1 for line in lines)
        if len(rest) > LONGEST:
            reader.feed([rest])
            taken, rest = taken + len(rest), b""
    if rest and segment.ended:
        reader.feed([rest])
        taken += len(rest)
    return taken
