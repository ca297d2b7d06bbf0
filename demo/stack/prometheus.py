"""Debian's Prometheus and Alertmanager on the loopback, as the tests and the benchmarks start them.

with Alertmanager(directory, configuration) as alertmanager:
    with Prometheus(directory, targets=["127.0.0.1:9100"], rules=file, alertmanager=alertmanager.port): ...
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self
from urllib.error import URLError
from urllib.request import urlopen

import yaml

from demo.stack.ports import LOOPBACK, free_port

READY_SECONDS = 40.0


class NotReady(RuntimeError):
    """The program is not there, ended, or was not ready in time; the sentence ends with what it said."""


class _Program:
    """One server process with its log in ``directory``."""

    name = ""

    def __init__(self, directory: Path) -> None:
        self.directory = directory / self.name
        self.directory.mkdir(parents=True)
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def options(self) -> list[str]:
        raise NotImplementedError

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def __enter__(self) -> Self:
        program = shutil.which(self.name) or shutil.which(f"prometheus-{self.name}")
        if program is None:
            raise NotReady(f"there is no {self.name}: python3 -m demo.stack.debian installs it")
        with (self.directory / "log").open("wb") as log:
            self._process = subprocess.Popen([program, *self.options()], stdout=log, stderr=log, cwd=self.directory)
        try:
            self._wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(15)

    def _wait(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline and self._process and self._process.poll() is None:
            try:
                with urlopen(f"{self.url}/-/ready", timeout=2) as reply:  # noqa: S310 - our own loopback address
                    if reply.status == 200:
                        return
            except (URLError, OSError):
                time.sleep(0.1)
        raise NotReady(f"{self.name}: {(self.directory / 'log').read_text(errors='replace')[-500:]}")


class Alertmanager(_Program):
    """``configuration`` is the text of its file; no cluster is formed."""

    name = "alertmanager"

    def __init__(self, directory: Path, configuration: str) -> None:
        super().__init__(directory)
        self.file = self.directory / "alertmanager.yml"
        self.file.write_text(configuration, encoding="utf-8")

    def options(self) -> list[str]:
        return [
            f"--config.file={self.file}",
            f"--storage.path={self.directory}/data",
            f"--web.listen-address={LOOPBACK}:{self.port}",
            "--cluster.listen-address=",
        ]


class Prometheus(_Program):
    """``glob`` is the section global of its configuration; empty for Prometheus' own defaults (every minute).

    What is still firing it sends anew every ``resend``; the default is Prometheus' own.
    """

    name = "prometheus"

    def __init__(
        self,
        directory: Path,
        *,
        targets: Sequence[str],
        rules: Path,
        alertmanager: int,
        glob: dict[str, str] | None = None,
        resend: str = "1m",
    ) -> None:
        super().__init__(directory)
        self.resend = resend
        facts = {
            "global": glob or {},
            "rule_files": [str(rules)],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"{LOOPBACK}:{alertmanager}"]}]}]},
            "scrape_configs": [{"job_name": "clo", "static_configs": [{"targets": list(targets)}]}],
        }
        self.file = self.directory / "prometheus.yml"
        self.file.write_text(yaml.safe_dump(facts), encoding="utf-8")

    def options(self) -> list[str]:
        return [
            f"--config.file={self.file}",
            f"--storage.tsdb.path={self.directory}/data",
            f"--rules.alert.resend-delay={self.resend}",
            f"--web.listen-address={LOOPBACK}:{self.port}",
        ]
