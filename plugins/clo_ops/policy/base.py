"""What all policy models share: frozen, no unknown keys, and a place in the manual for every figure."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    WrapSerializer,
    model_validator,
)

from clo_ops.policy.units import refuse, several

MANUAL_FORM = 'lines of the manual, such as "L325-L327" or "L18, L78"'
RESOLUTION_FORM = 'a resolution, such as "D46", or a list of them'
LAST_LINE = 480
LAST_RESOLUTION = 72


def _frozen(given: Mapping[Any, Any]) -> Mapping[Any, Any]:
    return MappingProxyType(dict(given))


def _dumped(given: Mapping[Any, Any], dump: SerializerFunctionWrapHandler) -> Any:
    return dump(dict(given))


def _place(given: Any) -> str:
    if not isinstance(given, str) or not given:
        raise refuse(given, MANUAL_FORM)
    for part in given.split(","):
        ends = part.strip().split("-")
        if len(ends) > 2 or any(end[:1] != "L" or not end[1:].isdigit() for end in ends):
            raise refuse(given, MANUAL_FORM)
        first, last = int(ends[0][1:]), int(ends[-1][1:])
        if not 1 <= first <= last <= LAST_LINE:
            raise refuse(given, f"lines from L1 to L{LAST_LINE}, the first before the last")
    return given


def _resolution(given: str) -> str:
    if given[:1] != "D" or len(given) != 3 or not given[1:].isdigit() or not 1 <= int(given[1:]) <= LAST_RESOLUTION:
        raise refuse(given, RESOLUTION_FORM)
    return given


# A mapping in a frozen model must not be a way round its being frozen.
Frozen = (AfterValidator(_frozen), WrapSerializer(_dumped))
ManualPlace = Annotated[str, BeforeValidator(_place), Field(description=MANUAL_FORM)]
Resolution = Annotated[str, AfterValidator(_resolution), Field(description=RESOLUTION_FORM)]
Resolutions = Annotated[tuple[Resolution, ...], BeforeValidator(several), Field(description=RESOLUTION_FORM)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1), Field(description="a text, not empty")]
Texts = Annotated[tuple[Text, ...], BeforeValidator(several), Field(description="a text, or a list of texts")]
Count = Annotated[int, Field(strict=True, ge=0, description="a whole number, 0 or more")]
Positive = Annotated[int, Field(strict=True, ge=1, description="a whole number, 1 or more")]
Flag = Annotated[bool, Field(strict=True, description="true or false")]


class Model(BaseModel):
    """Frozen, and refuses keys it does not know."""

    # Only what policy files consist of is built, when they are read, and not each of their parts by itself as well.
    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")


class Cited(Model):
    """A figure, or a block of figures, with its place in the manual and the resolution that changed it."""

    manual: ManualPlace | None = None
    resolution: Resolutions = ()

    @model_validator(mode="after")
    def _has_a_source(self) -> Self:
        if self.manual is None and not self.resolution:
            raise refuse("neither manual nor resolution", "at least one of them", "say where the figure comes from")
        return self


def unique(names: list[str], what: str) -> None:
    """Refuse a list that names the same thing twice."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise refuse(", ".join(twice), f"{what} that differ from each other", "rename or remove the second one")
