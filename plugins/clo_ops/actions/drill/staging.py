"""The backup within reach of the restored server: mounted where it lies, or copied into a volume of the engine.

Copied, it passes through this process in pieces: memory stays flat whatever its size. Nothing runs for it: the
container that lends the volume its place is made and never started.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from clo_ops.actions.drill.place import ChosenBackup, PlaceFailed
from clo_ops.probes.backup_formats import Wrapper
from clo_ops.probes.backup_streams import unwrapped

PIECE = 1024 * 1024
READABLE, ENTERABLE = 0o004, 0o005


class _Raw(io.RawIOBase):
    """A file of any storage as decoders want to read it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._file.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        self._file.close()
        super().close()


@dataclass(frozen=True, slots=True)
class Source:
    """The files of a backup in its repository, by fsspec."""

    backup: ChosenBackup

    @property
    def path(self) -> Path | None:
        """Where it lies on this machine; None for a repository elsewhere."""
        file_system, root = self._opened()
        local = "file" in (file_system.protocol if isinstance(file_system.protocol, tuple) else (file_system.protocol,))
        return Path(root) / self.backup.name if local else None

    def readable_by_all(self) -> bool:
        """Whether the container's account, which owns nothing here, may read it where it lies."""
        path = self.path
        if path is None or self.backup.wrapped:
            return False
        inside = [path, *path.rglob("*")] if path.is_dir() else [path]
        return all(_open_to_all(one) for one in inside)

    def files(self) -> dict[str, str]:
        """Each file's name inside the backup's directory (or its own name), and its path in the repository."""
        file_system, root = self._opened()
        whole = f"{root.rstrip('/')}/{self.backup.name}"
        if not file_system.isdir(whole):
            return {unpacked_name(self.backup): whole}
        return {f"{self.backup.name}/{name[len(whole) :].lstrip('/')}": name for name in file_system.find(whole)}

    def open(self, path: str) -> IO[bytes]:
        file_system, _ = self._opened()
        raw = file_system.open(path, "rb")
        wrapper = cast(Wrapper, self.backup.wrapped)
        return unwrapped(_Raw(raw), wrapper) if wrapper else cast(IO[bytes], raw)

    def length(self, path: str) -> int:
        """Bytes as they will be written: counted by reading once where the archive is compressed as a whole."""
        if not self.backup.wrapped:
            file_system, _ = self._opened()
            return int(file_system.size(path))
        with self.open(path) as file:
            return sum(len(piece) for piece in iter(lambda: file.read(PIECE), b""))

    def _opened(self) -> tuple[Any, str]:
        from fsspec.core import url_to_fs  # type: ignore[import-untyped]

        repository = self.backup.repository
        file_system, root = url_to_fs(repository.url, use_listings_cache=False, **repository.storage_options)
        return file_system, str(root)


def as_tar(source: Source) -> Iterator[bytes]:
    """The backup as a tar stream, readable by everybody, one piece after the other."""
    for name, path in source.files().items():
        length = source.length(path)
        yield _header(name, length)
        written = 0
        with source.open(path) as file:
            while piece := file.read(PIECE):
                written += len(piece)
                yield piece
        if written != length:
            raise PlaceFailed(f"{path} changed while it was read: {written} bytes, {length} a moment before")
        yield bytes(-length % tarfile.BLOCKSIZE)
    yield bytes(2 * tarfile.BLOCKSIZE)


def directory(name: str, uid: int, gid: int) -> bytes:
    """A tar archive of one empty directory that only its owner may enter."""
    made = tarfile.TarInfo(name)
    made.type, made.mode, made.uid, made.gid = tarfile.DIRTYPE, 0o700, uid, gid
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.addfile(made)
    return archive.getvalue()


def unpacked_name(backup: ChosenBackup) -> str:
    """Its name without the suffix of what was taken off."""
    suffix = {"gzip": ".gz", "zstd": ".zst", "lz4": ".lz4"}.get(backup.wrapped, "")
    return backup.name.removesuffix(suffix) if suffix else backup.name


def _header(name: str, length: int) -> bytes:
    made = tarfile.TarInfo(name)
    made.size, made.mode = length, 0o444
    return made.tobuf(tarfile.GNU_FORMAT)


def _open_to_all(path: Path) -> bool:
    needed = ENTERABLE if path.is_dir() else READABLE
    try:
        return path.stat().st_mode & needed == needed
    except OSError:
        return False
