"""The compose stack started for real, whole: databases, Redis, Prometheus, mail relay, Airflow and the demo system.

Our own image is built of this checkout, under a tag of the tests.
"""

from __future__ import annotations

import json
import os
import shutil
import smtplib
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

import psycopg
import pytest
import redis as redis_client
import yaml

from clo_ops.ledger import Ledger
from clo_ops.ledger.schema_version import newest
from demo.compose import env, image
from demo.stack import engine, images
from demo.stack.airflow_api import AirflowApi
from demo.stack.ports import free_port

ROOT = Path(__file__).resolve().parents[3]
HEALTH_SECONDS = 400.0
OURS = "clo-ops:test"
RESTARTS = 5
# The setup waits for health by its own clock, and must be left time to take the stack down again.
pytestmark = pytest.mark.timeout(900)


@dataclass(frozen=True)
class Stack:
    command: tuple[str, ...]
    project: str
    place: Path
    settings: dict[str, str]

    def compose(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.command, "-p", self.project, "--profile", "demo", *arguments],
            cwd=self.place,
            env={name: value for name, value in os.environ.items() if name not in self.settings},
            capture_output=True,
            text=True,
            check=False,
            timeout=400,
        )

    def containers(self, service: str) -> list[dict]:
        """Asked of the engine itself: docker-compose takes a second each time."""
        labels = (f"com.docker.compose.project={self.project}", f"com.docker.compose.service={service}")
        found = docker("ps", "-aq", *(f"--filter=label={label}" for label in labels)).split()
        return json.loads(docker("inspect", *found)) if found else []

    def inspect(self, service: str) -> dict:
        [only] = self.containers(service)
        return only

    def address(self, service: str) -> str:
        [network] = self.inspect(service)["NetworkSettings"]["Networks"].values()
        return network["IPAddress"]

    def wait_healthy(self, services: tuple[str, ...]) -> None:
        deadline = time.monotonic() + HEALTH_SECONDS
        waiting = set(services)
        while waiting:
            found = {name: self.inspect(name) for name in waiting}
            waiting = {name for name, one in found.items() if one["State"]["Health"]["Status"] != "healthy"}
            failing = {name for name in waiting if found[name]["RestartCount"] >= RESTARTS}
            late = time.monotonic() > deadline
            assert not late and not failing, self.compose("logs", *sorted(failing or waiting)).stdout[-3000:]
            time.sleep(0.5)


def docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True, timeout=60).stdout


def compose_command() -> tuple[str, ...] | None:
    if shutil.which("docker-compose"):
        return ("docker-compose",)
    plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    return ("docker", "compose") if plugin.returncode == 0 else None


@pytest.fixture(scope="module")
def stack(tmp_path_factory) -> Iterator[Stack]:
    reason, command = engine.ensure(), None
    if reason is None:
        command = compose_command()
        reason = None if command else "there is no docker-compose (Debian: apt-get install docker-compose)"
    if reason or command is None:
        pytest.fail(str(reason)) if os.environ.get("CI") else pytest.skip(str(reason))
    place = tmp_path_factory.mktemp("compose")
    made = Stack(command, f"clo-ops-test-{token_hex(4)}", place, prepared(place))
    services = services_wanted()
    for name in sorted({service["image"] for service in services.values()} - {image.TAG}):
        images.ensure(name)
    image.ensure(OURS)
    try:
        up = made.compose("up", "-d", *services)
        assert up.returncode == 0, up.stderr[-3000:]
        made.wait_healthy(tuple(name for name, service in services.items() if "healthcheck" in service))
        yield made
    finally:
        down = made.compose("down", "-v", "-t", "5")
    assert down.returncode == 0, down.stderr


def prepared(place: Path) -> dict[str, str]:
    """A checkout as compose sees it, with secrets of its own and ports nobody has; its settings."""
    written = (ROOT / "docker-compose.yml").read_text()
    (place / "docker-compose.yml").write_text(written.replace(f"image: {image.TAG}", f"image: {OURS}"))
    (place / "include").mkdir()
    shutil.copy(ROOT / "include" / "prometheus.yml", place / "include")
    (place / "include" / "prometheus.yml").chmod(0o644)
    settings, _ = env.write(place, demo=True)
    with settings.open("a") as file:
        file.write(f"AIRFLOW_PORT={free_port(None)}\nCLO_FRONTEND_PORT={free_port(None)}\nCLO_WORLD_SCALE=0.05\n")
    return dict(line.split("=", 1) for line in settings.read_text().splitlines())


