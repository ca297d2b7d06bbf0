"""The SQL catalogue: one statement per file below include/sql, each with a header that says what it is.

A header is lines of ``-- key: value`` before the statement: purpose, procedure (ids, comma separated), columns
(``name type`` each), privilege (what the role needs) and access (``read-only`` or ``writes``). Values are bound by
name, ``%(name)s``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from clo_ops.findings import ConfigurationError
from clo_ops.policy.paths import INCLUDE

KEYS = ("purpose", "procedure", "columns", "privilege", "access")


@dataclass(frozen=True, slots=True)
class Statement:
    name: str
    text: str
    purpose: str
    procedures: tuple[str, ...]
    columns: tuple[str, ...]
    privilege: str
    read_only: bool


def _parse(name: str, path: Path) -> Statement:
    header: dict[str, str] = {}
    lines = path.read_text(encoding="utf-8").splitlines()
    body = 0
    for body, line in enumerate(lines):  # noqa: B007 - where the header ends is where the statement starts
        key, colon, value = line.removeprefix("--").partition(":")
        if not line.startswith("--"):
            break
        if colon and key.strip() in KEYS:
            header[key.strip()] = value.strip()
    missing = [key for key in KEYS if not header.get(key)]
    if missing or header["access"] not in ("read-only", "writes"):
        raise ConfigurationError(
            f"{path}: header has {header}, missing {missing}",
            allowed=f"lines '-- key: value' for {', '.join(KEYS)}; access is read-only or writes",
        )
    return Statement(
        name=name,
        text="\n".join(lines[body:]).strip(),
        purpose=header["purpose"],
        procedures=tuple(part.strip() for part in header["procedure"].split(",")),
        columns=tuple(part.strip() for part in header["columns"].split(",")),
        privilege=header["privilege"],
        read_only=header["access"] == "read-only",
    )


@cache
def statement(name: str) -> Statement:
    """The statement in ``include/sql/<name>.sql``; ``source/open_sessions`` names one of the application's own.

    Raises ConfigurationError where the file is missing or its header incomplete.
    """
    path = INCLUDE / "sql" / f"{name}.sql"
    if not path.is_file():
        raise ConfigurationError(f"no SQL file {path}", allowed="a name of a file below include/sql, without .sql")
    return _parse(name, path)


def catalogue() -> list[Statement]:
    """Every statement there is, by name."""
    root = INCLUDE / "sql"
    return [statement(str(path.relative_to(root).with_suffix(""))) for path in sorted(root.rglob("*.sql"))]
