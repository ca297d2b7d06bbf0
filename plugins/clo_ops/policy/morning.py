"""What the morning start-up (DM-01 to DM-15, manual L9-L36) measures against."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from clo_ops.policy.base import Cited, Count, Frozen, Model, Positive, Text, Texts, unique
from clo_ops.policy.limits import CitedTimeLimits, TimeLimits
from clo_ops.policy.units import Duration, Number, Percent, Unit, UtcTime, as_text, refuse

Worse = Literal["higher", "lower", "either"]


class Connections(Cited):
    """DM-05. Shares of the pool and of the server's max_connections; strictly greater than is over (15, 18 of 20)."""

    pool_size: Positive
    pool_users: Texts = ()
    pool_applications: Texts = ()
    warning_percent: Percent
    critical_percent: Percent
    idle_in_transaction: TimeLimits
    blocked: TimeLimits

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.warning_percent < self.critical_percent:
            allowed = f"below critical_percent ({self.critical_percent:g} %)"
            raise refuse(f"{self.warning_percent:g} %", allowed, "lower it", key="warning_percent")
        return self


class SizeBand(Model):
    """A backup's size as a ratio to the median of the ``of_last`` ones before it."""

    lowest: Number
    highest: Number
    of_last: Positive

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not 0 < self.lowest < 1 < self.highest:
            raise refuse(f"{self.lowest:g} to {self.highest:g}", "a band round 1, such as 0.5 to 2.0", key="lowest")
        return self


class Backups(Cited):
    """DM-04. ``pattern`` is a file-name glob below the URL of ``connection``."""

    connection: Text
    database: Text
    pattern: Text
    daily_at: UtcTime
    interval: Duration
    maximum_age: Duration
    size_band: SizeBand
    minimum_history: Positive

    @model_validator(mode="after")
    def _older_than_its_interval(self) -> Self:
        if self.maximum_age < self.interval:
            raise refuse(
                as_text(self.maximum_age),
                f"not below interval ({as_text(self.interval)})",
                "allow time for the backup to run",
                key="maximum_age",
            )
        return self


class Statements(Cited):
    """DM-06. Statements of ``exclude_users`` (probes, pg_dump) are left out; a mean is held against ``slow_mean``."""

    top: Positive
    slow_mean: TimeLimits
    minimum_share: Percent
    minimum_calls: Positive
    exclude_users: Texts = ()


class BaselineMetric(Model):
    """One metric of the morning record; ``labels`` are those a series must carry at least."""

    metric: Text
    unit: Unit
    labels: Annotated[Mapping[str, str], *Frozen] = Field(default_factory=dict)
    worse: Worse = "higher"


class Baseline(Cited):
    """DM-07. The fixed set of metrics stored once per morning."""

    metrics: tuple[BaselineMetric, ...]

    @model_validator(mode="after")
    def _named_once(self) -> Self:
        unique([f"{one.metric} {dict(one.labels) or ''}".strip() for one in self.metrics], "metrics")
        return self

    def names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one.metric for one in self.metrics))


class TrendResource(Model):
    """Where there are levels, they alone decide: the line must be on its way over one of them.

    Over ``warning_level`` within the horizon warns, over ``critical_level`` within the trend's ``critical_within``
    fails. ``warn_change_percent`` decides only for a resource without levels. ``threshold`` names a threshold whose
    levels are meant; they are then filled in when loading.
    """

    metric: Text
    unit: Unit
    labels: Annotated[Mapping[str, str], *Frozen] = Field(default_factory=dict)
    warn_change_percent: Percent
    threshold: Text | None = None
    warning_level: Number | None = None
    critical_level: Number | None = None

    @model_validator(mode="after")
    def _both_levels_or_none(self) -> Self:
        if self.threshold is not None and self.warning_level is not None:
            raise refuse("threshold and warning_level", "one of them", "remove one", key="warning_level")
        if (self.warning_level is None) != (self.critical_level is None):
            raise refuse(self.critical_level, "warning_level and critical_level, or neither", key="critical_level")
        return self