def services_wanted() -> dict[str, dict]:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


def test_the_ledger_s_schema_goes_into_its_database(stack):
    password, host = stack.settings["LEDGER_DB_PASSWORD"], stack.address("ledger-db")
    with Ledger(f"postgresql+psycopg://clo_ops:{password}@{host}:5432/clo_ops", client_name="test/compose") as ledger:
        ledger.migrate()
        assert ledger.revision() == newest()


@pytest.mark.parametrize(
    ("service", "user", "database", "secret"),
    [
        ("metadata-db", "airflow", "airflow", "AIRFLOW_DB_PASSWORD"),
        ("ledger-db", "clo_ops", "clo_ops", "LEDGER_DB_PASSWORD"),
        ("clo-db", "postgres", "clo", "CLO_DB_PASSWORD"),
    ],
)
def test_each_database_knows_its_own_password_only(stack, service, user, database, secret):
    there = {"host": stack.address(service), "user": user, "dbname": database, "connect_timeout": 10}
    with psycopg.connect(**there, password=stack.settings[secret]) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    for name, value in stack.settings.items():
        if name.endswith("_DB_PASSWORD") and name != secret:
            with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
                psycopg.connect(**there, password=value)


def test_redis_asks_for_its_password(stack):
    with redis_client.Redis(stack.address("redis"), password=stack.settings["REDIS_PASSWORD"]) as client:
        assert client.ping()
    with (
        redis_client.Redis(stack.address("redis")) as stranger,
        pytest.raises(redis_client.AuthenticationError),
    ):
        stranger.ping()


def test_prometheus_has_loaded_our_targets(stack):
    with urllib.request.urlopen(f"http://{stack.address('prometheus')}:9090/api/v1/targets", timeout=10) as answer:
        found = json.load(answer)["data"]
    assert "prometheus" in {target["labels"]["job"] for target in found["activeTargets"]}
    config = f"http://{stack.address('prometheus')}:9090/api/v1/status/config"
    with urllib.request.urlopen(config, timeout=10) as answer:
        assert "clo-api" in json.load(answer)["data"]["yaml"]


def test_the_relay_takes_our_own_mail_only(stack):
    with smtplib.SMTP(stack.address("mail"), 587, timeout=20) as server:
        assert server.sendmail(f"clo-ops@{env.DEMO_DOMAIN}", ["a@elsewhere.example"], "Subject: x\n\ny\n") == {}
        with pytest.raises(smtplib.SMTPRecipientsRefused, match="Sender address rejected"):
            server.sendmail("clo-ops@stranger.example", ["a@elsewhere.example"], "Subject: x\n\ny\n")


def test_nothing_is_published_beyond_the_loopback_and_no_secret_is_on_a_command_line(stack):
    secrets = [value for key, value in stack.settings.items() if key.endswith(("PASSWORD", "SECRET", "KEY"))]
    for name in services_wanted():
        for facts in stack.containers(name):
            for bindings in filter(None, facts["NetworkSettings"]["Ports"].values()):
                assert {binding["HostIp"] for binding in bindings} == {"127.0.0.1"}, name
            line = " ".join([facts["Path"], *facts["Args"]])
            assert not any(value in line for value in secrets), name


def test_a_whole_morning_is_green(stack):
    api = AirflowApi(
        f"http://127.0.0.1:{stack.settings['AIRFLOW_PORT']}", "operator", stack.settings["AIRFLOW_OPERATOR_PASSWORD"]
    )
    assert api.import_errors() == []
    run = api.trigger("daily_morning_startup")
    api._send("PATCH", "/api/v2/dags/daily_morning_startup", {"is_paused": False})
    ended = dict(api.follow("daily_morning_startup", run, seconds=400))
    assert ended.pop("") == "success", ended
