"""How the watch looks, when it keeps quiet, and who is on call (manual L38, L319, L452-L456)."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, model_validator

from clo_ops.findings import Severity
from clo_ops.policy.base import Cited, Model, Positive, Text, Texts, unique
from clo_ops.policy.severities import TermField
from clo_ops.policy.units import Duration, Percent, local_time, refuse

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
# Names that stand for whoever the rota names at the time.
ON_CALL: dict[str, Literal["primary", "secondary"]] = {
    "primary on call": "primary",
    "secondary on call": "secondary",
}
PATTERN_FORM = 'an extended regular expression (grep -E) in one line, such as "ERROR|FATAL"'
WEEKLY_FORM = 'a weekday and a time, such as "Mon 09:00"'


class Watch(Cited):
    """One look ``every`` so often; a probe silent for ``answer_within`` has no data in that look.

    An incident no run took up is announced to Airflow again after ``announce_again``, then after twice that, and so on.
    """

    every: Duration
    answer_within: Duration
    silent_for: Duration
    announce_again: Duration

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not timedelta(0) < self.answer_within < self.every:
            raise refuse(self.answer_within, f"above 0 and below every ({self.every})", key="answer_within")
        if self.silent_for < 3 * self.every:
            raise refuse(self.silent_for, f"at least three looks ({3 * self.every})", key="silent_for")
        if self.announce_again < 3 * self.every:
            raise refuse(self.announce_again, f"at least three looks ({3 * self.every})", key="announce_again")
        return self


class Flapping(Cited):
    """``changes`` turns of level within ``within``; over after ``quiet`` without any (rules.alerts.Damping)."""

    changes: Positive
    within: Duration
    quiet: Duration

    @model_validator(mode="after")
    def _is_more_than_an_alert(self) -> Self:
        if self.changes < 3:
            raise refuse(self.changes, "3 or more: an alert and its all-clear are two", key="changes")
        return self


def _weekly(given: Any) -> tuple[int, str]:
    day, _, clock = given.partition(" ") if isinstance(given, str) else ("", "", "")
    if day not in WEEKDAYS:
        raise refuse(given, WEEKLY_FORM)
    return WEEKDAYS.index(day), f"{local_time(clock):%H:%M}"


def _as_written(moment: tuple[int, str]) -> str:
    return f"{WEEKDAYS[moment[0]]} {moment[1]}"


class Override(Model):
    """Days on which somebody else is on call: ``from`` and ``until`` are both included."""

    first: Annotated[date, Field(alias="from")]
    until: date
    role: Literal["primary", "secondary"]
    person: Text

    @model_validator(mode="after")
    def _forwards(self) -> Self:
        if self.until < self.first:
            raise refuse(self.until, f"{self.first} or later", key="until")
        return self


class Rota(Cited):
    """Who is on call; with several names each takes a week, from one hand-over to the next."""

    hand_over: Annotated[tuple[int, str], BeforeValidator(_weekly), PlainSerializer(_as_written)]
    primary: Annotated[Texts, Field(min_length=1)]
    secondary: Annotated[Texts, Field(min_length=1)]
    overrides: tuple[Override, ...] = ()


class Response(Cited):
    """What incident_response holds an incident to (manual L259-L283, resolution D42)."""

    immediate_within: Duration
    investigated_within: Duration
    draft_within: Duration
    stable_for: Duration
    review_of: tuple[Severity, ...]
    review_within: TermField


class AcknowledgeLink(Cited):
    valid_for: Duration


class SecondPath(Cited):
    """The Airflow connection that holds an Apprise URL; used once mail has been undeliverable for ``after``."""

    connection: Text
    after: Duration


class ErrorRate(Model):
    """Shares of all requests, in percent; strictly more warns or fails."""

    warning: Percent
    critical: Percent

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.warning < self.critical:
            raise refuse(f"{self.warning:g} %", f"below critical ({self.critical:g} %)", key="warning")
        return self


class ApplicationMetrics(Cited):
    """Where the application's own counters are (BH-03). ``failed`` begins every value of the label that is an error."""

    connection: Text
    path: Text
    requests: Text
    status_label: Text
    failed: Text
    duration: Text
    longest_window: Duration
    minimum_requests: Positive
    error_rate: ErrorRate


def _pattern(given: Any) -> str:
    """An extended regular expression for grep on the host; Python's own check finds what is plainly none."""
    try:
        re.compile(given)
    except (re.error, TypeError):
        raise refuse(given, PATTERN_FORM) from None
    if not given or "\n" in given:
        raise refuse(given, PATTERN_FORM)
    return str(given)


class ErrorLog(Cited):
    """A log whose error lines are counted (LM-02).

    ``path`` is on ``host`` (of hosts.yaml); a relative one lies below ``logs`` of that host's connection. ``errors`` is
    what an error line matches. ``component`` is what writes it: the vendor to call is found by it.
    """

    name: Text
    host: Text
    path: Text
    errors: Annotated[str, BeforeValidator(_pattern), Field(description=PATTERN_FORM)]
    component: Text | None = None


def _differ(given: tuple[ErrorLog, ...]) -> tuple[ErrorLog, ...]:
    unique([one.name for one in given], "names")
    return given


class Alerting(Model):
    """alerting.yaml."""

    watch: Watch
    flapping: Flapping
    rota: Rota
    response: Response
    acknowledge_link: AcknowledgeLink
    second_path: SecondPath
    application_metrics: ApplicationMetrics
    error_logs: Annotated[tuple[ErrorLog, ...], AfterValidator(_differ)]
