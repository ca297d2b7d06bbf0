"""Start, stop and look at services by name. Standard library only up to the point where something is started.

    python -m demo.stack.control --state .clo-ops status
    python -m demo.stack.control --state .clo-ops stop worker      (all of them without a name)

Nothing is signalled that is not the very process recorded, or one that carries this stack's mark.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from demo.stack import processes
from demo.stack.processes import MARK, Process
from demo.stack.state import Service, State, StateUnreadable

ROOT = Path(__file__).resolve().parents[2]
# Whatever depends on another goes first; what is not named goes before all of them.
STOP_LAST = ("mail", "redis", "postgres", "postgres-ops")
# Only what a program needs to run here; an operator's other settings (AIRFLOW__*, PG*) must not change the demo.
INHERITED = ("PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "LANG", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR")


class NotReady(RuntimeError):
    """A service did not come up; the sentence ends with the end of its log."""


def start_service(state: State | Path | str, name: str) -> Process:
    """Start a service and wait until it is ready; nothing happens when it runs. Raises KeyError, NotReady."""
    stack = _stack(state)
    service = stack.service(name)
    process = stack.process(name)
    if process and process.alive():
        return process
    if service.kind == "process":
        return _start_process(stack, service)
    return _start_server(stack, service)


def stop_service(state: State | Path | str, name: str) -> None:
    """End a service and its whole session; nothing happens when it does not run. Raises KeyError."""
    stack = _stack(state)
    service = stack.service(name)
    process = stack.process(name)
    if process is None:
        return
    first = signal.SIGINT if service.kind == "postgres" else signal.SIGTERM
    processes.end([process], grace=service.stop_seconds, first=first)
    _reap()


def running(state: State | Path | str, name: str) -> bool:
    process = _stack(state).process(name)
    return process is not None and process.alive()


def status(state: State | Path | str) -> dict[str, bool]:
    stack = _stack(state)
    return {name: running(stack, name) for name in stack.read()["services"]}


def stop_all(state: State | Path | str, *, gently: bool = True) -> list[str]:
    """End every service of this stack, also one whose start was cut off before it was recorded. Returns their names.

    Not ``gently``: all but the databases are killed, for a stack that is thrown away.
    """
    stack = _stack(state)
    ended = []
    for group in _groups(stack):
        alive = {name: process for name in group if (process := stack.process(name)) and process.members()}
        databases = set(group) <= {"postgres", "postgres-ops"}
        first = signal.SIGINT if databases else signal.SIGTERM if gently else signal.SIGKILL
        grace = max((stack.service(name).stop_seconds for name in alive), default=1.0)
        processes.end(list(alive.values()), grace=grace, first=first)
        ended += list(alive)
    processes.end(strays(stack), grace=3.0)
    _reap()
    return ended


def strays(stack: State) -> list[Process]:
    """Processes that carry this stack's mark and are not ourselves or above us."""
    mine = {os.getpid(), os.getppid()}
    found = [Process.of(pid) for pid in processes.pids() if pid not in mine and processes.marked(pid, stack.mark)]
    return [process for process in found if process]


def clean(state: State | Path | str, *, gently: bool = True) -> None:
    """Stop everything and remove the state directory, and what clusters keep outside it."""
    stack = _stack(state)
    stop_all(stack, gently=gently)
    for record in stack.directory.glob("**/cluster.json"):
        private = _private_directory(record)
        if private:
            shutil.rmtree(private, ignore_errors=True)
    shutil.rmtree(stack.directory, ignore_errors=True)


def ledger_url(state: State | Path | str) -> str:
    """Where the demo's ledger is, password included: for a variable, not for a command line. Raises KeyError."""
    known = _stack(state).read()["connections"].get("clo_ledger")
    if known is None:
        raise KeyError("the demo has no ledger yet; run make demo, or set CLO_OPS_LEDGER_URL")
    return "postgresql://{login}:{password}@{host}:{port}/{schema}".format(**known)


def _psql(stack: State, arguments: Sequence[str]) -> None:
    """Become psql in the ledger; the password goes by the environment, where a process list does not show it."""
    from demo.stack.postgres import Cluster

    cluster, user = Cluster(stack.directory / "postgres-ops"), "clo_ops"
    command = [
        str(cluster.bin / "psql"),
        *cluster.client(user, user),
        *(("-c", " ".join(arguments)) if arguments else ()),
    ]
    os.execve(command[0], command, cluster.environment(user))  # noqa: S606 (our own program, no shell)


