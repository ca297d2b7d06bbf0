"""A page's terms are its cadences': for every DAG the policy names, built or not yet."""

from __future__ import annotations

from datetime import timedelta

import pytest
from airflow.sdk import DAG, Asset, Param, task
from airflow.serialization.serialized_objects import DagSerialization

from clo_ops.findings import ConfigurationError
from clo_ops.orchestration.blueprint import manual_page
from clo_ops.orchestration.procedure import RETRIES, procedure
from clo_ops.policy import load_policy

POLICY = load_policy()
DAG_IDS = sorted({cadence.dag for cadence in POLICY.cadences.values()})


def page_of(dag_id: str, wire=lambda: None, **terms) -> DAG:
    wire.__name__ = dag_id
    return manual_page(**terms)(wire)


def crons(dag: DAG) -> list[str]:
    return [one.expression for one in getattr(dag.timetable, "timetables", [])] or (
        [dag.timetable.expression] if hasattr(dag.timetable, "expression") else []
    )


@pytest.mark.parametrize("dag_id", DAG_IDS)
def test_every_dag_of_the_policy_can_be_a_page_that_airflow_can_store(dag_id):
    cadences = [cadence for cadence in POLICY.cadences.values() if cadence.dag == dag_id]
    dag = page_of(dag_id)
    assert sorted(crons(dag)) == sorted({cron for cadence in cadences for cron in cadence.cron})
    assert dag.dagrun_timeout == max(cadence.timeout for cadence in cadences)
    assert ("cadence" in dag.params) == (len(cadences) > 1)
    assert DagSerialization.to_dict(dag)["dag"]["dag_id"] == dag_id


def test_a_page_of_events_has_no_times_and_a_deadline():
    dag = page_of("incident_response")
    assert crons(dag) == []
    assert [alert.interval for alert in dag.deadline] == [timedelta(days=10)]


def test_an_assets_events_start_a_page_that_has_no_times():
    dag = page_of("incident_response", schedule=Asset("clo_something"))
    assert dag.timetable.asset_condition == Asset("clo_something")
    assert crons(page_of("daily_end_of_day", schedule=Asset("clo_something"))) == ["0 18 * * *"]


def test_where_the_clock_is_left_out_a_page_has_no_times(monkeypatch):
    monkeypatch.setenv("CLO_OPS_SCHEDULED", "daily_end_of_day")
    assert crons(page_of("daily_end_of_day")) == ["0 18 * * *"]
    assert crons(page_of("daily_morning_startup")) == []


def test_by_hand_the_form_offers_the_cadences_and_what_the_page_asks_for():
    dag = page_of("maintenance", params={"reason": Param("", type="string")})
    assert set(dag.params) == {"reason", "cadence"}
    assert dag.params["cadence"] == "maintenance_emergency"
    offered = dag.params.get_param("cadence").schema["enum"]
    assert offered == [
        "maintenance_weekly",
        "maintenance_monthly",
        "maintenance_emergency",
        "maintenance_reviews",
        "all",
    ]
    assert page_of("reports_and_support").params["cadence"] == "all"


def test_runs_may_overlap_and_mail_be_kept_for_red_ones_where_the_page_says_so():
    dag = page_of("log_management", max_active_runs=2, mail="when red")
    assert (dag.max_active_runs, dag.get_task("mail_operations_centre").when) == (2, "when red")
    usual = page_of("daily_morning_startup")
    assert (usual.max_active_runs, usual.get_task("mail_operations_centre").when) == (1, "every run")


def test_the_end_waits_for_every_procedure_and_every_loose_end_clean_up_included():
    @task
    def make() -> None:
        """Makes a place."""

    @task
    def remove() -> None:
        """Removes the place."""

    @task
    def aside() -> None:
        """Nobody waits for it."""

    def wire() -> None:
        place, gone = make(), remove()
        place >> procedure("MW-04")(judge) >> gone.as_teardown(setups=place)
        aside()

    def judge(run):
        """Judges."""

    dag = page_of("maintenance", wire)
    assert dag.get_task("mail_operations_centre").upstream_task_ids == {"judge", "remove", "aside"}
    assert [one.task_id for one in dag.tasks if not one.downstream_task_ids] == ["summary"]
    assert all(one.retry_policy is RETRIES and one.execution_timeout for one in dag.tasks)


def test_a_page_without_a_cadence_is_refused():
    with pytest.raises(ConfigurationError, match=r"no cadence is for the DAG 'somewhen'\. Allowed: one of"):
        page_of("somewhen")
