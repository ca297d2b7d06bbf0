"""Law 8: nothing is looked up while DAGs are parsed."""

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


def test_dags_parse_where_nothing_can_be_asked(tmp_path):
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "plugins"),
        "AIRFLOW_HOME": str(tmp_path),
        "CLO_OPS_MODE": "demo",
    }
    done = subprocess.run(
        [sys.executable, "-c", PARSE_WITHOUT], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip().splitlines()[-1] == str(sorted(path.stem for path in (ROOT / "dags").glob("*.py")))


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
