"""Structured logs: one JSON object per line, in <state>/logs; never a password, token or code."""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

_LIMIT = 20 * 1024 * 1024  # bytes per file; a forgotten demo must not fill the disk


class JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str)


def open_log(state_dir: Path, name: str) -> logging.Logger:
    """The logger writing to <state>/logs/<name>.jsonl; calling it twice gives the same one."""
    directory = state_dir / "logs"
    directory.mkdir(parents=True, exist_ok=True)
    logger = logging.getLogger(f"demo.{name}")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    if not logger.handlers:
        handler = RotatingFileHandler(directory / f"{name}.jsonl", maxBytes=_LIMIT, backupCount=2, delay=True)
        handler.setFormatter(JsonLines())
        logger.addHandler(handler)
    return logger


def say(logger: logging.Logger, event: str, level: int = logging.INFO, **fields: Any) -> None:
    logger.log(level, event, extra={"fields": fields})


class _WithoutToken(logging.Filter):
    """The server logs the address of every WebSocket, and a browser can pass its token only there."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = re.sub(r"token=[^&\s\"]+", "token=(hidden)", record.getMessage()), None
        return True


def hide_tokens() -> None:
    for name in ("uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        if not any(isinstance(known, _WithoutToken) for known in logger.filters):
            logger.addFilter(_WithoutToken())
