"""The suites of include/checks: what is checked of a CLO database, how bad it is, and what is left out and why."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from clo_ops.findings import ConfigurationError
from clo_ops.policy.paths import INCLUDE

Number = Annotated[str, Field(pattern=r"^I\d\d$")]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Check(_Strict):
    """One invariant: its query names the rows that break it. ``partial`` says what of it cannot be asked here."""

    invariant: Number
    sql: str
    severity: Literal["critical", "error", "warning"]
    kind: Literal["row", "cross-row", "cross-table", "recompute", "temporal", "cross-system"]
    title: str
    partial: str = ""


class LeftOut(_Strict):
    invariant: Number
    reason: str


class Suite(_Strict):
    suite: str
    subject: str
    title: str
    parameters: tuple[str, ...]
    checks: tuple[Check, ...]
    left_out: tuple[LeftOut, ...] = ()


@cache
def suites() -> tuple[Suite, ...]:
    """Every suite, by subject. Raises ConfigurationError for a file that is not one."""
    found = []
    for path in sorted((INCLUDE / "checks").glob("*.yaml")):
        try:
            found.append(Suite.model_validate(yaml.safe_load(path.read_text(encoding="utf-8"))))
        except (yaml.YAMLError, ValidationError) as error:
            raise ConfigurationError(f"{path}: {error}", "a suite as the ones beside it") from error
    if not found:
        raise ConfigurationError(f"no suites in {INCLUDE / 'checks'}", "one YAML file per subject")
    return tuple(sorted(found, key=lambda one: one.subject))


def checks() -> tuple[Check, ...]:
    """Every invariant that is checked, by number."""
    return tuple(sorted((check for suite in suites() for check in suite.checks), key=lambda one: one.invariant))
