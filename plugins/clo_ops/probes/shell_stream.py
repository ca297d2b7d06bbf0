"""Run one script on a host and read what it says as it comes, here or over SSH: time bounded, little memory."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import IO

from clo_ops.probes.reaching import Reach, Unreachable
from clo_ops.probes.targets import HostTarget

AT_ONCE = 1 << 16


class Stream:
    """What the script prints, in lines and in parts of known length."""

    def __init__(self, host: HostTarget, out: IO[bytes]) -> None:
        self._host, self._out = host, out

    def line(self) -> str:
        """The next line without its end; Unreachable where it stops in the middle. Empty at the end."""
        raw = self._out.readline(AT_ONCE)
        if raw and not raw.endswith(b"\n"):
            raise self._broken(f"it ended in the middle of {raw[:80]!r}")
        return raw.decode("utf-8", "replace").rstrip("\n")

    def part(self, length: int) -> Iterator[bytes]:
        """The next ``length`` bytes in pieces. Raises Unreachable where fewer come."""
        left = length
        while left:
            piece = self._out.read(min(AT_ONCE, left))
            if not piece:
                raise self._broken(f"it ended {left} bytes short of {length}")
            left -= len(piece)
            yield piece

    def _broken(self, how: str) -> Unreachable:
        return Unreachable(Reach.OTHER, f"{self._host}: the script's answer is not whole: {how}")


@contextmanager
def streamed(host: HostTarget, script: str, arguments: Sequence[str], seconds: float) -> Iterator[Stream]:
    """``sh -s -- arguments`` on the host, given up after ``seconds``. Raises Unreachable."""
    if host.transport == "local":
        with _locally(host, script, arguments, seconds) as out:
            yield Stream(host, out)
    elif host.transport == "ssh":
        from clo_ops.probes.ssh import session

        with session(host) as connection:
            command = shlex.join(["sh", "-s", "--", *arguments])
            with connection.stream(command, script, seconds) as out:
                yield Stream(host, out)
    else:
        raise Unreachable(Reach.OTHER, f"{host} runs no scripts", "give the host's connection transport ssh or local")


@contextmanager
def _locally(host: HostTarget, script: str, arguments: Sequence[str], seconds: float) -> Iterator[IO[bytes]]:
    """In a process group of its own, which ends with us or when its time is over."""
    process = subprocess.Popen(
        ["sh", "-s", "--", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    late = threading.Event()

    def give_up() -> None:
        late.set()
        _end(process)

    timer = threading.Timer(seconds, give_up)
    timer.daemon = True
    timer.start()
    try:
        assert process.stdin is not None  # noqa: S101 - asked for above
        assert process.stdout is not None  # noqa: S101
        process.stdin.write(script.encode())
        process.stdin.close()
        yield process.stdout
    except (BrokenPipeError, Unreachable):
        if not late.is_set():
            raise
        raise Unreachable(Reach.SILENT, f"{host}: the script did not end in {seconds:g} s") from None
    finally:
        timer.cancel()
        _end(process)
        for pipe in (process.stdin, process.stdout):
            with suppress(BrokenPipeError):  # what was not taken of the script
                if pipe:
                    pipe.close()


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
