"""May others read or write files that only their owner should? (WM-09, manual L113)"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from clo_ops.findings.performed import Performed
from clo_ops.policy.paths import INCLUDE
from clo_ops.probes.reaching import Reach, Unreachable, of_each
from clo_ops.probes.security_access import performed
from clo_ops.probes.shell import run
from clo_ops.probes.targets import HostTarget

SCRIPT = INCLUDE / "sh" / "file_modes.sh"


def file_modes(hosts: Mapping[str, HostTarget], parameters: Mapping[str, Any]) -> Performed:
    """Each of ``files`` ({path, at_most, owner?, optional?}) on every host. Raises Unreachable where none is asked.

    ``at_most`` is an octal mode: every bit a file has beyond it is a violation.
    """
    script, files = SCRIPT.read_text(encoding="utf-8"), parameters["files"]
    answers, lost = of_each(hosts, lambda host: list(_of_host(host, script, files)))
    found = [one for answer in answers.values() for one in answer]
    identity = {"hosts": ", ".join(map(str, hosts.values()))}
    return performed("file modes", script, parameters, identity, found, len(answers) * len(files), lost)


def _of_host(host: HostTarget, script: str, files: Any) -> Iterator[tuple[str, str]]:
    done = run(host, script, [one["path"] for one in files])
    lines = [line.split(" ", 2) for line in done.out.splitlines()]
    if done.code or len(lines) != len(files):
        said = done.err.strip() or f"{len(lines)} of {len(files)} files"
        raise Unreachable(Reach.OTHER, f"{host}: modes could not be read: {said}")
    for wanted, (mode, owner, path) in zip(files, lines, strict=True):
        for reason in _against(wanted, mode, owner):
            yield f"file {host.name}:{path}", reason


def _against(wanted: Mapping[str, Any], mode: str, owner: str) -> Iterator[str]:
    if mode == "-":
        if not wanted.get("optional"):
            yield "is not there"
        return
    if int(mode, 8) & ~int(wanted["at_most"], 8):
        yield f"mode {mode}, at most {wanted['at_most']}"
    if owner != wanted.get("owner", owner):
        yield f"belongs to {owner}, not to {wanted['owner']}"
