"""``make dr-drill``: the disaster-recovery test on the demo world, from a clean clone, without Airflow.

A running ``make demo`` is used as it is; else the demo's PostgreSQL and its world are started for the drill and ended
after it. Ends 0 when the drill was green, 1 when it was red, 2 when it could not be started, 130 when interrupted.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
import webbrowser
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [path for path in (str(ROOT), str(ROOT / "plugins")) if path not in sys.path]
os.environ.setdefault("CLO_OPS_MODE", "demo")

from demo.stack import control, engine, images  # noqa: E402 (needs the path above)
from demo.stack.launch import Launch  # noqa: E402

if TYPE_CHECKING:
    from clo_ops.findings import Finding
    from clo_ops.orchestration.drill_run import Outcome

STATE = ROOT / ".clo-ops"
DAG = "make_dr_drill"
BUNDLE = "drill-evidence.zip"
SERVERS = ("postgres", "postgres-ops", "redis")
LOCAL = "make dr-drill PLACE=local runs it in a throw-away local PostgreSQL instead; its isolation is weaker."
WORDS = {
    "environment": "guarded and started",
    "restored": "restored",
    "contents_and_meaning": "contents and meaning",
    "failover": "failed over",
    "application": "application",
    "clean_up": "cleaned up",
    "self_test": "self-test",
    "documented": "documented",
}
Say = Callable[[str], None]


class CannotStart(Exception):
    """The drill cannot be started on this machine; the sentence says why and what to do."""


def main(arguments: Sequence[str] | None = None) -> int:
    given = _arguments(arguments)
    say = _progress()
    from demo.run import only_one

    try:
        with only_one(given.state):
            return drill(given, say)
    except KeyboardInterrupt:
        print("\ninterrupted; what the drill had started has been removed", file=sys.stderr)
        return 130
    except (CannotStart, RuntimeError, _ours()) as problem:
        print(f"\nthe drill could not be started: {problem}", file=sys.stderr)
        return 2


def _ours() -> type[Exception]:
    """What the product itself says in one sentence."""
    from clo_ops.findings import CloOpsError

    return CloOpsError


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make dr-drill", description=__doc__)
    parser.add_argument("--state", type=Path, default=STATE, help="where the demo keeps what is its own")
    parser.add_argument("--place", default="", help="docker (the policy's) or local")
    parser.add_argument(
        "--backup", default="", help="newest, random, or a file's name; without it a backup is taken now"
    )
    parser.add_argument("--parts", default="restore,failover,application", help="with commas between")
    parser.add_argument("--self-test", action="store_true", help="and see every fault of the table caught")
    parser.add_argument("--keep", action="store_true", help="leave the environment for a look round")
    return parser.parse_args(arguments)


def _progress() -> Say:
    started = time.monotonic()
    return lambda text: print(f"[{time.monotonic() - started:6.1f} s] {text}", flush=True)


def drill(given: argparse.Namespace, say: Say) -> int:
    """Engine and images, the demo's database with its world, a fresh backup, the drill, what came of it."""
    place = given.place or "docker"
    if place == "docker":
        _need_docker(given.parts, say)
    launch = Launch(given.state, say)
    with _world(launch, say):
        if not given.backup:
            _take_backup(launch, say)
        outcome = _drilled(launch, _params(given, place), say)
    _show(outcome)
    return 1 if outcome.red else 0


def _need_docker(parts: str, say: Say) -> None:
    from demo.stack import app_image

    if reason := engine.ensure():
        raise CannotStart(f"{reason}\n{LOCAL}")
    try:
        images.ensure(_postgres_image(), say)
        if "application" in parts:
            app_image.ensure(say)
    except images.NoImage as error:
        raise CannotStart(f"{error}\n{LOCAL}") from error


def _postgres_image() -> str:
    """Of the version the demo's own server is: what its backups are restored into."""
    from clo_ops.policy import load_policy
    from demo.stack import servers

    return str(load_policy(mode="demo").recovery.docker.image.format(major=servers.postgres().major))


