"""What is pending on a host, and what a release of an application brings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Self

NEW = "-"
# A package and a version go into a command line of the host: what is no name and no version is refused.
PACKAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._-]*(:[a-z0-9-]+)?")
VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+~:^_-]*")


@dataclass(frozen=True, slots=True)
class Change:
    """One package: ``old`` is "-" where it is not installed yet. Raises ValueError for what is none."""

    package: str
    old: str
    new: str
    security: bool = False

    def __post_init__(self) -> None:
        versions = [one for one in (self.old, self.new) if one != NEW]
        if not PACKAGE.fullmatch(self.package) or not all(VERSION.fullmatch(one) for one in versions):
            raise ValueError(f"{self.package!r} {self.old!r} {self.new!r} is not a package with its versions")

    def __str__(self) -> str:
        return f"{self.package} {'new' if self.old == NEW else self.old} -> {self.new}"

    @classmethod
    def read(cls, text: str) -> Self:
        """The inverse of ``str``. Raises ValueError for what is no change."""
        before, arrow, new = text.strip().partition(" -> ")
        package, space, old = before.partition(" ")
        if not (arrow and space and package and old and new) or " " in new:
            raise ValueError(f"{text!r} is not a package with its versions")
        return cls(package, NEW if old == "new" else old, new)


@dataclass(frozen=True, slots=True)
class HostState:
    """What a host's package manager says. ``lists_age`` in seconds; None where nobody knows. ``reboot`` is the reason
    for one, "" where none is needed, None where nobody knows."""

    host: str
    manager: str
    changes: tuple[Change, ...] = ()
    removals: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()
    lists_age: float | None = None
    reboot: str | None = None

    @property
    def security(self) -> tuple[Change, ...]:
        return tuple(one for one in self.changes if one.security)


@dataclass(frozen=True, slots=True)
class Release:
    """One release as its feed tells it. ``kind`` is feature, improvement, fix, interface or security."""

    version: str
    released: date
    kind: str = "feature"
    severity: str = ""
    title: str = ""
    fixes: tuple[str, ...] = ()

    @property
    def security(self) -> bool:
        return self.kind == "security" or bool(self.severity)

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Self:
        """Raises KeyError, TypeError or ValueError where it is not as the form wants it."""
        version = str(given["version"])
        parts(version)
        return cls(
            version=version,
            released=date.fromisoformat(str(given["released"])[:10]),
            kind=str(given.get("kind", "feature")),
            severity=str(given.get("severity") or ""),
            title=str(given.get("title", ""))[:200],
            fixes=tuple(str(one)[:200] for one in given.get("fixes", ())),
        )


def parts(version: str) -> tuple[int, ...]:
    """The numbers of a version, to compare by. Raises ValueError for what has others: 2.4.0-rc1 is no release."""
    numbers = version.removeprefix("v").split(".")
    if not all(one.isdigit() for one in numbers):
        raise ValueError(f"{version!r} is not a version of numbers and dots")
    return tuple(int(one) for one in numbers)


def numbers(version: str) -> tuple[int, ...]:
    """Every number of a library's version, up to its local part: 2.0.1.post1 is after 2.0.1. (0,) where it has none."""
    return tuple(int(one) for one in re.findall(r"\d+", version.partition("+")[0])) or (0,)


@dataclass(frozen=True, slots=True)
class ApplicationState:
    """An application's running version and its releases; ``no_source`` says why there is neither."""

    name: str
    running: str = ""
    releases: tuple[Release, ...] = field(default=())
    no_source: str = ""

    @property
    def pending(self) -> tuple[Release, ...]:
        """Newer than what runs, oldest first."""
        newer = [one for one in self.releases if self.running and parts(one.version) > parts(self.running)]
        return tuple(sorted(newer, key=lambda one: parts(one.version)))
