"""What a log line says (LM-03, LM-04): its time, its level, its signature; a request's endpoint, status and time.

A signature is the line without what makes it different each time, and without what nobody may keep: numbers, ids, hex,
addresses, paths, everything in quotes, SQL, and the word behind "user" and its like become placeholders. The same line
has the same signature whenever and wherever it is met: nothing is learned, so nothing has to be remembered.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from clo_ops.policy.logs import Fields, Form, LogFile

LONGEST_LINE = 4_000  # characters of a line that are looked at
# Of a message that is masked: what is longer costs more than it tells, and a text without end must not cost minutes.
LONGEST_SIGNED = 1_000
POSTGRESQL = re.compile(
    r"^(?P<at>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?) (?P<zone>\S+) \[\d+\].*?"
    r"(?P<level>LOG|INFO|NOTICE|WARNING|ERROR|FATAL|PANIC|DEBUG\d?|DETAIL|HINT|STATEMENT|CONTEXT|QUERY):\s+(?P<message>.*)$"
)
# Lines that say more of the one before; what they quote is nobody's to keep.
CONTINUED = ("DETAIL", "HINT", "STATEMENT", "CONTEXT", "QUERY")
TEXT = re.compile(
    r"^\[?(?P<at>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?)(?P<zone>Z|[+-]\d\d:?\d\d)?\]?\s*(?P<message>.*)$"
)
LEVEL = re.compile(r"\b(DEBUG|INFO|NOTICE|WARNING|WARN|ERROR|CRITICAL|FATAL|PANIC)\b")
# What the word behind these is, is somebody's or something's own name; behind some only where = or : stands between.
NAMED = "user|username|role|account|client|host|hostname|database|principal|customer|deal"
GIVEN = f"{NAMED}|login|email|mail|name|token|key|password|secret|code|application_name"
NO_NAME = r"(?!(?:the|an?|all|this|that|no|want|lack|user|role|table|relation|database|every|each|it|more)\b)"
MASKS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), by)
    for pattern, by in (
        (r"(?is)\b(statement|execute|parse|bind|query)\b[^:]*: .*$", r"\1: <sql>"),
        (r'"(?:[^"\\]|\\.)*"?', '"<text>"'),
        (r"(?<!\w)'(?:[^'\\]|\\.)*(?:'(?!\w)|$)", "'<text>'"),
        (r"«[^»]*»", "«<text>»"),
        (r"(?i)\b[a-z][a-z0-9+.-]*://\S+", "<url>"),
        (r"[\w.+-]+@[\w-]+\.[\w.-]+", "<mail>"),
        (rf"(?i)\b({GIVEN})(\s*[=:]\s*)(?![<\"'])([^\s,;)]+)", r"\1\2<name>"),
        (rf"(?i)\b({NAMED})(\s+)(?![<\"'])(\w[^\s,;:)]*)", r"\1\2<name>"),
        (rf"\b(for|by)(\s+){NO_NAME}(\w[^\s,;:)]*)", r"\1\2<name>"),
        (r"(?<=[a-z,] )[A-Z][a-z][\w-]*(?: [A-Z][a-z][\w-]*)*", "<name>"),
        (r"(?i)\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", "<id>"),
        (r"\b(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?\b", "<address>"),
        (r"(?i)(?<![\w:])(?:[0-9a-f]{1,4}:){3,7}:?[0-9a-f]{0,4}\b", "<address>"),
        (r"(?<![\w<])~?(?:/[\w.@%+-]+)+/?", "<path>"),
        (r"(?i)\b0x[0-9a-f]+\b", "<hex>"),
        (r"(?i)\b(?=[0-9]*[a-f])(?=[a-f]*\d)[0-9a-f]{8,}\b", "<hex>"),
        (r"(?<![\w.-])[+-]?\d+(?:[.,:]\d+)*(?=(?:ms|s|kB|MB|GB|B|%)?(?![\w-]))", "<n>"),
        (r"[\w.-]*\d[\w.-]*", "<id>"),
    )
)
REPEATED = re.compile(r"(<\w+>)(?:[\s,;]+\1)+")


@dataclass(frozen=True, slots=True)
class LogRequest:
    """``ms`` is None where the log has no times."""

    endpoint: str
    status: int
    ms: float | None


@dataclass(frozen=True, slots=True)
class LogLine:
    """``at`` is None for a line without a time; ``continued``: it says more of the one before."""

    at: datetime | None
    level: str
    message: str
    request: LogRequest | None = None
    continued: bool = False


def read_line(text: str, form: Form, fields: Fields) -> LogLine:
    """One line as it stands in the log. What cannot be read is a message without time or level, never dropped."""
    text = text[:LONGEST_LINE]
    if form == "json":
        return _json(text, fields)
    return _postgresql(text) if form == "postgresql" else _text(text)


def _json(text: str, fields: Fields) -> LogLine:
    try:
        entry = json.loads(text)
    except (ValueError, RecursionError):
        return LogLine(None, "", "a line that is no JSON")
    if not isinstance(entry, dict):
        return LogLine(None, "", "a line that is no JSON object")
    message = str(entry.get(fields.message, ""))
    if isinstance(raised := entry.get("exception"), str) and raised.strip():
        message += f" [{raised.strip().splitlines()[-1].partition(':')[0][:80]}]"
    level = str(entry.get(fields.level, "")).upper()
    return LogLine(_moment(entry.get(fields.at)), level, message, _request(entry, fields))


def _request(entry: Mapping[str, Any], fields: Fields) -> LogRequest | None:
    endpoint, status, ms = (entry.get(name) for name in (fields.endpoint, fields.status, fields.ms))
    if not isinstance(endpoint, str) or not isinstance(status, int) or isinstance(status, bool):
        return None
    took = float(ms) if isinstance(ms, int | float) and not isinstance(ms, bool) and 0 <= ms < float("inf") else None
    return LogRequest(f"{entry.get(fields.method, '')} {endpoint}".strip(), status, took)


def _moment(given: object) -> datetime | None:
    """A time without a zone is taken as UTC, which our own logs and PostgreSQL's (log_timezone) are in."""
    if isinstance(given, int | float) and not isinstance(given, bool):
        try:
            return datetime.fromtimestamp(given, UTC)
        except (ValueError, OverflowError, OSError):
            return None
    try:
        at = datetime.fromisoformat(str(given).replace(",", "."))
    except ValueError:
        return None
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)


