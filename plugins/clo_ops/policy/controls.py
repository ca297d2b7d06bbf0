"""The control catalogue: what is shown of which regulation or standard, by which question, and who answers for it.

What a control leaves behind is evidence for it. Whether the house meets a law is said by people, never by this.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import date
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from clo_ops.findings import Severity
from clo_ops.policy.base import Cited, Count, Frozen, Model, Text, Texts, unique
from clo_ops.policy.units import Duration, refuse

CLAIMS = ("compliant", "tamper proof", "guarantee")
Frequency = Literal["weekly", "monthly"]


def _plain(given: Any) -> Any:
    """Lists as tuples all the way down, so that a frozen policy is frozen."""
    if isinstance(given, list | tuple):
        return tuple(_plain(one) for one in given)
    return {name: _plain(one) for name, one in given.items()} if isinstance(given, dict) else given


def _nothing_claimed(given: str) -> str:
    if claim := next((word for word in CLAIMS if word in given.lower().replace("-", " ")), None):
        raise refuse(given, f"what is shown, without the word {claim!r}", "say what the evidence is for")
    return given


Said = Annotated[Text, AfterValidator(_nothing_claimed)]
Parameters = Annotated[Mapping[str, Any], BeforeValidator(_plain), *Frozen]


class ControlException(Model):
    """Violations whose key fits one of ``keys`` (``*`` and ``?``) are accepted until the end of a day, by a person.

    ``mode`` limits it: what the demonstration is excused for is not excused in production.
    """

    keys: Annotated[Texts, Field(min_length=1)]
    reason: Text
    approved_by: Text
    until: date
    mode: Literal["demo", "production"] | None = None

    def covers(self, key: str, day: date, mode: str) -> bool:
        return day <= self.until and self.mode in (None, mode) and any(fnmatchcase(key, one) for one in self.keys)


class Control(Cited):
    """One control. Its question is ``query`` (a file below include/sql) or ``probe``, with ``parameters`` bound.

    ``judge`` names how what came back is read; ``plain`` reads rows of kind, key and reason. ``looks_back`` is how far
    the question reaches before the run. Fewer than ``at_least`` things looked at is a violation: silence is a finding.
    One that ``only_warns`` is told and turns nothing red. Columns ``listed`` of every row are kept as a table beside
    the evidence.
    ``not_assessed`` is why nobody asks; it is then neither passed nor failed.
    """

    id: Annotated[str, Field(pattern=r"^[A-Z]{3}-\d{2}$", description='three letters and a number: "SOX-01"')]
    title: Said
    standard: Text
    clause: Text
    shows: Said
    procedure: Text
    query: Text | None = None
    probe: Text | None = None
    judge: Text = "plain"
    parameters: Parameters = Field(default_factory=dict)
    looks_back: Duration | None = None
    at_least: Count = 0
    baseline: bool = False
    only_warns: bool = False
    listed: Texts = ()
    frequency: Frequency
    owner: Text
    evidence: Said
    severity: Severity
    first_action: Text
    not_assessed: Text | None = None
    exceptions: tuple[ControlException, ...] = ()

    @model_validator(mode="after")
    def _one_question(self) -> Self:
        asked = [one for one in (self.query, self.probe, self.not_assessed) if one is not None]
        if len(asked) != 1:
            raise refuse(len(asked), "one of query, probe and not_assessed", "name what is asked, or why nothing is")
        return self

    def excused(self, key: str, day: date, mode: str) -> ControlException | None:
        """The exception that still holds on ``day`` for a violation of this key."""
        return next((one for one in self.exceptions if one.covers(key, day, mode)), None)


def _with_ids(given: Any) -> Any:
    if not isinstance(given, dict):
        return given
    return {key: {**value, "id": key} if isinstance(value, dict) else value for key, value in given.items()}


class SignedOff(Model):
    """Who signed the baseline off, when, and what it was: the digest of the parameters of its controls."""

    by: Text
    on: date
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="64 hexadecimal digits")]


class Controls(Cited):
    """controls.yaml."""

    baseline: SignedOff
    catalogue: Annotated[Mapping[str, Control], BeforeValidator(_with_ids), *Frozen]

    @model_validator(mode="after")
    def _told_apart(self) -> Self:
        unique([one.title for one in self.catalogue.values()], "titles")
        return self

    def of(self, procedure: str) -> tuple[Control, ...]:
        """The controls a procedure asks, in the order of the catalogue."""
        return tuple(one for one in self.catalogue.values() if one.procedure == procedure)

    def __getitem__(self, name: str) -> Control:
        return self.catalogue[name]

    @property
    def baseline_digest(self) -> str:
        """SHA-256 of what the baseline demands: a changed demand is a new baseline, to be signed off again."""
        demands = {one.id: dict(one.parameters) for one in self.catalogue.values() if one.baseline}
        text = json.dumps(demands, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=dict)
        return hashlib.sha256(text.encode()).hexdigest()
