"""How a backup is taken (D21, D28) and how deep and how often it is verified (manual L78-L79, L397)."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from clo_ops.policy.base import Cited, Flag, Model, Positive, Text, Texts
from clo_ops.policy.units import Duration, Percent, as_text, refuse

ArchiveFormat = Literal["custom", "directory"]
GzipLevel = Annotated[int, Field(strict=True, ge=0, le=9, description="a level from 0 (none) to 9")]
ZstdLevel = Annotated[int, Field(strict=True, ge=1, le=19, description="a level from 1 to 19")]


class Taking(Cited):
    """``zstd_level`` where pg_dump knows zstd (16 and newer), else ``gzip_level``. ``jobs`` is for directories.

    ``describe`` puts counts, fingerprints, sequences and newest rows of the snapshot into the manifest, ``invariants``
    the verdicts on its meaning. Without them a backup can be proven restorable, but not equal to what was backed up.
    """

    connection: Text
    format: ArchiveFormat
    jobs: Positive
    zstd_level: ZstdLevel
    gzip_level: GzipLevel
    describe: Flag
    invariants: Flag
    lock_wait: Duration
    timeout: Duration


class PgBackRestTerms(Model):
    """pgBackRest's own program, which verifies what its report in the repository names: ``options`` such as its
    configuration, and how long one look at a whole stanza may take."""

    program: Text
    options: Texts = ()
    within: Duration


class Verification(Cited):
    """Every backup is read whole within ``read_within``; a run starts no new one after ``spend_at_most``.

    ``shrink_percent``: a table that lost more than this share of its rows since the last manifest warns, unless it
    had fewer than ``shrink_from_rows``. ``look_back`` is how far missing days are looked for after a pause.
    """

    read_within: Duration
    spend_at_most: Duration
    stalled_after: Duration
    shrink_percent: Percent
    shrink_from_rows: Positive
    look_back: Duration
    pgbackrest: PgBackRestTerms

    @model_validator(mode="after")
    def _reads_at_least_daily_shares(self) -> Self:
        if self.read_within.days < 1:
            allowed = "1 day or longer"
            raise refuse(as_text(self.read_within), allowed, "a share is read each day", key="read_within")
        return self
