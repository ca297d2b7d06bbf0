"""Great Expectations as the project uses it: one expectation class that holds an invariant's query, one suite per
subject, an ephemeral context, and Data Docs written to a directory that is kept as evidence.

The library's own way for a query (UnexpectedRowsExpectation) runs it twice and keeps the rows it returns; the class
here has it run once (``violators``) and keeps keys and a count. Importing the library takes 3 s and 160 MB, so
everything is validated in one process, and nothing is imported before ``library`` is called.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Lock
from types import SimpleNamespace
from typing import Any

from clo_ops.findings import CouldNotAsk
from clo_ops.probes.checks import Check, Suite
from clo_ops.probes.later import later
from clo_ops.probes.targets import PostgresTarget
from clo_ops.probes.violators import Said

# The library knows three severities of its own; which of ours turns a task red is decided in clo_ops.rules.integrity,
# whatever the library's actions would do.
SEVERITIES = {"critical": "critical", "error": "warning", "warning": "info"}
PINNED = " -c timezone=UTC -c datestyle=ISO,YMD -c row_security=off"
METRIC = "clo.violators"
ANSWERS = "clo_ops_answers"  # of the execution engine: whom the metric asks
URL = "postgresql+psycopg://clo_ops@by_creator/clo"  # the library wants one; connections come from the creator
# A third of its import is for drawings and statistics of expectations that are not ours.
NOT_OURS = ("altair", "scipy.stats")
_ONE_AT_A_TIME = Lock()


class NotConnected(CouldNotAsk):
    """The library could not connect to the database."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one invariant's query said: how many rows break it, the first keys, or why it could not be asked."""

    check: Check
    violations: int | None
    keys: tuple[str, ...] = ()
    reason: str = ""


def library() -> SimpleNamespace:
    """The imported library and our expectation class. Slow the first time; sets no global but its logger's level."""
    with _ONE_AT_A_TIME:
        return _library()


@cache
def _library() -> SimpleNamespace:
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of its own imports
        with later(*NOT_OURS):
            import great_expectations

        # Its import sets levels of its own.
        for name in ("great_expectations", "great_expectations.data_context.types.base"):
            logging.getLogger(name).setLevel(logging.WARNING)
        return SimpleNamespace(gx=great_expectations, expectation=_expectation())


def _expectation() -> Any:
    from great_expectations.execution_engine.sqlalchemy_execution_engine import SqlAlchemyExecutionEngine
    from great_expectations.expectations.expectation import BatchExpectation
    from great_expectations.expectations.metrics.metric_provider import metric_value
    from great_expectations.expectations.metrics.query_metric_provider import QueryMetricProvider

    class Violators(QueryMetricProvider):
        metric_name = METRIC
        domain_keys = ()  # type: ignore[assignment] # their tuple is as long as theirs
        value_keys = ("query", "at")

        @metric_value(engine=SqlAlchemyExecutionEngine)
        def _violators(cls, execution_engine: Any, metric_value_kwargs: Mapping[str, Any], **_: Any) -> Any:  # noqa: N805
            said: Said = getattr(execution_engine, ANSWERS)(metric_value_kwargs["query"])
            return said.violations, said.keys, said.reason

    class ExpectNoViolators(BatchExpectation):
        """No row breaks the invariant whose query is ``include/sql/<query>.sql``."""

        query: str
        at: str
        metric_dependencies = (METRIC,)
        success_keys = ("query", "at")
        domain_keys = ("batch_id",)

        def _validate(self, metrics: Mapping[str, Any], *_: Any, **__: Any) -> dict[str, Any]:
            count, keys, reason = metrics[METRIC]
            said = f"could not be asked: {reason}" if reason else f"{count} violations"
            told = f"{said}: {', '.join(keys)}" if keys else said
            details = {"violations": count, "keys": list(keys), "reason": reason}
            return {"success": count == 0, "result": {"observed_value": told, "details": details}}

    return ExpectNoViolators


@contextmanager
def validator(target: PostgresTarget, evidence: Path | None, answer: Callable[[str], Said]) -> Iterator[Validator]:
    """One context over one database; its Data Docs are in ``evidence`` when the block is left.

    ``answer`` says what came of a check's query (``violators.Violators.answer``).
    """
    made = Validator(target, evidence, answer)
    try:
        yield made
        if evidence is not None:
            made.context.build_data_docs()
    finally:
        made.close()


class Validator:
    def __init__(self, target: PostgresTarget, evidence: Path | None, answer: Callable[[str], Said]) -> None:
        gx = library().gx
        self.context = gx.get_context(mode="ephemeral")
        self.context.variables.progress_bars = {"globally": False}
        if evidence is not None:
            self.context.add_data_docs_site(site_name="drill", site_config=_site(evidence))
        self.source = self._source(target)
        setattr(self.source.get_execution_engine(), ANSWERS, answer)

    def _source(self, target: PostgresTarget) -> Any:
        from great_expectations.datasource.fluent.interfaces import TestConnectionError

        given = {"connection_string": URL, "kwargs": {"creator": _creator(target)}}
        try:
            return self.context.data_sources.add_postgres(name=target.database, **given)
        except TestConnectionError as error:  # it answered a moment ago
            raise NotConnected(f"{target}: {str(error.cause or error).splitlines()[0]}") from None

    def validate(self, suite: Suite, at: str) -> Iterator[Verdict]:
        """Runs every check of the suite; the database's answer to each, in the suite's order."""
        definition = self._definition(suite, at)
        result = definition.run()
        found = {one.expectation_config.meta["invariant"]: one for one in result.results}
        for check in suite.checks:
            yield _verdict(check, found[check.invariant])

    def _definition(self, suite: Suite, at: str) -> Any:
        gx, expectation = library().gx, library().expectation
        # The batch of a suite is no table: an invariant spans several. This query is never run.
        asset = self.source.add_query_asset(name=suite.suite, query="SELECT 1 AS one")
        made = self.context.suites.add(gx.ExpectationSuite(name=suite.suite))
        for check in suite.checks:
            made.add_expectation(
                expectation(
                    query=check.sql,
                    at=at,
                    description=f"{check.invariant} ({check.severity}): {check.title}",
                    severity=SEVERITIES[check.severity],
                    meta={"invariant": check.invariant, "severity": check.severity},
                )
            )
        batch = asset.add_batch_definition_whole_table("restored copy")
        return self.context.validation_definitions.add(
            gx.ValidationDefinition(name=suite.suite, data=batch, suite=made)
        )

    def close(self) -> None:
        self.source.get_engine().dispose()
        self.source.get_execution_engine().close()


def _verdict(check: Check, result: Any) -> Verdict:
    details = (result.result or {}).get("details")
    if details is None:  # the library itself failed on it
        return Verdict(check, None, reason="Great Expectations raised an exception of its own; see its log")
    return Verdict(check, details["violations"], tuple(details["keys"]), details["reason"])


def _creator(target: PostgresTarget) -> Any:
    """Connections as everywhere: named, bounded, read-only. The password is in no URL the library could show."""
    from clo_ops.probes.postgres_session import PatientConnection, parameters

    given = parameters(target)
    given["options"] += PINNED

    def connect() -> Any:
        connection = PatientConnection.connect(**given)
        connection.patience = target.statement_timeout + target.lock_timeout
        return connection

    return connect


def _site(directory: Path) -> dict[str, Any]:
    return {
        "class_name": "SiteBuilder",
        "show_how_to_buttons": False,
        "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(directory)},
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
    }
