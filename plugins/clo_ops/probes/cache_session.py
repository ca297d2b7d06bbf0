"""A reading Redis connection that can ask the same of many keys in one round trip, and how large a key is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import redis

from clo_ops.findings import ConfigurationError
from clo_ops.probes.redis_session import READS, ReadingRedis, opened
from clo_ops.probes.targets import RedisTarget

# Two words, of which the first alone would let too much through (MEMORY PURGE, COMMAND DOCS).
PAIRS = frozenset({("MEMORY", "USAGE"), ("COMMAND", "INFO")})
MOST_AT_ONCE = 1_000
Command = tuple[str | int, ...]


class CacheRedis(ReadingRedis):
    """Reads only, one by one or up to ``MOST_AT_ONCE`` in one go."""

    def execute_command(self, *arguments: Any, **options: Any) -> Any:
        if _words(arguments) in PAIRS:
            return redis.Redis.execute_command(self, *arguments, **options)  # type: ignore[no-untyped-call]
        return super().execute_command(*arguments, **options)

    def answers(self, commands: Sequence[Command]) -> list[Any]:
        """Each command's answer; a refusal of one (a key of another kind, gone) is its answer, not an error."""
        for command in commands:
            if str(command[0]).upper() not in READS and _words(command) not in PAIRS:
                raise ConfigurationError(f"a probe asked Redis for {command[0]}", allowed=", ".join(sorted(READS)))
        if len(commands) > MOST_AT_ONCE:
            raise ConfigurationError(f"{len(commands)} reads in one go", allowed=f"at most {MOST_AT_ONCE}")
        pipeline = redis.Redis.pipeline(self, transaction=False)
        for command in commands:
            pipeline.execute_command(*command)  # type: ignore[no-untyped-call]
        return list(pipeline.execute(raise_on_error=False))


def _words(arguments: Sequence[Any]) -> tuple[str, str]:
    """The command and its first word, whether they come as ("MEMORY USAGE", key) or ("MEMORY", "USAGE", key)."""
    words = [word.upper() for one in arguments[:2] for word in str(one).split()[:2]]
    return (words[0], words[1]) if len(words) > 1 else (words[0] if words else "", "")


@contextmanager
def reading_cache(target: RedisTarget) -> Iterator[CacheRedis]:
    """A named, bounded session of the target. Raises Unreachable."""
    with opened(target, CacheRedis) as client:
        yield client
