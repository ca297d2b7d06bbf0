"""The two files docker-compose.yml reads, with secrets drawn for this place: ``make compose-env``.

    python3 -m demo.compose.env            .env: secrets and settings; clo-ops.env: connections, to be filled in
    python3 -m demo.compose.env --demo     the same for the profile demo, its connections filled in

Both get mode 600. Where one of them is there already nothing is written. Standard library only.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SETTINGS, CONNECTIONS, EXAMPLE = ".env", "clo-ops.env", "clo-ops.env.example"
PROBE = "clo-ops-probe"
TOTP_INTERVAL = 5  # seconds; the usual 30 would make every second login of a morning wait for its next code
DEMO_DOMAIN = "demo.example"
MAIL_SINK = "[mail-sink]:2525"


class AlreadyThere(RuntimeError):
    """A file of ours exists: its secrets are those of databases that exist too, so it is never replaced."""


def _word() -> str:
    """160 bits in letters and digits: safe in URLs, JSON, shells and both composes' env files."""
    return secrets.token_hex(20)


def settings(*, demo: bool) -> dict[str, str]:
    """Every variable of docker-compose.yml. The mail domain and the address people open are to be looked at."""
    values = {
        "AIRFLOW_FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "AIRFLOW_SECRET_KEY": _word(),
        "AIRFLOW_JWT_SECRET": secrets.token_hex(64),
        "AIRFLOW_DB_PASSWORD": _word(),
        "AIRFLOW_OPERATOR_PASSWORD": secrets.token_urlsafe(12),
        "AIRFLOW_MANAGER_PASSWORD": secrets.token_urlsafe(12),
        "LEDGER_DB_PASSWORD": _word(),
        "REDIS_PASSWORD": _word(),
        "REDIS_CACHE_PASSWORD": _word(),
        "AIRFLOW_PORT": "8080",
        "AIRFLOW_BASE_URL": "http://localhost:8080",
        "MAIL_DOMAIN": DEMO_DOMAIN if demo else "",
        "MAIL_RELAY": MAIL_SINK if demo else "",
    }
    return values | (demo_settings() if demo else {})


def demo_settings() -> dict[str, str]:
    roles = ("DB", "APP", "READER", "BACKUP", "MAINTAINER", "RETENTION", "ACCOUNTS", "PROBE")
    return {f"CLO_{role}_PASSWORD": _word() for role in roles} | {
        "CLO_PROBE_TOTP_SECRET": base64.b32encode(secrets.token_bytes(20)).decode(),
        "CLO_OPS_MODE": "demo",
    }


def demo_connections(values: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Airflow connections, by id, that reach the services of the profile demo."""
    postgres = {
        "conn_type": "postgres",
        "host": "clo-db",
        "port": 5432,
        "schema": "clo",
        "extra": {"sslmode": "disable"},
    }
    totp = {"totp_secret": values["CLO_PROBE_TOTP_SECRET"], "totp_interval": TOTP_INTERVAL}
    web = {name: {"conn_type": "http", "host": f"http://clo-{name}:{port}"} for name, port in _PORTS.items()}
    return {
        "clo_postgres": postgres | {"login": "clo_ops_reader", "password": values["CLO_READER_PASSWORD"]},
        "clo_backup_source": postgres | {"login": "clo_backup", "password": values["CLO_BACKUP_PASSWORD"]},
        "clo_postgres_maintenance": postgres
        | {"login": "clo_ops_maintainer", "password": values["CLO_MAINTAINER_PASSWORD"]},
        "clo_postgres_retention": postgres
        | {"login": "clo_ops_retention", "password": values["CLO_RETENTION_PASSWORD"]},
        "clo_postgres_accounts": postgres | {"login": "clo_ops_accounts", "password": values["CLO_ACCOUNTS_PASSWORD"]},
        "clo_redis": {"conn_type": "redis", "host": "redis", "port": 6379, "password": values["REDIS_PASSWORD"]},
        "clo_redis_maintenance": {
            "conn_type": "redis",
            "host": "redis",
            "port": 6379,
            "login": "clo_ops_cache",
            "password": values["REDIS_CACHE_PASSWORD"],
        },
        "clo_api": web["api"] | {"login": PROBE, "password": values["CLO_PROBE_PASSWORD"], "extra": totp},
        "clo_frontend": web["frontend"],
        "clo_worker": web["worker"],
        "clo_backups": {"conn_type": "generic", "extra": {"url": "file:///opt/airflow/backups"}},
        "clo_archive": {"conn_type": "generic", "extra": {"url": "file:///opt/airflow/backups/archive"}},
        "clo_anchor": {"conn_type": "generic", "extra": {"url": "file:///opt/airflow/backups/anchor"}},
        "clo_host_app1": {"conn_type": "generic", "extra": {"transport": "local", "logs": "/opt/airflow/demo/logs"}},
        "clo_prometheus": {"conn_type": "http", "host": "http://prometheus:9090"},
        "clo_smtp": {
            "conn_type": "smtp",
            "host": "mail",
            "port": 587,
            "extra": {"tls": "none", "from_email": f"clo-ops@{DEMO_DOMAIN}"},
        },
    }


_PORTS = {"api": 8000, "frontend": 8001, "worker": 8002}


def write(directory: Path, *, demo: bool = False) -> list[Path]:
    """Write both files; returns them. Raises AlreadyThere before anything is written."""
    made = [directory / SETTINGS, directory / CONNECTIONS]
    for path in made:
        if path.exists():
            raise AlreadyThere(f"{path} is there and is left alone; move it away to have a new one")
    values = settings(demo=demo)
    _private(made[0], "".join(f"{name}={value}\n" for name, value in values.items()))
    _private(made[1], _demo_file(values) if demo else (ROOT / EXAMPLE).read_text(encoding="utf-8"))
    return made


def _demo_file(values: Mapping[str, str]) -> str:
    lines = [
        f"AIRFLOW_CONN_{name.upper()}={json.dumps(value, separators=(',', ':'))}"
        for name, value in demo_connections(values).items()
    ]
    return "\n".join(["# Connections of the profile demo; holds secrets.", *lines]) + "\n"


def _private(path: Path, text: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python3 -m demo.compose.env", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--demo", action="store_true", help="for the profile demo, with its connections")
    parser.add_argument("--directory", type=Path, default=ROOT, help="default: the checkout")
    given = parser.parse_args(arguments)
    try:
        made = write(given.directory, demo=given.demo)
    except (AlreadyThere, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"written, mode 600: {', '.join(map(str, made))}")
    if not given.demo:
        print(f"fill in MAIL_DOMAIN, MAIL_RELAY and AIRFLOW_BASE_URL in {SETTINGS}, the connections in {CONNECTIONS}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
