"""Which rotated files of a log lie on its host (LM-01). Links, files with two names and folders below are none."""

from __future__ import annotations

import posixpath
from datetime import UTC, datetime
from fnmatch import fnmatchcase

from clo_ops.findings import Answer
from clo_ops.findings.log_retention import LoggedFile
from clo_ops.policy.logs import LogFile
from clo_ops.policy.paths import INCLUDE
from clo_ops.probes.log_errors import path_on
from clo_ops.probes.reaching import Reach, Unreachable, nobody_answered
from clo_ops.probes.shell import tried
from clo_ops.probes.shell_stream import Stream, streamed
from clo_ops.probes.targets import HostTarget

SCRIPT = "log_files.sh"
WITHIN = 60.0  # seconds
MOST_FILES = 100_000


def rotated(host: HostTarget, source: LogFile) -> tuple[list[LoggedFile], Answer]:
    """The rotated files of this log, or the question nobody answered; none for a log that names none."""
    if source.rotated is None:
        return [], Answer()
    question, how = f"rotated files of {source.name}", tried(host)
    path = path_on(host, source.path)
    if not path:
        reason = "its path is relative and the host's connection has no `logs` to look in"
        return [], nobody_answered([question], host, "the connection", reason)
    script = (INCLUDE / "sh" / SCRIPT).read_text(encoding="utf-8")
    try:
        with streamed(host, script, [path, source.rotated], WITHIN) as stream:
            return _listed(stream, source, path), Answer()
    except Unreachable as error:
        return [], nobody_answered([question], host, how, error.reason)


def _listed(stream: Stream, source: LogFile, path: str) -> list[LoggedFile]:
    found: list[LoggedFile] = []
    while (said := stream.line()).startswith("file "):
        if len(found) == MOST_FILES:
            raise Unreachable(Reach.OTHER, f"there are more than {MOST_FILES} rotated files")
        found.append(_file(said, source, path))
    if said != "end":
        raise Unreachable(Reach.OTHER, said.removeprefix("no_files ") or "the script's answer is not whole")
    return found


def _file(said: str, source: LogFile, path: str) -> LoggedFile:
    parts = said.split(" ", 4)
    folder, live = posixpath.split(path)
    try:
        _, inode, size, changed, name = parts
        seconds = int(changed.partition(".")[0])
        found = LoggedFile(
            source.name, folder, name, str(int(inode)), int(size), datetime.fromtimestamp(seconds, UTC), seconds
        )
    except (ValueError, OverflowError):
        raise Unreachable(Reach.OTHER, f"the script said {said[:80]!r}") from None
    # What the host says is not believed: a name is one of this folder, like the pattern, and not the live file's.
    if "/" in name or name in (".", "..", live) or not fnmatchcase(name, source.rotated or ""):
        raise Unreachable(Reach.OTHER, f"{name[:80]!r} is no rotated file of {source.name}")
    return found
