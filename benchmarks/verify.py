"""Verifying a backup (SHA-256 and every byte decoded, one read) against the slower of the two done bare.

One run: for an uncompressed archive (the hardest: both cost the same) and a compressed one, each round takes a bare
hashlib SHA-256, a bare `pg_restore -f /dev/null` and our verification in turn. Aim: 1.1 or less by the clock, on a
machine with two processors that has nothing else to do: hashing and decoding run beside each other. On one that is
busy, processor seconds tell more: ours over the two bare ones together. Peak memory is that of a process that does
nothing else. Data set: benchmarks/large_world.py. `python benchmarks/verify.py [--rounds N]`.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median
from time import perf_counter

from large_world import ROOT, arguments, target, world

from clo_ops.probes.pg_programs import libpq_environment, program

OURS = """
import json, os, resource, sys
from pathlib import Path
from time import perf_counter
from clo_ops.probes.backup_files import BackupFiles
from clo_ops.probes.backup_reading import BackupReader
from clo_ops.probes.targets import BackupRepository
import fsspec.implementations.local
path = Path(sys.argv[1])
files = BackupFiles(BackupRepository(path.parent.as_uri()))
stored = files.listing()[path.name]
reader = BackupReader(files, 60)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start, spent = perf_counter(), sum(os.times()[:4])
reading = reader.read(stored)
seconds, processor = perf_counter() - start, sum(os.times()[:4]) - spent
assert reading.decoded, reading
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
said = {"seconds": seconds, "processor": processor, "sha256": reading.sha256, "before": before, "peak": peak}
print(json.dumps(said))
"""


def hashed(path: Path) -> tuple[float, str]:
    start = perf_counter()
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return perf_counter() - start, digest


def decoded(path: Path, tool: Path) -> float:
    start = perf_counter()
    subprocess.run([tool, "--file=/dev/null", path], check=True)
    return perf_counter() - start


def ours(path: Path) -> dict[str, float | str]:
    command = [sys.executable, "-c", OURS, str(path)]
    done = subprocess.run(
        command, env={"PYTHONPATH": str(ROOT / "plugins"), "PATH": "/usr/bin:/bin"}, capture_output=True, check=True
    )
    said: dict[str, float | str] = json.loads(done.stdout)
    return said


def compare(path: Path, rounds: int) -> float:
    tool = program("pg_restore").path
    hashed(path), decoded(path, tool), ours(path)  # the page cache is warm for all three
    taken, work = [], []
    for _ in range(rounds):
        spent = sum(os.times()[:4])
        bare_hash, digest = hashed(path)
        bare_decode = decoded(path, tool)
        spent = sum(os.times()[:4]) - spent
        said = ours(path)
        work.append(float(said["processor"]) / spent)
        if said["sha256"] != digest:
            raise SystemExit("the two hashes differ")
        taken.append((bare_hash, bare_decode, float(said["seconds"]), said))
    figures = [median(one[index] for one in taken) for index in range(3)]
    ratio = median(one[2] / max(one[0], one[1]) for one in taken)
    last = taken[-1][3]
    print(
        f"{path.name} ({path.stat().st_size / 1e6:,.0f} MB): hashlib {figures[0]:.2f} s, "
        f"pg_restore {figures[1]:.2f} s, verification {figures[2]:.2f} s = {ratio:.2f} x the slower, "
        f"{median(work):.2f} x the processors' time of both; "
        f"memory {float(last['before']) / 1024:.0f} MiB before, peak {float(last['peak']) / 1024:.0f} MiB",
        flush=True,
    )
    return ratio


def main() -> int:
    given = arguments(__doc__ or "")
    archives = given.scratch / "archives"
    plain, packed = archives / "uncompressed.dump", archives / "gzip1.dump"
    if not (plain.exists() and packed.exists()):
        cluster = world(given.scratch)
        archives.mkdir(exist_ok=True)
        dump = program("pg_dump", cluster.server.major).path
        for path, level in ((plain, 0), (packed, 1)):
            command = [dump, "-Fc", f"-Z{level}", f"--file={path}"]
            subprocess.run(command, env=libpq_environment(target(cluster)), check=True)
        cluster.stop()
    ratios = [compare(path, given.rounds) for path in (plain, packed)]
    print(f"worst ratio {max(ratios):.2f} (aim: 1.10 or less), load average {os.getloadavg()[0]:.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