class Trend(Cited):
    """DM-08. Windows are counted in mornings; a window with fewer than ``minimum_mornings(window)`` is not judged."""

    windows: tuple[Positive, ...]
    minimum_share: Percent
    significance: Number
    horizon: Duration
    critical_within: Duration
    resources: tuple[TrendResource, ...]

    def minimum_mornings(self, window: int) -> int:
        """How many of the last ``window`` mornings must have been recorded: 5 of 7, 20 of 28."""
        return math.ceil(round(window * self.minimum_share / 100, 6))

    def resource(self, metric: str) -> TrendResource | None:
        return next((one for one in self.resources if one.metric == metric), None)

    @model_validator(mode="after")
    def _sound(self) -> Self:
        unique([one.metric for one in self.resources], "metrics")
        if not 0 < self.significance <= 0.2:
            raise refuse(self.significance, "above 0 and at most 0.2", key="significance")
        if not self.windows or min(self.windows) < 3:
            raise refuse(list(self.windows), "windows of 3 mornings or more", key="windows")
        if self.critical_within > self.horizon:
            allowed = f"at most horizon ({as_text(self.horizon)})"
            raise refuse(as_text(self.critical_within), allowed, key="critical_within")
        return self


class MinimumBand(Model):
    """The narrowest band worth a word: ``absolute`` in ``unit``, or ``relative_percent`` of the median."""

    absolute: Number | None = None
    unit: Unit | None = None
    relative_percent: Percent | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.absolute is None) == (self.relative_percent is None):
            raise refuse(
                "absolute and relative_percent" if self.absolute is not None else "neither",
                "one of absolute (with unit) and relative_percent",
            )
        if (self.absolute is None) != (self.unit is None):
            raise refuse(self.unit, "a unit where there is an absolute figure, and only there", key="unit")
        return self

    def width(self, median: float) -> float:
        """Half the band's width in the metric's unit, round ``median``."""
        if self.absolute is not None:
            return self.absolute
        return abs(median) * (self.relative_percent or 0.0) / 100


class Anomalies(Cited):
    """DM-09. The band is median ± max(k · mad_scale · MAD, minimum band); days and weeks are those of history.

    Outside warns; further than ``critical_widths`` times half the band's width from the median, on the side that is
    worse for the metric, fails.
    """

    k: Number
    mad_scale: Number
    critical_widths: Number
    minimum_days: Positive
    same_weekday_from: Positive
    lookback: Duration
    minimum_band: Annotated[Mapping[Text, MinimumBand], *Frozen]

    def minimum_width(self, metric: str, median: float) -> float:
        """Half the narrowest band for ``metric``; 0 where the policy has none."""
        band = self.minimum_band.get(metric)
        return 0.0 if band is None else band.width(median)


class LoginFields(Model):
    """What the API calls things in the login's request and answer; ``identity`` is the name in who one is."""

    username: Text
    password: Text
    code: Text
    token: Text
    lifetime: Text
    refusal: Text
    identity: Text


class Access(Cited):
    """DM-10 to DM-12. The synthetic account (D61) is the login of ``connection``. A refusal that says
    ``second_factor_words`` is one of the second factor."""

    connection: Text
    login_path: Text
    logout_path: Text
    me_path: Text
    wrong_password_suffix: Text
    refused_status: Positive
    second_factor_words: Text
    fields: LoginFields
    clock_tolerance: Duration
    session_max_age: Duration
    session_connection: Text
    session_key_pattern: Text
    expired_warning: Count
    orphaned_warning: Count


class Asset(Model):
    """A file the page needs, and the content types it may come with."""

    path: Text
    content_types: Texts


class Frontend(CitedTimeLimits):
    """DM-14. ``warning`` and ``critical`` bound the total time of the page and all its assets."""

    connection: Text
    path: Text
    title: Text
    marker: Text
    assets: tuple[Asset, ...]

    @model_validator(mode="after")
    def _named_once(self) -> Self:
        unique([one.path for one in self.assets], "assets")
        return self


class WebSocket(Cited):
    """DM-15. ``send`` goes out with a fresh value under ``nonce``; ``expect`` must come back with the same value.

    ``welcome`` is the message the channel opens with; empty where it has none.
    """

    connection: Text
    path: Text
    token_parameter: Text
    welcome: Annotated[Mapping[str, str], *Frozen]
    send: Annotated[Mapping[str, str], *Frozen]
    expect: Annotated[Mapping[str, str], *Frozen]
    nonce: Text
    handshake: TimeLimits
    round_trip: TimeLimits


class Night(Cited):
    """DM-02. The night is what happened since the last end of day."""

    starts: UtcTime

    def window(self, at: datetime) -> tuple[datetime, datetime]:
        """From ``starts`` on the day before ``at`` (aware) until ``at``."""
        day_before = (at.astimezone(self.starts.tzinfo) - timedelta(days=1)).date()
        return datetime.combine(day_before, self.starts), at


class Morning(Model):
    """morning.yaml."""

    night: Night
    connections: Connections
    backups: Backups
    statements: Statements
    baseline: Baseline
    trend: Trend
    anomalies: Anomalies
    access: Access
    frontend: Frontend
    websocket: WebSocket
