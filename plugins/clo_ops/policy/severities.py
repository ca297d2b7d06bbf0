"""Priorities, who is told and in what order (manual L46-L60, L235-L306, L448-L476)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, model_validator
from pydantic_core import PydanticCustomError

from clo_ops.findings import Severity
from clo_ops.policy.base import Cited, Flag, Frozen, Model, Text, Texts
from clo_ops.policy.terms import STEP_FORM, TERM_FORM, Step, Term, step, term
from clo_ops.policy.units import Duration, refuse, together

TermField = Annotated[Term, BeforeValidator(term), PlainSerializer(str), Field(description=TERM_FORM)]
StepField = Annotated[Step, BeforeValidator(step), PlainSerializer(str), Field(description=STEP_FORM)]

# The manual's own figures (L237-L255). A site may be quicker, never slower.
SLOWEST = {
    Severity.P1: (Term(timedelta(minutes=15)), Term(timedelta(hours=4))),
    Severity.P2: (Term(timedelta(minutes=30)), Term(timedelta(hours=8))),
    Severity.P3: (Term(timedelta(hours=2)), Term(timedelta(hours=24))),
    Severity.P4: (Term(business_days=1), Term(business_days=5)),
}


class Notice(Model):
    """A group of people and how soon it hears; ``only_when`` is a condition a person judges."""

    group: Text
    within: Duration
    only_when: Text | None = None


class SeverityLevel(Cited):
    """One priority's clocks. Status updates are due at min(update_every, half of what is left) (D43)."""

    title: Text
    means: Text
    response: TermField
    resolution_target: TermField
    update_every: Duration
    notify: tuple[Notice, ...]
    examples: Texts = ()

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.response.longer_than(self.resolution_target):
            raise refuse(self.response, f"not longer than resolution_target ({self.resolution_target})", key="response")
        return self


class AlertClass(Cited):
    """What the manual calls a low, medium or high alert, on the one scale of the record (D35, D36, D38)."""

    severity: Severity
    response: TermField
    covers: Texts


def _not_slower(levels: Mapping[Severity, SeverityLevel]) -> Mapping[Severity, SeverityLevel]:
    refusals = [one for severity in Severity for one in _slower(severity, levels.get(severity))]
    if refusals:
        raise together(refusals)
    return levels


def _slower(severity: Severity, level: SeverityLevel | None) -> Iterator[PydanticCustomError]:
    if level is None:
        yield refuse("nothing", "all of P1, P2, P3 and P4", f"add {severity}", key=severity.value)
        return
    for name, floor in zip(("response", "resolution_target"), SLOWEST[severity], strict=True):
        given: Term = getattr(level, name)
        if given.longer_than(floor):
            allowed = f"at most {floor} for {severity} (the manual's, L237-L255)"
            yield refuse(given, allowed, "shorten it", key=f"{severity}.{name}")


class Severities(Model):
    """severities.yaml. ``severities["P1"]`` is the level itself."""

    levels: Annotated[Mapping[Severity, SeverityLevel], AfterValidator(_not_slower), *Frozen]
    alert_classes: Annotated[Mapping[Literal["low", "medium", "high"], AlertClass], *Frozen]

    def __getitem__(self, severity: Severity | str) -> SeverityLevel:
        return self.levels[Severity(severity)]


class LadderLevel(Model):
    """One rung: the role, the people of contacts.yaml who hold it, and when they are told."""

    role: Text
    contacts: Annotated[Texts, Field(min_length=1, description="at least one of the people of contacts.yaml")]
    after: StepField


class Ladder(Cited):
    """Who is told, in what order. The first rung is told at once, each later rung after the one before it."""

    title: Text
    levels: Annotated[tuple[LadderLevel, ...], Field(min_length=1, description="at least one level")]


Ladders = Annotated[Mapping[Text, Ladder], *Frozen]


class Person(Cited):
    """A person or team who can be told. At least one of the two ways to reach them."""

    name: Text
    email: Text | None = None
    phone: Text | None = None

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if self.email is None and self.phone is None:
            raise refuse("neither email nor phone", "at least one of them", "say how to reach them")
        if self.email is not None and "@" not in self.email:
            raise refuse(self.email, "an address with an @", key="email")
        return self


class Support(Cited):
    """SP-01: what every message that needs it carries."""

    operations_centre: Text
    emergency_hotline: Text
    status_page: Text
    documentation: Text


class VendorContracts(Cited):
    """A contract that ends within ``notice`` is told (SP-02)."""

    notice: Duration


class Contacts(Model):
    """contacts.yaml. ``groups`` are who a notice goes to, by the names of ``people``."""

    support: Support
    vendor_contracts: VendorContracts
    people: Annotated[Mapping[Text, Person], *Frozen]
    groups: Annotated[Mapping[Text, Texts], *Frozen]


class Vendor(Cited):
    """SP-02: whom to call for a component. ``response`` is the contracted one; none stands for no contract."""

    product: Text
    components: Texts
    coverage: Literal["24/7", "business hours", "not contracted"]
    response: Duration | None = None
    contact: Text
    contract_ends: date | None = None
    meets_p1: Flag

    @model_validator(mode="after")
    def _contracted(self) -> Self:
        if (self.response is None) != (self.coverage == "not contracted"):
            raise refuse(self.response, "a response time for a contract, and none without", key="response")
        return self


Vendors = Annotated[Mapping[Text, Vendor], *Frozen]
