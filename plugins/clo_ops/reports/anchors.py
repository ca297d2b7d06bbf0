"""The anchor: head after head in a second repository, each naming the one before, none ever written twice.

A head's name is its hash: who changes one has to change its name, and with it what the next one names.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from clo_ops.findings import CouldNotCheck
from clo_ops.findings.monthly import Head, Month

NAME = re.compile(r"^(\d{4}-\d{2})-([0-9a-f]{64})\.json$")


@dataclass(frozen=True, slots=True)
class Anchors:
    """What the repository has: by hash the month, and the head before it; ``wrong`` says what is not as it must be."""

    months: Mapping[str, str] = field(default_factory=dict)
    previous: Mapping[str, str] = field(default_factory=dict)
    wrong: tuple[str, ...] = ()

    def before(self, month: Month) -> str:
        """The head a new one of this month names: the last of an earlier month. Of several, that nobody names yet."""
        earlier = sorted((one, sha) for sha, one in self.months.items() if one < str(month))
        if not earlier:
            return ""
        newest = [sha for one, sha in earlier if one == earlier[-1][0]]
        return max(newest)

    def missing(self, known: Collection[str]) -> list[str]:
        """Heads that were anchored once and are there no more."""
        return sorted(set(known) - set(self.months))


class AnchorStore:
    """``url`` is any fsspec URL; ``storage_options`` are the driver's."""

    def __init__(self, url: str, storage_options: Mapping[str, Any] | None = None) -> None:
        from fsspec.core import url_to_fs  # type: ignore[import-untyped]

        self.files, root = url_to_fs(url, **(storage_options or {}))
        self.url, self.root = url, str(root).rstrip("/")

    def __str__(self) -> str:
        return self.url

    def read(self) -> Anchors:
        """Every head in the repository. Raises CouldNotCheck where it cannot be read."""
        try:
            self.files.makedirs(self.root, exist_ok=True)
            names = sorted(str(one).rpartition("/")[2] for one in self.files.ls(self.root, detail=False))
            heads = {name: bytes(self.files.cat_file(f"{self.root}/{name}")) for name in names if NAME.match(name)}
        except OSError as error:
            raise self._could_not("read", error) from error
        return read(heads)

    def keep(self, head: Head) -> str:
        """Its place. The same head again is the same file. Raises CouldNotCheck where it cannot be written."""
        path = f"{self.root}/{head.name}"
        try:
            if not self.files.exists(path):
                self.files.makedirs(self.root, exist_ok=True)
                self.files.pipe_file(f"{path}.part", head.data)
                self.files.mv(f"{path}.part", path)
            if bytes(self.files.cat_file(path)) != head.data:
                raise CouldNotCheck(f"anchor {path} is not what was written", "the head, byte for byte")
        except OSError as error:
            raise self._could_not("written", error) from error
        return str(self.files.unstrip_protocol(path))

    def _could_not(self, verb: str, error: OSError) -> CouldNotCheck:
        return CouldNotCheck(
            f"the anchor's repository {self} could not be {verb}: {error}",
            allowed="a repository that takes the month's head",
            next_step="see that the connection named in evidence.yaml is complete and its place may be written to",
        )


def read(heads: Mapping[str, bytes]) -> Anchors:
    """The heads by name, each held against its name, and the chain they make."""
    months, previous, wrong = {}, {}, []
    for name, data in sorted(heads.items()):
        match = NAME.match(name)
        found = hashlib.sha256(data).hexdigest()
        if match is None or found != match[2]:
            wrong.append(f"anchor {name} has SHA-256 {found[:16]}…: it was changed")
            continue
        facts = json.loads(data)
        months[found], previous[found] = str(facts["month"]), str(facts["previous"])
    for sha, before in previous.items():
        if before and before not in months:
            wrong.append(f"anchor {months[sha]} names the head {before[:16]}… before it, which is not there")
    return Anchors(months, previous, tuple(wrong))
