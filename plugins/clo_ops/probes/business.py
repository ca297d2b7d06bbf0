"""Ask the application's own tables what the business did: calculations, reports, logins, users of the last 24 hours.

Used by DM-07 (manual L23) and whoever reports on business metrics (L44). The tables are named in include/sql/source
only. The synthetic account's own doings are left out of every figure (D48, D61).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from clo_ops.findings import Answer, Measurement
from clo_ops.probes.postgres import connect, rows
from clo_ops.probes.reaching import Unreachable, nobody_answered
from clo_ops.probes.targets import PostgresTarget

DAY = timedelta(hours=24)
STATISTICS = ("mean", "p95", "max")
Reading = Callable[[dict[str, Any], datetime], Iterator[Measurement]]


def business(target: PostgresTarget, synthetic_user: str, *, at: datetime, window: timedelta = DAY) -> Answer:
    """``clo.*`` of the ``window`` before ``at``. Durations in seconds, labelled mean, p95 and max.

    A duration is measured only where something was completed: of nothing there is no mean. Each of the four
    questions is asked for itself; one that fails is unanswered and hides no other.
    """
    values = {"since": at - window, "until": at, "synthetic_user": synthetic_user}
    try:
        with connect(target) as connection:
            return sum((_ask(connection, target, name, values) for name in QUESTIONS), Answer())
    except Unreachable as error:
        return nobody_answered(map(_question, QUESTIONS), target, "PostgreSQL", error.reason)


def _ask(connection: Any, target: PostgresTarget, name: str, values: dict[str, Any]) -> Answer:
    import psycopg

    try:
        (row,) = rows(connection, name, values)
    except psycopg.Error as error:
        said = " ".join(str(error).split())
        return nobody_answered([_question(name)], target, f"include/sql/{name}.sql", said)
    return Answer.of(QUESTIONS[name](row, values["until"]))


def _question(name: str) -> str:
    return name.removeprefix("source/").replace("_", " ")


def _jobs(kind: str) -> Reading:
    def read(row: dict[str, Any], at: datetime) -> Iterator[Measurement]:
        for state in ("completed", "failed", "running"):
            yield Measurement(f"clo.{kind}.{state}", row[state], "count", at)
        for statistic in STATISTICS:
            if row[f"{statistic}_s"] is not None:
                seconds, labels = row[f"{statistic}_s"], {"statistic": statistic}
                yield Measurement(f"clo.{kind}.duration", seconds, "s", at, labels)

    return read


def _logins(row: dict[str, Any], at: datetime) -> Iterator[Measurement]:
    yield Measurement("clo.login.count", row["accepted"], "count", at)
    yield Measurement("clo.login.failed", row["refused"], "count", at)


def _users(row: dict[str, Any], at: datetime) -> Iterator[Measurement]:
    yield Measurement("clo.user.active", row["users"], "count", at)


QUESTIONS: dict[str, Reading] = {
    "source/calculation_statistics": _jobs("calculation"),
    "source/report_statistics": _jobs("report"),
    "source/login_statistics": _logins,
    "source/active_users": _users,
}
