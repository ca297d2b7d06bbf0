"""Bytes of a backup on their way: hashed once, unwrapped where something is round them, and given to what decodes them.

Memory stays flat whatever the size: blocks of BLOCK bytes, a few at a time.
"""

from __future__ import annotations

import fcntl
import importlib
import io
import os
import re
import select
import subprocess
import sys
import tempfile
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from hashlib import sha256
from typing import IO, Any, Self

from clo_ops.probes.backup_formats import PlainScan, Wrapper
from clo_ops.probes.pg_programs import Program

BLOCK = 1024 * 1024
AHEAD = 4  # blocks that may wait to be hashed
CANNOT = re.compile(
    r"unsupported version \(|does not support compression|not built with|compression is not supported"
    r"|unsupported compression|invalid compression (?:code|algorithm)",
    re.IGNORECASE,
)
# What it says when the archive itself is at fault; its own troubles are not the archive's.
OWN_TROUBLE = re.compile(r"out of memory|cannot allocate|could not open output file|Permission denied", re.IGNORECASE)


class Stalled(Exception):
    """What decodes took nothing for too long."""


class Digest:
    """A SHA-256 computed beside whoever reads, on another core: hashlib lets go of the interpreter meanwhile."""

    def __init__(self) -> None:
        self._digest = sha256()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="sha256")
        self._waiting: deque[Future[None]] = deque()
        self.size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def update(self, block: bytes) -> None:
        self.size += len(block)
        self._submit(self._digest.update, block)

    def whole(self, file: int, length: int) -> None:
        """Hash an open file from its first byte, here and now, wherever others read in it meanwhile.

        Raises OSError where it has become shorter.
        """
        self.settle()
        buffer = memoryview(bytearray(BLOCK))
        while self.size < length:
            got = os.preadv(file, [buffer], self.size)
            if not got:
                raise OSError(f"the file got shorter while it was read: nothing at byte {self.size}")
            self._digest.update(buffer[:got])
            self.size += got

    def _submit(self, work: Any, *given: Any) -> None:
        self._waiting.append(self._pool.submit(work, *given))
        while len(self._waiting) > AHEAD:
            self._waiting.popleft().result()

    def settle(self) -> None:
        """Wait until all that was handed over is hashed: only then may the file be closed."""
        while self._waiting:
            self._waiting.popleft().result()

    def hexdigest(self) -> str:
        self.settle()
        return self._digest.hexdigest()


class HashedReader(io.RawIOBase):
    """Reads a file for a decoder; every byte that passes is hashed, ``rest`` those the decoder left."""

    def __init__(self, file: IO[bytes], digest: Digest, head: bytes = b"") -> None:
        self._file, self._digest, self._head = file, digest, head

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        block = self._head[: len(buffer)] or self._file.read(len(buffer))
        self._head = self._head[len(block) :] if self._head else b""
        buffer[: len(block)] = block
        self._digest.update(block)
        return len(block)

    def rest(self) -> None:
        while block := self.read(BLOCK):
            del block


def unwrapped(source: io.RawIOBase, wrapper: Wrapper) -> io.BufferedReader:
    """What is inside, to be read block by block. Reading raises one of ``broken()`` where it does not decode."""
    stored: Any = io.BufferedReader(source, BLOCK)
    inside: Any = stored  # never the source itself: a reader that is let go of closes what it reads
    if wrapper == "gzip":
        import gzip

        inside = gzip.GzipFile(fileobj=stored, mode="rb")
    elif wrapper == "zstd":
        inside = _zstd().open(stored, "rb")
    elif wrapper == "lz4":
        from lz4 import frame  # type: ignore[import-untyped]

        inside = frame.open(stored, "rb")
    return io.BufferedReader(inside, BLOCK)


def broken() -> tuple[type[Exception], ...]:
    """What decoders raise for bytes that do not decode: a file that ends early is an EOFError for all of them."""
    import gzip
    import tarfile
    import zlib

    # lz4 has no error of its own.
    return (EOFError, zlib.error, gzip.BadGzipFile, _zstd().ZstdError, tarfile.TarError, RuntimeError)


