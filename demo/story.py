"""What a morning in the demo found, as a table, and whether that is what the demo had arranged."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

from clo_ops.findings import Finding, Status
from clo_ops.findings.finding import RANK
from clo_ops.ledger import Ledger
from clo_ops.policy import load_policy

COLOURS = {
    Status.PASS: "green",
    Status.WARN: "yellow",
    Status.FAIL: "bold red",
    Status.UNKNOWN: "bold magenta",
    Status.NOT_APPLICABLE: "dim",
}
RED = (Status.FAIL, Status.UNKNOWN)
# What may follow from a slow endpoint: the overall health, and the morning's figures being out of the ordinary.
MAY_FOLLOW = frozenset({"DM-01", "DM-08", "DM-09"})
# The manual's fifteen.
PROCEDURES = frozenset(f"DM-{number:02}" for number in range(1, 16))


@dataclass(frozen=True, slots=True)
class Morning:
    """One run as Airflow ended it and as the ledger holds it."""

    run_id: str
    state: str
    findings: tuple[Finding, ...]
    url: str

    @classmethod
    def of(cls, ledger_url: str, dag_id: str, run_id: str, state: str, airflow_url: str) -> Morning:
        with Ledger(ledger_url, client_name="demo/story") as ledger:
            runs = [run for run in ledger.recent_runs(dag_id, limit=50) if run.run_id == run_id]
            findings = ledger.findings(runs[0].id) if runs else []
        return cls(run_id, state, tuple(findings), f"{airflow_url}/dags/{dag_id}/runs/{run_id}")

    def by_procedure(self) -> dict[str, list[Finding]]:
        """Worst finding first."""
        grouped: dict[str, list[Finding]] = {}
        for finding in sorted(self.findings, key=lambda one: (one.procedure, RANK.index(one.status))):
            grouped.setdefault(finding.procedure, []).append(finding)
        return grouped

    def red(self) -> frozenset[str]:
        return frozenset(finding.procedure for finding in self.findings if finding.status in RED)


def show(morning: Morning, title: str) -> None:
    """A line per procedure with the finding that speaks for it; every red finding has its own."""
    titles = {id_: entry.title for id_, entry in load_policy(mode="demo").procedures.items()}
    table = Table(title=f"{title} - {morning.state}", title_justify="left", expand=False)
    for column in ("Id", "Procedure", "Status", "Allowed", "Seen"):
        table.add_column(column, overflow="fold")
    for procedure, findings in morning.by_procedure().items():
        speaking = [one for one in findings if one.status in RED] or findings[:1]
        for finding in speaking:
            table.add_row(procedure, titles.get(procedure, ""), *_cells(finding, len(findings)))
    Console(width=None if Console().is_terminal else 150).print(table)
    print(f"  {morning.url}")


def _cells(finding: Finding, count: int) -> tuple[Text, Text, Text]:
    """What was seen came from outside: shown as text, never as markup."""
    status = Text(finding.status.value, style=COLOURS[finding.status])
    seen = finding.message if finding.status in (*RED, Status.WARN, Status.NOT_APPLICABLE) else finding.actual
    more = f" (+{count - 1} more)" if count > 1 and finding.status is Status.PASS else ""
    return status, Text(finding.expected), Text(seen + more)


def complaints_of_a_healthy(morning: Morning) -> list[str]:
    """What is wrong with a morning that should be green; nothing when it is."""
    found = _incomplete(morning, "the healthy morning")
    if morning.state != "success":
        found.append(f"the healthy morning ended {morning.state}")
    for finding in morning.findings:
        if finding.status in RED:
            found.append(f"the healthy morning: {finding.procedure} is {finding.status.value}: {finding.message}")
    return found


def complaints_of_a_sick(morning: Morning, wanted: frozenset[str]) -> list[str]:
    """What is wrong with a morning that should be red for ``wanted`` and for nothing that does not follow from them."""
    found = _incomplete(morning, "the morning with faults")
    if morning.state != "failed":
        found.append(f"the morning with faults ended {morning.state}, not failed")
    red = morning.red()
    found += [f"the morning with faults: {procedure} is not red" for procedure in sorted(wanted - red)]
    for finding in morning.findings:
        if finding.status in RED and finding.procedure not in wanted | MAY_FOLLOW:
            found.append(f"the morning with faults: {finding.procedure} is red too: {finding.message}")
    return found


def _incomplete(morning: Morning, name: str) -> list[str]:
    missing = sorted(PROCEDURES - {finding.procedure for finding in morning.findings})
    return [f"{name}: nothing is recorded of {', '.join(missing)}"] if missing else []
