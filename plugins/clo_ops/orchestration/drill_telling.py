"""The last step of a drill: its times judged, its report made, its evidence bundled, and both told (M3-07, L214)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from clo_ops.findings import Answer, CouldNotCheck, Finding, Severity, Status
from clo_ops.orchestration.drill import relabelled
from clo_ops.orchestration.recording import record
from clo_ops.rules import drill as times

if TYPE_CHECKING:
    from clo_ops.ledger import Message
    from clo_ops.orchestration.drill import Drill
    from clo_ops.orchestration.run import Run
    from clo_ops.reports.drill import DrillReport

M307 = "M3-07"
REPORT, BUNDLE = "drill-report", "drill-evidence.zip"
# The bundle is too large for a mail; who wants it finds it by the name and the SHA-256 in the text.
ENCLOSED = (".pdf", ".html")


def documented(drill: Drill, procedure: str = M307, link: str = "") -> list[Finding]:
    """The times against their targets; then the report as HTML, PDF and JSON, and the bundle, all kept as evidence.

    ``procedure`` is the one the whole drill is recorded under, where that is not M3-07 (the weekly restore test).
    """
    from clo_ops.reports.drill import assemble

    run, found = drill.run, _judged(drill)
    # The report is made from the ledger: what it shows of the times has to be there first.
    record(run, procedure, _under(procedure, [*drill.findings, *found]))
    report = assemble(run.ledger, run.ledger_run, link=link)
    found += _kept(run, report)
    tell(run, report)
    return _under(procedure, [*drill.findings, *found])


def _under(procedure: str, findings: list[Finding]) -> list[Finding]:
    return findings if procedure == M307 else relabelled(findings, procedure)


def _judged(drill: Drill) -> list[Finding]:
    run, so_far = drill.run, _answers(drill)
    taken = times.recovery_time(so_far)
    labels = {"dag": run.dag_id}
    if taken is not None:
        drill.measure(times.RTO, taken, "s", **labels)
    if newest := _newest_good(so_far):
        drill.measure(times.RPO, times.recovery_point(newest, _started(so_far, run.at)), "s", **labels)
    for name, target in (("rto", drill.spec.rto), ("rpo", drill.spec.rpo)):
        drill.measure(f"drill.{name}.target", target.total_seconds(), "s")
    return times.judge(run.answer, rto=drill.spec.rto, rpo=drill.spec.rpo)


def _answers(drill: Drill) -> Answer:
    """All this drill measured: in this process, and by the ledger in the tasks before it."""
    from clo_ops.reports.drill_rows import PROCEDURES

    run = drill.run
    return sum((run.ledger.answer(run.ledger_run, one) for one in PROCEDURES), run.answer)


def _newest_good(answer: Answer) -> datetime | None:
    one = answer.first("drill.fact", fact="backup.newest_good")
    return datetime.fromisoformat(one.detail) if one else None


def _started(answer: Answer, otherwise: datetime) -> datetime:
    """When recovery began: what was written between the newest backup and then would be lost."""
    one = answer.first(times.PHASE, phase="environment")
    return one.at - timedelta(seconds=one.value) if one else otherwise


def _kept(run: Run, report: DrillReport) -> list[Finding]:
    from clo_ops.reports.bundle import bundle
    from clo_ops.reports.pdf import PdfMissing

    stamp = datetime.now(UTC).replace(microsecond=0)
    files = {f"{REPORT}.html": report.as_html(stamp).encode(), f"{REPORT}.json": report.as_json(stamp)}
    found = []
    try:
        files[f"{REPORT}.pdf"] = report.as_pdf(stamp)
    except PdfMissing as error:
        found.append(_warned("report as PDF", "a PDF beside the HTML", error.observed, str(error)))
    about = {"dag_id": run.dag_id, "run_id": run.run_id, "at": run.at, "made_at": stamp, "verdict": report.verdict}
    packed, lost = bundle(run.connections.evidence(), report.facts.evidence, files, about=about)
    files[BUNDLE] = packed
    kinds = {"html": "text/html", "json": "application/json", "pdf": "application/pdf", "zip": "application/zip"}
    for name, data in files.items():
        run.attach(name, data, kinds[name.rpartition(".")[2]])
    return [*found, _bundled(len(report.facts.evidence), lost)]


def _bundled(count: int, lost: list[str]) -> Finding:
    expected = "every file of evidence as it was recorded"
    if lost:
        said = f"{len(lost)} of {count} files of evidence are gone or altered: {lost[0]}"
        action = "Find out who wrote to the evidence store; the bundle's manifest names what it lacks."
        return Finding(M307, "evidence", Status.FAIL, expected, said, said, "", Severity.P2, action)
    return Finding(M307, "evidence", Status.PASS, expected, f"{count} files", f"{count} files are in the bundle.")


def _warned(name: str, expected: str, actual: str, message: str) -> Finding:
    action = "Install what the message names on the workers; the HTML report is complete."
    return Finding(M307, name, Status.WARN, expected, actual, message, "", Severity.P4, action)


def tell(run: Run, report: DrillReport) -> None:
    """The mail to those the policy names goes into the outbox; the page's own mail delivers what is due."""
    run.ledger.enqueue(as_message(run, report))


def as_message(run: Run, report: DrillReport) -> Message:
    from clo_ops.ledger import Message
    from clo_ops.reports.templates import render

    contacts = render("contacts.txt", support=run.policy.contacts.support)
    text = report.as_text().rstrip()
    kept = [one for one in run.evidence if one.name.startswith((REPORT, "drill-evidence"))]
    files = "\n".join(f"{one.uri}\n  SHA-256 {one.sha256}" for one in kept)
    severities = sorted(one.severity for one in report.red if one.severity)
    return Message(
        dedup_key=f"drill:{run.dag_id}:{run.run_id}:{run.try_number}",
        recipients=recipients(run),
        subject=f"[CLO Ops] {report.colour} {report.title}",
        text=f"{text}\n\nTHE FILES\n{files}\n\n{contacts}\n",
        severity=severities[0] if severities else None,
        run=run.ledger_run,
        attachments=[one for one in kept if one.name.endswith(ENCLOSED)],
    )


def recipients(run: Run) -> list[str]:
    """The mail addresses of the groups recovery.yaml names. Raises CouldNotCheck where nobody has one."""
    contacts = run.policy.contacts
    names = [name for group in run.policy.recovery.report.to for name in contacts.groups[group]]
    found = [person.email for name in names if (person := contacts.people.get(name)) and person.email]
    if not found:
        raise CouldNotCheck("nobody of recovery.yaml's report.to has a mail address", "at least one address")
    return list(dict.fromkeys(found))
