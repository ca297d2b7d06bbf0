"""The capacity report of a Wednesday, put together from what its run left in the ledger (RP-02's capacity planning)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING

from clo_ops.findings import CheckFailed, CouldNotCheck, Finding, Status
from clo_ops.reports.capacity_sources import sources
from clo_ops.reports.sheet import Plot, Section, Sheet, Table

if TYPE_CHECKING:
    from clo_ops.ledger import Evidence, Ledger
    from clo_ops.policy import Policy

PARTS = ("WW-09", "WW-01", "WW-02", "WW-03", "WW-04", "WW-05", "WW-06", "WW-07", "WW-08")
SVG = "image/svg+xml"
Read = Callable[["Evidence"], bytes]


def assemble(
    ledger: Ledger, run: int, policy: Policy, read: Read, *, link: str = "", more: Sequence[Finding] = ()
) -> Sheet:
    """The run's findings by procedure with their plots; recommendations first. ``more`` are not on record yet.

    ``read`` gives an evidence file's bytes; one that is gone or altered is said in its place.
    """
    row, evidence = ledger.run(run), ledger.evidence(run)
    findings = [*(one for one in ledger.findings(run) if one.procedure not in {new.procedure for new in more}), *more]
    of_part = {part: [one for one in findings if one.procedure == part] for part in PARTS}
    sections = tuple(
        _section(part, found, evidence, policy, read, sources(part, policy, row.at, evidence))
        for part, found in of_part.items()
    )
    return Sheet(
        title=f"Capacity report of {row.at:%Y-%m-%d}",
        since=row.at - timedelta(days=policy.capacity.forecasts.windows[0]),
        until=row.at,
        verdict=_verdict(findings),
        sections=sections,
        cards=tuple(_cards(findings)),
        about={"Run": f"{row.dag_id} {row.run_id}", "Policy": row.policy_digest[:12] or "not recorded"},
        link=link,
    )


def _section(  # noqa: PLR0917 - what a section is made of
    part: str, findings: Sequence[Finding], evidence: Sequence[Evidence], policy: Policy, read: Read, table: Table
) -> Section:
    entry, plots, gaps = policy.procedures[part], list[Plot](), list[str]()
    for one in evidence:
        if one.media_type == SVG and one.name.startswith(part):
            try:
                plots.append(Plot(read(one).decode(), one.name, f"SHA-256 {one.sha256}"))
            except (CheckFailed, CouldNotCheck) as error:
                gaps.append(f"The plot {one.name} is missing: {error}")
    if not findings:
        gaps.append(f"{part} left no finding in this run: nobody looked.")
    return Section(entry.title, f"{part}, {entry.lines}", (), (table,), tuple(plots), tuple(findings), tuple(gaps))


def _verdict(findings: Sequence[Finding]) -> str:
    silent = {one.procedure for one in findings if one.status is Status.UNKNOWN}
    unseen = sorted((silent | set(PARTS) - {one.procedure for one in findings}) - {PARTS[0]})
    over = [one for one in findings if one.status is Status.FAIL]
    wanted = sum("kind" in one.labels for one in findings)
    nothing = "No recommendation" if unseen else "Nothing calls for more room"
    said = f"{wanted} recommendations" if wanted else nothing
    parts = [said] + ([f"{len(over)} over their critical level: {over[0].subject}"] if over else [])
    return "; ".join(parts + ([f"not looked at everything in {', '.join(unseen)}"] if unseen else [])) + "."


def _cards(findings: Sequence[Finding]) -> list[tuple[str, str, str]]:
    days = sorted(
        (date.fromisoformat(day), level, one.subject)
        for one in findings
        for level in ("warning", "critical", "full")
        if (day := one.labels.get(f"{level}_day"))
    )
    looked = sum(one.name == "trend and projection" for one in findings)
    trends = sum(one.labels.get("verdict") in ("rising", "falling") for one in findings)
    score = next((one.actual for one in findings if one.name == "forecast score"), "none yet")
    first = (str(days[0][0]), f"{days[0][2]}: {days[0][1]}") if days else ("none", "within the horizon")
    return [
        ("First level to be crossed", *first),
        ("Series looked at", str(looked), f"{trends} with a trend"),
        ("Recommendations", str(sum("kind" in one.labels for one in findings)), "each with its evidence"),
        ("Forecasts so far", score.split(" (", maxsplit=1)[0], "held against what came"),
    ]
