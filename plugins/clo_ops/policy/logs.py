"""Which logs there are, of which class, how they are read and for how long they lie where (manual L355-L368)."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from clo_ops.policy.base import Cited, Count, Flag, Frozen, Model, Positive, Text, Texts, unique
from clo_ops.policy.units import Bytes, Duration, Number, refuse

Form = Literal["json", "postgresql", "text"]
LogClass = Literal["application_logs", "access_logs", "security_logs", "audit_logs", "system_logs"]
Classes = Annotated[tuple[LogClass, ...], Field(min_length=1, description="classes of retention.yaml")]
ROTATED_FORM = 'a file name with * in it and no folder, such as "api.jsonl.*"'
PATH_FORM = 'a path without "..", such as "api.jsonl" or "/var/log/clo/api.jsonl"'
TABLE_FORM = 'a table, with its schema or without, such as "public.login_attempts"'
MARK_FORM = "a regular expression of Python in one line; what it names (?P<ms>...) or (?P<bytes>...) is added up"
IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?")


def _rotated(given: Any) -> str:
    if not isinstance(given, str) or "*" not in given.strip("*") + "*" or "/" in given or len(given.strip("*?.")) < 3:
        raise refuse(given, ROTATED_FORM)
    if "*" not in given or "\n" in given:
        raise refuse(given, ROTATED_FORM)
    return given


def _path(given: Any) -> str:
    if not isinstance(given, str) or not given or "\n" in given or ".." in given.split("/"):
        raise refuse(given, PATH_FORM)
    if posixpath.basename(given) in ("", "."):
        raise refuse(given, PATH_FORM)
    return given


def _table(given: Any) -> str:
    if not isinstance(given, str) or not IDENTIFIER.fullmatch(given):
        raise refuse(given, TABLE_FORM)
    return given


def _expression(given: Any) -> str:
    try:
        re.compile(given)
    except (re.error, TypeError):
        raise refuse(given, MARK_FORM) from None
    if not given or "\n" in given:
        raise refuse(given, MARK_FORM)
    return str(given)


Rotated = Annotated[str, BeforeValidator(_rotated), Field(description=ROTATED_FORM)]
LogPath = Annotated[str, BeforeValidator(_path), Field(description=PATH_FORM)]
TableName = Annotated[str, BeforeValidator(_table), Field(description=TABLE_FORM)]
Expression = Annotated[str, BeforeValidator(_expression), Field(description=MARK_FORM)]


class Fields(Model):
    """Where a JSON line holds what: names of its keys. ``ms`` is a request's time in milliseconds."""

    at: Text = "at"
    level: Text = "level"
    message: Text = "event"
    method: Text = "method"
    endpoint: Text = "endpoint"
    status: Text = "status"
    ms: Text = "ms"


class LogFile(Cited):
    """A log on a host of hosts.yaml. A relative ``path`` lies below ``logs`` of that host's connection.

    ``rotated`` is what its rotated files are called, in the same folder; without it they are not ours to touch.
    ``classes`` are all that apply: the longest wins. ``daily``: a day without a line is a gap. ``may_be_missing``: a
    site without it is not applicable instead of unknown. ``archive_after``: a rotated file this old is compressed into
    the archive and leaves the host; without it it stays until it is due.
    """

    name: Text
    host: Text
    path: LogPath
    rotated: Rotated | None = None
    classes: Classes
    form: Form
    fields: Fields = Fields()
    daily: Flag = True
    may_be_missing: Flag = False
    archive_after: Duration | None = None


class LogTable(Cited):
    """A table of the CLO database whose rows are log records. ``at`` is the column that says how old a row is."""

    table: TableName
    at: TableName
    classes: Classes


class Mark(Cited):
    """Lines worth counting by name: those of logs in this form whose message ``matches``.

    More than ``most`` of them in a day (strictly) warn; without it they are only told.
    """

    name: Text
    form: Form
    matches: Expression
    about: Literal["performance", "security"]
    most: Count | None = None


class LogHold(Model):
    """Nothing of these classes and days is removed: ``since`` .. ``until``, UTC, both included; open without until."""

    name: Text
    reason: Text
    since: date
    until: date | None = None
    classes: Annotated[tuple[LogClass, ...], Field(description="empty: of every class")] = ()

    @model_validator(mode="after")
    def _forwards(self) -> Self:
        if self.until is not None and self.until < self.since:
            raise refuse(self.until, f"{self.since} or later", key="until")
        return self

    def concerns(self, classes: tuple[str, ...]) -> bool:
        return not self.classes or bool(set(self.classes) & set(classes))

    @property
    def begins(self) -> datetime:
        return datetime.combine(self.since, time(), UTC)

    @property
    def ends(self) -> datetime | None:
        """The first moment it no longer holds; None where it is open."""
        return None if self.until is None else datetime.combine(self.until + timedelta(days=1), time(), UTC)


class LogReading(Cited):
    """How much of a log one look reads, how long it may take, and how many different signatures a day may have."""

    most_bytes: Bytes
    within: Duration
    most_signatures: Positive
    longest_signature: Positive


class Usage(Cited):
    """What a day's requests are held to: see thresholds.yaml for times, alerting.yaml for errors."""

    minimum_requests: Positive
    slowest: Positive


class LogTrends(Cited):
    """What is growing: this week's lines strictly above median + max(k x 1.4826 x MAD, k x sqrt(median)) of the weeks.

    ``weeks`` are looked back at; fewer than ``minimum_weeks`` are a history too short to say so. Below
    ``minimum_lines`` in a week nothing is called growing or vanished.
    """

    weeks: Positive
    minimum_weeks: Positive
    k: Number
    minimum_lines: Positive
    named: Positive


class LogRemoval(Cited):
    """Rows go in batches with a pause between, at most so many in one run; files at most so many."""

    batch: Positive
    pause: Duration
    most_rows: Positive
    most_files: Positive
    lock_timeout: Duration
    statement_timeout: Duration
    sanity: Annotated[Number, Field(description="the largest share of a table that may go in one run, 0 to 1")]
    archive_folder: Text


class TaskLogs(Cited):
    """Airflow's own task logs on the machine the task runs on (class task_logs of retention.yaml)."""

    folder: Text
    most_files: Positive


def _differ(given: tuple[Any, ...]) -> tuple[Any, ...]:
    unique([getattr(one, "name", None) or one.table for one in given], "names")
    return given


class Logs(Model):
    """logs.yaml."""

    files: Annotated[tuple[LogFile, ...], AfterValidator(_differ)]
    tables: Annotated[tuple[LogTable, ...], AfterValidator(_differ)]
    marks: Annotated[tuple[Mark, ...], AfterValidator(_differ)]
    errors: Annotated[Mapping[Form, Texts], *Frozen, Field(description="levels that are errors, by form")]
    reading: LogReading
    usage: Usage
    trends: LogTrends
    removal: LogRemoval
    task_logs: TaskLogs | None = None
    holds: Annotated[tuple[LogHold, ...], AfterValidator(_differ)] = ()

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.trends.minimum_weeks > self.trends.weeks:
            raise refuse(self.trends.minimum_weeks, f"at most weeks ({self.trends.weeks})", key="trends.minimum_weeks")
        if not 0 < self.removal.sanity <= 1:
            raise refuse(self.removal.sanity, "above 0 and at most 1", key="removal.sanity")
        return self
