"""Killed at any instant, over and over: the union of live table and archive is the original, each row once, proven.

CLO_OPS_KILLS says how many kills (a few by default), CLO_OPS_SEED repeats a run that failed.
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute
import pytest

from clo_ops.probes.audit_archive import AuditArchive
from clo_ops.probes.audit_stream import live, trail

ROOT = Path(__file__).resolve().parents[3]
KILLS = int(os.environ.get("CLO_OPS_KILLS", "20"))
KILLED = -signal.SIGKILL


class Worker:
    """The process others are forked from."""

    def __init__(self) -> None:
        environment = os.environ | {"PYTHONPATH": f"{ROOT / 'plugins'}:{ROOT}"}
        command = [sys.executable, str(Path(__file__).with_name("killed.py"))]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        assert self.said() == "ready"

    def said(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def start(self, order: dict[str, Any]) -> int:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return int(self.said())

    def ended(self) -> int:
        return int(self.said())

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture
def worker() -> Iterator[Worker]:
    one = Worker()
    yield one
    one.close()


def live_rows(system: Any) -> pa.Table:
    with trail(system.target()) as connection:
        return pa.concat_tables(live(connection)).combine_chunks()


def archived_rows(system: Any) -> pa.Table | None:
    archive = AuditArchive(system.repository)
    files, wrong = archive.manifests(system.identity)
    assert wrong == {}
    tables = [table for one in files for table in archive.tables(one.name)]
    return pa.concat_tables(tables).combine_chunks() if tables else None


def order(system: Any, per_file: int) -> dict[str, Any]:
    target = system.target()
    facts = {name: getattr(target, name) for name in ("host", "port", "database", "user", "password", "sslmode")}
    url = system.ledger.engine.url.render_as_string(hide_password=False)
    return {"target": facts, "ledger": url, "archive": system.archive.as_uri(), "per_file": per_file}


def check(system: Any, original: pa.Table) -> None:
    """At any instant: nothing lost, nothing doubled, every row as it was, the chain proven."""
    here, there = live_rows(system), archived_rows(system)
    both = here
    if there is not None:
        assert len(set(there["id"].to_pylist())) == there.num_rows, "no row twice in the archive"
        remaining = set(here["id"].to_pylist())
        only_there = pa.array([one not in remaining for one in there["id"].to_pylist()])
        both = pa.concat_tables([there.filter(only_there), here]).combine_chunks()
        twice = there.filter(pa.compute.invert(only_there))
        where = pa.compute.is_in(here["id"], twice["id"].combine_chunks())
        assert twice.equals(here.filter(where).combine_chunks()), "what is in both places is the same in both"
    assert both.sort_by("id").slice(0, original.num_rows).combine_chunks().equals(original)
    found = system.verified()
    assert (found.faults, found.answer.unanswered) == ([], ())


def life(worker: Worker, system: Any, chance: random.Random, at_most: float) -> tuple[int, float]:
    """One process, killed at a random instant if it is still there; its exit code and how long it lived."""
    begun = time.monotonic()
    pid = worker.start(order(system, chance.choice([60, 168, 400])))
    if not select.select([worker.process.stdout], [], [], chance.uniform(0, at_most))[0]:
        os.kill(pid, signal.SIGKILL)
    return worker.ended(), time.monotonic() - begun


def test_killed_at_random_instants_nothing_is_lost_and_nothing_doubled(system, worker, tmp_path, reset):
    seed = int(os.environ.get("CLO_OPS_SEED", "0")) or random.SystemRandom().randrange(1, 10**9)
    sys.stdout.write(f"CLO_OPS_SEED={seed}\n")
    chance = random.Random(seed)  # noqa: S311 - instants, not secrets
    original, kills, complete = live_rows(system), 0, 0
    code, longest = life(worker, system, chance, 600.0)
    while kills < KILLS:
        assert code in (0, KILLED), f"it ended by itself with {code}"
        check(system, original)
        if code == 0:
            assert system.retention().plan().steps == ()
            complete += 1
            system = reset(tmp_path / f"archive-{complete}")
        code, _ = life(worker, system, chance, longest * 0.7)
        kills += code == KILLED
    check(system, original)
    sys.stdout.write(f"{kills} kills, {complete} retentions came to their end\n")
    assert complete >= 1
