"""docker-compose.yml: what can be held without an engine. Nothing here starts it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
SERVICES = yaml.safe_load(TEXT)["services"]


def test_the_whole_stack_is_there():
    airflow = {f"airflow-{name}" for name in ("init", "api-server", "scheduler", "dag-processor", "triggerer")}
    assert airflow | {"metadata-db", "ledger-db", "redis", "prometheus", "mail", "clo-db"} == set(SERVICES)


def test_no_secret_has_a_default():
    secrets = re.findall(r"\$\{(\w*(?:PASSWORD|KEY|SECRET)\w*):(.)", TEXT)
    assert secrets
    for name, sign in secrets:
        profile_only = name in {"CLO_DB_PASSWORD", "REDIS_PASSWORD"} and f"${{{name}:-}}" in TEXT
        assert sign == "?" or profile_only, name


@pytest.mark.parametrize("name", ["metadata-db", "ledger-db", "redis", "clo-db", "prometheus", "airflow-api-server"])
def test_what_others_wait_for_has_a_health_check(name):
    assert SERVICES[name]["healthcheck"]["test"]


def test_ports_are_published_on_the_loopback_only():
    for name, service in SERVICES.items():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), name


def test_images_are_pinned():
    for name, service in SERVICES.items():
        assert re.search(r":[\w.]+$", service["image"]), name
        assert not service["image"].endswith(":latest")


def test_the_demo_system_stands_behind_its_profile():
    assert {name for name, service in SERVICES.items() if service.get("profiles") == ["demo"]} == {"clo-db", "redis"}
