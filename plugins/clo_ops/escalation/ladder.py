"""``python -m clo_ops.escalation.ladder``: who would be told what and when, if nobody answered (IR-02, IR-03)."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from clo_ops.findings import ConfigurationError, Severity
from clo_ops.policy import Policy, load_policy
from clo_ops.rules.clocks import clocks, update_due
from clo_ops.rules.ladders import notices, rungs

Row = tuple[datetime, str, str]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns the exit code: 0, or 2 for a policy that is refused."""
    options = _parser().parse_args(arguments)
    try:
        policy = load_policy()
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write("\n".join(_lines(options.severity, options.at, policy)) + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m clo_ops.escalation.ladder",
        description="Print who would be told what and when for an incident that nobody acknowledges (UTC).",
    )
    parser.add_argument("--severity", type=_severity, default=Severity.P1, metavar="P1..P4", help="default: P1")
    parser.add_argument("--at", type=_moment, default=datetime.now(UTC), metavar="TIME", help="detection; default: now")
    return parser


def _severity(given: str) -> Severity:
    try:
        return Severity(given.upper())
    except ValueError:
        raise argparse.ArgumentTypeError(f"{given!r} is none of {', '.join(Severity)}") from None


def _moment(given: str) -> datetime:
    try:
        at = datetime.fromisoformat(given)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{given!r} is not a time such as 2026-11-23T08:00") from None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)


def timetable(severity: Severity, detected_at: datetime, policy: Policy) -> list[Row]:
    """(when, what, whom) in order of time, for an incident nobody acknowledges."""
    return sorted([*_ladders(severity, detected_at, policy), *_clocks(severity, detected_at, policy)])


def _ladders(severity: Severity, detected_at: datetime, policy: Policy) -> Iterator[Row]:
    for notice in notices(severity, detected_at, policy):
        what = f"notice to {notice.group}" + (f" (only when {notice.condition})" if notice.condition else "")
        yield notice.at, what, _people(notice.people, policy)
    for rung in rungs(severity, detected_at, policy):
        yield rung.at, f"{rung.ladder} {rung.level}: {rung.role}", _people(rung.people, policy)


def _clocks(severity: Severity, detected_at: datetime, policy: Policy) -> Iterator[Row]:
    clock = clocks(severity, detected_at, policy)
    yield clock.response_due, "RESPONSE DUE", ""
    yield clock.resolution_due, "RESOLUTION DUE", ""
    yield update_due(severity, detected_at, clock.resolution_due, policy), "first status update due", ""


def _people(names: Sequence[str], policy: Policy) -> str:
    people = [policy.contacts.people[name] for name in names]
    return ", ".join(f"{person.name} <{person.email or person.phone}>" for person in people)


def _lines(severity: Severity, detected_at: datetime, policy: Policy) -> Iterator[str]:
    level = policy.severities[severity]
    yield f"{severity} {level.title}: {level.means}. Detected {detected_at:%a %Y-%m-%d %H:%M} UTC, nobody answers."
    yield ""
    rows = [
        (f"{at:%a %d %b %H:%M}", f"+{_after(at, detected_at)}", what, whom)
        for at, what, whom in timetable(severity, detected_at, policy)
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        yield "  ".join([*(text.ljust(width) for text, width in zip(row[:3], widths, strict=True)), row[3]]).rstrip()


def _after(at: datetime, detected_at: datetime) -> str:
    minutes = round((at - detected_at).total_seconds() / 60)
    return f"{minutes // 60}:{minutes % 60:02d} h"


if __name__ == "__main__":
    raise SystemExit(main())
