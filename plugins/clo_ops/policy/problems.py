"""What is wrong with a policy: every problem with its file, key, what was given, what is allowed and what to do."""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from clo_ops.findings import ConfigurationError

Location = tuple[str | int, ...]
CONTAINERS = {tuple: "a list", Mapping: "a mapping"}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong. ``line`` is 0 where the file has no such key."""

    file: str
    key: str
    given: str
    allowed: str
    do: str = ""
    line: int = 0

    def __str__(self) -> str:
        where = f"{self.file}{f' line {self.line}' if self.line else ''}"
        key = f", {self.key}" if self.key else ""
        do = f". Do: {self.do}" if self.do else ""
        return f"{where}{key}: given {self.given}, allowed: {self.allowed}{do}"


class PolicyRefused(ConfigurationError):
    """A policy that must not be used; ``problems`` has them all."""

    def __init__(self, directory: Path, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        count = f"{len(problems)} problem{'' if len(problems) == 1 else 's'}"
        listed = "".join(f"\n  - {one}" for one in problems)
        super().__init__(
            f"The policy in {directory} is refused, {count}:{listed}\n",
            "",
            "correct the files and look at them with make policy",
        )


def key_path(location: Iterable[str | int]) -> str:
    """("levels", 0, "after") as a person would write it: levels[0].after."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def shown(given: Any) -> str:
    """What stood in the file, short."""
    text = "nothing" if given is None else repr(given) if isinstance(given, str) else str(given)
    return text if len(text) <= 80 else f"{text[:77]}..."


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The hint for a misspelt name, or an empty text."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f'did you mean "{near[0]}"?' if near else ""


def from_pydantic(file: str, section: Any, error: ValidationError, lines: Mapping[Location, int]) -> list[Problem]:
    """Every error of one file. ``section`` is the type the file was read as."""
    problems: list[Problem] = []
    for one in error.errors(include_url=False):
        # Keys of mappings come as (key, "[key]"); the marker is pydantic's, not the file's.
        location = tuple(part for part in one["loc"] if part != "[key]")
        # A validator of ours may have refused several things at once.
        others = (one.get("ctx") or {}).get("others", ())
        errors = [one, *({**one, "ctx": context} for context in others)]
        problems += [_problem(file, section, location, each, lines) for each in errors]
    return problems


def _problem(file: str, section: Any, location: Location, error: Any, lines: Mapping[Location, int]) -> Problem:
    context = error.get("ctx") or {}
    inner = context.get("key", "")
    key = ".".join(part for part in (key_path(location), inner) if part)
    given, allowed, do = _explained(section, location, error, context)
    return Problem(
        file, key, given, allowed, do, nearest_line(lines, location + tuple(inner.split(".") if inner else ()))
    )


def _explained(section: Any, location: Location, error: Any, context: Mapping[str, Any]) -> tuple[str, str, str]:
    kind = error["type"]
    if kind == "refused":
        return context["given"], context["allowed"], context["do"]
    if kind == "extra_forbidden":
        known = sorted(fields_of(type_at(section, location[:-1])))
        hint = did_you_mean(str(location[-1]), known)
        return f"the unknown key {location[-1]!r}", f"only {', '.join(known)}", hint or "remove it"
    described = describe(type_at(section, location))
    if kind == "missing":
        return "nothing", described or "this key is required", f"add {location[-1]}"
    message = error["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
    return shown(error["input"]), described or message, ""


def nearest_line(lines: Mapping[Location, int], location: Location) -> int:
    """The line of the key, or of the closest key round it."""
    for length in range(len(location), -1, -1):
        if location[:length] in lines:
            return lines[location[:length]]
    return 0


def type_at(annotation: Any, location: Location) -> Any:
    """The type a place in the file is read as; None where there is none."""
    for part in location:
        annotation = _step(_bare(annotation), part)
    return annotation


def _step(annotation: Any, part: str | int) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        field = annotation.model_fields.get(str(part))
        if field is None:
            return None
        return Annotated[(field.annotation, *field.metadata, field)] if field.annotation else None
    arguments = get_args(annotation)
    if isinstance(part, int):
        return arguments[0] if arguments else None
    return arguments[1] if len(arguments) > 1 else None


def _bare(annotation: Any) -> Any:
    """Without Annotated and without "or None"."""
    while True:
        origin = get_origin(annotation)
        if origin is Annotated:
            annotation = get_args(annotation)[0]
        elif origin in (Union, types.UnionType):
            annotation = next(one for one in get_args(annotation) if one is not type(None))
        else:
            return annotation


def fields_of(annotation: Any) -> tuple[str, ...]:
    bare = _bare(annotation)
    return tuple(bare.model_fields) if isinstance(bare, type) and issubclass(bare, BaseModel) else ()


def describe(annotation: Any) -> str:
    """What is allowed at a place, in words: the choices of a closed list, or the description of the type."""
    bare = _bare(annotation)
    if get_origin(bare) is Literal:
        return f"one of {', '.join(str(one).lower() if one in (True, False) else str(one) for one in get_args(bare))}"
    if isinstance(bare, type) and issubclass(bare, Enum):
        return f"one of {', '.join(str(one.value) for one in bare)}"
    if fields := fields_of(bare):
        return f"a mapping with {', '.join(fields)}"
    return _description(annotation) or CONTAINERS.get(get_origin(bare), "")


def _description(annotation: Any) -> str:
    for extra in getattr(annotation, "__metadata__", ()):
        if getattr(extra, "description", None):
            return str(extra.description)
    inner = [one for one in get_args(annotation) if one is not type(None)]
    if get_origin(annotation) in (Annotated, Union, types.UnionType) and inner:
        return _description(inner[0])
    return ""
