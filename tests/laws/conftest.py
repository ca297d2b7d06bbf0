"""The parsed DAGs, once for all laws."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from airflow.sdk import DAG

from clo_ops.orchestration.coverage import pages
from clo_ops.policy import Policy, load_policy


@pytest.fixture(scope="session")
def root() -> Path:
    return Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def policy() -> Policy:
    return load_policy()


@pytest.fixture(scope="session")
def dags() -> dict[str, DAG]:
    return {dag.dag_id: dag for dag in pages()}


@pytest.fixture(autouse=True, scope="module")
def _no_collection_while_parsing() -> Iterator[None]:
    """Python 3.11 raises SystemError (AST constructor recursion depth) where a collection falls into ast.parse."""
    gc.disable()
    yield
    gc.enable()
