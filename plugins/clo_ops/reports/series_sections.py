"""Sections of what was measured every few minutes: how fast the system answered, how busy its machines were."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from clo_ops.findings import Finding, Severity, Status
from clo_ops.reports.facts import NO_SOURCE, Facts, table
from clo_ops.reports.sheet import Plot, Section, Table
from clo_ops.rules.figures import age, figure
from clo_ops.rules.series_days import SeriesDays

PERFORMANCE = (
    "http.client.request.duration",
    "http.server.request.duration",
    "http.server.error.share",
    "postgresql.connection.utilization",
)
CACHES = ("redis.cache.hit_ratio", "postgresql.cache.hit_ratio")
RESOURCES = ("system.cpu.utilization", "system.memory.utilization", "system.filesystem.utilization")
NETWORK = ("network.io.rate",)
TITLES = {
    "http.client.request.duration": "Response time",
    "http.server.request.duration": "Response time users met",
    "http.server.error.share": "Requests that failed",
    "postgresql.connection.utilization": "Connections in use",
    "redis.cache.hit_ratio": "Redis hit rate",
    "postgresql.cache.hit_ratio": "PostgreSQL hit rate",
    "system.cpu.utilization": "CPU",
    "system.memory.utilization": "Memory",
    "system.filesystem.utilization": "Disk",
    "network.io.rate": "Network",
}
HEADING = ("figure", "mean", "days before", "p95 of the worst hour", "over warning", "over critical", "measured")
DRAWN = 8
LOOK = "Open the curve named, then the incident of its alert at that time (AL-01 to AL-07)."
NOTHING = timedelta()


def performance(facts: Facts, lines: str) -> Section:
    """How fast requests were answered, how many failed, how full pool and caches were (L66, L418)."""
    return _section(facts, "performance", "Performance", lines, PERFORMANCE + CACHES, needed=PERFORMANCE[:1])


def resources(facts: Facts, lines: str) -> Section:
    """CPU, memory, disks and network of every host, against the days before (L69, L423)."""
    return _section(facts, "resources", "Resource trends", lines, RESOURCES + NETWORK, needed=RESOURCES)


def _section(
    facts: Facts, name: str, heading: str, lines: str, metrics: Sequence[str], *, needed: Sequence[str]
) -> Section:
    found = [one for metric in metrics for one in facts.series.get(metric, ())]
    missing = [TITLES[metric] for metric in metrics if not facts.series.get(metric)]
    gaps = [f"{NO_SOURCE.capitalize()} on record for this period: {', '.join(missing)}."] if missing else []
    tables = (_table(facts, found),) if found else ()
    finding = _judged(facts, name, found, list(_silent(facts, needed)))
    return Section(heading, lines, (), tables, tuple(_plots(facts, found)), (finding,), tuple(gaps))


def _silent(facts: Facts, needed: Sequence[str]) -> Iterator[str]:
    """What must have figures and has none: a figure as a whole, or one of a host of policy."""
    for metric in needed:
        series = facts.series.get(metric, ())
        hosts = {one.labels.get("host") for one in series}
        if not series:
            yield TITLES[metric]
        elif metric in RESOURCES:
            yield from (f"{TITLES[metric]} {host.name}" for host in facts.policy.hosts if host.name not in hosts)


def _judged(facts: Facts, name: str, found: Sequence[SeriesDays], missing: Sequence[str]) -> Finding:
    case = facts.case(name, "figures on record, none over its critical level", LOOK)
    over = [one for one in found if (one.above_critical or NOTHING) > NOTHING]
    told = ", ".join(f"{named(one)} for {age(one.above_critical or NOTHING)}" for one in over[:5])
    if missing:
        beside = f" Over the critical level: {told}." if over else ""
        return Finding(
            facts.procedure, name, Status.UNKNOWN, case.expected, "no figures",
            f"No figures of {', '.join(missing)} are on record for {facts.period}.{beside}", "", Severity.P2,
            "See whether the morning (DM-07) and business hours (BH-01) have measured; then clear the task.",
        )  # fmt: skip
    if over:
        return case.warned(f"{len(over)} over critical", f"Over the critical level: {told}")
    return case.passed(f"{len(found)} series", f"{len(found)} series, none over its critical level")


def named(one: SeriesDays) -> str:
    """``CPU app1``: what is measured and of whom."""
    return " ".join([TITLES.get(one.metric, one.metric), *one.labels.values()])


def _table(facts: Facts, found: Sequence[SeriesDays]) -> Table:
    source = facts.of_ledger(f"clo_ops.hourly from {facts.period}, each with the {_days(facts)} days before")
    return table(HEADING, [_row(facts, one) for one in found], source, range(1, len(HEADING)))


def _days(facts: Facts) -> int:
    return facts.policy.reports.compared.days


def _row(facts: Facts, one: SeriesDays) -> tuple[str, ...]:
    worst = one.worst
    usual = "not measured" if one.usual is None else f"{figure(one.usual, one.unit)} ({_against(one)})"
    return (
        named(one),
        figure(one.mean, one.unit),
        usual,
        f"{figure(worst.p95, one.unit)} at {worst.starts_at:%d %b %H:%M}",
        _time(one.above_warning),
        _time(one.above_critical),
        f"{min(100.0, 100 * (one.covered / facts.period.length)):.0f} %",
    )


def _against(one: SeriesDays) -> str:
    return f"{100 * (one.mean - one.usual) / abs(one.usual):+.1f} %" if one.usual else "was 0"


def _time(above: timedelta | None) -> str:
    return "no level" if above is None else age(above) if above else "never"


def _plots(facts: Facts, found: Sequence[SeriesDays]) -> Iterator[Plot]:
    for one in found:
        if drawn := facts.plots.get(named(one)):
            caption = f"{named(one)}: mean by hour; grey: the same hours of the {_days(facts)} days before"
            yield Plot(drawn[0], caption, f"SHA-256 {drawn[1]}", wide=False)


def to_draw(series: Sequence[SeriesDays]) -> list[SeriesDays]:
    """Those worth a plot: above a level first, then the busiest; a curve needs a few hours."""
    curves = [one for one in series if len(one.hours) >= 3]
    curves.sort(key=lambda one: (one.above_critical or NOTHING, one.above_warning or NOTHING), reverse=True)
    return curves[:DRAWN]
