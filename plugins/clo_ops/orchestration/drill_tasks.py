"""The DR test's steps as Airflow's tasks. The steps know nothing of Airflow (``orchestration.drill_steps``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from clo_ops.findings import Finding
from clo_ops.orchestration import drill_environment, drill_steps, drill_telling
from clo_ops.orchestration.drill import SELF_TEST, Drill
from clo_ops.orchestration.drill_form import spec_of
from clo_ops.orchestration.escalate import run_link
from clo_ops.orchestration.procedure import open_run, raise_if_red, tally
from clo_ops.orchestration.recording import carry_out
from clo_ops.orchestration.run import Run

FORM_PAGE = """### The form is sound

What the form asks for is read and refused, field by field, before anything is started; a run on schedule takes the
policy's own values. Red means: correct the fields named in the log and start the drill again."""


SELF_TEST_PAGE = """### Can this drill fail?

Faults are put into a small backup and into its restored copies, and each must turn red the check that is there for it.
Red means: a fault went unnoticed, and a green drill proves less than it says."""


class FormOperator(BaseOperator):
    """Sets the drill up by refusing what cannot be carried out. Raises ConfigurationError, naming each field."""

    ui_color = "#f7efd6"

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        with open_run(context, self.task_id) as run:
            spec = spec_of(run.policy, run.params)
        self.log.info("The drill: %s", spec)
        said: dict[str, Any] = spec.model_dump(mode="json")
        return {**said, "parts": sorted(spec.parts)}


class SelfTestOperator(BaseOperator):
    """Puts in the faults of the table; the run's report prints what became of each.

    Raises CheckFailed where one was not caught, CouldNotCheck where the self-test could not be carried out, and
    AirflowSkipException where the form does not ask for it.
    """

    ui_color = "#f6e3e3"

    def execute(self, context: Mapping[str, Any]) -> dict[str, int]:
        with open_run(context, self.task_id) as run:
            if not run.params.get("self_test", True):
                raise AirflowSkipException("the form did not ask for the self-test")
            findings = carry_out(run, [SELF_TEST], lambda run: drill_steps.self_test(Drill.of(run)))
        raise_if_red(SELF_TEST, findings)
        return tally(findings)


def environment(run: Run) -> list[Finding]:
    """The backup is chosen and proven to be the one recorded, room and parity are there, the target is provably not
    production; then an isolated PostgreSQL of the backup's version is started. Refuses before anything starts."""
    return drill_environment.environment(Drill.of(run))


def restored(run: Run) -> list[Finding]:
    """Roles first, then pg_restore in parallel, every line of its stderr classified; a partial restore fails."""
    return drill_steps.restored(Drill.of(run))


def contents_and_meaning(run: Run) -> list[Finding]:
    """Schema, counts, fingerprints, canary, sequences and indexes as recorded; side by side, the invariants hold."""
    return drill_steps.contents_and_meaning(Drill.of(run))


def failover(run: Run) -> list[Finding]:
    """A standby is built, the primary cut off, the standby promoted; every acknowledged marker is there."""
    return drill_steps.failover(Drill.of(run))


def application(run: Run) -> list[Finding]:
    """The application's own smoke checks pass against the recovered database."""
    return drill_steps.application(Drill.of(run))


def clean_up(run: Run) -> list[Finding]:
    """Nothing of this drill is left, whatever became of it; a kept environment goes when it expires."""
    return drill_steps.clean_up(Drill.of(run))


def documented(run: Run) -> list[Finding]:
    """Times against targets and the drills before; the report and its evidence, kept and mailed."""
    return drill_telling.documented(Drill.of(run), link=run_link(run.dag_id, run.run_id))
