"""Set for every test before Airflow is imported: a home of its own, the demo's mode, and no examples."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

if "AIRFLOW_HOME" not in os.environ:
    os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="clo-ops-airflow-")
    atexit.register(shutil.rmtree, os.environ["AIRFLOW_HOME"], ignore_errors=True)
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = str(ROOT / "dags")
os.environ["AIRFLOW__CORE__PLUGINS_FOLDER"] = str(ROOT / "plugins")
os.environ["AIRFLOW__CORE__UNIT_TEST_MODE"] = "False"
os.environ["CLO_OPS_MODE"] = "demo"
os.environ["GX_ANALYTICS_ENABLED"] = "false"


def pytest_configure() -> None:
    """Ended from outside, the tests end like by Ctrl-C: every fixture takes down what it started."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


STANDING: list[pytest.FixtureDef[object]] = []  # session fixtures, in the order they were set up


def pytest_fixture_setup(fixturedef: pytest.FixtureDef[object]) -> None:
    if fixturedef.scope == "session":
        STANDING.append(fixturedef)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """What a folder's fixtures started goes with its last test: servers nobody asks any more slow down what follows.

    Their scope stays the session; pytest's own scope for folders wants each of them to be a package.
    """
    folder = _folder(item.nodeid)
    if nextitem is not None and _folder(nextitem.nodeid) == folder:
        return
    for definition in [one for one in STANDING if f"{one.baseid}/".startswith(f"{folder}/")]:
        STANDING.remove(definition)
        definition.finish(item._request)


def _folder(nodeid: str) -> str:
    return nodeid.partition("::")[0].rpartition("/")[0]


# Folders that must not run beside each other: a drill refuses to start while another is under way, and the whole
# stack in containers wants the engine to itself.
TOGETHER = dict.fromkeys(("drill", "drill_whole", "drill_failover", "backups", "compose"), "containers")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """With several workers a folder stays with one of them: what it starts is started once.

    pytest-xdist's own groups are written into node ids, which pytest no longer lets it do.
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByFolder(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            folder = _folder(nodeid)
            return TOGETHER.get(folder.rpartition("/")[2], folder)

    return ByFolder(config, log)
