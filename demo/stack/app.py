"""The services of the CLO system itself: what they are told, how they are started, how operations reach them."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.stack.fingerprint import of_code
from demo.stack.ports import LOOPBACK
from demo.stack.postgres import Cluster
from demo.stack.redis import Redis
from demo.stack.state import Service

TOTP_INTERVAL = 5  # seconds; the usual 30 would make every second login of a morning wait for its next code
DATABASE = "clo"
SERVICES = ("api", "frontend", "worker")


@dataclass(frozen=True, slots=True)
class Ports:
    api: int
    frontend: int
    worker: int


def environment(state: Path, cluster: Cluster, redis: Redis, ports: Ports, root: Path) -> dict[str, str]:
    """What every process of the CLO system sees; secrets only here and in stack.json."""
    return {
        "CLO_DATABASE_URL": cluster.url(DATABASE, "clo_app"),
        "CLO_BACKUP_URL": cluster.url(DATABASE, "clo_backup"),
        "CLO_READER_URL": cluster.url(DATABASE, "clo_ops_reader"),
        "CLO_REDIS_URL": redis.url(),
        "CLO_STATE_DIR": str(state),
        "CLO_BACKUP_DIR": str(state / "backups"),
        "CLO_PG_BIN": str(cluster.bin),
        "CLO_TOTP_INTERVAL": str(TOTP_INTERVAL),
        "CLO_API_URL": f"http://{LOOPBACK}:{ports.api}",
        "CLO_FRONTEND_ORIGIN": f"http://{LOOPBACK}:{ports.frontend}",
        "CLO_WORKER_HOST": LOOPBACK,
        "CLO_WORKER_PORT": str(ports.worker),
        "CLO_WORKER_URL": f"http://{LOOPBACK}:{ports.worker}",
        "PYTHONPATH": str(root),
        "PYTHONUNBUFFERED": "1",
    }


def services(ports: Ports, root: Path) -> list[Service]:
    code = of_code(root / "demo" / "app")
    return [
        _web("api", ports.api, code),
        _web("frontend", ports.frontend, code),
        Service(
            "worker",
            command=(sys.executable, "-m", "demo.app.worker"),
            environment="clo",
            ready=f"tcp://{LOOPBACK}:{ports.worker}",
            port=ports.worker,
            code=code,
        ),
    ]


def _web(name: str, port: int, code: str) -> Service:
    target = f"demo.app.{name}:app"
    options = ("--host", LOOPBACK, "--port", str(port), "--no-access-log", "--timeout-graceful-shutdown", "3")
    return Service(
        name,
        command=(sys.executable, "-m", "uvicorn", target, *options),
        environment="clo",
        ready=f"http://{LOOPBACK}:{port}/health",
        port=port,
        code=code,
    )


def connections(
    state: Path, cluster: Cluster, redis: Redis, ports: Ports, account: Mapping[str, str]
) -> dict[str, dict[str, Any]]:
    """Airflow connections, by id, that reach the CLO system; ``account`` is the synthetic user's."""
    extra = {"totp_secret": account["totp_secret"], "totp_interval": TOTP_INTERVAL}
    return {
        "clo_postgres": postgres_connection(cluster, DATABASE, "clo_ops_reader"),
        "clo_redis": {"conn_type": "redis", "host": LOOPBACK, "port": redis.port, "password": redis.password},
        "clo_redis_maintenance": {
            "conn_type": "redis",
            "host": LOOPBACK,
            "port": redis.port,
            "login": redis.maintainer[0],
            "password": redis.maintainer[1],
        },
        "clo_api": {
            "conn_type": "http",
            "host": f"http://{LOOPBACK}:{ports.api}",
            "login": account["username"],
            "password": account["password"],
            "extra": json.dumps(extra),
        },
        "clo_frontend": {"conn_type": "http", "host": f"http://{LOOPBACK}:{ports.frontend}"},
        "clo_worker": {"conn_type": "http", "host": f"http://{LOOPBACK}:{ports.worker}"},
        "clo_archive": {
            "conn_type": "generic",
            "extra": json.dumps({"url": f"file://{state / 'archive'}"}),
        },
        "clo_anchor": {
            "conn_type": "generic",
            "extra": json.dumps({"url": f"file://{state / 'anchor'}"}),
        },
        "clo_backups": {
            "conn_type": "generic",
            "extra": json.dumps({"url": f"file://{state / 'backups'}", "storage_options": {}}),
        },
        "clo_backup_source": postgres_connection(cluster, DATABASE, "clo_backup"),
        "clo_postgres_maintenance": postgres_connection(cluster, DATABASE, "clo_ops_maintainer"),
        "clo_postgres_retention": postgres_connection(cluster, DATABASE, "clo_ops_retention"),
        "clo_postgres_accounts": postgres_connection(cluster, DATABASE, "clo_ops_accounts"),
        "clo_host_app1": {
            "conn_type": "generic",
            "extra": json.dumps({"transport": "local", "logs": str(state / "logs")}),
        },
    }


def postgres_connection(cluster: Cluster, database: str, user: str) -> dict[str, Any]:
    return {
        "conn_type": "postgres",
        "host": LOOPBACK,
        "port": cluster.port,
        "login": user,
        "password": cluster.password(user),
        "schema": database,
        "extra": json.dumps({"sslmode": "disable"}),
    }
