"""A worker killed while it builds the standby: the next try removes what it left and builds one that streams."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from clo_ops.actions.drill.place import Place
from clo_ops.findings import CloOpsError
from clo_ops.probes.postgres import connect
from tests.integration.drill_failover.conftest import DAG, Source, empty

WORKER = """
import sys
from clo_ops.actions.drill.place import open_place
from clo_ops.policy import DrillSpec, load_policy
from tests.integration.drill_failover.conftest import chosen
from pathlib import Path
policy = load_policy(mode="demo")
spec = DrillSpec.of(policy.recovery, place=sys.argv[3])
open_place(spec, policy, chosen(Path(sys.argv[4])), dag_id=sys.argv[1], run_id=sys.argv[2]).clone()
"""


def killed_in_mid_clone(place: Place, folder: Path) -> None:
    """As by the machine's out-of-memory killer, once the copy holds its slot."""
    root = Path(__file__).resolve().parents[3]
    command = [sys.executable, "-W", "ignore", "-c", WORKER, DAG, place.labels.run, place.kind, str(folder)]
    worker = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": f"{root / 'plugins'}:{root}"}, cwd=root)
    try:
        until(lambda: slots(place) or worker.poll() is not None)
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait()


def slots(place: Place) -> list[str]:
    return asked(place.primary(), "select slot_name::text as found from pg_replication_slots")


def asked(server, query: str) -> list:
    with connect(replace(server.target, database="postgres")) as session:
        return [row["found"] for row in session.execute(query)]


def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("kind", ["docker", "local"])
def test_the_next_try_removes_the_leftover_and_builds_a_standby(opened, source: Source, tmp_path, kind):
    place = empty(opened(source.backup, kind))
    made = "create table filler as select n, repeat('x', 500) as x from generate_series(1, 200000) n"
    assert place.primary().run("psql", "-d", "clo", "-qc", made, timeout=60).exit_code == 0
    killed_in_mid_clone(place, Path(source.backup.repository.url.removeprefix("file://")))
    assert slots(place) == ["standby"]

    standby = place.clone()
    until(lambda: asked(place.primary(), "select state as found from pg_stat_replication") == ["streaming"])
    assert asked(standby, "select pg_is_in_recovery() as found") == [True]

    # And again over one that is whole: a worker killed after it was built.
    again = place.clone()
    until(lambda: asked(place.primary(), "select state as found from pg_stat_replication") == ["streaming"])
    assert asked(again, "select pg_is_in_recovery() as found") == [True]


def test_a_standby_whose_primary_is_cut_off_is_left_alone(opened, source: Source):
    place = empty(opened(source.backup))
    standby = place.clone()
    place.primary().kill()
    with pytest.raises(CloOpsError):
        place.clone()
    assert asked(standby, "select pg_is_in_recovery() as found") == [True]
