"""Run one short script on a host, here or over SSH: on standard input, arguments quoted, time and output bounded."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from clo_ops.probes.reaching import Reach, Unreachable
from clo_ops.probes.targets import HostTarget

MOST_OUTPUT = 64 * 1024


@dataclass(frozen=True, slots=True)
class Done:
    """How the script ended and what it said, each stream cut at ``MOST_OUTPUT`` bytes."""

    code: int
    out: str
    err: str


def run(host: HostTarget, script: str, arguments: Sequence[str] = ()) -> Done:
    """``sh -s -- arguments`` on the host. Raises Unreachable when the host, or the script's end, is not reached."""
    if host.transport == "local":
        return _locally(host, script, arguments)
    if host.transport == "ssh":
        from clo_ops.probes.ssh import session

        with session(host) as connection:
            return connection.run(shlex.join(["sh", "-s", "--", *arguments]), script, MOST_OUTPUT)
    raise Unreachable(Reach.OTHER, f"{host} runs no scripts", "give the host's connection transport ssh or local")


def tried(host: HostTarget) -> str:
    return "a script on this machine" if host.transport == "local" else "a script over SSH"


def _locally(host: HostTarget, script: str, arguments: Sequence[str]) -> Done:
    """In a process group of its own: what the script started ends with it."""
    process = subprocess.Popen(
        ["sh", "-s", "--", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        out, err = process.communicate(script.encode(), timeout=host.command_timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise Unreachable(Reach.SILENT, f"{host}: the script did not end in {host.command_timeout:g} s") from None
    return Done(process.returncode, _text(out[:MOST_OUTPUT]), _text(err[:MOST_OUTPUT]))


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
