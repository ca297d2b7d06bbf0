"""Ask a host what it has left: CPU over one second, memory, disk per mount, load and uptime, by one short script."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from clo_ops.findings import Answer, Measurement
from clo_ops.policy.paths import INCLUDE
from clo_ops.probes import shell
from clo_ops.probes.reaching import Unreachable, nobody_answered
from clo_ops.probes.targets import HostTarget, PrometheusTarget

SCRIPT = "host_resources.sh"
# user nice system idle iowait irq softirq steal; guest times are already in user's and nice's.
JIFFIES = 8
NUMBERED = ("mount", "no_mount", "net_before", "net_after", "net_speed")
MEGABIT = 125_000  # bytes
IDLE = slice(3, 5)
# df -P after the file system's name, which may hold spaces as the place may.
DF = re.compile(r"\s(?P<total>\d+)\s+(?P<used>\d+)\s+(?P<available>\d+)\s+\d+%\s+(?P<place>/.*)$")


class Garbled(Exception):
    """The host's answer is not what the script prints."""


def resources(host: HostTarget, mounts: Sequence[str], prometheus: PrometheusTarget | None = None) -> Answer:
    """DM-01, DM-07, AL-01..03: ``host.up``, system.cpu/memory/filesystem.utilization (percent), load and uptime.

    Also ``network.io.rate`` (bytes a second) and ``network.io.utilization`` (percent of the link, where its speed is
    known) by {host, interface, direction}. Labels else are {host} and {host, mount}. Memory is what MemAvailable
    leaves, so caches do not count as used; a file system's percentage is df's: used / (used + available to users), and
    system.filesystem.free (bytes) what users have. A mount that df cannot answer for is unanswered by itself. A host
    that refuses or stays silent is measured as ``host.up`` 0, and its resources are unanswered.
    """
    if host.transport == "prometheus":
        return _from_prometheus(host, mounts, prometheus)
    question, how = "CPU, memory and disk", shell.tried(host)
    try:
        done = shell.run(host, (INCLUDE / "sh" / SCRIPT).read_text(encoding="utf-8"), list(mounts))
    except Unreachable as error:
        down = error.liveness("host.up", host, how, host=host.name) if error.answered else Answer()
        return down + error.unanswered(question, host, how)
    try:
        return read(host, mounts, done.out)
    except Garbled as error:
        said = f"{error}; it ended with {done.code}: {done.err.strip()[:200]}"
        return nobody_answered([question], host, how, said)


def read(host: HostTarget, mounts: Sequence[str], text: str) -> Answer:
    """The script's output as measurements, taken now. Raises Garbled when a line is missing or not as agreed."""
    at, lines = datetime.now(UTC), _lines(text)
    label = {"host": host.name}
    answer = Answer.of(
        [
            Measurement("host.up", 1, "bool", at, label),
            Measurement("system.cpu.utilization", _cpu(lines), "percent", at, label),
            Measurement("system.memory.utilization", _memory(lines), "percent", at, label),
            Measurement("system.uptime", _numbers(lines, "uptime_s", 1)[0], "s", at, label),
            Measurement("system.load.5m", _numbers(lines, "load", 3)[1], "count", at, label),
            Measurement("system.cpu.count", _numbers(lines, "processors", 1)[0], "count", at, label),
            *_swap(lines, at, label),
            *_network(lines, at, host.name),
        ]
    )
    for number, mount in enumerate(mounts):
        answer += _filesystem(host, lines, number, mount, at)
    return answer


