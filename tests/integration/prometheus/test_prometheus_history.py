"""History of a real Prometheus: three days of a host, backfilled with promtool, as figures of the ledger."""

from __future__ import annotations

import math
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from clo_ops.ledger import Ledger
from clo_ops.orchestration import roll_ups
from clo_ops.policy import load_policy
from clo_ops.probes.prometheus import past
from clo_ops.probes.targets import HostTarget, PrometheusTarget
from demo.stack.ports import free_port
from demo.stack.postgres import Cluster

NODE = "app1:9100"
END = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
BEGIN = END - timedelta(days=3)
GAP = (BEGIN + timedelta(hours=30), BEGIN + timedelta(hours=36))
GIB = 2**30


def memory_used(at: datetime) -> float:
    """In percent: a wave of a day."""
    return 50 + 20 * math.sin(2 * math.pi * (at - BEGIN) / timedelta(days=1))


def open_metrics() -> str:
    """node_exporter's figures of three days, once a minute, but for six hours."""
    names = ("up", "node_memory_MemTotal_bytes", "node_memory_MemAvailable_bytes")
    lines: dict[str, list[str]] = {name: [f"# TYPE {name} gauge"] for name in names}
    for minute in range(3 * 24 * 60):
        at = BEGIN + timedelta(minutes=minute)
        if GAP[0] <= at < GAP[1]:
            continue
        values = (1, 8 * GIB, 8 * GIB * (1 - memory_used(at) / 100))
        for name, value in zip(names, values, strict=True):
            lines[name].append(f'{name}{{instance="{NODE}",job="node"}} {value} {int(at.timestamp())}')
    return "\n".join(line for name in names for line in lines[name]) + "\n# EOF\n"


@pytest.fixture(scope="module")
def backfilled(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrometheusTarget]:
    directory, port = tmp_path_factory.mktemp("prometheus-history"), free_port()
    (directory / "metrics.txt").write_text(open_metrics())
    (directory / "prometheus.yml").write_text("scrape_configs: []\n")
    made = [str(program.with_name("promtool")), "tsdb", "create-blocks-from", "openmetrics", "metrics.txt", "data"]
    subprocess.run(made, cwd=directory, check=True, capture_output=True, timeout=60)
    command = [str(program), "--config.file=prometheus.yml", "--storage.tsdb.path=data", "--log.level=error"]
    command += ["--storage.tsdb.retention.time=30d", f"--web.listen-address=127.0.0.1:{port}"]
    with (directory / "log").open("wb") as log, subprocess.Popen(command, cwd=directory, stdout=log, stderr=log) as one:
        try:
            _wait(f"http://127.0.0.1:{port}", one)
            yield PrometheusTarget(f"http://127.0.0.1:{port}", "clo_ops/test/history", 10.0)
        finally:
            one.terminate()
            one.wait(10)


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{url}/-/ready", timeout=2, trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    pytest.fail(f"no Prometheus at {url}, exit status {process.poll()}")


@pytest.fixture(scope="module")
def ledger_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with Cluster(tmp_path_factory.mktemp("history-ledger")) as cluster:
        cluster.create_user("clo_ops")
        cluster.create_database("ledger", owner="clo_ops")
        yield cluster.url("ledger", "clo_ops")


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    with Ledger(ledger_url) as opened:
        opened.migrate()
        yield opened


MEMORY = "system.memory.utilization"


def command(target: PrometheusTarget, ledger_url: str, **changed: str) -> int:
    options = {
        "--prometheus": target.base_url,
        "--since": BEGIN.date().isoformat(),
        "--until": END.date().isoformat(),
        "--host": f"app1={NODE}",
        "--url": ledger_url,
    }
    given = options | {f"--{name}": value for name, value in changed.items()}
    return roll_ups.main([part for pair in given.items() for part in pair])


def test_the_past_becomes_figures_and_done_again_the_same(
    backfilled: PrometheusTarget, ledger: Ledger, ledger_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(backfilled, ledger_url) == 0
    assert MEMORY in capsys.readouterr().out
    hours = list(ledger.hours(MEMORY, BEGIN, END))
    assert {(one.source, tuple(one.labels.items()), one.unit) for one in hours} == {
        ("imported", (("host", "app1"),), "percent")
    }
    for one in hours:
        # Prometheus looks five minutes back, so the gap begins a sample late.
        times = [one.starts_at + timedelta(minutes=5 * n) for n in range(12)]
        if one.count == 12:
            assert one.mean == pytest.approx(sum(map(memory_used, times)) / 12, abs=0.3)
    assert 66 <= len(hours) <= 67
    assert GAP[0] + timedelta(hours=1) not in {one.starts_at for one in hours}
    assert command(backfilled, ledger_url) == 0
    assert list(ledger.hours(MEMORY, BEGIN, END)) == hours


def test_days_have_the_levels_of_policy(backfilled: PrometheusTarget, ledger: Ledger, ledger_url: str) -> None:
    command(backfilled, ledger_url)
    first, *_ = ledger.days(MEMORY, BEGIN, END)
    assert (first.warning_level, first.critical_level) == (80, 95)
    assert first.above_warning == timedelta()
    assert first.highest == pytest.approx(70, abs=0.1)


def test_a_host_prometheus_does_not_know_brings_nothing(backfilled: PrometheusTarget, ledger: Ledger) -> None:
    answers = past(backfilled, HostTarget("other", "prometheus", "other:9100"), BEGIN, END, timedelta(minutes=5))
    done, silent = roll_ups.imported(ledger, load_policy(mode="demo"), answers)
    assert (done.hours, silent) == (0, [])


def test_silence_is_said_and_ends_red(ledger: Ledger, ledger_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    dead = PrometheusTarget(f"http://127.0.0.1:{free_port()}", "clo_ops/test", 2.0)
    assert command(dead, ledger_url, since=(END - timedelta(days=1)).date().isoformat()) == 1
    assert "no answer for system.memory.utilization" in capsys.readouterr().err
