"""A page like those of the DAGs, with all that a page may have: three cadences, a form, set-up, an act, clean-up."""

import os
from collections.abc import Callable
from pathlib import Path

from airflow.sdk import Param, get_current_context, task

from clo_ops.findings import Finding, Status
from clo_ops.orchestration.blueprint import manual_page
from clo_ops.orchestration.procedure import procedure
from clo_ops.orchestration.run import Run


def breaks(step: str) -> None:
    conf = get_current_context()["dag_run"].conf or {}
    with Path(os.environ["STEPS_TAKEN"]).open("a", encoding="utf-8") as steps:
        steps.write(f"{step}\n")
    if conf.get("break") == step:
        raise RuntimeError(f"{step} is broken on purpose")


@task(retries=0)
def make_place() -> None:
    """Makes the place the procedures look at."""
    breaks("make_place")


@task(retries=0)
def act() -> None:
    """Does something to the place."""
    breaks("act")


@task(retries=0)
def remove_place() -> None:
    """Removes the place, whatever came of it."""
    breaks("remove_place")


def passes(*procedures: str) -> Callable[[Run], list[Finding]]:
    def judge(run: Run) -> list[Finding]:
        """Says that all is well."""
        breaks(procedures[0])
        return [Finding(one, "asked", Status.PASS, "1", "1", f"{one} {run.cadences}") for one in procedures]

    judge.__name__ = procedures[0].lower().replace("-", "_")
    return judge


@manual_page(params={"reason": Param("", type="string", title="Why")}, mail="when red")
def maintenance() -> None:
    place, done, gone = make_place(), act(), remove_place()
    weekly = procedure("MW-01", retries=0)(passes("MW-01"))
    monthly = procedure("MW-02", retries=0)(passes("MW-02"))
    procedure("MW-03", retries=0)(passes("MW-03"))
    both = procedure("MW-04", also=("MW-05",), retries=0)(passes("MW-04", "MW-05"))
    place >> done >> [weekly, monthly, both] >> gone.as_teardown(setups=place)
