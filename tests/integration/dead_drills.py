"""What test runs that were killed left in the Docker engine: until it is gone, every drill on the machine refuses."""

from __future__ import annotations

import os
import re
from datetime import datetime, timedelta

import psutil

from clo_ops.actions.drill.docker_place import remove_all
from clo_ops.actions.drill.engine import Engine
from clo_ops.actions.drill.place import Labels
from clo_ops.probes.targets import DockerTarget

PREFIX = "tests-drill"
WHOSE = re.compile(rf"^{PREFIX}(?:-[a-z]+)*-(\d+)$")
CLOCKS = timedelta(minutes=1)  # a process may seem to have begun a little after what it made


def dag_of_this_run(kind: str = "") -> str:
    """The name this very process's drills go by."""
    return "-".join(filter(None, (PREFIX, kind, str(os.getpid()))))


def remove_what_dead_runs_left() -> list[str]:
    """Only what carries the name of a test run whose process is not there any more; the names of what was removed."""
    return remove_all(Engine(DockerTarget()), lambda one: is_dead(one.labels, one.made))


def is_dead(labels: Labels, made: datetime) -> bool:
    """A process that has the number and is younger than what was made is another one."""
    whose = WHOSE.match(labels.dag)
    if whose is None:
        return False
    try:
        began = psutil.Process(int(whose[1])).create_time()
    except psutil.NoSuchProcess:
        return True
    return began > (made + CLOCKS).timestamp()
