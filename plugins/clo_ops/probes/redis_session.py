"""A Redis connection that is named, bounded and only reads. Imported only where one is opened: redis-py is heavy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import redis
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    ConnectionError,
    MaxConnectionsError,
    NoPermissionError,
    RedisError,
    TimeoutError,
)
from redis.retry import Retry

from clo_ops.findings import ConfigurationError
from clo_ops.probes.reaching import Reach, Unreachable, how_it_ended
from clo_ops.probes.targets import RedisTarget

# Whatever else a probe asks for would change something, or could hold up the server (KEYS).
READS = frozenset({"PING", "INFO", "SCAN", "GET", "PTTL", "TTL", "TYPE", "DBSIZE", "ROLE", "EXISTS"})


class ReadingRedis(redis.Redis):
    """Refuses every command that is not a bounded read, before it is sent."""

    def execute_command(self, *arguments: Any, **options: Any) -> Any:
        command = str(arguments[0]).upper()
        if command not in READS:
            raise ConfigurationError(f"a probe asked Redis for {command}", allowed=", ".join(sorted(READS)))
        return super().execute_command(*arguments, **options)  # type: ignore[no-untyped-call]

    def pipeline(self, *_: Any, **__: Any) -> Any:
        raise ConfigurationError("a probe asked Redis for a pipeline", allowed="one read at a time")


def _reach(error: RedisError) -> Reach:
    if isinstance(error, (AuthenticationError, AuthorizationError, NoPermissionError)):
        return Reach.AUTHENTICATION
    if isinstance(error, BusyLoadingError):
        return Reach.NOT_SERVING
    if isinstance(error, MaxConnectionsError) or "max number of clients" in str(error):
        return Reach.FULL
    if isinstance(error, TimeoutError):
        return Reach.TIMEOUT if "connecting" in str(error) else Reach.SILENT
    if isinstance(error, ConnectionError):
        return _connection(error)
    return Reach.OTHER


def _connection(error: BaseException) -> Reach:
    """redis-py wraps the operating system's error, sometimes twice; one it made itself is a server that hung up."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError):
            return how_it_ended(cause)
        cause = cause.__cause__ or cause.__context__
    return Reach.NOT_SERVING if "closed by server" in str(error) else Reach.OTHER


def _unreachable(error: RedisError, target: RedisTarget) -> Unreachable:
    said = " ".join(str(error).split())
    said = said.replace(target.password, "***") if target.password else said
    reach = _reach(error)
    return Unreachable(reach, f"{target}: {reach.value}: {said}")


Client = TypeVar("Client", bound=redis.Redis)


@contextmanager
def session(target: RedisTarget) -> Iterator[ReadingRedis]:
    """See ``clo_ops.probes.redis.connect``, which is how to get one."""
    with opened(target, ReadingRedis) as client:
        yield client


@contextmanager
def opened(target: RedisTarget, kind: type[Client], *, decoded: bool = True) -> Iterator[Client]:
    """A client of this kind, its answers as text or, not ``decoded``, as bytes; closed on the way out."""
    client = kind(
        host=target.host,
        port=target.port,
        db=target.database,
        username=target.username,
        password=target.password,
        ssl=target.tls,
        client_name=target.client_name.replace(" ", "_"),
        socket_timeout=target.timeout,
        socket_connect_timeout=target.timeout,
        decode_responses=decoded,
        encoding_errors="replace",
        retry=Retry(NoBackoff(), 0),
    )
    try:
        yield client
    except RedisError as error:
        raise _unreachable(error, target) from None
    finally:
        client.close()
