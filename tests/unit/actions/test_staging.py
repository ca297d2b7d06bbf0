"""The backup as it is copied into a volume: every byte, unwrapped, readable by everybody, from any storage."""

from __future__ import annotations

import gzip
import io
import tarfile

import fsspec
import pytest
from lz4 import frame

from clo_ops.actions.drill.place import ChosenBackup, PlaceFailed
from clo_ops.actions.drill.staging import PIECE, Source, as_tar, directory, unpacked_name
from clo_ops.probes.backup_streams import _zstd
from clo_ops.probes.targets import BackupRepository

CONTENT = b"PGDMP" + bytes(range(256)) * 5000  # no multiple of a tar block, more than one piece
WRAPPERS = {
    "": ("clo.dump", lambda content: content),
    "gzip": ("clo.dump.gz", gzip.compress),
    "zstd": ("clo.dump.zst", lambda content: _zstd().compress(content)),
    "lz4": ("clo.dump.lz4", frame.compress),
}


def chosen(url, name, wrapped=""):
    return ChosenBackup(BackupRepository(url), name, "clo", 15, wrapped=wrapped)


def unpacked(backup):
    with tarfile.open(fileobj=io.BytesIO(b"".join(as_tar(Source(backup))))) as tar:
        return {one.name: (tar.extractfile(one).read(), oct(one.mode)) for one in tar.getmembers()}


@pytest.mark.parametrize("wrapped", WRAPPERS)
def test_a_file_is_unwrapped_on_its_way(tmp_path, wrapped):
    assert len(CONTENT) > PIECE and len(CONTENT) % tarfile.BLOCKSIZE
    name, wrap = WRAPPERS[wrapped]
    (tmp_path / name).write_bytes(wrap(CONTENT))
    backup = chosen(tmp_path.as_uri(), name, wrapped)
    assert unpacked_name(backup) == "clo.dump"
    assert unpacked(backup) == {"clo.dump": (CONTENT, "0o444")}


def test_from_a_storage_that_is_no_disk():
    with fsspec.open("memory://staging/clo.dump", "wb") as file:
        file.write(CONTENT)
    backup = chosen("memory://staging", "clo.dump")
    assert Source(backup).path is None and not Source(backup).readable_by_all()
    assert unpacked(backup) == {"clo.dump": (CONTENT, "0o444")}


def test_a_directory_keeps_its_files_names(tmp_path):
    folder = tmp_path / "clo.dir"
    folder.mkdir()
    (folder / "toc.dat").write_bytes(b"toc")
    (folder / "1.dat.gz").write_bytes(b"data")
    backup = chosen(tmp_path.as_uri(), "clo.dir")
    assert {name: content for name, (content, _) in unpacked(backup).items()} == {
        "clo.dir/toc.dat": b"toc",
        "clo.dir/1.dat.gz": b"data",
    }


@pytest.mark.parametrize(("mode", "readable"), [(0o644, True), (0o640, False), (0o600, False), (0o604, True)])
def test_mounted_only_where_everybody_may_read_it(tmp_path, mode, readable):
    (tmp_path / "clo.dump").write_bytes(CONTENT)
    (tmp_path / "clo.dump").chmod(mode)
    assert Source(chosen(tmp_path.as_uri(), "clo.dump")).readable_by_all() is readable


def test_a_directory_is_mounted_only_where_all_of_it_may_be_read(tmp_path):
    folder = tmp_path / "clo.dir"
    folder.mkdir(mode=0o755)
    (folder / "toc.dat").write_bytes(b"toc")
    (folder / "toc.dat").chmod(0o644)
    source = Source(chosen(tmp_path.as_uri(), "clo.dir"))
    assert source.readable_by_all()
    (folder / "toc.dat").chmod(0o600)
    assert not source.readable_by_all()


def test_a_file_that_grows_while_it_is_read_is_noticed(tmp_path, monkeypatch):
    (tmp_path / "clo.dump").write_bytes(CONTENT)
    monkeypatch.setattr(Source, "length", lambda self, path: len(CONTENT) - 1)
    with pytest.raises(PlaceFailed, match="changed while it was read"):
        b"".join(as_tar(Source(chosen(tmp_path.as_uri(), "clo.dump"))))


def test_a_directory_only_its_owner_may_enter():
    with tarfile.open(fileobj=io.BytesIO(directory("pgdata", 999, 998))) as tar:
        (one,) = tar.getmembers()
    assert (one.name, one.isdir(), oct(one.mode), one.uid, one.gid) == ("pgdata", True, "0o700", 999, 998)
