"""Law 8: nothing is looked up while DAGs are parsed, and nothing is imported for it that only a task needs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

PARSE_WITHOUT = """
import socket
import airflow.sdk
from airflow.sdk import BaseHook, Connection, Variable

def refuse(*_, **__):
    raise RuntimeError("looked up at parse time")

socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
Variable.get = Connection.get = BaseHook.get_connection = refuse
from clo_ops.orchestration.coverage import pages
print(sorted(dag.dag_id for dag in pages()))
"""


# What a task works with; Airflow reads every DAG file every few seconds, in a fresh process.
ONLY_FOR_TASKS = {
    *("numpy", "pandas", "pyarrow", "duckdb", "scipy", "matplotlib", "weasyprint", "great_expectations"),
    *("docker", "psycopg", "redis", "paramiko", "asyncssh", "fsspec", "websockets", "alembic"),
}
IMPORTED = """
import sys
import airflow.sdk
airflow.sdk.DAG
before = set(sys.modules)
from clo_ops.orchestration.coverage import pages
list(pages())
print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before}))
"""
MODELS = """
import sys
from clo_ops.orchestration.coverage import pages
list(pages())
print('clo_ops.policy.model' in sys.modules)
"""
EACH_MODULE = """
import importlib, pkgutil, clo_ops
names = [one.name for one in pkgutil.walk_packages(clo_ops.__path__, 'clo_ops.')]
left_out = ('migrations', '__main__')
for name in names:
    if not any(part in name for part in left_out):
        importlib.import_module(name)
print(len(names))
"""


def run(code, tmp_path):
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "plugins"),
        "AIRFLOW_HOME": str(tmp_path),
        "CLO_OPS_MODE": "demo",
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip().splitlines()[-1]


def test_no_task_s_tools_are_imported_to_parse(tmp_path):
    assert set(run(IMPORTED, tmp_path).split()) & ONLY_FOR_TASKS == set()


def test_a_dag_file_is_parsed_with_few_of_the_policy_s_models(tmp_path):
    """It asks policy_at_parse, and imports a model by name only where it is for the type checker alone."""
    assert run(MODELS, tmp_path) == "False"


def test_every_module_can_be_imported(tmp_path):
    """Pages import what their tasks do only when a task runs: what is broken there is seen here."""
    assert int(run(EACH_MODULE, tmp_path)) > 200


def test_dags_parse_where_nothing_can_be_asked(tmp_path):
    assert run(PARSE_WITHOUT, tmp_path) == str(sorted(path.stem for path in (ROOT / "dags").glob("*.py")))


def test_the_guard_of_this_law_bites(tmp_path):
    """Seen red: the same process refuses a look-up."""
    probe = PARSE_WITHOUT + "\nVariable.get('x')\n"
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "plugins"),
        "AIRFLOW_HOME": str(tmp_path),
        "CLO_OPS_MODE": "demo",
    }
    done = subprocess.run(
        [sys.executable, "-c", probe], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode != 0
    assert "looked up at parse time" in done.stderr
