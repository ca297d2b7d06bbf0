"""The whole demo stack with a real Airflow, once for this folder; and pages that wait until a test lets them go."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any, LiteralString

import pytest

from clo_ops.findings import Finding
from clo_ops.ledger import Ledger
from demo.stack import control
from demo.stack.airflow_api import AirflowApi
from demo.stack.launch import Launch
from demo.stack.mail import messages
from demo.stack.processes import Process
from demo.stack.state import Service
from demo.stack.system import SMALL

ROOT = Path(__file__).resolve().parents[2]
MORNING = "daily_morning_startup"
TRIALS = (
    "trial_in_time",
    "trial_late",
    "trial_late_without_triggerer",
    "trial_task_killed",
    "trial_worker_killed",
    "trial_killed_and_tried_again",
    "trial_late_without_ledger",
)
# The one whose deadline is really waited for; the others' are brought forward when a test wants them to be over.
DONE_BY = {"trial_late": "20 s"}
# Longer than a task that lives is ever starved on a busy machine; who was killed is not waited for that long either.
HEARTBEAT_TIMEOUT = 60
PATIENCE = 120.0  # seconds for what should come within a few


def until(true: Callable[[], Any], what: str) -> Any:
    """What the question says once it says anything. Fails with ``what`` when patience is over."""
    end = time.monotonic() + PATIENCE
    while not (answer := true()):
        assert time.monotonic() < end, f"waited {PATIENCE:.0f} s in vain for: {what}"
        time.sleep(0.1)
    return answer


@dataclass(frozen=True)
class Stack:
    launch: Launch
    api: AirflowApi
    trials: Path
    spare_dags: Path

    @property
    def state(self) -> Path:
        return self.launch.stack.directory

    until = staticmethod(until)

    def cli(self, *words: str) -> Any:
        """The ``airflow`` command as an operator of this stack would type it."""
        values = control.environment_of(self.launch.stack, Service("cli", environment="airflow"))
        command = [sys.executable, "-m", "airflow", *words]
        return subprocess.run(command, env=values, capture_output=True, text=True, timeout=PATIENCE, check=False)

    def mails(self, *words: str) -> list[EmailMessage]:
        """What the mail server took whose subject or text has all these words."""

        def told(mail: EmailMessage) -> str:
            body = mail.get_body(("plain",))
            return f"{mail['subject']}\n{body.get_content() if body else ''}"

        return [mail for mail in messages(self.launch.mails) if all(word in told(mail) for word in words)]

    def ledger(self) -> Ledger:
        return Ledger(self.launch.ledger_url, client_name="clo_ops/test/dags")

    def findings(self, dag_id: str, run_id: str) -> list[Finding]:
        with self.ledger() as ledger:
            runs = [run for run in ledger.recent_runs(dag_id) if run.run_id == run_id]
            return ledger.findings(runs[0].id) if runs else []

    def whole_run(self, dag_id: str, run_id: str) -> tuple[str, dict[str, str]]:
        """Waits for the run's end; its state and its tasks'."""
        (*_, (_, state)) = self.api.follow(dag_id, run_id, seconds=PATIENCE)
        return state, self.api.tasks(dag_id, run_id)

    def kill(self, *processes: Process) -> None:
        """SIGKILL, at once and without a word."""
        for process in processes:
            assert process.signal(signal.SIGKILL), process
        until(lambda: not any(process.alive() for process in processes), f"the end of {processes}")

    def trial(self, dag_id: str) -> Trial:
        return Trial(self, dag_id, self.api.trigger(dag_id))


DEADLINE = """SELECT deadline.missed, callback.state FROM deadline
JOIN dag_run ON dag_run.id = deadline.dagrun_id JOIN callback ON callback.id = deadline.callback_id
WHERE dag_id = %s AND run_id = %s"""
DUE_NOW = """UPDATE deadline SET deadline_time = now() FROM dag_run
WHERE dag_run.id = deadline.dagrun_id AND dag_id = %s AND run_id = %s"""
SILENT = """UPDATE task_instance SET last_heartbeat_at = now() - interval '1 hour'
WHERE dag_id = %s AND run_id = %s AND state = 'running'"""


@dataclass(frozen=True)
class Trial:
    """One run of a page that waits."""

    stack: Stack
    dag_id: str
    run_id: str

    def processes(self, attempt: int = 1) -> tuple[Process, Process]:
        """The task's own process and the worker's that watches over it, once the task is in the midst of its work."""
        note = self.stack.trials / f"{self.dag_id}.try-{attempt}"
        until(note.exists, f"{self.dag_id} at work, try {attempt}")
        task, worker = (Process.of(int(pid)) for pid in note.read_text().split())
        assert task, note
        assert worker, note
        return task, worker

    def leave(self) -> None:
        (self.stack.trials / f"{self.dag_id}.leave").touch()

    def deadline(self) -> tuple[bool, str] | None:
        """Whether Airflow has found it missed, and how far its callback is; None where it has none any more."""
        return self._metadata(DEADLINE).fetchone()

    def bring_deadline_forward(self) -> None:
        """To now: the run is late, or would be, from this moment on."""
        self._metadata(DUE_NOW)

    def _metadata(self, statement: LiteralString) -> Any:
        with self.stack.launch.ops.connect("airflow", "airflow") as connection:
            return connection.execute(statement, (self.dag_id, self.run_id))

    def bring_silence_forward(self) -> None:
        """The killed worker's last sign of life: an hour ago from this moment on."""
        self._metadata(SILENT)

    def end(self) -> tuple[str, dict[str, str]]:
        return self.stack.whole_run(self.dag_id, self.run_id)

    def findings(self) -> list[Finding]:
        return self.stack.findings(self.dag_id, self.run_id)

    def told_late(self) -> list[EmailMessage]:
        return self._told_management(f"opened: {self.dag_id} is late")

    def told_failed(self) -> list[EmailMessage]:
        return self._told_management(f"opened: {self.dag_id} failed")

    def _told_management(self, what: str) -> list[EmailMessage]:
        """What one of the managers has."""
        mails = self.stack.mails("[CLO Ops] P", what, self.run_id)
        return [mail for mail in mails if "it-manager@" in mail["To"]]


