"""The operations page put together from the ledger, and from nothing else (RP-05; manual L308-L317).

It asks nobody: what it shows is what the watch, the procedures and people have put on record, each with its time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from clo_ops.findings import Status
from clo_ops.rules import operations_page as rules
from clo_ops.rules.operations_page import Line, Part

if TYPE_CHECKING:
    from clo_ops.ledger import IncidentRow, Ledger
    from clo_ops.ledger.records import ProcedureSeen
    from clo_ops.policy import Policy

WATCH = "watch"  # the heartbeat of orchestration.watch
MORNING = "daily_morning_startup"
# Figures of business hours are shown over a long week-end.
LOOK_BACK, HOUR, DAY, WEEK = timedelta(days=4), timedelta(hours=1), timedelta(days=1), timedelta(days=7)
LATE = ("late:", "expected:")  # how the causes of late and of missing runs begin
WORDS = {
    Status.PASS: "WELL",
    Status.WARN: "LOOK",
    Status.FAIL: "CRITICAL",
    Status.UNKNOWN: "NOT KNOWN",
    Status.NOT_APPLICABLE: "-",
}
# What each procedure of business hours measures, and how it is called here.
MEASURED: Mapping[str, Mapping[str, Mapping[str, str]]] = {
    "Performance": {
        "BH-03": {
            "http.server.request.duration": "Response time users met, mean",
            "http.server.error.share": "Requests that failed",
            "http.server.request.count": "Requests since the snapshot before",
        }
    },
    "Resources": {"BH-01": {"network.io.rate": "Network, a second"}},
    "Users": {
        "BH-02": {
            "clo.user.active": "Active users, last hour",
            "session.open": "Open sessions",
            "clo.login.count": "Logins, last hour",
        }
    },
    "Business": {
        "BH-04": {
            "clo.calculation.running": "Portfolio calculations running",
            "clo.calculation.completed": "Portfolio calculations completed, last hour",
            "clo.report.running": "Reports running",
            "clo.report.completed": "Reports completed, last hour",
        }
    },
}


@dataclass(frozen=True, slots=True)
class PageOfProcedures:
    """A DAG today: its procedures with their status, the newest run's time."""

    dag_id: str
    at: datetime
    procedures: tuple[tuple[str, str, Status], ...]

    @property
    def status(self) -> Status:
        return rules.gravest(status for _, _, status in self.procedures)


@dataclass(frozen=True, slots=True)
class OperationsPage:
    """``parts`` are the manual's five; ``late`` are runs that were late or missing in the last week."""

    now: datetime
    status: Status
    parts: tuple[Part, ...]
    today: tuple[PageOfProcedures, ...]
    incidents: tuple[tuple[IncidentRow, str], ...]
    late: tuple[IncidentRow, ...]
    duty: tuple[Line, ...]
    restored: Line
    words: Mapping[Status, str]

    @property
    def word(self) -> str:
        return self.words[self.status]


def assemble(ledger: Ledger, policy: Policy, now: datetime) -> OperationsPage:
    """As things stand at ``now`` (aware). Raises LedgerUnavailable."""
    beat = ledger.heartbeats().get(WATCH)
    looked_at = beat.at if beat else None
    quiet, alerts = rules.silent(looked_at, policy, now), ledger.alerts()
    health = Part("System health", (rules.watch(looked_at, policy, now), *_components(ledger, now)))
    others = (_part(ledger, name, list(_watched(alerts, name, policy, quiet, now)), now) for name in MEASURED)
    parts, open_now = (health, *others), ledger.open_incidents(now)
    return OperationsPage(
        now=now,
        status=rules.overall(parts, open_now),
        parts=parts,
        today=tuple(_today(ledger, policy, now)),
        incidents=tuple((one, rules.clock(one, now)) for one in sorted(open_now, key=lambda one: one.severity)),
        late=tuple(one for one in ledger.incidents_of(now - WEEK, now) if one.cause.startswith(LATE)),
        duty=tuple(rules.duty(policy, now)),
        restored=_restored(ledger, now),
        words=WORDS,
    )


def _watched(alerts: Sequence[rules.Alert], name: str, policy: Policy, quiet: bool, now: datetime) -> Sequence[Line]:
    return list(rules.watched(alerts, rules.WATCHED[name], policy, quiet=quiet, now=now))


def _part(ledger: Ledger, name: str, lines: list[Line], now: datetime) -> Part:
    for procedure, titles in MEASURED[name].items():
        found = ledger.newest(list(titles), procedure, now - LOOK_BACK, now)
        lines += rules.measured(found, titles, now)
    if name == "Business":
        lines += _portfolios(ledger)
    return Part(name, tuple(lines))


def _portfolios(ledger: Ledger) -> list[Line]:
    """Operations on portfolios, as the last end of day counted them (ED-02)."""
    for run in ledger.recent_runs("daily_end_of_day", 3):
        for one in ledger.findings(run.id):
            if one.procedure == "ED-02" and one.name == "portfolio operations" and one.status is Status.PASS:
                note = f"the day that ended {run.at:%Y-%m-%d %H:%M}"
                return [Line("Operations on portfolios", one.actual, Status.NOT_APPLICABLE, run.at, note)]
    return [Line("Operations on portfolios", "no source", Status.NOT_APPLICABLE)]


def _components(ledger: Ledger, now: datetime) -> Sequence[Line]:
    for run in ledger.recent_runs(MORNING, 3):
        mine = [one for one in ledger.findings(run.id) if one.procedure == "DM-01"]
        if found := list(rules.components(mine, run.at)):
            return found if now - run.at <= DAY else [_old(one) for one in found]
    return [Line("Components", "no morning on record", Status.UNKNOWN)]


def _old(one: Line) -> Line:
    """A morning of before yesterday says nothing of today."""
    return Line(one.what, one.shown, Status.UNKNOWN, one.at, f"{one.note}: no newer one")


def _today(ledger: Ledger, policy: Policy, now: datetime) -> Sequence[PageOfProcedures]:
    """Every page that ran since midnight (UTC), the grave ones first."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    pages: dict[str, list[ProcedureSeen]] = {}
    for one in ledger.procedures_seen(midnight, now, now - rules.OF_NOW):
        pages.setdefault(one.dag_id, []).append(one)
    made = [
        PageOfProcedures(
            dag_id,
            max(one.at for one in seen),
            tuple((one.procedure, _title(policy, one.procedure), rules.gravest(one.statuses)) for one in seen),
        )
        for dag_id, seen in pages.items()
    ]
    order = list(WORDS)
    grave = {Status.FAIL: 0, Status.UNKNOWN: 1, Status.WARN: 2}
    return sorted(made, key=lambda one: (grave.get(one.status, 3 + order.index(one.status)), one.dag_id))


def _title(policy: Policy, procedure: str) -> str:
    return policy.procedures[procedure].title if procedure in policy.procedures else ""


def _restored(ledger: Ledger, now: datetime) -> Line:
    last = ledger.last_restored()
    if last is None or last.level is None:
        return rules.restored("", "", None, now)
    return rules.restored(last.path, last.level, last.proven[last.level], now)