@contextmanager
def _world(launch: Launch, say: Say) -> Iterator[None]:
    """The demo's servers with world and ledger; what did not run before is ended afterwards, its data kept."""
    before = control.status(launch.stack) if launch.stack.file.exists() else {}
    started = [name for name in SERVERS if not before.get(name)]
    try:
        launch.databases()
        say("the demo's database holds its world")
        yield
    finally:
        for name in started:
            control.stop_service(launch.stack, name)


def _take_backup(launch: Launch, say: Say) -> None:
    from demo.backup import take_backup

    values = launch.stack.read()["environments"]["clo"]
    path = take_backup(values["CLO_BACKUP_URL"], Path(values["CLO_BACKUP_DIR"]), bin_dir=Path(values["CLO_PG_BIN"]))
    say(f"backup taken: {path.name}, {path.stat().st_size / 1024**2:.1f} MiB")


def _params(given: argparse.Namespace, place: str) -> dict[str, Any]:
    """As the form in the Airflow UI has them."""
    chosen = given.backup or "newest"
    named = {"backup": chosen} if chosen in {"newest", "random"} else {"backup": "named", "name": chosen}
    return {**named, "parts": given.parts.split(","), "keep": given.keep, "place": place, "self_test": given.self_test}


def _drilled(launch: Launch, params: dict[str, Any], say: Say) -> Outcome:
    from clo_ops.ledger import Ledger
    from clo_ops.orchestration.drill_run import run_drill
    from clo_ops.policy import load_policy
    from demo.mornings import connected

    logging.basicConfig(level=logging.ERROR, format="%(name)s: %(message)s")
    os.environ["CLO_OPS_EVIDENCE"] = f"file://{launch.stack.directory / 'evidence'}"
    known, at = launch.stack.read()["connections"], datetime.now(UTC).replace(microsecond=0)
    with Ledger(launch.ledger_url, client_name="clo_ops/make_dr_drill") as ledger:
        return run_drill(
            load_policy(mode="demo"),
            lambda client: connected(known, client),
            ledger,
            params,
            dag_id=DAG,
            run_id=f"manual__{at:%Y-%m-%dT%H:%M:%SZ}",
            at=at,
            told=lambda step, findings: _told(say, step, findings),
        )


def _told(say: Say, step: str, findings: list[Finding]) -> None:
    from clo_ops.findings import Status, worst

    status = worst(findings)
    passed = sum(one.status is Status.PASS for one in findings)
    say(f"{WORDS[step]:22} {status.value.upper():8} {passed} of {len(findings)} passed")
    for one in findings:
        if one.status in (Status.FAIL, Status.UNKNOWN):
            say(f"   {one.procedure} {one.name}: {one.message}")


def _show(outcome: Outcome) -> None:
    from rich.console import Console
    from rich.table import Table

    report = outcome.report
    table = Table(title="Phases")
    table.add_column("phase")
    table.add_column("seconds", justify="right")
    for name, seconds in report.facts.phases:
        table.add_row(name.replace("_", " "), f"{seconds:.1f}")
    console = Console(highlight=False, soft_wrap=True)
    console.print(table)
    console.print(f"{report.colour}. {report.verdict}", markup=False)
    files = {one.name: one.uri for one in outcome.evidence}
    for name, words in (
        ("drill-report.html", "Report"),
        ("drill-report.pdf", "PDF"),
        ("drill-evidence.zip", "Evidence"),
    ):
        console.print(f"  {words:9} {files.get(name, 'was not made')}", markup=False)
    _open(files.get("drill-report.html", ""))


def _open(report: str) -> None:
    """Where somebody sits before a desktop; elsewhere its place was printed."""
    if report and sys.stdout.isatty() and (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        webbrowser.open(report)


if __name__ == "__main__":
    sys.exit(main())
