"""A sheet is rendered, kept as evidence and put into the outbox: the same for every report."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from clo_ops.findings import CouldNotCheck, Finding, Severity, Status, worst

if TYPE_CHECKING:
    from clo_ops.orchestration.run import Run
    from clo_ops.reports.sheet import Sheet

KINDS = {"html": "text/html", "json": "application/json", "pdf": "application/pdf"}
ENCLOSED = (".pdf", ".html")
INSTALL = "Install what the message names on the workers; the HTML report is complete."


def kept(run: Run, sheet: Sheet, name: str, groups: Sequence[str], procedure: str = "") -> list[Finding]:
    """The report as HTML, PDF and JSON among the task's evidence, and its mail in the outbox. A warning without a PDF.

    ``procedure`` is whose task it is, where the sheet's first finding is another's. A report that Airflow will make
    again, as nobody answered, is mailed when that is done: once, and never with files that are no longer there. Raises
    CouldNotCheck where nobody of the groups has a mail address.
    """
    from clo_ops.reports.pdf import PdfMissing

    stamp, found, mine = datetime.now(UTC).replace(microsecond=0), [], procedure or _procedure(run, sheet)
    files = {f"{name}.html": sheet.as_html(stamp).encode(), f"{name}.json": sheet.as_json(stamp)}
    try:
        files[f"{name}.pdf"] = sheet.as_pdf(stamp)
    except PdfMissing as error:
        found.append(_no_pdf(mine, error))
    evidence = [run.attach(file, data, KINDS[file.rpartition(".")[2]]) for file, data in files.items()]
    to = recipients(run, groups)
    if run.last_try or not _asked_again([one for one in sheet.findings if one.procedure == mine]):
        _tell(run, sheet, name, [one for one in evidence if one.name.endswith(ENCLOSED)], to)
    return found


def _asked_again(own: Sequence[Finding]) -> bool:
    """Whether the task's retries make it anew: for what nobody answered, and for nothing else."""
    return bool(own) and worst(own) is Status.UNKNOWN


def _procedure(run: Run, sheet: Sheet) -> str:
    return sheet.findings[0].procedure if sheet.findings else run.task_id


def _no_pdf(procedure: str, error: Exception) -> Finding:
    observed = getattr(error, "observed", str(error))
    expected = "a PDF beside the HTML"
    return Finding(procedure, "report as PDF", Status.WARN, expected, observed, str(error), "", Severity.P4, INSTALL)


def _tell(run: Run, sheet: Sheet, name: str, enclosed: Sequence[object], to: list[str]) -> None:
    from clo_ops.ledger import Message
    from clo_ops.reports.templates import render

    contacts = render("contacts.txt", support=run.policy.contacts.support)
    files = "\n".join(f"{one.uri}\n  SHA-256 {one.sha256}" for one in run.evidence if one.name.startswith(name))
    run.ledger.enqueue(
        Message(
            dedup_key=f"{name}:{run.dag_id}:{run.run_id}:{run.try_number}",
            recipients=to,
            subject=f"[CLO Ops] {sheet.colour} {sheet.title}",
            text=f"{sheet.as_text().rstrip()}\n\nTHE FILES\n{files}\n\n{contacts}\n",
            run=run.ledger_run,
            attachments=list(enclosed),  # type: ignore[arg-type]
        )
    )


def recipients(run: Run, groups: Sequence[str]) -> list[str]:
    """The mail addresses of these groups of contacts.yaml, each once. Raises CouldNotCheck where there is none."""
    contacts = run.policy.contacts
    names = [name for group in groups for name in contacts.groups[group]]
    found = [person.email for name in names if (person := contacts.people.get(name)) and person.email]
    if not found:
        raise CouldNotCheck(f"nobody of {', '.join(groups)} has a mail address", "at least one address")
    return list(dict.fromkeys(found))