def _zstd() -> Any:
    """Part of Python from 3.14 on."""
    if sys.version_info >= (3, 14):
        return importlib.import_module("compression.zstd")
    return importlib.import_module("backports.zstd")


class Nothing:
    """Takes bytes nobody can decode."""

    def write(self, block: bytes) -> None:
        return

    def finish(self) -> tuple[str, str]:
        return "", ""

    def close(self) -> None:
        return


class Plain(Nothing):
    """Plain SQL: read to its end."""

    def __init__(self) -> None:
        self._scan = PlainScan()

    def write(self, block: bytes) -> None:
        self._scan.feed(block)

    def finish(self) -> tuple[str, str]:
        return self._scan.problem(), ""


class Archive(Nothing):
    """pg_restore, decoding every byte into nothing. ``finish`` tells what is wrong with the archive, and with us.

    With ``file``, open at its beginning, it reads that by itself; else what is written.
    """

    def __init__(self, tool: Program, stalled_after: float, file: int | None = None) -> None:
        self._patience, self._file = stalled_after, file
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close
        self._process = subprocess.Popen(
            [str(tool.path), "--file=/dev/null"],
            stdin=subprocess.PIPE if file is None else file,
            stdout=subprocess.DEVNULL,
            stderr=self._said,
            env=_plain_environment(),
        )
        self.taking = True
        if self._process.stdin is not None:
            with suppress(OSError, AttributeError):
                fcntl.fcntl(self._process.stdin.fileno(), fcntl.F_SETPIPE_SZ, BLOCK)
            os.set_blocking(self._process.stdin.fileno(), False)

    def write(self, block: bytes) -> None:
        pipe = self._process.stdin
        assert pipe is not None  # noqa: S101 - nothing is written to one that reads by itself
        left = memoryview(block)
        while left and self._ready(pipe):
            with suppress(BlockingIOError):
                left = left[self._given(pipe, left) :]

    def _given(self, pipe: IO[bytes], block: memoryview) -> int:
        try:
            return os.write(pipe.fileno(), block)
        except BrokenPipeError:  # it has read all it needs, or has given up: finish tells which
            self.taking = False
            return 0

    def _ready(self, pipe: IO[bytes]) -> bool:
        if not self.taking:
            return False
        waiting = select.poll()
        waiting.register(pipe.fileno(), select.POLLOUT)
        if not waiting.poll(self._patience * 1000):
            raise Stalled(f"pg_restore took nothing for {self._patience:g} s")
        return True

    def finish(self) -> tuple[str, str]:
        self._let_go()
        at = self._position()
        while not self._ended(self._patience):
            if at == (at := self._position()):
                raise Stalled(f"pg_restore did not end within {self._patience:g} s")
        self._said.seek(0)
        said = " ".join(self._said.read(8192).decode("utf-8", "replace").replace("pg_restore: ", "").split())[:300]
        code = self._process.returncode
        if code == 0:
            return "", ""
        if code < 0:
            return "", f"pg_restore was ended by signal {-code}"
        ours = CANNOT.search(said) or OWN_TROUBLE.search(said)
        return ("", said) if ours else (said or f"pg_restore ended with {code}", "")

    def _position(self) -> int:
        """How far it has come in a file it reads by itself: the open file, and so the place in it, is ours as well."""
        return -1 if self._file is None else os.lseek(self._file, 0, os.SEEK_CUR)

    def _ended(self, within: float) -> bool:
        """At the instant it ends where the system can tell, which ``wait`` only looks for now and then."""
        try:
            descriptor = os.pidfd_open(self._process.pid)
        except (AttributeError, OSError):
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(within)
        else:
            try:
                waiting = select.poll()
                waiting.register(descriptor, select.POLLIN)
                waiting.poll(within * 1000)
            finally:
                os.close(descriptor)
        return self._process.poll() is not None

    def _let_go(self) -> None:
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.close()

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._let_go()
        self._process.wait()
        self._said.close()


def _plain_environment() -> dict[str, str]:
    """In English, because what it says is read; and nothing that would make it connect anywhere."""
    return {**{name: value for name, value in os.environ.items() if not name.startswith("PG")}, "LC_ALL": "C"}
