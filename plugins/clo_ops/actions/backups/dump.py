"""pg_dump inside an exported snapshot: a custom archive streamed to wherever it is kept, or a directory in parallel."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import file_digest
from pathlib import Path
from typing import IO, Protocol

from clo_ops.policy.backups import Taking
from clo_ops.probes.pg_programs import Program, libpq_environment, program
from clo_ops.probes.targets import PostgresTarget

BLOCK = 1024 * 1024
FIRST_WITH_ZSTD = 16
# pg_dump in a group of its own, and beside it a watch on the pipe only we hold: when we are killed it ends the group,
# or the sessions of a parallel dump would write on into what the next backup removes. What it writes is its owner's.
ENDS_WITH_US = 'umask 077; exec 3<&0 </dev/null; { cat; kill -KILL 0; } <&3 >/dev/null 2>&1 & exec 3<&-; exec "$@"'


class DumpFailed(Exception):
    """pg_dump ended otherwise than well; the text is the end of what it said."""


class Sink(Protocol):
    size: int

    def write(self, block: bytes | memoryview) -> None: ...


@dataclass(slots=True)
class Dump:
    """One pg_dump of ``target`` in the snapshot called ``snapshot``."""

    target: PostgresTarget
    snapshot: str
    policy: Taking
    tool: Program
    compression: str = ""
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)
    ended: bool = False

    def into(self, sink: Sink) -> None:
        """The custom archive, block by block. Raises DumpFailed."""
        self._first_that_works(lambda option: self._stream(option, sink), lambda: sink.size == 0)

    def into_directory(self, folder: Path) -> None:
        """The directory archive, by ``jobs`` sessions at a time. Raises DumpFailed."""
        options = [f"--jobs={self.policy.jobs}", f"--file={folder}"]
        self._first_that_works(lambda option: self._run(option, options), lambda: not folder.exists())

    def end(self) -> None:
        """End it wherever it is; its archive is then not whole."""
        self.ended = True
        for one in self.running:
            _end_group(one)

    def _first_that_works(self, attempt: Callable[[str], None], untouched: Callable[[], bool]) -> None:
        """A pg_dump can be built without zstd, and says so before its first byte."""
        choices = compressions(self.tool.major, self.policy)
        for index, (name, option) in enumerate(choices):
            self.compression = name
            try:
                return attempt(option)
            except DumpFailed as failed:
                last = index + 1 == len(choices)
                if last or "compress" not in str(failed) or not untouched():
                    raise
        return None

    def _stream(self, option: str, sink: Sink) -> None:
        with self._started("custom", [option], subprocess.PIPE) as (process, said):
            assert process.stdout is not None  # noqa: S101 - a pipe was asked for
            while block := process.stdout.read(BLOCK):
                sink.write(block)
            _ended_well(process, said)

    def _run(self, option: str, options: list[str]) -> None:
        with self._started("directory", [option, *options], subprocess.DEVNULL) as (process, said):
            _ended_well(process, said)

    @contextmanager
    def _started(
        self, kind: str, options: list[str], output: int
    ) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
        wait = round(self.policy.lock_wait.total_seconds() * 1000)
        common = ["--no-password", f"--format={kind}", f"--snapshot={self.snapshot}", f"--lock-wait-timeout={wait}"]
        with tempfile.TemporaryFile() as said:
            command = ["sh", "-c", ENDS_WITH_US, "sh", str(self.tool.path), *common, *options]
            environment = libpq_environment(self.target)
            with subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=output, stderr=said, env=environment, start_new_session=True
            ) as process:
                self.running.append(process)
                try:
                    if self.ended:
                        raise DumpFailed("ended before it began")
                    yield process, said
                finally:
                    # Ended well, it leaves its watch; else the sink failed, or a parallel one lost its parent.
                    _end_group(process)


def _end_group(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def find_pg_dump(server_major: int, bin_dir: Path | None = None) -> Program:
    """The oldest one new enough for the server: an archive of a newer one may ask for a newer pg_restore."""
    return program("pg_dump", server_major, bin_dir=bin_dir)


def compressions(major: int, policy: Taking) -> list[tuple[str, str]]:
    """What to try in this order, as name and option."""
    gzip = (f"gzip:{policy.gzip_level}" if policy.gzip_level else "none", f"--compress={policy.gzip_level}")
    zstd = (f"zstd:{policy.zstd_level}", f"--compress=zstd:{policy.zstd_level}")
    return [zstd, gzip] if major >= FIRST_WITH_ZSTD else [gzip]


def _ended_well(process: subprocess.Popen[bytes], said: IO[bytes]) -> None:
    code = process.wait()
    if code:
        said.seek(0)
        words = said.read().decode("utf-8", "replace").strip()
        raise DumpFailed(words[-500:] or f"ended with {code}")


def hashed_directory(folder: Path) -> dict[str, dict[str, int | str]]:
    """Size and SHA-256 of each file pg_dump wrote into ``folder``."""
    found: dict[str, dict[str, int | str]] = {}
    for path in sorted(folder.iterdir()):
        with path.open("rb") as file:
            found[path.name] = {"size_bytes": path.stat().st_size, "sha256": file_digest(file, "sha256").hexdigest()}
    return found
