"""The CLO system to be looked after: its hosts, services and endpoints. Connections are Airflow connection ids."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self, TypeVar

from pydantic import AfterValidator, Field, model_validator

from clo_ops.findings import Severity
from clo_ops.policy.base import Cited, Flag, Frozen, Model, Positive, Text, Texts, unique
from clo_ops.policy.limits import CitedTimeLimits
from clo_ops.policy.units import refuse

# What a service's check needs to know besides its connection.
NEEDS = {"systemd": ("unit", "host"), "container": ("container", "host"), "http": ("path",), "tcp": ()}


class Host(Cited):
    """A machine; ``cpu``, ``memory`` and ``disk`` name the thresholds it is held to."""

    name: Text
    connection: Text
    mounts: Annotated[Texts, Field(min_length=1, description="at least one mount")]
    cpu: Text = "cpu"
    memory: Text = "memory"
    disk: Text = "disk"


class Service(Cited):
    """Something that must be running. http: GET ``connection`` + ``path``; tcp: the connection's host and port;
    systemd and container: asked on ``host`` over that host's connection."""

    name: Text
    component: Text
    check: Literal["systemd", "container", "http", "tcp"]
    connection: Text | None = None
    host: Text | None = None
    unit: Text | None = None
    container: Text | None = None
    path: Text | None = None
    severity: Severity
    critical: Flag

    @model_validator(mode="after")
    def _complete(self) -> Self:
        needed = NEEDS[self.check] + (("connection",) if self.check in ("http", "tcp") else ())
        missing = [key for key in needed if getattr(self, key) is None]
        if missing:
            raise refuse("nothing", f"a value: check {self.check} needs {', '.join(needed)}", key=missing[0])
        return self


class BodyCheck(Model):
    """What a JSON body must hold: ``equals`` key by key, ``has`` the keys, ``contains`` a text anywhere."""

    equals: Annotated[Mapping[str, str], *Frozen] = Field(default_factory=dict)
    has: Texts = ()
    contains: Text | None = None


class Endpoint(CitedTimeLimits):
    """DM-13. ``path`` below ``connection``'s base URL; ``authenticated`` ones carry the synthetic account's token."""

    name: Text
    connection: Text = "clo_api"
    method: Literal["GET", "HEAD", "POST"] = "GET"
    path: Text
    authenticated: Flag = False
    expect_status: Positive
    body: BodyCheck | None = None
    severity: Severity


Named = TypeVar("Named", Host, Service, Endpoint)


def _named_once(given: tuple[Named, ...]) -> tuple[Named, ...]:
    unique([one.name for one in given], "names")
    return given


Hosts = Annotated[tuple[Host, ...], AfterValidator(_named_once)]
Services = Annotated[tuple[Service, ...], AfterValidator(_named_once)]
Endpoints = Annotated[tuple[Endpoint, ...], AfterValidator(_named_once)]
