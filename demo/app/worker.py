"""The worker: ``python -m demo.app.worker``. Takes queued jobs one by one, computes, and tells who waits for them.

GET /health on its own port is 200 while the loop turns and the database answers, 503 otherwise.
"""

from __future__ import annotations

import json
import logging
import signal
import threading
import time
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import redis
from psycopg.rows import dict_row

from demo.app.faults import Faults
from demo.app.job_queue import JobFailed, claim, finish, run
from demo.app.logs import open_log, say
from demo.app.notifications import CHANNEL
from demo.app.settings import Settings
from demo.app.worker_health import Beat, serve_health

_BURST = 20  # error lines in one look, while error-burst is on
_IDLE = 0.3  # seconds between two looks into an empty queue
# One worker at a time: only then is a job found "running" at the start known to be a dead worker's.
_ONLY_ONE = "SELECT pg_try_advisory_lock(4202) AS ours"
_LEFT_BEHIND = """UPDATE {table} SET status = 'failed', finished_at = now(),
error = 'the worker stopped while the job ran' WHERE status = 'running'"""

# A transaction that began before midnight may end after it: a day is over when it has been for five minutes.
_DAY_OVER = timedelta(minutes=5)


class Worker:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.faults = Faults(settings.state_dir)
        self.log = open_log(settings.state_dir, "worker")
        self.beat = Beat()
        self.stopping = threading.Event()
        self.anchored: date | None = None
        self.redis = redis.Redis.from_url(settings.redis_url, socket_timeout=3, socket_connect_timeout=2)

    def work(self) -> None:
        """Until told to stop; a lost database is asked for again every second."""
        say(self.log, "worker started")
        while not self.stopping.is_set():
            try:
                with self._connect() as connection:
                    self._work_on(connection)
            except psycopg.Error as error:
                self.beat.lost(type(error).__name__)
                say(self.log, "database not available", logging.ERROR, reason=type(error).__name__)
                self.stopping.wait(1)
        self.redis.close()
        say(self.log, "worker stopped")

    def _connect(self) -> psycopg.Connection[dict[str, Any]]:
        url = self.settings.database_url
        name, limits = "clo-app/worker", "-c statement_timeout=60000 -c lock_timeout=5000"
        return psycopg.connect(
            url, autocommit=True, row_factory=dict_row, application_name=name, connect_timeout=3, options=limits
        )

    def _work_on(self, connection: psycopg.Connection[dict[str, Any]]) -> None:
        row = connection.execute(_ONLY_ONE).fetchone()
        if row is None or not row["ours"]:
            self.beat.lost("another worker is running")
            self.stopping.wait(1)
            return
        for table in ("calculation_jobs", "report_jobs"):
            connection.execute(_LEFT_BEHIND.format(table=table).encode())
        while not self.stopping.is_set():
            self.beat.now()
            self._anchor_days(connection)
            self._burst()
            if not self._one_job(connection):
                self.stopping.wait(_IDLE)

    def _anchor_days(self, connection: psycopg.Connection[dict[str, Any]]) -> None:
        """Fix the audit trail of every day that is over: at the start, and after each midnight UTC."""
        today = (datetime.now(UTC) - _DAY_OVER).date()
        if self.anchored != today:
            row = connection.execute("SELECT audit_anchor_days(%s) AS days", [today]).fetchone()
            self.anchored = today
            say(self.log, "audit trail anchored", until=today.isoformat(), days=row["days"] if row else 0)

    def _burst(self) -> None:
        """Error lines several times a second, while the fault is on."""
        if self.faults.on("error-burst"):
            for _ in range(_BURST):
                say(self.log, "report template not found", logging.ERROR, reason="FileNotFoundError")

    def _one_job(self, connection: psycopg.Connection[dict[str, Any]]) -> bool:
        job = claim(connection)
        if job is None:
            return False
        self._tell(job, "running")
        started = time.perf_counter()
        result, error = self._compute(connection, job)
        finish(connection, job, result, error)
        state = "failed" if error else "completed"
        seconds = round(time.perf_counter() - started, 3)
        say(self.log, "job done", kind=job["kind"], job_id=job["job_id"], status=state, seconds=seconds, error=error)
        self._tell(job, state)
        return True

    def _compute(
        self, connection: psycopg.Connection[dict[str, Any]], job: dict[str, Any]
    ) -> tuple[dict[str, Any] | None, str | None]:
        if job["kind"] == "calculation" and self.faults.on("failing-calculations"):
            return None, "the calculation engine is broken"
        try:
            return run(connection, job, self.settings.state_dir / "reports", datetime.now(UTC)), None
        except JobFailed as failed:
            return None, str(failed)

    def _tell(self, job: dict[str, Any], status: str) -> None:
        """A notification that cannot be sent is lost; the job's row is what counts."""
        facts = {name: job[name] for name in ("kind", "job_id", "deal_id", "requested_by")}
        try:
            self.redis.publish(CHANNEL, json.dumps({"type": "job", "status": status, **facts}))
        except redis.RedisError as error:
            say(self.log, "notification lost", logging.WARNING, reason=type(error).__name__)


def main() -> None:
    settings = Settings.from_environment()
    worker = Worker(settings)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stopping.set())
    with serve_health(settings.worker_host, settings.worker_port, worker.beat):
        worker.work()


if __name__ == "__main__":
    main()
