"""What DAG files ask of the policy while they are parsed: a few of its files, each read when it is first asked for.

Airflow parses every DAG file in a fresh process, again and again, and before each task: the models of what only a task
judges by would cost more than the file itself. A file that is wrong is refused as ever, with everything else that is
wrong; the files are held against each other where a task, or ``make policy``, loads the whole.
"""

from __future__ import annotations

import importlib
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pydantic import TypeAdapter, ValidationError

from clo_ops.policy.loading import folder, load_policy, with_crons
from clo_ops.policy.reading import read

if TYPE_CHECKING:
    from clo_ops.policy.model import Policy

# Where the type of each stands; any other part comes with the whole policy.
TYPES = {
    "audit": ("audit", "Audit"),
    "cadences": ("cadences", "Cadences"),
    "logs": ("logs", "Logs"),
    "maintenance": ("maintenance", "Maintenance"),
    "procedures": ("catalogue", "Procedures"),
    "recovery": ("recovery", "Recovery"),
    "windows": ("cadences", "Windows"),
}


class _Parts:
    """Looks like the Policy, and is read part by part."""

    def __getattr__(self, name: str) -> Any:
        if name not in TYPES:
            return getattr(load_policy(), name)
        path = folder() / f"{name}.yaml"
        try:
            stat = path.stat()
            return _part(name, path, (stat.st_mtime_ns, stat.st_size))
        except (OSError, KeyError, ValidationError, _NotYaml):
            return getattr(load_policy(), name)


PARTS = _Parts()


def policy_at_parse() -> Policy:
    """The policy, for the top of a DAG file and for whatever makes its tasks. Raises what ``load_policy`` raises."""
    return cast("Policy", PARTS)


class _NotYaml(Exception):
    """Told in full by whoever loads the whole."""


@lru_cache(maxsize=32)
def _part(name: str, path: Path, signature: tuple[int, int]) -> Any:
    document = read(path)
    if document.problems:
        raise _NotYaml
    module, kind = TYPES[name]
    part = TypeAdapter(getattr(importlib.import_module(f"clo_ops.policy.{module}"), kind)).validate_python(
        document.content
    )
    return with_crons(part) if name == "cadences" else part
