"""What a monthly report over 13 months of five-minute samples costs, against the same figures by one SQL statement.

The report is whole: the figures of every series and month read from the ledger's roll-ups, the month against the one
before and three together, put on a sheet and rendered as HTML and JSON. The statement only fetches the figures from the
raw rows; both must agree. Seconds, and the highest memory of the server's process and of this one.

    python benchmarks/monthly_report.py [--series N] [--months N]

500 series over 13 months are 57 million rows: 15 GB and some twenty minutes to fill. The default, 150 series,
ends within ten minutes on a quiet machine. The ledger's days are made by its own statements, a month at a time and
without the hours, which this report does not read (benchmarks/roll_ups.py measures the roll-up itself).
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from time import perf_counter
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "plugins")]

from sqlalchemy import text  # noqa: E402 (needs the path above)

from benchmarks.roll_ups import (  # noqa: E402
    METRICS,
    TERMS,
    Cost,
    disagreements,
    fill,
    from_raw,
    months,
    server_memory,
)
from clo_ops.findings.roll_ups import RollUp  # noqa: E402
from clo_ops.ledger import Ledger, rolling  # noqa: E402
from clo_ops.reports.sheet import Section, Sheet, Table  # noqa: E402
from clo_ops.rules.figures import figure  # noqa: E402
from clo_ops.rules.series import title  # noqa: E402
from demo.stack.postgres import Cluster  # noqa: E402

HEADING = ("series", "month", "samples", "mean", "p50", "p95", "p99", "highest", "three months' p95", "change of p95")
STAMP = datetime(2026, 11, 9, 10, tzinfo=UTC)


@dataclass(frozen=True)
class Made:
    """A report that was made: what its parts took (s), how large it is (bytes), and the figures it shows."""

    read: float
    rendered: float
    html: int
    json: int
    figures: list[RollUp]


def make_days(cluster: Cluster, ledger: Ledger, days: list[datetime]) -> None:
    with ledger.transaction() as connection:
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("SET LOCAL work_mem = '256MB'"))
        connection.execute(text(rolling.SAMPLES.replace(" ON COMMIT DELETE ROWS", "")))
        for begin, end in pairwise(days):
            _days_of_month(connection, begin, end)
            print(f"  {begin:%Y-%m} rolled up", flush=True)
        connection.execute(text("DROP TABLE clo_ops_samples"))
    with cluster.connect("ledger") as opened:
        opened.execute("VACUUM (ANALYZE) clo_ops.daily")


def _days_of_month(connection: Any, begin: datetime, end: datetime) -> None:
    values: dict[str, Any] = {
        "begin": begin,
        "end": end,
        "until": end,
        "holds": TERMS.sample_holds,
        "source": "measured",
    }
    values |= {"metrics": [f"bench.{number}" for number in range(METRICS)]}
    values |= {name: [] for name in ("leveled", "units", "warnings", "criticals")}
    for statement in (rolling.NEW_SERIES, rolling.TAKE):
        connection.execute(text(statement.format(source="clo_ops.measurements")), values)
    connection.execute(text(rolling.DAILY), values)
    connection.execute(text("TRUNCATE clo_ops_samples"))


def report(ledger: Ledger, days: list[datetime]) -> Made:
    """Thirteen months of every series, the last three together, and the change from month to month."""
    names = [f"bench.{number}" for number in range(METRICS)]
    begun = perf_counter()
    figures = ledger.months(names, days[0], days[-1])
    three = {title(one.metric, one.labels): one for one in ledger.totals(names, days[max(0, len(days) - 4)], days[-1])}
    read = perf_counter()
    sheet = _sheet(figures, three, days)
    html, data = sheet.as_html(STAMP), sheet.as_json(STAMP)
    return Made(read - begun, perf_counter() - read, len(html), len(data), figures)


def _sheet(figures: list[RollUp], three: dict[str, RollUp], days: list[datetime]) -> Sheet:
    rows, before = list[tuple[str, ...]](), dict[str, RollUp]()
    for one in figures:
        name = title(one.metric, one.labels)
        rows.append(_row(name, one, three.get(name), before.get(name)))
        before[name] = one
    table = Table(HEADING, tuple(rows), "ledger: daily figures", frozenset(range(2, 10)))
    section = Section("Every series, month by month", "L184", tables=(table,))
    return Sheet("Monthly report", days[0], days[-1], f"{len(rows):,} figures.", (section,))


def _row(name: str, one: RollUp, three: RollUp | None, before: RollUp | None) -> tuple[str, ...]:
    shown = (figure(getattr(one, statistic), one.unit) for statistic in ("mean", "p50", "p95", "p99", "highest"))
    change = "" if before is None else figure(one.p95 - before.p95, one.unit)
    whole = "" if three is None else figure(three.p95, three.unit)
    return (name, f"{one.starts_at:%Y-%m}", f"{one.count:,}", *shown, whole, change)


def measured(ledger: Ledger, days: list[datetime]) -> tuple[Cost, Made]:
    """The better of two: the first warms the server."""
    return min((_once(ledger, days) for _ in range(2)), key=lambda one: one[0].seconds)


def _once(ledger: Ledger, days: list[datetime]) -> tuple[Cost, Made]:
    with ledger.engine.connect() as connection:
        pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
    with server_memory(pid) as memory:
        made = report(ledger, days)
    return Cost(made.read + made.rendered, memory[0]), made


def compare(cluster: Cluster, ledger: Ledger, days: list[datetime]) -> int:
    cost, made = measured(ledger, days)
    ours = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # before the raw rows' answer is here as well
    raw_cost, raw = from_raw(cluster, days)
    wrong = disagreements(made.figures, raw)
    samples = sum(one.count for one in made.figures)
    print(f"\n{len(made.figures):,} figures of series and months, {samples:,} samples behind them")
    parts = f"read {made.read:.2f} s, rendered {made.rendered:.2f} s, our process {ours:.0f} MiB"
    _line("the whole report", cost, parts)
    _line("one SQL over raw rows", raw_cost, "the figures alone, nothing rendered")
    print(f"HTML {made.html / 1024:,.0f} KiB, JSON {made.json / 1024:,.0f} KiB")
    print(f"report : raw = 1 : {raw_cost.seconds / cost.seconds:.1f}; figures that disagree: {wrong}")
    return 1 if wrong else 0


def _line(what: str, cost: Cost, more: str) -> None:
    print(f"{what:<22}: {cost.seconds:8.2f} s, server {cost.server_mib:6.0f} MiB; {more}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=150)
    parser.add_argument("--months", type=int, default=13)
    options = parser.parse_args()
    days = months(options.months)
    with tempfile.TemporaryDirectory(prefix="clo-ops-bench-") as directory, Cluster(Path(directory)) as cluster:
        cluster.create_user("clo_ops")
        cluster.create_database("ledger", owner="clo_ops")
        with Ledger(cluster.url("ledger", "clo_ops"), client_name="clo_ops/benchmark") as ledger:
            ledger.migrate()
            taken: dict[str, Any] = {"filled": _timed(lambda: fill(cluster, ledger, options.series, days))}
            taken["rolled up"] = _timed(lambda: make_days(cluster, ledger, days))
            print(", ".join(f"{what} in {seconds:.0f} s" for what, seconds in taken.items()), flush=True)
            return compare(cluster, ledger, days)


def _timed(work: Any) -> float:
    begun = perf_counter()
    work()
    return perf_counter() - begun


if __name__ == "__main__":
    sys.exit(main())
