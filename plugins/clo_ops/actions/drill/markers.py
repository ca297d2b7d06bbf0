"""Markers: small transactions committed one after another, each noted here, outside the server, once acknowledged.

What "acknowledged" is worth is what the failover test is about (M3-05, manual L212).
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from clo_ops.actions.drill.session import writing
from clo_ops.findings import CloOpsError
from clo_ops.probes.postgres import rows
from clo_ops.probes.statements import statement
from clo_ops.probes.targets import PostgresTarget

if TYPE_CHECKING:
    import psycopg
    from psycopg.rows import DictRow

PATIENCE = 3.0  # seconds without an answer after which the server counts as cut off


class Writer:
    """Commits marker after marker to ``target`` from a thread of its own until it is stopped or cut off.

    ``acknowledged`` are the numbers whose commit the server confirmed, in order; ``sent`` is the last one tried;
    ``ended`` says why the writing ended. A commit the server confirmed with a warning (it gave up waiting for the
    standby) is not counted: nobody promised that it is safe. ``synchronous`` commits wait for the standby.
    ``production`` as of ``session.writing``.
    """

    def __init__(self, target: PostgresTarget, run: str, production: str = "", *, synchronous: bool = True) -> None:
        # No statement timeout: the server would take it as leave to confirm without the standby.
        self._target = replace(target, statement_timeout=0.0, lock_timeout=PATIENCE)
        self._run, self._production = run, production
        self._after = "on" if synchronous else "local"
        self._stop = threading.Event()
        self._warned = False
        self._thread = threading.Thread(target=self._write, name="markers", daemon=True)
        self.acknowledged: list[int] = []
        self.sent = 0
        self.ended = ""

    def start(self) -> Writer:
        self._thread.start()
        return self

    def wait_for(self, count: int, seconds: float, at_most: float) -> bool:
        """Until ``count`` are acknowledged and ``seconds`` have passed; False when the writer ended before, or after
        ``at_most`` seconds."""
        started = time.monotonic()
        while (passed := time.monotonic() - started) < max(at_most, seconds):
            if not self._thread.is_alive():
                return False
            if passed >= seconds and len(self.acknowledged) >= count:
                return True
            time.sleep(0.005)
        return False

    def join(self) -> bool:
        """Stop, and wait until the thread is gone; False when it still hangs."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(PATIENCE * 3)
        return not self._thread.is_alive()

    def _write(self) -> None:
        import psycopg

        try:
            with writing(self._target, production=self._production) as connection:
                connection.add_notice_handler(self._notice)
                self._commit_until_stopped(connection)
            self.ended = "stopped"
        except (CloOpsError, psycopg.Error) as error:
            self.ended = str(error)

    def _notice(self, said: psycopg.errors.Diagnostic) -> None:
        self._warned = True

    def _commit_until_stopped(self, connection: psycopg.Connection[DictRow]) -> None:
        rows(connection, "failover/acknowledge", {"after": self._after})
        mark = statement("failover/mark").text.encode()
        while not self._stop.is_set():
            self.sent, self._warned = self.sent + 1, False
            connection.execute(mark, {"run": self._run, "number": self.sent})
            if not self._warned:
                self.acknowledged.append(self.sent)
