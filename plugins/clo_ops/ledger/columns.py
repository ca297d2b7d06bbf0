"""Column types that hold PostgreSQL to our rules: times are aware, text that came from outside always fits.

PostgreSQL's text and jsonb take no NUL and no lone surrogate; a banner or a statement with one must not cost us the
record of a whole procedure, so they become U+FFFD.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, Column, DateTime, Dialect, ForeignKey, Identity, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.types import TypeDecorator

UNITS = ("percent", "ms", "s", "bytes", "count", "bool", "ratio")


def aware(at: datetime) -> datetime:
    """The same instant in UTC. Raises ValueError for a time without a zone."""
    if at.tzinfo is None:
        raise ValueError(f"the ledger takes only times with a time zone, got {at!r}")
    return at.astimezone(UTC)


def clean(value: Any) -> Any:
    """The value with every text in it made fit for PostgreSQL."""
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, Mapping):
        return {clean(key): clean(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [clean(one) for one in value]
    return value


def labels_digest(labels: Mapping[str, str]) -> bytes:
    """16 bytes that tell one series' labels from another's, whatever order they came in."""
    canonical = json.dumps(clean(labels), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).digest()[:16]


class Instant(TypeDecorator[datetime]):
    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else aware(value)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)


class CleanText(TypeDecorator[str]):
    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else str(clean(str(value)))


class CleanJson(TypeDecorator[Any]):
    impl = JSONB(none_as_null=True)
    cache_ok = True
    coerce_to_is_types = ()

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return clean(value)


class CleanTexts(TypeDecorator[list[str]]):
    impl = ARRAY(Text)
    cache_ok = True

    def process_bind_param(self, value: list[str] | None, dialect: Dialect) -> list[str] | None:
        return None if value is None else [str(clean(one)) for one in value]


def identity() -> Column[int]:
    return Column("id", BigInteger, Identity(always=True), primary_key=True)


def of_run(*, nullable: bool = False) -> Column[int]:
    return Column("run_id", BigInteger, ForeignKey("clo_ops.runs.id"), nullable=nullable)


def words(name: str) -> Column[str]:
    return Column(name, CleanText, nullable=False, server_default=text("''"))


def recorded_at() -> Column[object]:
    return Column("recorded_at", Instant, nullable=False, server_default=text("now()"))
