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
from clo_ops.policy.units import Bytes, Duration, refuse

SERVERS = ("primary", "standby")
IN_BRACES = re.compile(r"\{([a-z][a-z0-9_]*)\}")
WORDS = frozenset(
    {"database_url", "database_host", "database_port", "database_name", "database_user", "database_password",
     "secret", "state", "bind", "port"}
)  # fmt: skip
Check = Literal["health", "login", "portfolios", "calculation", "websocket"]


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
    ``{database_password}``, ``{secret}`` (made for this run), ``{state}`` (a private folder), ``{bind}``, ``{port}``
    (its own), and ``{<part>_host}``, ``{<part>_port}`` of every part with a port. ``local`` ones can also be started
    as a process, where a drill runs without a container engine."""

    name: Text
    image: Text
    user: Text | None = None
    command: Texts = ()
    environment: Annotated[Mapping[str, str], *Frozen] = Field(default_factory=dict)
    port: Positive | None = None
    memory: Bytes
    local: Flag = False


class Calls(Model):
    """Where the application's smoke checks ask: ``ready`` says that it listens, ``health`` with ``health_body`` that
    all of it works. ``role`` is what the synthetic account is given, on the restored copy only, so that it may order
    a calculation."""

    ready: Text
    health: Text
    health_body: BodyCheck
    portfolios: Text
    calculations: Text
    role: Text
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
