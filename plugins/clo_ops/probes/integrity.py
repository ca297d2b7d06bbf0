"""Ask a CLO database whether it means what it should: the invariants of include/checks, one query each.

``verdicts`` is the plain way, inside a backup's own snapshot; ``ask`` is the drill's, with Great Expectations and its
Data Docs. Both run the same statements with the same bound, so that their numbers can be held against each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from clo_ops.findings import Answer, Measurement, Unanswered
from clo_ops.probes.checks import Check, Suite, checks, suites
from clo_ops.probes.expectations import NotConnected, Verdict, validator
from clo_ops.probes.postgres import TRIED, connect, rows
from clo_ops.probes.reaching import Unreachable
from clo_ops.probes.targets import PostgresTarget
from clo_ops.probes.violators import COUNTED, Violators, wrapped

if TYPE_CHECKING:
    import psycopg
    from psycopg.rows import DictRow


def verdicts(connection: psycopg.Connection[DictRow], at: datetime) -> dict[str, int]:
    """Violations by invariant, counted up to 100,000, at the moment ``at``.

    Runs in whatever transaction is open on ``connection`` (dict rows). An invariant whose tables or columns this
    database does not have, or may not be read, has no verdict: it is not in the mapping.
    """
    from psycopg.errors import InsufficientPrivilege, UndefinedColumn, UndefinedFunction, UndefinedTable

    found = {}
    with connection.transaction(force_rollback=True):  # the settings are the caller's again afterwards
        rows(connection, "integrity_session")
        for one in checks():
            with suppress(UndefinedTable, UndefinedColumn, UndefinedFunction, InsufficientPrivilege):
                found[one.invariant] = _count(connection, one, at)
    return found


def _count(connection: psycopg.Connection[DictRow], check: Check, at: datetime) -> int:
    values = {"limit": COUNTED, "at": at, "shown": 1}
    with connection.transaction():
        row = connection.execute(wrapped(check.sql).encode(), values).fetchone()
    assert row is not None  # noqa: S101 - an aggregate has one row
    return int(row["violations"])


def ask(target: PostgresTarget, *, at: datetime, evidence: Path | None = None, workers: int = 1) -> Answer:
    """``integrity.violations`` (count, at most 100,000) by {invariant, suite, severity}, its detail the first keys.

    ``at`` is the moment that counts as now: a backup's snapshot. Great Expectations' Data Docs are written below
    ``evidence``; they hold keys and counts, never a row's values. An invariant the database cannot be asked about (a
    table is missing, time ran out) is unanswered by itself. ``target.statement_timeout`` bounds each invariant;
    ``workers`` sessions ask them side by side.
    """
    try:
        with connect(target):
            pass
    except Unreachable as error:
        return error.unanswered("the invariants", target, TRIED)
    now = datetime.now(UTC)
    try:
        judged = _judged(target, at.isoformat(), evidence, workers)
    except NotConnected as error:
        return Answer.of((), [Unanswered("the invariants", str(target), "Great Expectations", str(error), now)])
    return Answer.of(_measured(judged, now), _open(judged, target, now))


def _judged(target: PostgresTarget, at: str, evidence: Path | None, workers: int) -> list[tuple[Suite, Verdict]]:
    """The queries begin before the library is imported, and run on while it works."""
    queries = [check.sql for suite in suites() for check in suite.checks]
    with Violators(target, queries, at, workers) as asked, validator(target, evidence, asked.answer) as made:
        return [(suite, one) for suite in suites() for one in made.validate(suite, at)]


def _measured(judged: list[tuple[Suite, Verdict]], at: datetime) -> Iterator[Measurement]:
    for suite, one in judged:
        if one.violations is not None:
            labels = {"invariant": one.check.invariant, "suite": suite.suite, "severity": one.check.severity}
            yield Measurement("integrity.violations", one.violations, "count", at, labels, ", ".join(one.keys))


def _open(judged: list[tuple[Suite, Verdict]], target: PostgresTarget, at: datetime) -> Iterator[Unanswered]:
    for _, one in judged:
        if one.violations is None:
            question = f"{one.check.invariant}: {one.check.title}"
            yield Unanswered(question, str(target), f"include/sql/{one.check.sql}.sql", one.reason, at)
