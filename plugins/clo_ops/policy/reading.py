"""YAML as data and nothing else: no duplicate keys, no tags, no guesses ("no" is a text, 18:00 is not 1080)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from clo_ops.policy.problems import Location, Problem, key_path

# The C parser is ten times faster; a PyYAML built without it works all the same.
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
INTEGER = re.compile(r"^-?(0|[1-9]\d*)$")
FRACTION = re.compile(r"^-?\d+\.\d+$")
WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}
STANDARD = "tag:yaml.org,2002:"
PLAIN_TAGS = {STANDARD + kind for kind in ("str", "int", "float", "bool", "null", "timestamp", "value", "merge")}


@dataclass(slots=True)
class Document:
    """One file: its content, the line of every key, and what was wrong with it as YAML."""

    file: str
    content: Any = None
    lines: dict[Location, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def read(path: Path) -> Document:
    """Read one file. Never raises for its content: problems are collected for the one message."""
    document = Document(path.name)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        given = f"byte 0x{error.object[error.start]:02x} at offset {error.start}"
        document.problems.append(Problem(path.name, "", given, "UTF-8 text", "save the file as UTF-8"))
    except OSError as error:
        given = error.strerror or str(error)
        document.problems.append(Problem(path.name, "", given, "a readable file", "check its permissions"))
    else:
        _parse(document, text)
    return document


def _parse(document: Document, text: str) -> None:
    try:
        node = yaml.compose(text, Loader=LOADER)
    except yaml.YAMLError as error:
        document.problems.append(_not_yaml(document.file, error))
        return
    if node is None:
        document.problems.append(Problem(document.file, "", "an empty file", "YAML", "restore its content", 1))
        return
    document.content = _Builder(document).build(node, ())


def _not_yaml(file: str, error: yaml.YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None)
    given = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error).splitlines()[0]
    line = mark.line + 1 if mark else 0
    column = f" at column {mark.column + 1}" if mark else ""
    return Problem(file, "", f"{given}{column}", "YAML", 'quote a text that has ": ", "#" or ">" in it', line)


class _Builder:
    """Turns nodes into plain values, noting lines and problems on the way."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.open: list[int] = []

    def build(self, node: Any, location: Location) -> Any:
        line = node.start_mark.line + 1
        self.document.lines.setdefault(location, line)
        if id(node) in self.open:
            return self.complain(location, "an alias to itself", "values without a circle", line)
        self.open.append(id(node))
        try:
            return self._value(node, location, line)
        finally:
            self.open.pop()

    def _value(self, node: Any, location: Location, line: int) -> Any:
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, location)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, (*location, index)) for index, item in enumerate(node.value)]
        if node.tag not in PLAIN_TAGS:
            return self.complain(location, f"the tag {node.tag}", "plain values", line)
        return node.value if node.style or node.tag == STANDARD + "merge" else scalar(node.value)

    def _mapping(self, node: Any, location: Location) -> dict[str, Any]:
        content: dict[str, Any] = {}
        first: dict[str, int] = {}
        for key_node, value_node in node.value:
            key, line = str(key_node.value), key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self.complain(location, "a list or mapping as a key", "texts as keys", line)
                continue
            if key in first:
                given = f"the key {key!r} a second time (first on line {first[key]})"
                self.complain((*location, key), given, "every key once", line)
                continue
            first[key] = self.document.lines[*location, key] = line
            content[key] = self.build(value_node, (*location, key))
        return content

    def complain(self, location: Location, given: str, allowed: str, line: int) -> None:
        do = "remove one of them" if "second time" in given else "write the value itself"
        self.document.problems.append(Problem(self.document.file, key_path(location), given, allowed, do, line))


def scalar(text: str) -> Any:
    """An unquoted value: true, false, null, a decimal number, or else a text."""
    if text in WORDS:
        return WORDS[text]
    if INTEGER.match(text):
        return int(text)
    return float(text) if FRACTION.match(text) else text