def _postgresql(text: str) -> LogLine:
    found = POSTGRESQL.match(text)
    if found is None:
        return LogLine(None, "", text.strip(), continued=text[:1] in ("\t", " "))
    level = found["level"]
    at = _moment(found["at"]) if found["zone"] in ("UTC", "GMT") else None
    return LogLine(at, level, found["message"], continued=level in CONTINUED)


def _text(text: str) -> LogLine:
    found = TEXT.match(text)
    message = found["message"] if found else text
    at = _moment(found["at"] + (found["zone"] or "")) if found else None
    level = LEVEL.search(message[:80])
    return LogLine(at, level[1] if level else "", message.strip(), continued=found is None and text[:1] in ("\t", " "))


@lru_cache(maxsize=4096)
def signature(message: str, longest: int) -> str:
    """The message without what differs from line to line, at most ``longest`` characters."""
    message = message[:LONGEST_SIGNED]
    for pattern, by in MASKS:
        message = pattern.sub(by, message)
    message = REPEATED.sub(r"\1", " ".join(message.split()))
    return message if len(message) <= longest else message[: longest - 1] + "…"


def is_error(line: LogLine, source: LogFile, errors: Mapping[Form, tuple[str, ...]]) -> bool:
    return line.level in errors.get(source.form, ())
