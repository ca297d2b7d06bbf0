"""Set for every test before Airflow is imported: a home of its own, the demo's mode, and no examples."""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="clo-ops-airflow-"))
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = str(ROOT / "dags")
os.environ["AIRFLOW__CORE__PLUGINS_FOLDER"] = str(ROOT / "plugins")
os.environ["AIRFLOW__CORE__UNIT_TEST_MODE"] = "False"
os.environ["CLO_OPS_MODE"] = "demo"
os.environ["GX_ANALYTICS_ENABLED"] = "false"


def pytest_configure() -> None:
    """Ended from outside, the tests end like by Ctrl-C: every fixture takes down what it started."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


# Folders that must not run beside each other: a drill refuses to start while another is under way.
TOGETHER = {"drill": "drills", "drill_whole": "drills", "drill_failover": "drills", "backups": "drills"}


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With several workers (pytest-xdist) a folder stays with one of them: what it starts is started once."""
    for item in items:
        folder = item.path.parent.relative_to(ROOT).as_posix()
        item.add_marker(pytest.mark.xdist_group(TOGETHER.get(item.path.parent.name, folder)))
