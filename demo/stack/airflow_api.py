"""Airflow's REST API as the launcher needs it: health, DAGs, runs, task states. Standard library only."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any

SLOW_FIRST_ANSWER = 60.0  # seconds; right after the start a first request builds half the API


class AirflowSaid(RuntimeError):
    """The API refused or did not answer."""


class AirflowApi:
    def __init__(self, base_url: str, username: str, password: str) -> None:
        self.base_url = base_url
        self._login = {"username": username, "password": password}
        self._token = ""
        # Never through a machine's proxy: this is the loopback.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def health(self) -> dict[str, str]:
        """Component -> status. An empty answer when nothing answers yet."""
        try:
            found = self._send("GET", "/api/v2/monitor/health", authenticated=False)
        except AirflowSaid:
            return {}
        return {name: str(facts.get("status")) for name, facts in found.items() if facts}

    def dag(self, dag_id: str) -> dict[str, Any] | None:
        try:
            return dict(self._send("GET", f"/api/v2/dags/{dag_id}"))
        except AirflowSaid as answer:
            if "404" in str(answer):
                return None
            raise

    def documentation(self, dag_id: str) -> dict[str, str]:
        """Task id -> the page the UI shows of it."""
        found = self._send("GET", f"/api/v2/dags/{dag_id}/tasks")["tasks"]
        return {str(task["task_id"]): str(task["doc_md"] or "") for task in found}

    def import_errors(self) -> list[str]:
        found = self._send("GET", "/api/v2/importErrors")
        return [f"{error['filename']}: {error['stack_trace']}" for error in found["import_errors"]]

    def trigger(self, dag_id: str, conf: dict[str, Any] | None = None) -> str:
        """Start a run; returns its id."""
        body = {"logical_date": None, "conf": conf or {}}
        return str(self._send("POST", f"/api/v2/dags/{dag_id}/dagRuns", body)["dag_run_id"])

    def run_state(self, dag_id: str, run_id: str) -> str:
        return str(self._send("GET", f"/api/v2/dags/{dag_id}/dagRuns/{_quote(run_id)}")["state"])

    def tasks(self, dag_id: str, run_id: str) -> dict[str, str]:
        """Task id -> state."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{_quote(run_id)}/taskInstances?limit=1000"
        found = self._send("GET", path)["task_instances"]
        return {str(task["task_id"]): str(task["state"] or "waiting") for task in found}

    def seconds(self, dag_id: str, run_id: str) -> dict[str, float]:
        """Task id -> how long its last try took; 0 for one that has not ended."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{_quote(run_id)}/taskInstances?limit=1000"
        found = self._send("GET", path)["task_instances"]
        return {str(task["task_id"]): float(task["duration"] or 0) for task in found}

    def follow(self, dag_id: str, run_id: str, *, seconds: float) -> Iterator[tuple[str, str]]:
        """Task id and state as tasks end, then ``("", state of the run)``. Raises AirflowSaid when time is up."""
        deadline, seen = time.monotonic() + seconds, set[str]()
        while True:
            state = self.run_state(dag_id, run_id)
            for task, task_state in self.tasks(dag_id, run_id).items():
                if task not in seen and task_state in {"success", "failed", "skipped", "upstream_failed"}:
                    seen.add(task)
                    yield task, task_state
            if state in {"success", "failed"}:
                yield "", state
                return
            if time.monotonic() > deadline:
                raise AirflowSaid(f"run {run_id} of {dag_id} is still {state} after {seconds:.0f} s")
            time.sleep(0.3)

    def _send(self, method: str, path: str, body: Any = None, *, authenticated: bool = True) -> Any:
        try:
            return self._once(method, path, body, authenticated)
        except urllib.error.HTTPError as refused:
            with refused:
                text = refused.read().decode(errors="replace")[:500]
            raise AirflowSaid(f"{method} {path}: {refused.code} {text}") from refused
        except OSError as problem:
            raise AirflowSaid(f"{method} {self.base_url}{path}: {problem}") from problem

    def _once(self, method: str, path: str, body: Any, authenticated: bool) -> Any:
        headers = {"Content-Type": "application/json"}
        if authenticated:
            headers["Authorization"] = f"Bearer {self._fresh_token()}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base_url + path, data=data, headers=headers, method=method)  # noqa: S310 (http)
        with self._opener.open(request, timeout=SLOW_FIRST_ANSWER) as answer:
            return json.load(answer)

    def _fresh_token(self) -> str:
        if not self._token:
            self._token = str(self._once("POST", "/auth/token", self._login, False)["access_token"])
        return self._token


def _quote(run_id: str) -> str:
    return urllib.parse.quote(run_id, safe="")
