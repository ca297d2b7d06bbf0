"""Where the demo system is: told by <state>/stack.json, else by the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import redis
from psycopg.rows import dict_row


class PlaceUnknown(RuntimeError):
    """Neither stack.json nor the environment says where this part of the system is."""


@dataclass(frozen=True, slots=True)
class Places:
    state: Path

    def variable(self, name: str, default: str = "") -> str:
        """A variable of the API's environment. Raises PlaceUnknown when it is nowhere and has no default."""
        found = self._api_environment().get(name) or os.environ.get(name) or default
        if not found:
            raise PlaceUnknown(f"{name} is neither in {self.state / 'stack.json'} nor in the environment")
        return found

    def _api_environment(self) -> dict[str, str]:
        from demo.stack.state import State

        stack = State(self.state).read()
        group = stack["services"].get("api", {}).get("definition", {}).get("environment", "")
        found: dict[str, str] = stack["environments"].get(group, {})
        return found

    @property
    def database_url(self) -> str:
        return self.variable("CLO_DATABASE_URL")

    @property
    def backups(self) -> Path:
        return Path(self.variable("CLO_BACKUP_DIR", str(self.state / "backups")))

    def aside(self, name: str) -> Path:
        """Where a switch keeps the files it took away."""
        return self.state / "switches" / name

    def database(self) -> psycopg.Connection[dict[str, Any]]:
        return psycopg.connect(
            self.database_url,
            autocommit=True,
            row_factory=dict_row,
            application_name="clo-switches",
            connect_timeout=5,
            options="-c statement_timeout=15000 -c lock_timeout=5000",
        )

    def superuser(self) -> psycopg.Connection[dict[str, Any]]:
        """The CLO database as its superuser: of the cluster in the state directory, else by CLO_SUPERUSER_URL."""
        from demo.stack.postgres import Cluster

        cluster = Cluster(self.state / "postgres")
        url = cluster.url("clo") if cluster.users else self.variable("CLO_SUPERUSER_URL")
        return psycopg.connect(
            url, autocommit=True, row_factory=dict_row, application_name="clo-switches", connect_timeout=5
        )

    def redis(self) -> redis.Redis:
        url = self.variable("CLO_REDIS_URL")
        return redis.Redis.from_url(url, decode_responses=True, socket_timeout=5, socket_connect_timeout=5)
