"""The files of a backup repository, wherever fsspec finds them. Names are those directly below the repository's URL.

A name that begins with a dot is being written or removed, and is no backup.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clo_ops.probes.targets import BackupRepository

MOST_FILES = 50_000
TOC = "toc.dat"  # the table of contents of a directory archive


class Unlistable(Exception):
    """The repository cannot be listed or read; the text says why and holds no secret."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """``size`` is bytes, of a directory its files together; ``modified`` is None where the storage does not say."""

    name: str
    size: int
    modified: datetime | None = None
    parts: tuple[StoredFile, ...] = ()
    is_directory: bool = False

    def part(self, name: str) -> StoredFile | None:
        return next((one for one in self.parts if one.name == name), None)


class BackupFiles:
    """Reads one repository. Every method raises Unlistable, and FileNotFoundError where a single file is gone."""

    def __init__(self, repository: BackupRepository) -> None:
        self.repository = repository

    def __str__(self) -> str:
        return str(self.repository)

    @cached_property
    def _opened(self) -> tuple[Any, str]:
        from fsspec.core import url_to_fs  # type: ignore[import-untyped]

        # Listings are cached per process otherwise, and a long-lived worker would see last night's for ever.
        options = {"use_listings_cache": False, **self.repository.storage_options}
        with self.errors_in_words():
            system, root = url_to_fs(self.repository.url, **options)
        return system, str(root).rstrip("/")

    @property
    def system(self) -> Any:
        return self._opened[0]

    def path(self, name: str = "") -> str:
        root = self._opened[1]
        return f"{root}/{name}" if name else root or "/"

    def local(self, name: str) -> Path | None:
        """Where the file is on this machine, None where it is elsewhere."""
        protocol = self.system.protocol
        names = (protocol,) if isinstance(protocol, str) else protocol
        return Path(self.path(name)) if "file" in names or "local" in names else None

    @contextmanager
    def errors_in_words(self, what: str = "") -> Iterator[None]:
        """Storage libraries have no error in common, and some repeat what they were configured with."""
        try:
            yield
        except (Unlistable, FileNotFoundError):
            raise
        except Exception as error:  # noqa: BLE001 - each storage library raises its own; all mean: not read
            raise Unlistable(f"{what}: {self.words(error)}" if what else self.words(error)) from None

    def words(self, error: Exception) -> str:
        said = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        for secret in self.repository.storage_options.values():
            if isinstance(secret, str) and len(secret) >= 6:
                said = said.replace(secret, "***")
        return said

    def listing(self) -> dict[str, StoredFile]:
        """Each file, and each directory pg_dump wrote with the files in it; hidden ones are left out."""
        try:
            with self.errors_in_words():
                listed = self.system.ls(self.path(), detail=True)
        except FileNotFoundError as error:
            raise Unlistable(self.words(error)) from None
        if len(listed) > MOST_FILES:
            raise Unlistable(f"it holds {len(listed)} files, more than the {MOST_FILES} looked at")
        found = [one for one in listed if not _last(one["name"]).startswith(".")]
        stored = [self._stored(known) for one in found if (known := self._followed(one)) is not None]
        return {one.name: one for one in stored if not one.is_directory or one.part(TOC)}

    def hidden(self) -> list[str]:
        """Names of what is being written or removed."""
        with self.errors_in_words():
            listed = self.system.ls(self.path(), detail=True)
        return sorted(name for one in listed if (name := _last(one["name"])).startswith("."))

    def _followed(self, one: dict[str, Any]) -> dict[str, Any] | None:
        """As what a link leads to; None for what nobody can read to an end: pipes, sockets, devices."""
        here = self.local(_last(one["name"])) if one["type"] not in ("file", "directory") else None
        if here is None or here.is_file() or not here.exists():
            return one
        return {**one, "type": "directory"} if here.is_dir() else None

    def _stored(self, one: dict[str, Any]) -> StoredFile:
        name = _last(one["name"])
        if one["type"] != "directory":
            return StoredFile(name, int(one["size"] or 0), _modified(one))
        # Flat, as pg_dump writes it: whatever else lies in folders of a repository is not walked through.
        with self.errors_in_words(name):
            below = self.system.ls(self.path(name), detail=True)
        parts = [
            StoredFile(_last(part["name"]), int(part["size"] or 0), _modified(part))
            for part in sorted(below, key=lambda part: str(part["name"]))
            if part["type"] != "directory"
        ]
        times = [part.modified for part in parts if part.modified]
        return StoredFile(name, sum(part.size for part in parts), max(times, default=None), tuple(parts), True)

    def head(self, name: str, length: int) -> bytes | None:
        """The first ``length`` bytes; None where the file vanished meanwhile."""
        try:
            with self.open(name) as file:
                return bytes(file.read(length))
        except FileNotFoundError:
            return None

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        with self.errors_in_words(name), self.system.open(self.path(name), "rb") as file:
            yield file


def _last(path: str) -> str:
    return path.rstrip("/").rsplit("/", 1)[-1]


def _modified(one: dict[str, Any]) -> datetime | None:
    """Every storage calls it something else."""
    for key in ("mtime", "LastModified", "last_modified", "updated", "modified", "created"):
        given = one.get(key)
        if isinstance(given, int | float) and not isinstance(given, bool):
            return datetime.fromtimestamp(given, UTC)
        if isinstance(given, str):
            given = _parsed(given)
        if isinstance(given, datetime):
            return given.astimezone(UTC) if given.tzinfo else given.replace(tzinfo=UTC)
    return None


def _parsed(given: str) -> datetime | None:
    try:
        return datetime.fromisoformat(given)
    except ValueError:
        return None
