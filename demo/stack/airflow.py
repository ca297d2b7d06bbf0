"""Airflow as the demo runs it: four processes, LocalExecutor on PostgreSQL, everything on the loopback."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from demo.stack import control
from demo.stack.files import write_private
from demo.stack.fingerprint import of_code
from demo.stack.ports import LOOPBACK
from demo.stack.state import Service, State

COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer")
PREFERRED = {"airflow-api-server": 18080}
# Their log servers would listen on every interface; here the API server reads the same files from disk.
WITHOUT_LOG_SERVER = ("scheduler", "triggerer")
WATCHES = "airflow-triggerer"
ADMIN = "admin"
# Who approves what the administrator asks for (maintenance.yaml, approvals): nobody approves their own change.
MANAGER = "manager"
LEDGER_DATABASE, METADATA_DATABASE = "clo_ops", "airflow"


class MigrationFailed(RuntimeError):
    """Airflow's metadata database could not be made."""


def url(port: int) -> str:
    return f"http://{LOOPBACK}:{port}"


def make_secrets() -> dict[str, str]:
    """Made once per state directory; kept in stack.json only."""
    return {
        "fernet": urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "jwt": secrets.token_urlsafe(64),
        "web": secrets.token_urlsafe(32),
        "password": secrets.token_urlsafe(9),
        "manager": secrets.token_urlsafe(9),
    }


def environment(stack: State, root: Path, *, metadata_url: str, port: int, hidden: Mapping[str, str]) -> dict[str, str]:
    """What every Airflow component sees, the connections of the demo system included.

    ``dags/`` and ``plugins/`` are the checkout's own. The sleep and heartbeat settings trade a little idle processor
    time for tasks that start within half a second.
    """
    home = stack.directory / "airflow"
    connections = {
        f"AIRFLOW_CONN_{name.upper()}": json.dumps(value) for name, value in stack.read()["connections"].items()
    }
    return connections | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(root / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(root / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "6",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__FERNET_KEY": hidden["fernet"],
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{ADMIN}:admin,{MANAGER}:op",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url(port)}/execution/",
        "AIRFLOW__API__HOST": LOOPBACK,
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": url(port),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__SECRET_KEY": hidden["web"],
        "AIRFLOW__API_AUTH__JWT_SECRET": hidden["jwt"],
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": metadata_url.replace("postgresql://", "postgresql+psycopg2://", 1),
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.25",
        "AIRFLOW__SCHEDULER__TRIGGER_TIMEOUT_CHECK_INTERVAL": "2",
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
        # A file that changed is read at once; one that did not takes seconds of processor time for nothing.
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "300",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "CLO_OPS_MODE": "demo",
        # The demo starts its runs itself; only incidents start theirs. Left to the clock, a first start would make up
        # for this morning's at once, before the system is up, and the next ones would find no backup made overnight.
        "CLO_OPS_SCHEDULED": "",
        "CLO_OPS_EVIDENCE": f"file://{stack.directory / 'evidence'}",
        "GX_ANALYTICS_ENABLED": "false",
        "PYTHONPATH": str(root / "plugins"),
        "PYTHONUNBUFFERED": "1",
        # A machine's proxy is not for the loopback.
        "NO_PROXY": "*",
    }


def services(port: int, root: Path) -> list[Service]:
    """The four components. They keep imported modules, so a change in plugins/ or include/ starts them anew."""
    code = of_code(root / "plugins", root / "include")
    return [_component(name, port, code) for name in COMPONENTS]


def _component(name: str, port: int, code: str) -> Service:
    web = name == "api-server"
    options = ("--skip-serve-logs",) if name in WITHOUT_LOG_SERVER else ()
    return Service(
        f"airflow-{name}",
        command=(sys.executable, "-m", "airflow", name, *options),
        environment="airflow",
        ready=f"{url(port)}/api/v2/version" if web else "",
        port=port if web else 0,
        code=code,
        start_seconds=180.0,
        stop_seconds=15.0,
    )


def write_passwords(stack: State, hidden: Mapping[str, str]) -> None:
    """SimpleAuthManager reads its users' passwords from this file."""
    passwords = {ADMIN: hidden["password"], MANAGER: hidden.get("manager", hidden["password"])}
    write_private(stack.directory / "airflow" / "passwords.json", json.dumps(passwords))


def migrate(stack: State) -> None:
    """Make or update the metadata database. Raises MigrationFailed."""
    log = stack.log("airflow-migrate")
    log.parent.mkdir(parents=True, exist_ok=True)
    values = control.environment_of(stack, Service("migrate", environment="airflow"))
    with log.open("ab") as output:
        done = subprocess.run(
            [sys.executable, "-m", "airflow", "db", "migrate"],
            env=values,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode:
        raise MigrationFailed(f"airflow db migrate ended {done.returncode}; see {log}: {log.read_text()[-500:]}")


def smtp_connection(port: int) -> dict[str, Any]:
    extra = {"tls": "none", "disable_tls": True, "disable_ssl": True, "from_email": "clo-ops@demo.example"}
    return {"conn_type": "smtp", "host": LOOPBACK, "port": port, "extra": json.dumps(extra)}
