"""Services by name: started once, ended exactly, written down for their owner only."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.stack import control, processes
from demo.stack.ports import free_port
from demo.stack.processes import MARK, Process
from demo.stack.state import Service, State, StateUnreadable
from demo.stack.system import ROOT

SLEEP = (sys.executable, "-c", "import time; time.sleep(60)")


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[State]:
    stack = State(tmp_path / "state")
    yield stack
    control.clean(stack)


def web(stack: State, name: str = "web") -> Service:
    port = free_port()
    command = (sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1")
    return Service(name, command=command, ready=f"http://127.0.0.1:{port}/", port=port)


def test_started_once_and_stopped_by_name(stack: State) -> None:
    stack.define(web(stack))
    first = control.start_service(stack.directory, "web")
    assert control.start_service(stack.directory, "web") == first
    assert control.status(stack) == {"web": True}
    control.stop_service(stack.directory, "web")
    control.stop_service(stack.directory, "web")
    assert control.status(stack) == {"web": False}


def test_an_unknown_name_says_which_there_are(stack: State) -> None:
    stack.define(web(stack))
    with pytest.raises(KeyError, match="no service 'wbe'; there are web"):
        control.start_service(stack, "wbe")


def test_a_service_that_ends_at_once_shows_its_last_words(stack: State) -> None:
    stack.define(Service("broken", command=(sys.executable, "-c", "raise SystemExit('no licence')"), ready="/nowhere"))
    with pytest.raises(control.NotReady, match=r"(?s)broken ended at once.*no licence"):
        control.start_service(stack, "broken")


def test_one_that_never_gets_ready_is_ended(stack: State) -> None:
    stack.define(Service("idle", command=SLEEP, ready="/nowhere", start_seconds=0.3))
    with pytest.raises(control.NotReady, match="not ready after 0 s"):
        control.start_service(stack, "idle")
    assert not control.running(stack, "idle")


def test_secrets_are_their_owners_only(stack: State) -> None:
    stack.set_environment("group", {"PASSWORD": "s3cret"})
    assert stack.file.stat().st_mode & 0o777 == 0o600
    assert stack.directory.stat().st_mode & 0o777 == 0o700


def test_a_service_sees_its_group_and_nothing_of_ours(stack: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "SomebodyElses")
    stack.set_environment("group", {"GREETING": "hello"})
    seen = control.environment_of(stack, Service("any", environment="group"))
    assert seen["GREETING"] == "hello"
    assert seen[MARK] == str(stack.directory)
    assert "AIRFLOW__CORE__EXECUTOR" not in seen


def test_stop_ends_ours_and_nobody_elses(stack: State) -> None:
    stack.define(web(stack))
    stack.define(Service("sleeper", command=SLEEP))
    control.start_service(stack, "web")
    control.start_service(stack, "sleeper")
    with subprocess.Popen(SLEEP, start_new_session=True) as stranger:
        stack.define(Service("recycled", command=SLEEP))
        stack.record("recycled", Process(stranger.pid, f"{processes.boot_id()}:1"))
        assert sorted(control.stop_all(stack)) == ["sleeper", "web"]
        assert control.stop_all(stack) == []
        assert stranger.poll() is None
        stranger.kill()


def test_what_was_started_and_never_written_down_is_ended(stack: State) -> None:
    """The launcher was killed between starting a process and recording it."""
    environment = {**os.environ, MARK: stack.mark}
    with subprocess.Popen(SLEEP, start_new_session=True, env=environment) as lost:
        wait_for(lambda: bool(control.strays(stack)))
        control.stop_all(stack)
        assert lost.wait(timeout=10) == -signal.SIGTERM


def test_stop_after_the_launcher_was_killed(stack: State) -> None:
    """kill -9 of a launcher while it waits for a service; `make stop` as a process of its own."""
    stack.define(web(stack))
    stack.define(Service("never", command=SLEEP, ready="/nowhere"))
    code = (
        f"from demo.stack import control as c; [c.start_service({str(stack.directory)!r}, n) for n in ('web', 'never')]"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=environment) as launcher:
        wait_for(lambda: control.status(stack) == {"never": True, "web": True})
        launcher.kill()
    command = [sys.executable, "-m", "demo.stack.control", "--state", str(stack.directory), "stop"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "stopped: never, web\n"
    assert control.status(stack) == {"never": False, "web": False}


def test_a_changed_definition_is_noticed(stack: State) -> None:
    service = Service("any", command=SLEEP)
    assert stack.define(service)
    assert not stack.define(service)
    assert stack.define(Service("any", command=SLEEP, code="newer"))


def test_a_state_that_is_not_ours_is_refused(stack: State) -> None:
    stack.directory.mkdir()
    stack.file.write_text("{}")
    with pytest.raises(StateUnreadable, match="another version"):
        stack.read()
    stack.file.write_text("{ half")
    with pytest.raises(StateUnreadable, match="is not JSON"):
        stack.read()
    stack.file.unlink()


def wait_for(condition: object, seconds: float = 20.0) -> None:
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came to pass"
        time.sleep(0.05)
