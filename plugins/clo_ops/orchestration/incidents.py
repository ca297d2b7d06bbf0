"""The incident desk as Airflow's parts open it: ledger, mail server and links of this installation."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from clo_ops.escalation.desk import Desk
from clo_ops.escalation.outbox import DeliveryReport, deliver
from clo_ops.orchestration.connections import Connections
from clo_ops.orchestration.links import AirflowLinks
from clo_ops.policy import load_policy

if TYPE_CHECKING:
    from clo_ops.ledger import Ledger
    from clo_ops.policy import Policy

log = logging.getLogger(__name__)


@contextmanager
def open_desk(connections: Connections) -> Iterator[Desk]:
    """The desk, for as long as this is open. Raises LedgerUnavailable, ConfigurationError."""
    policy = load_policy()
    with connections.ledger() as ledger:
        yield Desk(ledger, policy, AirflowLinks(policy))


def desk(ledger: Ledger, policy: Policy) -> Desk:
    """The desk on a ledger that somebody else opened."""
    return Desk(ledger, policy, AirflowLinks(policy))


class Courier:
    """Delivers what is in the outbox beside the watch, which must not wait for a slow mail server."""

    def __init__(self, connections: Connections, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._connections, self._clock = connections, clock
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="courier")
        self._under_way: Future[DeliveryReport] | None = None

    def __call__(self, now: datetime) -> None:
        """Start a delivery, unless one is under way; what became of the last one is logged."""
        if self._under_way is not None and not self._under_way.done():
            return
        if self._under_way is not None:
            _say(self._under_way)
        self._under_way = self._pool.submit(self._deliver)

    def close(self) -> None:
        """Let the delivery under way come to its end: a message in somebody's hands is neither lost nor doubled."""
        self._pool.shutdown(wait=True)

    def _deliver(self) -> DeliveryReport:
        with self._connections.ledger() as ledger:
            return deliver(ledger, self._connections.smtp, self._clock())


def _say(ended: Future[DeliveryReport]) -> None:
    error = ended.exception()
    if error is not None:
        log.error("nothing could be delivered: %s", error)
    elif ended.result().error:
        log.warning("delivery: %s", ended.result())
