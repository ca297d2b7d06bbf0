"""The only plugin entry point: what CLO Ops adds to Airflow itself."""

from airflow.plugins_manager import AirflowPlugin

from clo_ops.orchestration.deadlines import DoneByOfTheCadence, RunAfterDeadline


class CloOpsPlugin(AirflowPlugin):
    """Registers the deadline references the DAGs use."""

    name = "clo_ops"
    deadline_references = [RunAfterDeadline, DoneByOfTheCadence]  # noqa: RUF012 - Airflow's own way of declaring them
