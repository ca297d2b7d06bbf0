"""The DAG files as Airflow itself reads, stores and lists them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import BundleDagBag
from airflow.serialization.serialized_objects import DagSerialization

DAGS = Path(__file__).resolve().parents[2] / "dags"
# Airflow reads plugins/.airflowignore with a pattern class pathspec has renamed.
pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")


@pytest.fixture(scope="module")
def bag():
    return BundleDagBag(dag_folder=str(DAGS), bundle_path=DAGS, bundle_name="dags-folder")


def test_every_file_is_read_without_an_error(bag):
    assert bag.import_errors == {}
    assert set(bag.dags) == {path.stem for path in DAGS.glob("*.py")}


def test_what_the_scheduler_gets_is_what_was_written(bag):
    for dag in bag.dags.values():
        stored = json.loads(json.dumps(DagSerialization.to_dict(dag)))
        read = DagSerialization.from_dict(stored)
        assert read.deadline, "the deadline is stored with it"
        assert (read.dag_id, read.doc_md, read.tags, read.dagrun_timeout) == (
            dag.dag_id,
            dag.doc_md,
            dag.tags,
            dag.dagrun_timeout,
        )
        assert set(read.task_dict) == set(dag.task_dict)
        assert {one: read.get_task(one).doc_md for one in read.task_dict} == {
            one: dag.get_task(one).doc_md for one in dag.task_dict
        }
        assert {one: read.get_task(one).upstream_task_ids for one in read.task_dict} == {
            one: dag.get_task(one).upstream_task_ids for one in dag.task_dict
        }
