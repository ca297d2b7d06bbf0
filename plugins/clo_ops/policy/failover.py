"""What the third week's failover test (M3-04 to M3-06, manual L210-L213) measures against, and the application it
starts. Sections of recovery.yaml.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from clo_ops.policy.base import Cited, Flag, Frozen, Model, Positive, Text, Texts, unique
from clo_ops.policy.limits import TimeLimits
from clo_ops.policy.units import Bytes, Duration, refuse

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
    """One container of the application. ``{name}`` in a value is filled in when it starts: ``{database_url}``,
    ``{database_host}``, ``{database_port}``, ``{database_name}``, ``{database_user}``, ``{database_password}``,
    ``{secret}`` (made for this run), ``{state}`` (a private folder), ``{bind}``, ``{port}`` (its own), and
    ``{<part>_host}``, ``{<part>_port}`` of every part with a port. ``local`` parts can also be started as a process."""

    name: Text
    image: Text
    command: Texts = ()
    environment: Annotated[Mapping[str, str], *Frozen] = Field(default_factory=dict)
    port: Positive | None = None
    local: Flag = False


class Calls(Model):
    """Where the application's smoke checks ask. ``role`` of the application is what the synthetic account is given,
    on the throw-away database only, so that it may order a calculation."""

    health: Text
    portfolios: Text
    calculations: Text
    role: Text
    calculation_within: Duration


class Application(Cited):
    """M3-06. ``parts`` are started in their order; ``web`` is the one that is asked. ``database_role`` logs in to the
    throw-away database with a password made for this run."""

    database_role: Text
    web: Text
    ready_within: Duration
    parts: tuple[Part, ...]
    checks: tuple[Check, ...]
    calls: Calls

    @property
    def entrance(self) -> Part:
        return next(part for part in self.parts if part.name == self.web)

    @model_validator(mode="after")
    def _sound(self) -> Self:
        unique([part.name for part in self.parts], "names")
        unique(list(self.checks), "checks")
        if not any(part.name == self.web and part.port for part in self.parts):
            raise refuse(self.web, "the name of a part with a port", key="web")
        if not self.checks:
            raise refuse("no check", "at least one", key="checks")
        return self
