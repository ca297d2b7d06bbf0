"""Airflow connections become the probes' targets: named after the task that asks, bounded, no secret in a repr."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from clo_ops.findings import ConfigurationError
from clo_ops.probes.targets import (
    Account,
    BackupRepository,
    DockerTarget,
    HostTarget,
    PostgresTarget,
    PrometheusTarget,
    RedisTarget,
    WebTarget,
)

if TYPE_CHECKING:
    from airflow.sdk import Connection

    from clo_ops.escalation.outbox import SmtpTarget
    from clo_ops.ledger import Ledger
    from clo_ops.ledger.evidence import EvidenceStore
    from clo_ops.policy import Policy


def airflow_connection(conn_id: str) -> Connection:
    """The Airflow connection, or a ConfigurationError that says how to make it."""
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        return BaseHook.get_connection(conn_id)
    except AirflowNotFoundException as error:
        raise ConfigurationError(
            f"there is no Airflow connection {conn_id!r}",
            allowed="a connection of this id, in Airflow's database, a secrets backend or the environment",
            next_step=f"set AIRFLOW_CONN_{conn_id.upper()} or use 'airflow connections add' (docs/connect.md)",
        ) from error


def _required(connection: Connection, *fields: str) -> None:
    missing = [name for name in fields if not getattr(connection, name)]
    if missing:
        raise ConfigurationError(
            f"Airflow connection {connection.conn_id!r} has no {', '.join(missing)}",
            allowed=f"a value for each of {', '.join(fields)}",
            next_step="complete the connection (docs/connect.md)",
        )


class Connections:
    """Everything one task may ask, under the name ``clo_ops/<dag>/<task>``.

    ``get`` fetches a connection by id; outside Airflow (tests, benchmarks) pass a lookup of your own. Each property
    raises ConfigurationError where its connection is missing or incomplete.
    """

    def __init__(self, client_name: str, get: Callable[[str], Connection] = airflow_connection) -> None:
        self.client_name = client_name
        self._get = get

    @cached_property
    def postgres(self) -> PostgresTarget:
        return self._postgres("clo_postgres")

    def _postgres(self, conn_id: str) -> PostgresTarget:
        connection = self._get(conn_id)
        _required(connection, "host", "login", "schema")
        return PostgresTarget(
            host=str(connection.host),
            port=connection.port or 5432,
            database=str(connection.schema),
            user=str(connection.login),
            password=connection.password or "",
            sslmode=connection.extra_dejson.get("sslmode", "prefer"),
            client_name=self.client_name,
        )

    @cached_property
    def redis(self) -> RedisTarget:
        return self._redis("clo_redis")

    @cached_property
    def redis_maintenance(self) -> RedisTarget:
        """The cache as maintenance sees it: reads every key, removes those policy names, gives memory back."""
        return self._redis("clo_redis_maintenance")

    def _redis(self, conn_id: str) -> RedisTarget:
        connection = self._get(conn_id)
        _required(connection, "host")
        extra = connection.extra_dejson
        return RedisTarget(
            host=str(connection.host),
            port=connection.port or 6379,
            database=int(extra.get("db", 0)),
            username=connection.login or None,
            password=connection.password or None,
            tls=bool(extra.get("ssl", False)),
            client_name=self.client_name,
        )

    @cached_property
    def api(self) -> WebTarget:
        return self.web("clo_api")

    @cached_property
    def frontend(self) -> WebTarget:
        return self.web("clo_frontend")

    def web(self, conn_id: str) -> WebTarget:
        connection = self._get(conn_id)
        _required(connection, "host")
        host = str(connection.host)
        if "://" not in host:
            port = f":{connection.port}" if connection.port else ""
            host = f"{connection.schema or 'http'}://{host}{port}"
        verify = connection.extra_dejson.get("verify", True)
        return WebTarget(base_url=host.rstrip("/"), client_name=self.client_name, verify=verify)

    @cached_property
    def account(self) -> Account:
        connection = self._get("clo_api")
        _required(connection, "login", "password")
        extra = connection.extra_dejson
        return Account(
            username=str(connection.login),
            password=str(connection.password),
            totp_secret=extra.get("totp_secret", ""),
            totp_interval=int(extra.get("totp_interval", 30)),
        )

    @cached_property
    def backups(self) -> BackupRepository:
        return self._repository("clo_backups")

    @cached_property
    def archive(self) -> BackupRepository:
        """Where audit rows and logs go when they leave the live system."""
        return self._repository("clo_archive")

    def repository(self, conn_id: str) -> BackupRepository:
        """A repository that policy names."""
        return self._repository(conn_id)

    def _repository(self, conn_id: str) -> BackupRepository:
        connection = self._get(conn_id)
        extra = connection.extra_dejson
        if not extra.get("url"):
            raise ConfigurationError(
                f"Airflow connection {conn_id!r} has no url in its extra",
                allowed='extra {"url": "<any fsspec URL>", "storage_options": {...}}',
                next_step="complete the connection (docs/connect.md)",
            )
        return BackupRepository(url=extra["url"], storage_options=extra.get("storage_options", {}))

    @cached_property
    def backup_source(self) -> PostgresTarget:
        """The database as the backup's role sees it: pg_read_all_data, and INSERT on backup_canary."""
        return self._postgres("clo_backup_source")

    @cached_property
    def maintenance(self) -> PostgresTarget:
        """The database as maintenance sees it: a member of the owner's role, so that it may VACUUM and REINDEX."""
        return self._postgres("clo_postgres_maintenance")

    @cached_property
    def retention(self) -> PostgresTarget:
        """The database as retention sees it: it reads and deletes rows of the log tables, and nothing else."""
        return self._postgres("clo_postgres_retention")

    @cached_property
    def accounts(self) -> PostgresTarget | None:
        """The database as what disables accounts sees it; without the connection nothing is ever disabled."""
        try:
            return self._postgres("clo_postgres_accounts")
        except ConfigurationError:
            return None

    @cached_property
    def docker(self) -> DockerTarget | None:
        """The Docker engine of the drills; without the connection that of recovery.yaml, which is no error."""
        try:
            connection = self._get("clo_docker")
        except ConfigurationError:
            return None
        extra = connection.extra_dejson
        _required(connection, "host")
        tls = {name: extra.get(name) for name in ("ca_cert", "client_cert", "client_key")}
        return DockerTarget(url=str(connection.host), **tls)

    @cached_property
    def prometheus(self) -> PrometheusTarget | None:
        """Prometheus, where the site has one: without the connection there is none, which is no error."""
        try:
            connection = self._get("clo_prometheus")
        except ConfigurationError:
            return None
        return PrometheusTarget(base_url=str(connection.host).rstrip("/"), client_name=self.client_name)

    def host(self, name: str, conn_id: str) -> HostTarget:
        connection = self._get(conn_id)
        extra = connection.extra_dejson
        if extra.get("transport", "ssh") != "ssh":
            return HostTarget(
                name=name, transport=extra["transport"], address=connection.host or "", logs=extra.get("logs", "")
            )
        _required(connection, "host", "login")
        return HostTarget(
            name=name,
            transport="ssh",
            address=str(connection.host),
            port=connection.port or 22,
            user=str(connection.login),
            password=connection.password or None,
            key_file=extra.get("key_file"),
            private_key=extra.get("private_key"),
            host_key=extra.get("host_key"),
            known_hosts_file=extra.get("known_hosts_file"),
            logs=extra.get("logs", ""),
        )

    def of_endpoints(self, policy: Policy) -> dict[str, WebTarget]:
        """Where the endpoints of endpoints.yaml are, by connection id, but for the API's own."""
        return {conn_id: self.web(conn_id) for conn_id in {one.connection for one in policy.endpoints} - {"clo_api"}}

    def of_services(self, policy: Policy) -> dict[str, HostTarget | PostgresTarget | RedisTarget | WebTarget]:
        """What the services of services.yaml name: hosts by their name, everything else by its connection's id."""
        targets: dict[str, HostTarget | PostgresTarget | RedisTarget | WebTarget] = {
            host.name: self.host(host.name, host.connection) for host in policy.hosts
        }
        for conn_id in {service.connection for service in policy.services if service.connection}:
            targets[conn_id] = self._of_service(conn_id)
        return targets

    def _of_service(self, conn_id: str) -> PostgresTarget | RedisTarget | WebTarget:
        if conn_id == "clo_redis":
            return self.redis
        return self.postgres if conn_id == "clo_postgres" else self.web(conn_id)

    @cached_property
    def smtp(self) -> SmtpTarget:
        from clo_ops.escalation.outbox import SmtpTarget

        connection = self._get("clo_smtp")
        _required(connection, "host")
        extra = connection.extra_dejson
        return SmtpTarget(
            host=str(connection.host),
            port=connection.port or 587,
            user=connection.login or "",
            password=connection.password or "",
            tls=extra.get("tls", "starttls"),
            sender=extra.get("from_email", ""),
        )

    def ledger(self) -> Ledger:
        """A new ledger, to be closed by whoever asked for it."""
        from clo_ops.ledger import Ledger

        target = self._postgres("clo_ledger")
        return Ledger(ledger_url(target), client_name=self.client_name)

    def evidence(self) -> EvidenceStore:
        from clo_ops.ledger.evidence import EvidenceStore

        return EvidenceStore(evidence_url())


def ledger_url(target: PostgresTarget) -> Any:
    """The SQLAlchemy URL of the ledger; its password shows as *** wherever it is printed."""
    from sqlalchemy import URL

    return URL.create(
        "postgresql+psycopg",
        username=target.user,
        password=target.password,
        host=target.host,
        port=target.port,
        database=target.database,
        query={"sslmode": target.sslmode},
    )


def evidence_url() -> str:
    """Where evidence is kept: CLO_OPS_EVIDENCE, any fsspec URL; else a folder in Airflow's home."""
    home = os.environ.get("AIRFLOW_HOME", os.path.expanduser("~/airflow"))  # noqa: PTH111 - Airflow's own default
    return os.environ.get("CLO_OPS_EVIDENCE") or f"file://{home}/evidence"