def _lines(text: str) -> dict[str, str]:
    """Each line by its name; those about a mount by name and number, those about an interface by name and interface."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, _, rest = line.partition(" ")
        if name in NUMBERED:
            number, _, rest = rest.partition(" ")
            name = f"{name} {number}"
        found[name] = rest.strip()
    if found.get("clo_ops_host_resources") != "1" or "end" not in found:
        raise Garbled(f"the script's answer is not whole: {text.strip()[:120]!r}")
    return found


def _numbers(lines: dict[str, str], name: str, count: int) -> list[float]:
    try:
        numbers = [float(word) for word in lines[name].split()[:count]]
    except (KeyError, ValueError):
        numbers = []
    if len(numbers) < count or any(number < 0 for number in numbers):
        raise Garbled(f"no {count} numbers behind {name!r}: {lines.get(name, 'no such line')[:80]!r}")
    return numbers


def _cpu(lines: dict[str, str]) -> float:
    before, after = (_numbers(lines, name, JIFFIES) for name in ("cpu_before", "cpu_after"))
    spent = [late - early for early, late in zip(before, after, strict=True)]
    if sum(spent) <= 0:
        raise Garbled("the processor's counters did not move in a second")
    return min(100.0, max(0.0, 100 * (1 - sum(spent[IDLE]) / sum(spent))))


def _memory(lines: dict[str, str]) -> float:
    (total,), (available,) = (_numbers(lines, f"memory_{what}_kb", 1) for what in ("total", "available"))
    if not 0 <= available <= total or total == 0:
        raise Garbled(f"{available:g} kB available of {total:g} kB")
    return 100 * (total - available) / total


def _swap(lines: dict[str, str], at: datetime, label: dict[str, str]) -> Iterator[Measurement]:
    (total,), (free,) = (_numbers(lines, f"swap_{what}_kb", 1) for what in ("total", "free"))
    if total > 0:
        yield Measurement("system.swap.utilization", 100 * (total - free) / total, "percent", at, label)


def _network(lines: dict[str, str], at: datetime, host: str) -> Iterator[Measurement]:
    """Of each interface what went in and out in the second, and its share of a link that has a speed."""
    for name in (name for name in lines if name.startswith("net_before ")):
        interface = name.removeprefix("net_before ")
        before, after = (_numbers(lines, f"net_{when} {interface}", 2) for when in ("before", "after"))
        said = lines.get(f"net_speed {interface}", "")
        speed = float(said) if said.isdigit() else 0.0
        for direction, early, late in zip(("in", "out"), before, after, strict=True):
            rate = late - early
            labels = {"host": host, "interface": interface, "direction": direction}
            if rate >= 0:  # else the counter began anew
                yield Measurement("network.io.rate", rate, "bytes", at, labels, "a second")
                if speed > 0:
                    share = min(100.0, 100 * rate / (speed * MEGABIT))
                    yield Measurement("network.io.utilization", share, "percent", at, labels, f"of {speed:g} Mbit/s")


def _filesystem(host: HostTarget, lines: dict[str, str], number: int, mount: str, at: datetime) -> Answer:
    """One mount's use, or the question about this mount alone unanswered: another one's answer stays good."""
    said = lines.get(f"mount {number}", lines.get(f"no_mount {number}", "the script did not look at it"))
    match = DF.search(said) if f"mount {number}" in lines else None
    if match is None:
        reason = said[:200] or "df did not end in 8 s"
        return nobody_answered([f"disk use of {mount}"], host, f"df -Pk {mount}", reason)
    total, used, available = (int(match[name]) for name in ("total", "used", "available"))
    if used + available == 0:
        return nobody_answered([f"disk use of {mount}"], host, f"df -Pk {mount}", "a file system without a size")
    detail = f"{used * 1024} of {total * 1024} bytes used"
    if match["place"] != mount:  # a path that is no mount point tells about the file system it lies on
        detail += f", on the file system mounted at {match['place']}"
    labels, percent = {"host": host.name, "mount": mount}, 100 * used / (used + available)
    free = Measurement("system.filesystem.free", available * 1024, "bytes", at, labels)
    return Answer((Measurement("system.filesystem.utilization", percent, "percent", at, labels, detail), free))


def _from_prometheus(host: HostTarget, mounts: Sequence[str], prometheus: PrometheusTarget | None) -> Answer:
    from clo_ops.probes.prometheus import host_resources

    if prometheus is None:
        reason = "its transport is prometheus and there is no connection clo_prometheus"
        return nobody_answered(["CPU, memory and disk"], host, "Prometheus", reason)
    answer = host_resources(prometheus, host)
    disk = "system.filesystem.utilization"
    kept = tuple(
        one
        for one in answer.measurements
        if one.name not in (disk, "system.filesystem.free") or one.labels.get("mount") in mounts
    )
    if answer.value("host.up") == 1 and answer.first(disk):
        missing = [mount for mount in mounts if answer.first(disk, mount=mount) is None]
        questions = [f"disk use of {mount}" for mount in missing]
        answer += nobody_answered(questions, host, "Prometheus", "node_exporter does not know this mount")
    return Answer(kept, answer.unanswered)
