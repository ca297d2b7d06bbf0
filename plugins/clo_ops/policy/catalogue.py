"""The procedures of the manual and the figures their success is measured by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from clo_ops.policy.base import Cited, Flag, Frozen, ManualPlace, Model, Text, Texts
from clo_ops.policy.units import Number, Unit, refuse


class Procedure(Model):
    """One entry of the catalogue; its id is on the task, in the finding, in the report and in the mail."""

    id: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9]-\d{2}$", description='two characters and a number: "DM-01"')]
    title: Text
    dag: Text
    section: Annotated[Texts, Field(min_length=1)]
    lines: ManualPlace
    built: Flag
    first_action: Text


def _with_ids(given: Any) -> Any:
    """Each entry carries its own key as ``id``; written beside it as well, it would be a second truth."""
    if not isinstance(given, dict):
        return given
    return {key: {**value, "id": key} if isinstance(value, dict) else value for key, value in given.items()}


Procedures = Annotated[Mapping[str, Procedure], BeforeValidator(_with_ids), *Frozen]


class Kpi(Cited):
    """A figure to be reached over a month (L434-L446). ``at_risk`` warns before ``target`` is missed (D44).

    Exactly at the target it is what ``at_target`` says. ``source`` "none": this system has no such figure; "attested":
    only a person can say (D62). ``owner`` is a group of contacts.yaml.
    """

    title: Text
    metric: Text
    unit: Unit
    statistic: Literal["mean", "share", "maximum", "listed"]
    over: Literal["month"]
    better: Literal["higher", "lower", "neither"]
    target: Number | None = None
    at_risk: Number | None = None
    at_target: Literal["met", "missed"] = "missed"
    source: Literal["measured", "attested", "none"]
    owner: Text
    procedures: Texts

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if (self.target is None) != (self.better == "neither"):
            raise refuse(self.target, "a target where higher or lower is better, and only there", key="target")
        if self.target is None or self.at_risk is None:
            return self
        if (self.at_risk > self.target) != (self.better == "higher") or self.at_risk == self.target:
            raise refuse(self.at_risk, f"on the good side of target ({self.target:g})", key="at_risk")
        return self


Kpis = Annotated[Mapping[Text, Kpi], *Frozen]
