"""``python -m clo_ops.policy``: print the policy and the calendar of a month; exit 2 where the policy is refused."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

from clo_ops.findings import ConfigurationError
from clo_ops.policy.loading import digest, load_policy, sections
from clo_ops.policy.model import Policy
from clo_ops.policy.show import DayRuns, hours, month_bounds, month_notes, month_runs, rows

WIDTH_OF_A_FILE = 140


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns the exit code: 0, or 2 for a policy that is refused."""
    options = _parser().parse_args(arguments)
    try:
        policy = load_policy(options.directory, options.mode)
        runs = month_runs(policy, *options.month)
        notes = month_notes(policy, *options.month)
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if options.json:
        json.dump(_as_json(policy, runs, notes, options.month), sys.stdout, indent=2, ensure_ascii=False)
        sys.stdout.write("\n")
    else:
        _print(policy, runs, notes, options.month)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m clo_ops.policy",
        description="Print the operations policy, every figure with its unit, line of the manual and resolution, and "
        "the calendar of a month (UTC). Exit code 2 where the policy is refused, with everything that is wrong.",
    )
    parser.add_argument("--directory", help="the policy's files (default: CLO_OPS_POLICY, else include/policy)")
    parser.add_argument("--mode", choices=("demo", "production"), help="default: CLO_OPS_MODE, else production")
    parser.add_argument("--month", type=_month, default=_next_month(), metavar="YYYY-MM", help="default: the next one")
    parser.add_argument("--json", action="store_true", help="as JSON, for programs")
    return parser


def _month(given: str) -> tuple[int, int]:
    match = re.match(r"^(2\d{3})-(0[1-9]|1[0-2])$", given)
    if match is None:
        raise argparse.ArgumentTypeError(f"{given!r} is not a month such as 2027-01")
    return int(match[1]), int(match[2])


def _next_month() -> tuple[int, int]:
    today = datetime.now(UTC)
    following = month_bounds(today.year, today.month)[1]
    return following.year, following.month


def _as_json(policy: Policy, runs: list[DayRuns], notes: dict[date, str], month: tuple[int, int]) -> dict[str, Any]:
    calendar = [
        {
            "day": one.day.isoformat(),
            "dag": one.dag,
            "cadence": one.cadence,
            "runs": one.count,
            "first": one.first.isoformat(),
            "last": one.last.isoformat(),
            "last_done_by": one.done_by.isoformat(),
        }
        for one in runs
    ]
    return {
        "digest": digest(policy),
        "policy": policy.model_dump(mode="json"),
        "month": f"{month[0]}-{month[1]:02d}",
        "calendar": calendar,
        "notes": {day.isoformat(): note for day, note in notes.items()},
    }


def _print(policy: Policy, runs: list[DayRuns], notes: dict[date, str], month: tuple[int, int]) -> None:
    from rich.console import Console  # only for people

    console = Console(width=None if sys.stdout.isatty() else WIDTH_OF_A_FILE, highlight=False)
    console.print(f"Policy, mode {policy.mode}, digest {digest(policy)[:12]}", markup=False)
    for section in sections():
        lines = _catalogue(policy) if section == "procedures" else _figures(policy, section)
        console.print(_table(f"{section}.yaml", *lines))
    name = f"{month[0]}-{month[1]:02d} (UTC)"
    console.print(_table(f"Many times a day in {name}", *_frequent(runs)))
    console.print(_table(f"Calendar of {name}", *_calendar([one for one in runs if one.times], notes)))


def _figures(policy: Policy, section: str) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    found = rows(getattr(policy, section))
    return ("Key", "Figure", "Manual", "Resolution"), [(r.key, r.figure, r.manual, r.resolution) for r in found]


def _catalogue(policy: Policy) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    procedures = policy.procedures.values()
    lines: list[tuple[str, ...]] = [(p.id, p.title, p.dag, "yes" if p.built else "no", p.lines) for p in procedures]
    return ("Id", "Procedure", "DAG", "Built", "Manual"), lines


def _frequent(runs: list[DayRuns]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    many = [one for one in runs if not one.times]
    lines: list[tuple[str, ...]] = []
    for cadence in dict.fromkeys(one.cadence for one in many):
        own = [one for one in many if one.cadence == cadence]
        lines.append((cadence, own[0].dag, f"{len(own)} days", f"each {hours(own[0])}"))
    return ("Cadence", "DAG", "On", "Runs"), lines


def _calendar(runs: list[DayRuns], notes: dict[date, str]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    days = sorted({*notes, *(one.day for one in runs)})
    lines: list[tuple[str, ...]] = []
    for day in days:
        lines += [(f"{day:%a %d %b}", "", "", "", notes[day])] if day in notes else []
        own = [one for one in runs if one.day == day]
        lines += [(f"{day:%a %d %b}", hours(one), f"{one.done_by:%H:%M}", one.dag, one.cadence) for one in own]
    return ("Day", "Starts", "Done by", "DAG", "Cadence"), lines


def _table(title: str, columns: tuple[str, ...], lines: list[tuple[str, ...]]) -> Any:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    for column in columns:
        table.add_column(column, overflow="fold")
    for line in lines:
        # Text, not markup: a bracket in a figure is a bracket.
        table.add_row(*(Text(cell) for cell in line))
    return table


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BrokenPipeError:
        # The reader (head, less) has seen enough; nothing more may be written, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
