"""Airflow's connections read from the environment alone, for what must work while Airflow does not.

The same variables Airflow reads (``AIRFLOW_CONN_<ID>``), as JSON or as a URI, and nothing of Airflow is imported.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from sqlalchemy import URL

from clo_ops.escalation.outbox import SmtpTarget
from clo_ops.findings import ConfigurationError

PREFIX = "AIRFLOW_CONN_"


@dataclass(frozen=True, slots=True)
class Given:
    """One connection as written in the environment."""

    host: str = ""
    port: int | None = None
    login: str = ""
    password: str = field(repr=False, default="")
    schema: str = ""
    extra: Mapping[str, Any] = field(repr=False, default_factory=dict)


def connection(conn_id: str, environment: Mapping[str, str]) -> Given | None:
    """The connection, None where the environment has none. Raises ConfigurationError for what cannot be read."""
    name = f"{PREFIX}{conn_id.upper()}"
    text = environment.get(name, "").strip()
    if not text:
        return None
    try:
        return _from_json(json.loads(text)) if text.startswith("{") else _from_uri(text)
    except (ValueError, TypeError) as error:
        raise ConfigurationError(  # the text itself holds a password
            f"{name} is neither JSON nor a URI ({type(error).__name__})",
            allowed='{"conn_type": "...", "host": "...", ...} or type://login:password@host:port/schema',
            next_step="see docs/connect.md",
        ) from None


def required(conn_id: str, environment: Mapping[str, str]) -> Given:
    """The connection. Raises ConfigurationError where it is missing or has no host."""
    given = connection(conn_id, environment)
    if given is None or not given.host:
        raise ConfigurationError(
            f"{PREFIX}{conn_id.upper()} is not in the environment, or has no host",
            allowed="the connection as Airflow reads it from the environment",
            next_step="give the watchdog the same environment as Airflow (docs/watchdog.md)",
        )
    return given


def _from_json(facts: Mapping[str, Any]) -> Given:
    extra = facts.get("extra") or {}
    return Given(
        host=str(facts.get("host") or ""),
        port=int(facts["port"]) if facts.get("port") else None,
        login=str(facts.get("login") or ""),
        password=str(facts.get("password") or ""),
        schema=str(facts.get("schema") or ""),
        extra=json.loads(extra) if isinstance(extra, str) else dict(extra),
    )


def _from_uri(text: str) -> Given:
    parts = urlsplit(text)
    asked = dict(parse_qsl(parts.query))
    return Given(
        host=unquote(parts.hostname or ""),
        port=parts.port,
        login=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        schema=unquote(parts.path.lstrip("/")),
        extra=json.loads(asked["__extra__"]) if "__extra__" in asked else asked,
    )


def ledger_url(environment: Mapping[str, str]) -> URL:
    """Where the ledger is (clo_ledger)."""
    given = required("clo_ledger", environment)
    return URL.create(
        "postgresql+psycopg",
        username=given.login or None,
        password=given.password or None,
        host=given.host,
        port=given.port or 5432,
        database=given.schema,
        query={"sslmode": str(given.extra.get("sslmode", "prefer"))},
    )


def smtp(environment: Mapping[str, str]) -> SmtpTarget:
    """The mail server (clo_smtp)."""
    given = required("clo_smtp", environment)
    return SmtpTarget(
        host=given.host,
        port=given.port or 587,
        user=given.login,
        password=given.password,
        tls=given.extra.get("tls", "starttls"),
        sender=given.extra.get("from_email", ""),
    )


def second_path_urls(conn_id: str, environment: Mapping[str, str]) -> str:
    """The Apprise URLs in the connection's password; empty where there is no second path."""
    given = connection(conn_id, environment)
    return given.password if given else ""
