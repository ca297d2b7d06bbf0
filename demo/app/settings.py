"""What the application is told by its environment; there is no default for anything secret."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path


class SettingMissing(RuntimeError):
    """A required environment variable is not set, or cannot be read."""


@dataclass(frozen=True, slots=True)
class Settings:
    database_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    state_dir: Path
    totp_interval: int = 30
    session_length: timedelta = timedelta(hours=8)
    pool_size: int = 20
    frontend_origins: tuple[str, ...] = ()
    worker_url: str = ""
    worker_host: str = "127.0.0.1"
    worker_port: int = 0

    @classmethod
    def from_environment(cls, env: Mapping[str, str] | None = None) -> Settings:
        env = os.environ if env is None else env
        port = _whole(env, "CLO_WORKER_PORT", 0)
        return cls(
            database_url=required(env, "CLO_DATABASE_URL"),
            redis_url=required(env, "CLO_REDIS_URL"),
            state_dir=Path(required(env, "CLO_STATE_DIR")),
            totp_interval=_whole(env, "CLO_TOTP_INTERVAL", 30),
            session_length=timedelta(seconds=_whole(env, "CLO_SESSION_SECONDS", 8 * 3600)),
            pool_size=_whole(env, "CLO_POOL_SIZE", 20),
            frontend_origins=tuple(filter(None, env.get("CLO_FRONTEND_ORIGIN", "").split(","))),
            worker_url=env.get("CLO_WORKER_URL", f"http://127.0.0.1:{port}" if port else ""),
            worker_host=env.get("CLO_WORKER_HOST", "127.0.0.1"),
            worker_port=port,
        )


def required(env: Mapping[str, str], name: str) -> str:
    if not env.get(name):
        raise SettingMissing(f"{name} is not set; the demo system has no default for it")
    return env[name]


def _whole(env: Mapping[str, str], name: str, default: int) -> int:
    text = env.get(name, str(default))
    if not text.isdigit():
        raise SettingMissing(f"{name} is {text!r}; allowed is a whole number of 0 or more")
    return int(text)
