"""What the third week's failover test (M3-04 to M3-06, manual L210-L213) measures against, and the application it
starts. Sections of recovery.yaml.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from clo_ops.policy.base import Cited, Flag, Frozen, Model, Positive, Text, Texts, unique
from clo_ops.policy.limits import TimeLimits
from clo_ops.policy.system import BodyCheck
from clo_ops.policy.units import Bytes, Duration, as_text, refuse

SERVERS = ("primary", "standby")
IN_BRACES = re.compile(r"\{([a-z][a-z0-9_]*)\}")
WORDS = frozenset(
    {"database_url", "database_host", "database_port", "database_name", "database_user", "database_password",
     "secret", "state", "bind", "port", "totp_interval"}
)  # fmt: skip
Check = Literal["health", "login", "portfolios", "calculation", "websocket"]
PasswordHash = Literal["argon2", "bcrypt"]


class SizeLimits(Model):
    """More bytes than ``warning`` warns, more than ``critical`` fails (both strictly)."""

    warning: Bytes
    critical: Bytes

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.warning < self.critical:
            raise refuse(self.warning, f"smaller than critical ({self.critical} B)", "lower it", key="warning")
        return self


class Failover(Cited):
    """M3-04, M3-05. ``promotion`` bounds the time from the cut to the first write the promoted standby takes;
    ``lag`` what the standby had not received when the drill began to write, once it had caught up."""

    caught_up_within: Duration
    write_for: Duration
    minimum_markers: Positive
    promotion_within: Duration
    promotion: TimeLimits
    lag: SizeLimits


class Replication(Cited):
    """Production's own replication, only looked at. A name in ``standbys`` that is not streaming fails; without names
    a server that replicates nowhere is not applicable."""

    standbys: Texts = ()
    lag: SizeLimits
    lag_time: TimeLimits
    slot_retained: SizeLimits


class Part(Model):
    """One container of the application. ``{name}`` in its command and environment is filled in when it starts:
    ``{database_url}``, ``{database_host}``, ``{database_port}``, ``{database_name}``, ``{database_user}``,
    ``{database_password}``, ``{secret}`` (made for this run), ``{totp_interval}`` (seconds, of the drill's account),
    ``{state}`` (a private folder), ``{bind}``, ``{port}`` (its own), and ``{<part>_host}``,
    ``{<part>_port}`` of every part with a port. ``local`` ones can also be started as a process, where a drill runs
    without a container engine."""

    name: Text
    image: Text
    user: Text | None = None
    command: Texts = ()
    environment: Annotated[Mapping[str, str], *Frozen] = Field(default_factory=dict)
    port: Positive | None = None
    memory: Bytes
    local: Flag = False


class DrillAccount(Model):
    """Whom the smoke checks log in as: made in the restored copy, with secrets drawn for this run, so that a backup of
    any age can be drilled. ``password_hash`` is how the application keeps passwords, ``totp_interval`` how long one
    code of its second factor is good, ``role`` the application role that may order a calculation."""

    username: Text
    role: Text
    password_hash: PasswordHash
    second_factor: Flag
    totp_interval: Duration

    @model_validator(mode="after")
    def _whole_seconds(self) -> Self:
        seconds = self.totp_interval.total_seconds()
        if seconds < 1 or seconds % 1:
            raise refuse(
                as_text(self.totp_interval), "whole seconds, 1 or more", "RFC 6238 counts them", "totp_interval"
            )
        return self


class CallFields(Model):
    """What the application calls things: the list of portfolios in its answer, the deal a calculation is ordered of,
    the job it becomes, and of a job its status, result and error."""

    portfolios: Text
    deal: Text
    job: Text
    status: Text
    result: Text
    error: Text


class Calls(Model):
    """Where the application's smoke checks ask: ``ready`` says that it listens, ``health`` with ``health_body`` that
    all of it works. A calculation that is ordered is answered with the status ``accepted`` and is ``running`` until it
    is ``completed``."""

    ready: Text
    health: Text
    health_body: BodyCheck
    portfolios: Text
    calculations: Text
    accepted: Positive
    running: Texts
    completed: Text
    fields: CallFields
    calculation_within: Duration


class Application(Cited):
    """M3-06. ``parts`` are started in their order, each with ``environment`` under its own; ``web`` is the one that is
    asked. ``database_role`` logs in to the throw-away database with a password made for this run."""

    database_role: Text
    web: Text
    ready_within: Duration
    environment: Annotated[Mapping[str, str], *Frozen] = Field(default_factory=dict)
    parts: tuple[Part, ...]
    checks: tuple[Check, ...]
    account: DrillAccount
    calls: Calls

    @property
    def entrance(self) -> Part:
        return next(part for part in self.parts if part.name == self.web)

    def words(self) -> frozenset[str]:
        """Everything that may stand in braces."""
        hosts = {f"{part.name}_{what}" for part in self.parts if part.port for what in ("host", "port")}
        return WORDS | hosts

    @model_validator(mode="after")
    def _sound(self) -> Self:
        unique([part.name for part in self.parts], "names")
        unique(list(self.checks), "checks")
        if not any(part.name == self.web and part.port for part in self.parts):
            raise refuse(self.web, "the name of a part with a port", key="web")
        if not self.checks:
            raise refuse("no check", "at least one", key="checks")
        for name in (part.name for part in self.parts if part.name in SERVERS):
            raise refuse(name, "a name other than those of the drill's servers", "rename the part", key="parts")
        return self

    @model_validator(mode="after")
    def _knows_its_words(self) -> Self:
        texts = [*self.environment.values()]
        for part in self.parts:
            texts += [*part.command, *part.environment.values()]
        unknown = sorted({word for text in texts for word in IN_BRACES.findall(text)} - self.words())
        if unknown:
            raise refuse(", ".join(unknown), f"one of {', '.join(sorted(self.words()))}", key="parts")
        return self
