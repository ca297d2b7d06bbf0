"""A real Prometheus that scrapes a small exporter of ours; Debian's package is unpacked, not installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from clo_ops.probes.targets import PrometheusTarget
from demo.stack.ports import free_port

STARTED = time.time()
CONFIGURATION = """global: {{scrape_interval: 200ms, scrape_timeout: 200ms}}
scrape_configs:
  - job_name: node
    static_configs: [{{targets: ["127.0.0.1:{exporter}", "127.0.0.1:{nobody}"]}}]
"""


class Exporter(BaseHTTPRequestHandler):
    """A host of two CPUs, a quarter busy; 8 GiB, 6 free; a disk 80 % used as df counts, and a memory file system."""

    def do_GET(self) -> None:
        lived = time.time() - STARTED
        disk = 'device="/dev/vda1",fstype="ext4",mountpoint="/"'
        memory = 'device="tmpfs",fstype="tmpfs",mountpoint="/run"'
        lines = [
            *(f'node_cpu_seconds_total{{cpu="{cpu}",mode="idle"}} {lived * 0.75:.3f}' for cpu in (0, 1)),
            *(f'node_cpu_seconds_total{{cpu="{cpu}",mode="user"}} {lived * 0.25:.3f}' for cpu in (0, 1)),
            f"node_memory_MemTotal_bytes {8 * 2**30}",
            f"node_memory_MemAvailable_bytes {6 * 2**30}",
            *(f"node_filesystem_size_bytes{{{one}}} 1000" for one in (disk, memory)),
            *(f"node_filesystem_free_bytes{{{one}}} 240" for one in (disk, memory)),
            *(f"node_filesystem_avail_bytes{{{one}}} 190" for one in (disk, memory)),
            f"node_time_seconds {time.time():.3f}",
            f"node_boot_time_seconds {time.time() - 3600:.3f}",
            "node_load5 1.5",
            "clo_nothing NaN",
        ]
        body = ("\n".join(lines) + "\n").encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with suppress(BrokenPipeError, ConnectionResetError):  # a Prometheus that is stopped hangs up in the middle
            self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="session")
def exporter() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Exporter)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


def _run(directory: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=120, check=False)
    return "" if done.returncode == 0 else f"{' '.join(command)}: {(done.stderr or done.stdout).strip()[-200:]}"


def _unpacked(directory: Path) -> str:
    """Fetch the package of this Debian; the package lists may be missing on a new machine."""
    if shutil.which("apt-get") is None:
        return "there is neither prometheus nor apt-get"
    reason = _run(directory, "apt-get", "download", "prometheus")
    if reason and os.geteuid() == 0:
        reason = _run(directory, "apt-get", "update", "-q") or _run(directory, "apt-get", "download", "prometheus")
    packages = sorted(directory.glob("prometheus_*.deb"))
    return reason or _run(directory, "dpkg-deb", "-x", str(packages[0]), ".")


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The prometheus program: the machine's own, else Debian's. Skips where there is none, which CI never may."""
    if found := shutil.which("prometheus"):
        return Path(found)
    directory = tmp_path_factory.mktemp("prometheus-package")
    directory.chmod(0o755)
    if reason := _unpacked(directory):
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"no Prometheus: {reason}")
    return directory / "usr" / "bin" / "prometheus"


# Both targets seen, and the one that lives scraped often enough for a rate.
SCRAPED = "count(up) == 2 and on() count_over_time(node_load5[1m]) > 4"


def _knows(url: str) -> bool:
    try:
        reply = httpx.get(f"{url}/api/v1/query", params={"query": SCRAPED}, timeout=2, trust_env=False)
    except httpx.TransportError:
        return False
    return reply.status_code == 200 and bool(reply.json()["data"]["result"])


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    """Prometheus begins to scrape seconds after it is ready."""
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline and process.poll() is None:
        if _knows(url):
            return
        time.sleep(0.2)
    pytest.fail(f"Prometheus has scraped nothing at {url}, exit status {process.poll()}")


@pytest.fixture(scope="session")
def target(program: Path, exporter: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrometheusTarget]:
    directory, port = tmp_path_factory.mktemp("prometheus"), free_port()
    configuration = directory / "prometheus.yml"
    configuration.write_text(CONFIGURATION.format(exporter=exporter, nobody=free_port(taken={port})))
    options = [f"--config.file={configuration}", f"--storage.tsdb.path={directory}/data"]
    command = [str(program), *options, f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
    with (directory / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            _wait_for(f"http://127.0.0.1:{port}", process)
            yield PrometheusTarget(f"http://127.0.0.1:{port}", "clo_ops/test/prometheus", 5.0)
        finally:
            process.terminate()
            process.wait(10)
