"""What a drill is asked to do, what it aims at, and the bounds of its throw-away place (ED-05, M3-01 to M3-08)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from clo_ops.policy.backups import Taking, Verification
from clo_ops.policy.base import Cited, Flag, Frozen, Model, Positive, Text, Texts
from clo_ops.policy.failover import Application, Failover, Replication
from clo_ops.policy.proof import Proof
from clo_ops.policy.units import Bytes, Duration, Number, as_text, refuse

PlaceKind = Literal["docker", "local"]
Part = Literal["restore", "failover", "application"]
BackupFrom = Literal["auto", "bind", "stream"]
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
Setting = Annotated[str, Field(strict=True, description='a setting as PostgreSQL reads it, in quotes: "off", 16GB')]
Settings = Annotated[Mapping[Text, Setting], *Frozen]


def _compiles(given: str) -> str:
    try:
        re.compile(given)
    except re.error as error:
        raise refuse(given, f"a regular expression ({error})") from None
    return given


def _image(given: str) -> str:
    try:
        given.format(major=15)
    except (KeyError, IndexError, ValueError):
        raise refuse(given, 'an image with "{major}" where the major version goes, such as postgres:{major}') from None
    return given


Pattern = Annotated[Text, AfterValidator(_compiles)]
Image = Annotated[Text, AfterValidator(_image)]


class Targets(Cited):
    """How long the system may be gone (``rto``) and how much work may be lost (``rpo``): D64."""

    rto: Duration
    rpo: Duration


class DrillTerms(Cited):
    """``expires`` after its start, a drill's place is removed by the reaper whoever left it."""

    place: PlaceKind
    expires: Duration
    ready_within: Duration
    restore_within: Duration
    weekly_restore_day: Weekday

    @model_validator(mode="after")
    def _outlives_the_restore(self) -> Self:
        if self.expires <= self.restore_within:
            allowed = f"longer than restore_within ({as_text(self.restore_within)})"
            raise refuse(as_text(self.expires), allowed, "the reaper would remove a drill that runs", key="expires")
        return self


class DockerLimits(Cited):
    """The container. ``memory`` is for PostgreSQL itself; data held in memory (tmpfs) come on top of it.

    ``backup_from``: ``bind`` mounts the backup read-only from the worker's disk, ``stream`` copies it into a volume
    of the engine, ``auto`` binds where the engine can see the file and the container's user may read it.
    """

    engine: Text
    image: Image
    user: Text
    memory: Bytes
    cpus: Number
    pids: Positive
    shared_memory: Bytes
    tmpfs_up_to: Bytes
    backup_from: BackupFrom


class LocalPlaceTerms(Cited):
    """Where throw-away clusters are made when a drill runs without a Docker engine; ``{uid}`` is the user's number."""

    directory: Text


class ThrowAway(Cited):
    """Settings of the restored server; ``restore_only`` or ``failover`` come on top, by the parts of the drill."""

    values: Settings
    restore_only: Settings
    failover: Settings

    def of(self, parts: frozenset[str]) -> dict[str, str]:
        return {**self.values, **(self.failover if "failover" in parts else self.restore_only)}


class GuardTerms(Cited):
    """Room is enough when ``headroom`` times the expected size fits and the free figures remain.

    The expected size is the database's own in the manifest or the largest an earlier drill measured; where neither
    is known, the archive's size times ``expansion_factor``.
    """

    expansion_factor: Number
    headroom: Number
    free_disk_after: Bytes
    free_memory_after: Bytes


class Said(Model):
    """A line of pg_restore's or psql's stderr that matches ``pattern``, and why it is judged so."""

    pattern: Pattern
    why: Text


class RestoreTerms(Cited):
    """``jobs`` of pg_restore; what its stderr may say. A line that matches nothing is unknown, and fails."""

    jobs: Positive
    tolerated: tuple[Said, ...]
    fatal: tuple[Said, ...]


class ReportTerms(Cited):
    """Which groups of contacts.yaml get the report of a drill, red or green."""

    to: Texts


class Recovery(Model):
    """recovery.yaml."""

    targets: Targets
    drill: DrillTerms
    docker: DockerLimits
    local: LocalPlaceTerms
    settings: ThrowAway
    guard: GuardTerms
    restore: RestoreTerms
    proof: Proof
    taking: Taking
    verification: Verification
    failover: Failover
    replication: Replication
    application: Application
    report: ReportTerms


class DrillSpec(Model):
    """What the form asks for. ``backup`` is "newest", "random" or the name of a file of the repository."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    backup: Text = "newest"
    parts: frozenset[Part] = frozenset({"restore", "failover", "application"})
    keep: Flag = False
    rto: Duration
    rpo: Duration
    place: PlaceKind = "docker"

    @model_validator(mode="after")
    def _restores(self) -> Self:
        if "restore" not in self.parts:
            raise refuse(", ".join(sorted(self.parts)), "parts that hold restore", "every other part needs it", "parts")
        return self

    @classmethod
    def of(cls, recovery: Recovery, **chosen: object) -> DrillSpec:
        """The policy's targets and place, with what the form says over them. Raises pydantic.ValidationError."""
        said = {key: value for key, value in chosen.items() if value is not None}
        targets = {"rto": recovery.targets.rto, "rpo": recovery.targets.rpo, "place": recovery.drill.place}
        return cls.model_validate({**targets, **said})
