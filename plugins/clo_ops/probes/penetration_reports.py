"""Fetch the report of a penetration test, wherever fsspec finds it (M1-07, manual L171)."""

from __future__ import annotations

from clo_ops.probes.reaching import Reach, Unreachable


def fetch(url: str, largest: int) -> bytes:
    """The whole file. Raises Unreachable where it is not there, cannot be had, or is larger than ``largest`` bytes."""
    from fsspec.core import url_to_fs  # type: ignore[import-untyped]

    try:
        files, path = url_to_fs(url)
        with files.open(path, "rb") as file:
            data: bytes = file.read(largest + 1)
    except Exception as error:
        # fsspec's file systems raise whatever their client does.
        raise Unreachable(Reach.OTHER, f"{_shown(url)}: {type(error).__name__}") from error
    if len(data) > largest:
        raise Unreachable(Reach.OTHER, f"{_shown(url)}: more than {largest:,} bytes (audit.yaml)")
    return data


def _shown(url: str) -> str:
    """Without what stands before an @: a URL may carry a password."""
    head, at, rest = url.rpartition("@")
    return f"{head.partition('://')[0]}://***@{rest}" if at else url
