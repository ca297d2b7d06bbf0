"""``make demo``: a CLO system and a real Airflow come up, a healthy morning is run, then one with three faults.

Ends 0 when the first morning was green and the second red for exactly the reasons switched on. Leaves everything
running for a look round; ``make stop`` ends it.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "plugins")]
os.environ.setdefault("CLO_OPS_MODE", "demo")

from demo.stack import control  # noqa: E402 (needs the path above)
from demo.stack.airflow import ADMIN  # noqa: E402
from demo.stack.airflow_api import AirflowApi  # noqa: E402
from demo.stack.launch import Launch  # noqa: E402
from demo.story import Morning, complaints_of_a_healthy, complaints_of_a_sick, show  # noqa: E402

STATE = ROOT / ".clo-ops"
DAG = "daily_morning_startup"
FAULTS = {"slow-endpoint": "DM-13", "login-without-mfa": "DM-11", "stale-backup": "DM-04"}
MORNING_SECONDS = 600.0


INTERRUPTED = "\ninterrupted; `make stop` ends what was started, `make demo` goes on from here"


class Progress:
    """One line per step, with the seconds since the start."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    def __call__(self, text: str) -> None:
        print(f"[{time.monotonic() - self._started:6.1f} s] {text}", flush=True)


def main() -> int:
    """0 as described above; 1 when an expectation broke or something did not start; 130 when interrupted."""
    say = Progress()
    try:
        with only_one():
            return demo(say)
    except KeyboardInterrupt:
        print(INTERRUPTED, file=sys.stderr)
        return 130
    except Exception as problem:  # noqa: BLE001 (the operator gets a sentence, the log the rest)
        return failed(problem)


def demo(say: Progress) -> int:
    launch = Launch(STATE, say)
    with leaving_at_once():
        api = launch.up(DAG)
        launch.watchdog()
    everything_off(launch)
    healthy = run_morning(api, launch, say, "a healthy morning")
    complaints = complaints_of_a_healthy(healthy)
    with faults_on(launch, say):
        sick = run_morning(api, launch, say, f"a morning with {', '.join(FAULTS)}")
    complaints += complaints_of_a_sick(sick, frozenset(FAULTS.values()))
    where_to_look(launch, api)
    return verdict(complaints)


@contextmanager
def leaving_at_once() -> Iterator[None]:
    """While things come up, threads wait for services; Ctrl-C does not wait for the threads."""

    def leave(*_: object) -> None:
        os.write(2, f"{INTERRUPTED}\n".encode())
        os._exit(130)

    before = signal.signal(signal.SIGINT, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def run_morning(api: AirflowApi, launch: Launch, say: Progress, title: str) -> Morning:
    """Trigger the DAG, follow its tasks, show what the ledger holds of it."""
    say(f"{title}: starting {DAG}")
    started = time.monotonic()
    run_id = api.trigger(DAG)
    state = ""
    for task, state in api.follow(DAG, run_id, seconds=MORNING_SECONDS):
        if task:
            say(f"   {state:8} {task}")
    say(f"{title}: {state} in {time.monotonic() - started:.1f} s")
    morning = Morning.of(launch.ledger_url, DAG, run_id, state, api.base_url)
    show(morning, title)
    return morning


def everything_off(launch: Launch) -> None:
    """An earlier, interrupted demo may have left faults switched on."""
    from demo import switches

    switches.switch_off_all(launch.stack.directory)
    close_incidents(launch)


def close_incidents(launch: Launch) -> None:
    """Those of an earlier demo: what caused them is switched off, and nobody is on call here to say so."""
    from datetime import UTC, datetime

    from clo_ops.escalation.desk import Desk
    from clo_ops.ledger import Ledger
    from clo_ops.policy import load_policy

    now = datetime.now(UTC)
    with Ledger(launch.ledger_url, client_name="demo/run") as ledger:
        desk = Desk(ledger, load_policy(mode="demo"))
        for one in ledger.open_incidents(now):
            desk.resolve(one.id, "make demo", "every fault of an earlier demo is switched off", now)


@contextmanager
def faults_on(launch: Launch, say: Progress) -> Iterator[None]:
    from demo import switches

    state = launch.stack.directory
    try:
        for name in FAULTS:
            switches.switch_on(state, name)
        say(f"switched on: {', '.join(FAULTS)}")
        yield
    finally:
        for name in FAULTS:
            switches.switch_off(state, name)
        say("switched off again")


def where_to_look(launch: Launch, api: AirflowApi) -> None:
    state, hidden = launch.stack.directory, launch.stack.read()["secrets"]
    lines = {
        "Airflow": f"{api.base_url}   user {ADMIN}, password {hidden['airflow']['password']}",
        "CLO system": launch.system.environment["CLO_FRONTEND_ORIGIN"],
        "Incidents": f"{api.base_url}/clo-ops/incidents   (the red morning's is open: take it, resolve it)",
        "Mails": launch.mails,
        "Evidence": state / "evidence",
        "Ledger": "make ledger   (psql; make ledger SQL='select ...' for one statement)",
        "Logs": state / "logs",
        "Break it": "make break FAULT=stopped-service   (make mend puts it right; make break lists them)",
        "Stop it": "make stop",
    }
    print()
    for name, value in lines.items():
        print(f"  {name:11} {value}")


def verdict(complaints: Sequence[str]) -> int:
    print()
    if not complaints:
        print("As expected: the healthy morning green, the other red for the three faults. Everything is left running.")
        return 0
    print("NOT as expected:", file=sys.stderr)
    for complaint in complaints:
        print(f"  - {complaint}", file=sys.stderr)
    print(f"Logs: {STATE / 'logs'} and {STATE / 'airflow' / 'logs'}. `make stop` ends what runs.", file=sys.stderr)
    return 1


def failed(problem: Exception) -> int:
    import traceback

    log = STATE / "logs" / "launch.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("".join(traceback.format_exception(problem)))
    print(f"\nthe demo could not be brought up: {type(problem).__name__}: {problem}", file=sys.stderr)
    up = [name for name, alive in control.status(STATE).items() if alive] if (STATE / "stack.json").exists() else []
    print(f"running: {', '.join(up) or 'nothing'}; `make stop` ends it. Details: {log}", file=sys.stderr)
    return 1


@contextmanager
def only_one(state: Path = STATE) -> Iterator[None]:
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (state / "launch.lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise RuntimeError("another make demo or make dr-drill is at work in this checkout") from None
        yield


if __name__ == "__main__":
    sys.exit(main())
