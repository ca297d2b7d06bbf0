"""The second path as a round beside the watch's looks: what mail does not bring in time goes by it too (IR-10)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from clo_ops.escalation.second_path import Notify, Overdue, apprise_notify, overdue
from clo_ops.findings import ConfigurationError
from clo_ops.orchestration.connections import Connections, airflow_connection
from clo_ops.orchestration.links import AirflowLinks
from clo_ops.policy import load_policy

if TYPE_CHECKING:
    from clo_ops.policy import Policy

log = logging.getLogger(__name__)
EVERY = timedelta(seconds=15)


class SecondPath:
    """Call it with each look: it works in a thread of its own, at most every 15 s, and never raises."""

    def __init__(self, connections: Connections, get: Callable[[str], Any] = airflow_connection) -> None:
        self._connections, self._get = connections, get
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="second-path")
        self._under_way: Future[Overdue] | None = None
        self._last: datetime | None = None

    def __call__(self, now: datetime) -> None:
        busy = self._under_way is not None and not self._under_way.done()
        if busy or (self._last is not None and now - self._last < EVERY):
            return
        if self._under_way is not None and (error := self._under_way.exception()) is not None:
            log.error("the second path could not be looked after: %s", error)
        self._last = now
        self._under_way = self._pool.submit(self._round, now)

    def close(self) -> None:
        """Let the round under way come to its end."""
        self._pool.shutdown(wait=True)

    def _round(self, now: datetime) -> Overdue:
        policy = load_policy()
        with self._connections.ledger() as ledger:
            return overdue(ledger, policy, now, notify_of(policy, self._get), AirflowLinks(policy))


def notify_of(policy: Policy, get: Callable[[str], Any] = airflow_connection) -> Notify | None:
    """The second path of policy's connection; None where there is no such connection, which is no error."""
    try:
        urls = get(policy.alerting.second_path.connection).password or ""
    except ConfigurationError:
        return None
    return apprise_notify(urls) if urls else None
