"""Whom a probe asks: named and bounded, and with no secret in its repr.

Airflow connections become targets in ``clo_ops.orchestration.connections``; tests build them by hand.
Timeouts are seconds. ``client_name`` is ``clo_ops/<dag>/<task>`` and is what the other side sees.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class PostgresTarget:
    host: str
    port: int
    database: str
    user: str
    password: str = field(repr=False, default="")
    sslmode: str = "prefer"
    client_name: str = "clo_ops"
    connect_timeout: float = 5.0
    lock_timeout: float = 2.0
    statement_timeout: float = 30.0

    def __str__(self) -> str:
        return f"postgresql://{self.user}@{self.host}:{self.port}/{self.database}"


@dataclass(frozen=True, slots=True)
class RedisTarget:
    host: str
    port: int
    database: int = 0
    username: str | None = None
    password: str | None = field(repr=False, default=None)
    tls: bool = False
    client_name: str = "clo_ops"
    timeout: float = 5.0

    def __str__(self) -> str:
        return f"redis://{self.host}:{self.port}/{self.database}"


@dataclass(frozen=True, slots=True)
class WebTarget:
    base_url: str
    client_name: str = "clo_ops"
    connect_timeout: float = 5.0
    read_timeout: float = 10.0
    verify: bool | str = True

    def __str__(self) -> str:
        return self.base_url


@dataclass(frozen=True, slots=True)
class Account:
    """The synthetic account of resolution D61: least privilege, its own second factor."""

    username: str
    password: str = field(repr=False)
    totp_secret: str = field(repr=False, default="")
    totp_interval: int = 30


@dataclass(frozen=True, slots=True)
class HostTarget:
    """A host, reached by SSH, asked on this machine (``local``), or known to Prometheus by its instance label.

    ``logs`` is the directory there that relative paths of alerting.yaml's ``error_logs`` are below.
    """

    name: str
    transport: Literal["ssh", "local", "prometheus"]
    address: str = ""
    port: int = 22
    user: str = ""
    password: str | None = field(repr=False, default=None)
    key_file: str | None = None
    private_key: str | None = field(repr=False, default=None)
    host_key: str | None = None
    known_hosts_file: str | None = None
    connect_timeout: float = 5.0
    command_timeout: float = 20.0
    logs: str = ""

    def __str__(self) -> str:
        return (
            f"ssh://{self.user}@{self.address}:{self.port}"
            if self.transport == "ssh"
            else f"{self.transport}:{self.name}"
        )


@dataclass(frozen=True, slots=True)
class PrometheusTarget:
    base_url: str
    client_name: str = "clo_ops"
    timeout: float = 10.0

    def __str__(self) -> str:
        return self.base_url


@dataclass(frozen=True, slots=True)
class BackupRepository:
    """Any fsspec URL: ``file:///backups``, ``s3://bucket/prefix`` ..."""

    url: str
    storage_options: Mapping[str, Any] = field(repr=False, default_factory=dict)

    def __str__(self) -> str:
        return self.url


@dataclass(frozen=True, slots=True)
class DockerTarget:
    """A Docker engine: ``unix:///var/run/docker.sock`` or ``tcp://host:2376`` with the files of its TLS."""

    url: str = "unix:///var/run/docker.sock"
    ca_cert: str | None = None
    client_cert: str | None = None
    client_key: str | None = None

    def __str__(self) -> str:
        return self.url