def wait_ready(stack: State, service: Service, process: Process) -> None:
    """Raises NotReady when the process ends first or is not ready in ``start_seconds``."""
    deadline = time.monotonic() + service.start_seconds
    while process.alive():
        if answers(service.ready):
            return
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    state = f"not ready after {service.start_seconds:.0f} s" if process.alive() else "ended at once"
    raise NotReady(f"{service.name} {state}; see {stack.log(service.name)}: {_tail(stack.log(service.name))}")


def answers(ready: str) -> bool:
    """http(s): a status below 500; tcp: a connection; otherwise a file that exists; empty: always."""
    if ready.startswith("tcp://"):
        parts = urlsplit(ready)
        with suppress(OSError), socket.create_connection((parts.hostname, parts.port), timeout=1):
            return True
        return False
    if ready.startswith("http"):
        return _answers_http(ready)
    return not ready or Path(ready).exists()


def _answers_http(url: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=10) as answer:
            return bool(answer.status < 500)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code < 500
    except (OSError, ValueError):
        return False


def environment_of(stack: State, service: Service) -> dict[str, str]:
    """What a service sees: a few variables of ours, its group's, and the stack's mark."""
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    group: dict[str, str] = stack.read()["environments"].get(service.environment, {})
    return inherited | group | {MARK: stack.mark}


def _start_process(stack: State, service: Service) -> Process:
    directory = Path(service.directory or ROOT)
    environment = environment_of(stack, service)
    child, process = processes.spawn(
        service.command, log=stack.log(service.name), environment=environment, directory=directory
    )
    stack.record(service.name, process)
    try:
        wait_ready(stack, service, process)
    except NotReady:
        processes.end([process])
        child.wait()
        raise
    _forget(child)
    return process


def _start_server(stack: State, service: Service) -> Process:
    from demo.stack.postgres import Cluster
    from demo.stack.redis import Redis

    maker = Cluster if service.kind == "postgres" else Redis
    server = maker(Path(service.directory), port=service.port, mark=stack.mark)
    server.start()
    if server.port != service.port:
        server.stop()
        raise NotReady(f"{service.name}: port {service.port} is taken by another program now; run make demo again")
    process = server.process
    assert process is not None  # noqa: S101 (start() returned)
    _forget(server._child)
    server._child = None
    return process


_children: list[object] = []


def _forget(child: object) -> None:
    """Services outlive us. Kept, not dropped: Popen warns of a child left running when it is collected."""
    _children.append(child)
    _reap()


def _reap() -> None:
    for child in list(_children):
        if child is None or child.poll() is not None:  # type: ignore[attr-defined]
            _children.remove(child)


def _groups(stack: State) -> list[list[str]]:
    """Services in the order they are stopped: everything else together, then what the others stand on."""
    names = list(stack.read()["services"])
    first = [name for name in names if name not in STOP_LAST]
    return [group for group in (first, ["mail", "redis"], ["postgres", "postgres-ops"]) if set(group) & set(names)]


def _private_directory(record: Path) -> str | None:
    with suppress(OSError, ValueError):
        private = json.loads(record.read_text()).get("private")
        return str(private) if private else None
    return None


def _tail(log: Path, characters: int = 800) -> str:
    return log.read_text(errors="replace")[-characters:].strip() if log.exists() else "(no log)"


def _stack(state: State | Path | str) -> State:
    return state if isinstance(state, State) else State(state)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Start, stop and look at the demo's services.")
    parser.add_argument("--state", type=Path, default=ROOT / ".clo-ops")
    parser.add_argument("verb", choices=["start", "stop", "status", "clean", "ledger", "psql"])
    parser.add_argument("names", nargs="*")
    given = parser.parse_args(arguments)
    try:
        return _do(State(given.state), given.verb, given.names)
    except (KeyError, NotReady, StateUnreadable) as problem:
        print(problem.args[0], file=sys.stderr)
        return 1


def _do(stack: State, verb: str, names: Sequence[str]) -> int:
    if verb == "status":
        for name, alive in status(stack).items():
            print(f"{'running' if alive else 'stopped':8} {name}")
    elif verb == "ledger":
        print(ledger_url(stack))
    elif verb == "psql":
        _psql(stack, names)
    elif verb == "clean":
        clean(stack)
    elif verb == "stop" and not names:
        ended = stop_all(stack)
        print(f"stopped: {', '.join(ended)}" if ended else "nothing was running")
    elif verb in {"start", "stop"}:
        for name in names:
            (start_service if verb == "start" else stop_service)(stack, name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
