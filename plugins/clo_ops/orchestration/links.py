"""Where people are sent: the incident's page in the Airflow UI, and the signed link by which it is taken."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from clo_ops.findings import CloOpsError

if TYPE_CHECKING:
    from clo_ops.policy import Policy

PAGES = "/clo-ops"
SECRET = "CLO_OPS_LINK_SECRET"  # noqa: S105 - the name of the variable


class LinkRefused(CloOpsError):
    """The signed link is not ours, too old, or was used before."""


@dataclass(frozen=True, slots=True)
class Taking:
    """What a signed link stands for: one of these people takes this incident, until ``expires`` (UTC)."""

    incident: int
    people: tuple[str, ...]
    expires: datetime

    @property
    def step(self) -> str:
        """The name under which the ledger remembers that the link was used."""
        return f"link of {', '.join(self.people)} until {self.expires.isoformat()}"


def secret() -> bytes:
    """CLO_OPS_LINK_SECRET, else a key derived from Airflow's own secret, which all its components share."""
    own = os.environ.get(SECRET)
    if not own:
        from airflow.sdk.configuration import conf

        own = conf.get("api", "secret_key", fallback="") or conf.get("api_auth", "jwt_secret", fallback="")
    return hashlib.sha256(b"clo_ops acknowledge link\0" + own.encode()).digest() if own else b""


def sign(taking: Taking, key: bytes) -> str:
    """The token of a link: readable, and worthless once a character of it was changed."""
    facts = [taking.incident, list(taking.people), int(taking.expires.timestamp())]
    body = _text(json.dumps(facts, separators=(",", ":")).encode())
    return f"{body}.{_text(_mac(body, key))}"


def verify(token: str, key: bytes, now: datetime) -> Taking:
    """What a token stands for. Raises LinkRefused for one that is not ours, or too old."""
    body, _, mac = token.partition(".")
    if not key or not hmac.compare_digest(mac.encode(), _text(_mac(body, key)).encode()):
        raise LinkRefused("this link was not made here, or was changed", next_step="open the incident in Airflow")
    incident, people, expires = json.loads(_bytes(body))
    taking = Taking(incident, tuple(people), datetime.fromtimestamp(expires, tz=UTC))
    if now > taking.expires:
        raise LinkRefused(
            f"this link was good until {taking.expires:%Y-%m-%d %H:%M} UTC", next_step="open the incident in Airflow"
        )
    return taking


def base_url() -> str:
    """Where people open Airflow."""
    from airflow.sdk.configuration import conf

    return str(conf.get("api", "base_url", fallback="http://localhost:8080")).rstrip("/")


class AirflowLinks:
    """Links into this Airflow (``escalation.sighting.Links``)."""

    def __init__(self, policy: Policy) -> None:
        self._valid_for = policy.alerting.acknowledge_link.valid_for

    def incident(self, incident: int) -> str:
        return f"{base_url()}{PAGES}/incidents/{incident}"

    def acknowledge(self, incident: int, people: Sequence[str], at: datetime) -> str:
        """Empty where there is no secret to sign with: the incident's page does instead."""
        key = secret()
        taking = Taking(incident, tuple(people), at + self._valid_for)
        return f"{base_url()}{PAGES}/take/{sign(taking, key)}" if key else ""


def _mac(body: str, key: bytes) -> bytes:
    return hmac.digest(key, body.encode(), "sha256")


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
