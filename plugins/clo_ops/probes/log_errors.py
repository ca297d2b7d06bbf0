"""Count the error lines of a host's logs over the last minute (LM-02; manual L365): read on from look to look.

Only what was written since the last look is read, on the host itself, whole lines and at most ``MOST_BYTES`` of each
file; what is left over is for the next look. A file that was moved aside is read on first (as much as one look reads),
one that was cut short or replaced from its beginning. A file that is not there is a question nobody answered, never
"no errors".
"""

from __future__ import annotations

import posixpath
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from clo_ops.findings import Answer, Measurement
from clo_ops.policy.alerting import ErrorLog
from clo_ops.policy.paths import INCLUDE
from clo_ops.probes import shell
from clo_ops.probes.reaching import Reach, Unreachable, nobody_answered
from clo_ops.probes.targets import HostTarget

SCRIPT = "log_errors.sh"
METRIC = "log.error.count"
# Of one file in one look: half a minute's worth of a log that nobody could read any more.
MOST_BYTES = 4 * 1024**2
# What the script is told of a file nobody looked at before, and of one that was not there at the last look.
UNKNOWN, NEW = ("-", "-", "-", "-"), ("new", "0", "0", "-")
FIELDS = 7


@dataclass(slots=True)
class Position:
    """Where the last look at a file ended, and the errors seen in each look of the last minute.

    ``mark`` is what the script needs to go on: inode, offset, first bytes seen and their checksum.
    """

    mark: tuple[str, str, str, str] = UNKNOWN
    counted: deque[tuple[datetime, int]] = field(default_factory=deque)


Positions = dict[str, Position]


@dataclass(frozen=True, slots=True)
class _Now:
    at: datetime
    window: timedelta


def errors(
    host: HostTarget, sources: Sequence[ErrorLog], positions: Positions, at: datetime, window: timedelta
) -> Answer:
    """``log.error.count`` {source}: error lines seen within ``window`` up to ``at``, where it stands as its detail.

    ``positions`` (by the source's name) is what is remembered between looks. The first look at a file finds its end
    and counts nothing before it, so it measures nothing.
    """
    asked = [one for one in sources if _path(host, one)]
    nowhere = [_question(one) for one in sources if one not in asked]
    reason = "its path is relative and the host's connection has no `logs` to look in"
    answer = nobody_answered(nowhere, host, "the connection", reason)
    return answer + (_asked(host, asked, positions, _Now(at, window)) if asked else Answer())


def _asked(host: HostTarget, asked: Sequence[ErrorLog], positions: Positions, now: _Now) -> Answer:
    try:
        said = _said(host, asked, positions)
    except Unreachable as error:
        return nobody_answered(map(_question, asked), host, shell.tried(host), error.reason)
    answer = Answer()
    for number, one in enumerate(asked):
        position = positions.setdefault(one.name, Position())
        answer += _read(host, one, said.get(number, ""), position, now)
    return answer


def _said(host: HostTarget, asked: Sequence[ErrorLog], positions: Positions) -> dict[int, str]:
    """The script's line for each file. Raises Unreachable where the host, or the script's end, is not reached."""
    arguments = [str(MOST_BYTES)]
    for one in asked:
        arguments += [_path(host, one), one.errors, *positions.get(one.name, Position()).mark]
    done = shell.run(host, (INCLUDE / "sh" / SCRIPT).read_text(encoding="utf-8"), arguments)
    lines = done.out.splitlines()
    if not lines or lines[-1] != "end":
        said = f"the script's answer is not whole; it ended with {done.code}: {done.err.strip()[:200]}"
        raise Unreachable(Reach.OTHER, said)
    return dict(_numbered(lines))


def path_on(host: HostTarget, path: str) -> str:
    """Empty where it is relative and the connection does not say to what."""
    if posixpath.isabs(path):
        return path
    return posixpath.join(host.logs, path) if host.logs else ""


def _path(host: HostTarget, source: ErrorLog) -> str:
    return path_on(host, source.path)


def _question(source: ErrorLog) -> str:
    return f"error lines of {source.name}"


def _numbered(lines: Sequence[str]) -> list[tuple[int, str]]:
    """Each file's line by the file's number."""
    words = [line.split(" ", 2) for line in lines if line.startswith(("log ", "no_log "))]
    return [(int(parts[1]), f"{parts[0]} {parts[2]}") for parts in words if len(parts) == 3 and parts[1].isdigit()]


def _read(host: HostTarget, source: ErrorLog, said: str, position: Position, now: _Now) -> Answer:
    kind, _, rest = said.partition(" ")
    parts = rest.split()
    if kind == "log" and len(parts) == FIELDS and all(part.isdigit() for part in parts[:-1]):
        return _counted(_path(host, source), source, parts, position, now)
    if position.mark == UNKNOWN and rest.startswith("there is no file"):
        # Whatever comes there later is new, all of it. A file we know may only have been moved aside just now.
        position.mark = NEW
    reason = rest if kind == "no_log" else f"the script said {said[:80]!r}"
    return nobody_answered([_question(source)], host, shell.tried(host), reason)


def _counted(path: str, source: ErrorLog, parts: Sequence[str], position: Position, now: _Now) -> Answer:
    inode, offset, seen, checksum, errors, left, went = parts
    position.mark = (inode, offset, seen, checksum)
    if went == "first":
        return Answer()
    position.counted.append((now.at, int(errors)))
    while position.counted and now.at - position.counted[0][0] >= now.window:
        position.counted.popleft()
    total = sum(count for _, count in position.counted)
    detail = f"{path} up to byte {offset} ({went}), {left} bytes left for the next look"
    return Answer((Measurement(METRIC, total, "count", now.at, {"source": source.name}, detail),))
