"""docker-compose.yml: what can be held without an engine. tests/integration/compose starts it."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from demo.compose import env

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
SERVICES = yaml.safe_load(TEXT)["services"]
DRILL = yaml.safe_load((ROOT / "docker-compose.drill.yml").read_text(encoding="utf-8"))["services"]
AIRFLOW = {f"airflow-{name}" for name in ("init", "api-server", "scheduler", "dag-processor", "triggerer")}
WATCHDOG = {"watchdog"}
DEMO = {"clo-db", "clo-world", "clo-api", "clo-frontend", "clo-worker", "clo-backup", "mail-sink"}
END = {"airflow-init", "clo-world"}
DEMANDED = sorted(set(re.findall(r"(?<!\$)\$\{(\w+):\?", TEXT)))
IN_THE_DEMO = sorted(set(re.findall(r"(?<!\$)\$\{(\w*(?:PASSWORD|KEY|SECRET)\w*):-\}", TEXT)))


def test_the_whole_stack_is_there():
    assert AIRFLOW | {"metadata-db", "ledger-db", "redis", "prometheus", "mail"} | WATCHDOG | DEMO == set(SERVICES)


def test_no_secret_has_a_default():
    secrets = re.findall(r"(?<!\$)\$\{(\w*(?:PASSWORD|KEY|SECRET)\w*)(:?[-?]?)([^}]*)\}", TEXT)
    assert len(secrets) > 10
    for name, sign, default in secrets:
        assert sign == ":?" or (sign == ":-" and not default), name


def test_only_the_demo_and_a_relay_without_login_may_lack_a_secret():
    allowed = set(env.demo_settings()) | {"MAIL_RELAY_PASSWORD"}
    assert set(IN_THE_DEMO) <= allowed


def test_no_secret_is_written_down():
    """A literal beside a name that sounds like a secret would be a password everybody knows."""
    for service in SERVICES.values():
        for name, value in (service.get("environment") or {}).items():
            if re.search(r"PASSWORD$|SECRET|_KEY$|_TOKEN$", name):
                assert str(value).startswith("${"), name


@pytest.mark.parametrize("name", sorted(set(SERVICES) - END))
def test_what_stays_up_has_a_health_check(name):
    assert SERVICES[name]["healthcheck"]["test"]
    assert SERVICES[name]["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", sorted(END))
def test_what_ends_is_not_started_again_and_others_wait_for_it(name):
    assert SERVICES[name]["restart"] == "no"
    waiting = [other for other, service in SERVICES.items() if name in (service.get("depends_on") or {})]
    assert waiting
    for other in waiting:
        assert SERVICES[other]["depends_on"][name]["condition"] == "service_completed_successfully"


def test_ports_are_published_on_the_loopback_only():
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    for port in ports:
        assert str(port).startswith("127.0.0.1:"), port


def test_images_are_pinned():
    for name, service in SERVICES.items():
        assert re.search(r":[\w.]+$", service["image"]), name
        assert not service["image"].endswith(":latest")


def test_one_service_builds_our_image_and_the_others_use_it():
    assert [name for name, service in SERVICES.items() if "build" in service] == ["airflow-init"]


def test_the_demo_system_stands_behind_its_profile():
    assert {name for name, service in SERVICES.items() if service.get("profiles") == ["demo"]} == DEMO


def test_no_service_has_the_engine_s_socket_without_the_drill_s_file():
    assert "docker.sock" not in TEXT.partition("services:")[2]
    assert set(DRILL) == {"airflow-scheduler"}, "the scheduler runs the tasks; nobody else may have the socket"
    for service in SERVICES.values():
        assert not service.get("privileged")


def test_watch_and_tasks_see_the_demo_s_logs_and_have_all_that_the_others_have():
    others = set(SERVICES["airflow-dag-processor"]["volumes"])
    # The watch only reads; a task takes rotated files away once they stand in the archive (LM-01).
    assert set(SERVICES["airflow-triggerer"]["volumes"]) - others == {"clo-state:/opt/airflow/demo:ro"}
    assert set(SERVICES["airflow-scheduler"]["volumes"]) - others == {"clo-state:/opt/airflow/demo"}
    for name in ("airflow-triggerer", "airflow-scheduler"):
        assert others < set(SERVICES[name]["volumes"])
    connection = env.demo_connections(env.settings(demo=True))["clo_host_app1"]
    assert connection["extra"]["logs"] == "/opt/airflow/demo/logs"


def test_the_watchdog_waits_for_nothing_of_airflow_and_shares_what_was_put_aside():
    watchdog, scheduler = SERVICES["watchdog"], SERVICES["airflow-scheduler"]
    assert not [name for name in watchdog["depends_on"] if name in AIRFLOW]
    spool = watchdog["environment"]["CLO_OPS_SPOOL"]
    assert spool == scheduler["environment"]["CLO_OPS_SPOOL"]
    shared = [one.split(":")[1] for one in set(watchdog["volumes"]) & set(scheduler["volumes"])]
    assert [place for place in shared if spool.startswith(f"{place}/")], "a folder of its own container helps nobody"


def test_what_is_mounted_from_the_checkout_is_there():
    for name, service in SERVICES.items():
        for volume in service.get("volumes", []):
            if volume.startswith("."):
                assert (ROOT / volume.split(":")[0]).exists(), name


def composes() -> list[list[str]]:
    found = [[program] for program in filter(None, [shutil.which("docker-compose")])]
    plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0
    return found + ([["docker", "compose"]] if plugin else []) if shutil.which("docker") else found


def configured(command: list[str], place: Path, *options: str, without: str = "") -> subprocess.CompletedProcess[str]:
    values = {name: value for name, value in env.settings(demo=True).items() if name != without}
    (place / "clo-ops.env").touch()
    shutil.copy(ROOT / "docker-compose.yml", place)
    clean = {name: value for name, value in os.environ.items() if name not in DEMANDED}
    return subprocess.run(
        [*command, *options, "config"],
        cwd=place,
        env={**clean, **values},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(params=["v1", "v2"])
def compose(request) -> list[str]:
    for command in composes():
        said = subprocess.run([*command, "version"], capture_output=True, text=True, check=True).stdout
        if (" 1.29" in said) == (request.param == "v1"):
            return command
    if os.environ.get("CI") and request.param == "v1":
        pytest.fail("CI has Debian's docker-compose 1.29")
    pytest.skip(f"no docker compose {request.param} on this machine")


def test_compose_understands_the_file(compose, tmp_path):
    done = configured(compose, tmp_path, "--profile", "demo")
    assert done.returncode == 0, done.stderr
    assert set(yaml.safe_load(done.stdout)["services"]) == set(SERVICES)


def test_a_missing_secret_is_refused_by_its_name(compose, tmp_path):
    assert len(DEMANDED) >= 7
    for name in DEMANDED:
        done = configured(compose, tmp_path, without=name)
        assert done.returncode != 0, name
        assert f"set {name}" in done.stderr


def test_the_env_files_are_private_complete_and_never_replaced(tmp_path):
    settings, connections = env.write(tmp_path, demo=True)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (settings, connections)] == [0o600, 0o600]
    written = dict(line.split("=", 1) for line in settings.read_text().splitlines())
    assert all(written[name] for name in {*DEMANDED, *IN_THE_DEMO} - {"MAIL_RELAY_PASSWORD"})
    before = settings.read_bytes()
    with pytest.raises(env.AlreadyThere, match=r"\.env is there"):
        env.write(tmp_path, demo=True)
    assert settings.read_bytes() == before


def test_nothing_is_written_where_one_of_the_files_exists(tmp_path):
    (tmp_path / "clo-ops.env").write_text("mine")
    with pytest.raises(env.AlreadyThere):
        env.write(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["clo-ops.env"]


def test_two_places_have_no_secret_in_common():
    secret = re.compile(r"PASSWORD|KEY|SECRET")
    one, other = env.settings(demo=True), env.settings(demo=True)
    for name in filter(secret.search, one):
        assert one[name] != other[name]
        assert len(one[name]) >= 16


def test_no_value_means_anything_to_either_compose():
    """Both read the rest of the line in an env file, but v2 replaces $NAME and drops " #" with what follows."""
    values = env.settings(demo=True)
    for text in [*values.values(), *map(json.dumps, env.demo_connections(values).values())]:
        assert "$" not in text
        assert " #" not in text


def test_for_production_the_connections_are_those_of_the_example(tmp_path):
    _, connections = env.write(tmp_path)
    assert connections.read_text() == (ROOT / "clo-ops.env.example").read_text()


def test_the_env_files_need_nothing_but_a_python():
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); import demo.compose.env"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
