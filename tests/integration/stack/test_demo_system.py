"""The whole CLO system from one context manager: up in seconds, connected, breakable, gone without a trace."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from demo import switches
from demo.stack import control
from demo.stack.processes import marked, pids
from demo.stack.system import DemoSystem


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoSystem]:
    with DemoSystem(tmp_path_factory.mktemp("demo") / "state") as running:
        yield running


def test_everything_answers(system: DemoSystem) -> None:
    assert control.status(system.state) == dict.fromkeys(("api", "frontend", "postgres", "redis", "worker"), True)
    health = httpx.get(f"{system.connections['clo_api']['host']}/api/v1/monitoring/health", timeout=10).json()
    assert health["status"] == "healthy"
    assert "CLO Management System" in httpx.get(system.connections["clo_frontend"]["host"], timeout=10).text


def test_the_connections_are_those_the_pages_use(system: DemoSystem) -> None:
    wanted = {"clo_postgres", "clo_redis", "clo_api", "clo_frontend", "clo_worker", "clo_backups", "clo_host_app1"}
    wanted |= {"clo_backup_source", "clo_archive", "clo_anchor"}
    wanted |= {"clo_postgres_maintenance", "clo_postgres_retention", "clo_postgres_accounts", "clo_redis_maintenance"}
    assert set(system.connections) == wanted
    assert system.connections["clo_postgres"]["login"] == "clo_ops_reader"
    assert json.loads(system.connections["clo_api"]["extra"])["totp_secret"] == system.account["totp_secret"]


def test_a_week_of_backups(system: DemoSystem) -> None:
    assert len(list((system.state / "backups").glob("clo-*.dump"))) == 8


def test_a_stopped_service_comes_back_where_it_was(system: DemoSystem) -> None:
    switches.switch_on(system.state, "stopped-frontend")
    with pytest.raises(httpx.ConnectError):
        httpx.get(system.connections["clo_frontend"]["host"], timeout=10)
    switches.switch_off(system.state, "stopped-frontend")
    assert httpx.get(system.connections["clo_frontend"]["host"], timeout=10).status_code == 200


def test_a_second_start_is_quick_and_changes_nothing(system: DemoSystem) -> None:
    before, account = control.status(system.state), system.account
    processes = {name: system.stack.process(name) for name in before}
    started = time.monotonic()
    again = DemoSystem(system.state).start()
    assert time.monotonic() - started < 5
    assert {name: again.stack.process(name) for name in before} == processes
    assert again.account == account


def test_nothing_is_left(tmp_path: Path) -> None:
    with DemoSystem(tmp_path / "state", backups=False) as system:
        private = [json.loads(path.read_text()).get("private") for path in system.state.glob("*/cluster.json")]
    assert not (tmp_path / "state").exists()
    assert not any(Path(folder).exists() for folder in private if folder)
    assert not [pid for pid in pids() if marked(pid, str(tmp_path / "state"))]
