"""``make history``: months of made-up figures with known stories, put into the running demo's ledger.

With them the capacity report, the performance review and the collected reports have something to say. Says what was
planted and what each report must find. Done again it takes the place of what it put there; what the demo measured
itself stays. Only the ledger of a ``make demo`` in this checkout is written to. Ends 0; 2 where there is none, or
another one is meant.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [path for path in (str(ROOT), str(ROOT / "plugins")) if path not in sys.path]
os.environ.setdefault("CLO_OPS_MODE", "demo")

from demo.stack import control  # noqa: E402 (needs the path above)
from demo.stack.state import State  # noqa: E402

if TYPE_CHECKING:
    from demo.history import Story

SNAPSHOTS = 75  # days: of every day of the month before
MEANT = "CLO_OPS_LEDGER_URL"
REPORTS = (
    ("weekly_wednesday_capacity", "capacity-report"),
    ("weekly_friday_compliance", "availability-report, performance-report, security-incidents, user-activity"),
    ("monthly_week2_performance_review", "performance-review"),
    (
        "reports_and_support",
        "with cadence reports_weekly: weekly-report; reports_monthly: monthly-report, kpi-scorecard",
    ),
)


class NotTheDemo(RuntimeError):
    """Nothing was planted; the sentence says why, and what to do."""


def main(arguments: Sequence[str] | None = None, environment: Mapping[str, str] = os.environ) -> int:
    parser = argparse.ArgumentParser(prog="make history", description=__doc__)
    parser.add_argument("--state", type=Path, default=ROOT / ".clo-ops", help="where the demo keeps what is its own")
    given = parser.parse_args(arguments)
    from clo_ops.findings import CloOpsError

    try:
        url = demo_ledger(State(given.state), environment)
        for line in planted(url, datetime.now(UTC)):
            print(line, flush=True)
    except (NotTheDemo, CloOpsError) as problem:
        print(problem, file=sys.stderr)
        return 2
    return 0


def demo_ledger(stack: State, environment: Mapping[str, str]) -> str:
    """The URL of this demo's own ledger, on the server this checkout started. Raises NotTheDemo."""
    if environment.get(MEANT):
        raise NotTheDemo(f"{MEANT} is set: made-up figures go into the demo's ledger only; unset it")
    if not stack.file.exists() or not stack.read()["connections"].get("clo_ledger"):
        raise NotTheDemo("no demo runs here: make demo first")
    if not control.running(stack, "postgres-ops"):
        raise NotTheDemo("the demo's ledger does not run: make demo again")
    from demo.stack.airflow import LEDGER_DATABASE
    from demo.stack.postgres import Cluster

    return Cluster(stack.directory / "postgres-ops").url(LEDGER_DATABASE, "clo_ops")


def planted(url: str, now: datetime, *, days: int = 365, months: int = 4) -> Iterator[str]:
    """Put it there, resources of so many days and what users met of so many months; a line for each story."""
    from clo_ops.ledger import Ledger
    from clo_ops.policy import load_policy
    from demo import history, service_history

    began = time.monotonic()
    now = now.replace(minute=0, second=0, microsecond=0)
    with Ledger(url, client_name="demo/history") as ledger:
        done = history.fill(ledger, now, days=days, snapshots=SNAPSHOTS, quiet=True)
        done += service_history.plant(ledger, load_policy(mode="demo"), now, months=months)
    yield f"planted {done.hours:,} hours of {len(done.metrics)} metrics up to {now:%Y-%m-%d %H:%M} UTC, made up:"
    yield from (f"  {one.name}: {_series(one)}: {one.told(now)}" for one in (*history.STORIES, *history.QUIET))
    yield f"  a statement three times as slow since a week, in {SNAPSHOTS} days' snapshots of pg_stat_statements"
    yield from (f"  {line}" for line in service_history.told(now))
    yield f"in {time.monotonic() - began:.1f} s. To see them start these in Airflow; make report lists what they made:"
    yield from (f"  {dag}: {reports}" for dag, reports in REPORTS)


def _series(one: Story) -> str:
    from clo_ops.rules.series import title

    return title(one.metric, one.labels)


if __name__ == "__main__":
    sys.exit(main())
