"""Metrics in Prometheus format, in a registry of their own (no process-wide default one)."""

from __future__ import annotations

from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 10.0)  # seconds


class Metrics:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        own = self.registry
        self.requests = Counter(
            "clo_http_requests", "Requests answered", ["method", "endpoint", "status"], registry=own
        )
        self.duration = Histogram(
            "clo_http_request_duration_seconds", "Time to answer", ["endpoint"], buckets=_BUCKETS, registry=own
        )
        self.logins = Counter("clo_login_attempts", "Logins by outcome", ["outcome"], registry=own)
        self.up = Gauge("clo_component_up", "1 when the component answers", ["component"], registry=own)
        self.sessions = Gauge("clo_sessions_open", "Sessions with an open row", registry=own)
        self.jobs = Gauge("clo_jobs", "Jobs of the last 24 hours by state", ["kind", "state"], registry=own)
        self.pool = Gauge("clo_database_pool_connections", "Connections of the pool", ["state"], registry=own)
        self.websockets = Gauge("clo_websockets_open", "Open WebSockets", registry=own)

    def observe(self, method: str, endpoint: str, status: int, seconds: float) -> None:
        self.requests.labels(method, endpoint, str(status)).inc()
        self.duration.labels(endpoint).observe(seconds)

    def set_pool(self, statistics: dict[str, int]) -> None:
        size, idle = statistics.get("pool_size", 0), statistics.get("pool_available", 0)
        for state, value in (("open", size), ("idle", idle), ("in_use", size - idle)):
            self.pool.labels(state).set(value)
        self.pool.labels("maximum").set(statistics.get("pool_max", 0))
        self.pool.labels("waiting").set(statistics.get("requests_waiting", 0))

    def set_counts(self, sessions: int, jobs: list[dict[str, Any]]) -> None:
        self.sessions.set(sessions)
        self.jobs.clear()
        for row in jobs:
            self.jobs.labels(row["kind"], row["status"]).set(row["jobs"])

    def text(self) -> bytes:
        return generate_latest(self.registry)
