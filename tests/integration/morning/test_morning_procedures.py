"""The DAG's own tasks against the demo CLO system: seen passing, failing on the real thing broken, and saying unknown.

DM-10 to DM-15 have theirs in tests/integration/web, where each case of login, session and page is broken by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from clo_ops.findings import ConfigurationError, Status, worst
from clo_ops.orchestration.connections import Connections
from clo_ops.orchestration.coverage import pages
from clo_ops.orchestration.run import Run
from clo_ops.policy import load_policy
from demo.mornings import Plain
from demo.stack.system import DemoSystem
from demo.switches import switch_off, switch_on

BROKEN = [
    ("DM-01", "stopped-frontend", Status.FAIL),
    ("DM-03", "stopped-service", Status.FAIL),
    ("DM-04", "stale-backup", Status.FAIL),
    ("DM-04", "missing-backup", Status.FAIL),
    ("DM-05", "connection-leak", Status.FAIL),
    ("DM-05", "stopped-postgres", Status.UNKNOWN),
]
ANSWERED = ("DM-01", "DM-03", "DM-04", "DM-05")
ELSEWHERE = {
    "DM-01": {"clo_frontend": {"conn_type": "http", "host": "http://frontend.invalid"}},
    "DM-03": {"clo_worker": {"conn_type": "http", "host": "http://worker.invalid"}},
    "DM-04": {"clo_backups": {"conn_type": "generic", "extra": {"url": "file:///nowhere/at/all"}}},
}


@pytest.fixture(scope="module")
def system(tmp_path_factory) -> Iterator[DemoSystem]:
    with DemoSystem(tmp_path_factory.mktemp("morning")) as running:
        yield running


@pytest.fixture(scope="module")
def judgements():
    return {task.procedure_id: task.function for dag in pages() for task in dag.tasks if hasattr(task, "procedure_id")}


def judged(system: DemoSystem, function, **instead) -> Status:
    connections = {**system.connections, **instead}

    def get(conn_id: str):
        if conn_id not in connections:
            raise ConfigurationError(f"there is no connection {conn_id!r}")
        return Plain(conn_id, **connections[conn_id])

    run = Run(
        dag_id="daily_morning_startup",
        run_id="test",
        task_id="test",
        at=datetime.now(UTC),
        policy=load_policy(),
        connections=Connections("clo_ops/test", get),
        ledger=SimpleNamespace(),
        ledger_run=1,
    )
    return worst(function(run))


@pytest.mark.parametrize("procedure", ANSWERED)
def test_a_healthy_system_passes(system, judgements, procedure):
    assert judged(system, judgements[procedure]) is Status.PASS


@pytest.mark.parametrize(("procedure", "fault", "expected"), BROKEN)
def test_a_broken_system_is_found_and_a_mended_one_passes(system, judgements, procedure, fault, expected):
    switch_on(system.state, fault)
    try:
        assert judged(system, judgements[procedure]) is expected
    finally:
        switch_off(system.state, fault)
    assert judged(system, judgements[procedure]) is Status.PASS


@pytest.mark.parametrize("procedure", ELSEWHERE)
def test_who_cannot_be_asked_is_unknown(system, judgements, procedure):
    assert judged(system, judgements[procedure], **ELSEWHERE[procedure]) is Status.UNKNOWN