CADENCE = "\n{dag}: {{dag: {dag}, title: A trial, done_by: {done_by}, timeout: 10 min, manual: L9}}\n"
ENTRY = """
{id}: {{title: A trial, dag: {dag}, section: [Trials], lines: L9, built: true, first_action: Let it go}}
"""


def _policy_with_trials(directory: Path) -> Path:
    shutil.copytree(ROOT / "include" / "policy", directory)
    with (directory / "cadences.yaml").open("a") as cadences, (directory / "procedures.yaml").open("a") as entries:
        for number, dag in enumerate(TRIALS, start=1):
            cadences.write(CADENCE.format(dag=dag, done_by=DONE_BY.get(dag, "10 min")))
            entries.write(ENTRY.format(id=f"TR-{number:02d}", dag=dag))
    alerting = directory / "alerting.yaml"
    settled = "  stable_for: 10 min\n"
    assert settled in alerting.read_text()
    alerting.write_text(alerting.read_text().replace(settled, "  stable_for: 15 s\n"))
    maintenance = directory / "maintenance.yaml"
    assert "manager: [manager]" in maintenance.read_text()
    maintenance.write_text(maintenance.read_text().replace("manager: [manager]", "manager: [op]"))
    audit = directory / "audit.yaml"
    assert "[manager, admin]" in audit.read_text()
    audit.write_text(audit.read_text().replace("[manager, admin]", "[op, admin]"))
    return directory


def _settings(policy: Path, trials: Path, spare: Path) -> dict[str, str]:
    folders = {"dags-folder": ROOT / "dags", "trials": ROOT / "tests" / "dags" / "trials", "spare": spare}
    bundles = [
        {
            "name": name,
            "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
            "kwargs": {"path": str(folder)},
        }
        for name, folder in folders.items()
    ]
    return {
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(bundles),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin,op:op,viewer:viewer",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "3",
        "AIRFLOW__DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "1",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": str(HEARTBEAT_TIMEOUT),
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
        "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "2",
        "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "8",
        "CLO_OPS_POLICY": str(policy),
        "CLO_OPS_TRIALS": str(trials),
    }


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """A red test says as well what Airflow complained about last: the stack and its logs are gone when one looks."""
    report: Any = yield
    stack = getattr(item, "funcargs", {}).get("stack")
    log = stack and stack.state / "logs" / "airflow-scheduler.log"
    if report.failed and log and log.exists():
        lines = log.read_text(errors="replace").splitlines()
        wrong = [line[:400] for line in lines if "[error" in line or "[warning" in line]
        report.sections.append(("what the scheduler's log complains about", "\n".join(wrong[-30:])))
    return report


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    place = tmp_path_factory.mktemp("stack")
    trials, spare = place / "trials", place / "spare"
    trials.mkdir()
    spare.mkdir()
    settings = _settings(_policy_with_trials(place / "policy"), trials, spare)
    launch = Launch(place / "state", print, world=SMALL, ports={}, settings=settings)
    try:
        api = launch.up(MORNING)
        for name in TRIALS:
            until(lambda name=name: api.dag(name), f"{name} parsed")
        yield Stack(launch, api, trials, spare)
    finally:
        control.clean(launch.stack, gently=False)
