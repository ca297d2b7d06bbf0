"""From a directory of YAML to one frozen Policy, or to one error that lists everything wrong with it."""

from __future__ import annotations

import hashlib
import json
import os
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

from pydantic import TypeAdapter, ValidationError

from clo_ops.findings import ConfigurationError
from clo_ops.policy.paths import INCLUDE
from clo_ops.policy.problems import (
    PolicyRefused,
    Problem,
    did_you_mean,
    from_pydantic,
    key_path,
    nearest_line,
    type_at,
)
from clo_ops.policy.reading import Document, read

if TYPE_CHECKING:
    from clo_ops.policy.model import Mode, Policy
    from clo_ops.policy.thresholds import Threshold

Signature = tuple[tuple[str, int, int], ...]


def sections() -> tuple[str, ...]:
    """The policy's files, by name."""
    return tuple(name for name in _policy().model_fields if name != "mode")


def _policy() -> type[Policy]:
    """All the models, when the whole is loaded: a DAG file that is parsed needs a few (at_parse)."""
    from clo_ops.policy.model import Policy

    return Policy


def load_policy(directory: str | Path | None = None, mode: str | None = None) -> Policy:
    """The validated policy, from ``directory``, else CLO_OPS_POLICY, else include/policy; never a mixture.

    ``mode`` is "demo" or "production", else CLO_OPS_MODE, else production, which refuses placeholder contacts (D52).
    Loaded on first use and again when a file has changed.

    Raises:
        ConfigurationError: anything is wrong with it. Lists every problem: file, key, given, allowed, what to do.
    """
    from clo_ops.policy.model import Mode

    where = folder(directory)
    chosen = mode or os.environ.get("CLO_OPS_MODE") or "production"
    if chosen not in get_args(Mode):
        allowed = f"one of {', '.join(get_args(Mode))}"
        raise ConfigurationError(f"The policy's mode is {chosen!r}", allowed, "set CLO_OPS_MODE")
    if not where.is_dir():
        raise ConfigurationError(
            f"There is no policy directory {where}", "a directory of policy files", "set CLO_OPS_POLICY or remove it"
        )
    return _loaded(where, chosen, _signature(where))


def folder(directory: str | Path | None = None) -> Path:
    """``directory``, else CLO_OPS_POLICY, else include/policy."""
    return Path(directory or os.environ.get("CLO_OPS_POLICY") or INCLUDE / "policy").absolute()


def digest(policy: Policy) -> str:
    """SHA-256 of every figure, for the ledger: two runs with the same digest were judged by the same policy."""
    dumped = policy.model_dump(mode="json")
    return hashlib.sha256(json.dumps(dumped, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _signature(directory: Path) -> Signature:
    """What makes a cached policy stale: names, times and sizes of the files."""
    with os.scandir(directory) as entries:
        stats = [(one.name, one.stat()) for one in entries if one.name.endswith((".yaml", ".yml"))]
    return tuple(sorted((name, stat.st_mtime_ns, stat.st_size) for name, stat in stats))


@lru_cache(maxsize=16)
def _loaded(directory: Path, mode: str, signature: Signature) -> Policy:
    from clo_ops.policy.checks import faults

    documents, problems = _documents(directory, [name for name, _, _ in signature])
    valid = _sections(documents, problems)
    for fault in faults(valid, mode):
        line = nearest_line(documents[fault.section].lines, fault.location)
        key = key_path(fault.location)
        problems.append(Problem(f"{fault.section}.yaml", key, fault.given, fault.allowed, fault.do, line))
    if problems:
        raise PolicyRefused(directory, sorted(problems, key=lambda one: (one.file, one.line, one.key)))
    return _policy().model_construct(**_resolved(valid), mode=cast("Mode", mode))


def _documents(directory: Path, names: list[str]) -> tuple[dict[str, Document], list[Problem]]:
    expected = [f"{section}.yaml" for section in sections()]
    problems = [
        Problem(name, "", "an unknown file", f"only {', '.join(expected)}", did_you_mean(name, expected) or "remove it")
        for name in names
        if name not in expected
    ]
    problems += [
        Problem(
            name,
            "",
            "no such file",
            "all files of the policy: a directory replaces include/policy whole",
            f"copy {name} from include/policy",
        )
        for name in expected
        if name not in names
    ]
    documents = {name.removesuffix(".yaml"): read(directory / name) for name in expected if name in names}
    return documents, problems + [problem for one in documents.values() for problem in one.problems]


@cache
def _adapter(section: str) -> TypeAdapter[Any]:
    return TypeAdapter(type_at(_policy(), (section,)))


def _sections(documents: dict[str, Document], problems: list[Problem]) -> dict[str, Any]:
    """The files that are valid by themselves; what is wrong with the others goes to ``problems``."""
    valid = {}
    for name, document in documents.items():
        if document.content is None:
            continue
        try:
            valid[name] = _adapter(name).validate_python(document.content)
        except ValidationError as error:
            problems += from_pydantic(document.file, type_at(_policy(), (name,)), error, document.lines)
    return valid


def _levels(threshold: Threshold) -> dict[str, float]:
    return {"warning_level": threshold.warning.above, "critical_level": threshold.critical.above}


def with_crons(cadences: Any) -> Any:
    """Each that another one supersedes with the times of that one."""
    known = {
        name: one.superseded(cadences[one.superseded_by].cron) if one.superseded_by else one
        for name, one in cadences.items()
    }
    return type(cadences)(known)


def _resolved(sections: dict[str, Any]) -> dict[str, Any]:
    """Names replaced by what they stand for: trend levels from thresholds, crons that supersede others."""
    trend = sections["morning"].trend
    resources = tuple(
        one.model_copy(update=_levels(sections["thresholds"][one.threshold])) if one.threshold else one
        for one in trend.resources
    )
    morning = sections["morning"].model_copy(update={"trend": trend.model_copy(update={"resources": resources})})
    return {
        **sections,
        "cadences": with_crons(sections["cadences"]),
        "morning": morning,
        "capacity": _with_levels(sections["capacity"], sections["thresholds"]),
    }


def _with_levels(capacity: Any, thresholds: Any) -> Any:
    def levels(one: Any) -> Any:
        if not one.threshold:
            return one
        named = thresholds[one.threshold]
        return one.model_copy(update={"warning": named.warning.above, "critical": named.critical.above})

    return capacity.model_copy(update={"resources": tuple(levels(one) for one in capacity.resources)})
