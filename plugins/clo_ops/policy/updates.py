"""updates.yaml: what counts as pending, by which source, and how what was approved is rolled out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from clo_ops.policy.base import Cited, Count, Frozen, Model, Text, Texts, unique
from clo_ops.policy.maintenance import Authorised
from clo_ops.policy.units import Duration, refuse

MINOR = r"^\d+\.\d+$"


class Place(Model):
    """Something asked over HTTP: an Airflow connection, and the path below its base URL."""

    connection: Text
    path: Text


class Told(Place):
    """A value in a JSON answer, by dotted key."""

    field: Text


class HostUpdates(Cited):
    """``security_within``: a security fix that is pending for longer fails (strictly)."""

    lists_not_older_than: Duration
    security_within: Duration


class KnownVersion(Model):
    """The newest minor version somebody looked up on ``as_of``; ``until`` is the last day of support."""

    newest: Annotated[str, Field(pattern=MINOR, description='a version such as "15.20"')]
    as_of: date
    until: date


class Behind(Model):
    """How many minor versions behind; more than ``warning`` warns, more than ``critical`` fails."""

    warning: Count
    critical: Count


class PostgresVersions(Cited):
    feed: Place | None = None
    known: Annotated[Mapping[str, KnownVersion], *Frozen]
    not_older_than: Duration
    behind: Behind

    @model_validator(mode="after")
    def _of_its_major(self) -> Self:
        for major, one in self.known.items():
            if one.newest.partition(".")[0] != major:
                raise refuse(one.newest, f"a version of {major}", key=f"known.{major}.newest")
        return self


class Releases(Cited):
    """A release with a security fix that is out for longer than ``security_within`` fails (strictly)."""

    security_within: Duration


class Deployer(Model):
    """``command`` on ``host`` (of hosts.yaml) is given the version to deploy, and is given the old one to go back."""

    host: Text
    command: Text


class Application(Cited):
    """``feed``, ``running`` and ``deployer`` may each be missing: then there is no source, or a person deploys."""

    name: Text
    feed: Place | None = None
    running: Told | None = None
    deployer: Deployer | None = None


def _told_apart(given: tuple[Application, ...]) -> tuple[Application, ...]:
    unique([one.name for one in given], "names")
    return given


class Rollout(Cited):
    """How the approved plan is carried out: one host at a time, its old packages kept, the system looked at after.

    ``security_only`` are windows in which a host is updated only where it gets nothing but security fixes.
    """

    by_hand: Texts
    security_only: Texts
    way_back: Annotated[str, Field(pattern=r"^/[\w./-]+$", description="an absolute path without spaces")]
    host_within: Duration
    settle: Duration
    look_every: Duration
    approver: Authorised
    approval_holds: Duration


class Index(Told):
    """``path`` has ``{package}`` where the name goes; ``field`` is where the answer has the newest version."""

    @model_validator(mode="after")
    def _of_a_package(self) -> Self:
        if "{package}" not in self.path:
            raise refuse(self.path, "a path with {package} in it", key="path")
        return self


class Libraries(Cited):
    """Where the newest version of a Python package is told; flaws are asked as controls.yaml says (VUL-01, VUL-02)."""

    index: Index | None = None


class Updates(Model):
    """updates.yaml."""

    hosts: HostUpdates
    postgres: PostgresVersions
    applications: Annotated[tuple[Application, ...], AfterValidator(_told_apart)]
    releases: Releases
    libraries: Libraries
    rollout: Rollout
