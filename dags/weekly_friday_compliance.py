"""# Friday compliance: an Airflow DAG that gathers the evidence for the house's controls, and names what broke them

**Manual section:** Weekly Operations / Friday: Compliance and Reporting / Compliance Monitoring (L136-L149), procedures
WF-01 to WF-08; Weekly Reports (L151-L155), procedures WF-09 to WF-12.

**What it does:** asks the controls of `include/policy/controls.yaml`, each with one read-only question to one snapshot
of the database: segregation of duties in the transactions themselves, approvals, records complete and unaltered,
personal data, the PostgreSQL benchmark as far as SQL sees it, the audit trail, changes of configuration both ways,
exports against each user's own habit, security events without owner or outcome.

**What it leaves:** for each control one finding, and one file of evidence with the question, its parameters, the
database's identity, the moment and the SHA-256 of the answer; rows are kept as keys and counts. Anybody who may read
the database can put the question again: `python -m clo_ops.controls perform-again <file>`.

**The reports:** the seven whole days before as availability report (with and without announced windows, outages with
their causes, error budget), performance report (KPIs against the targets of a month: a miss warns), security incident
report (how soon each incident was answered and resolved against target) and user activity report (users, sessions,
features, per role): HTML and PDF, mailed to the roles of performance.yaml and reports.yaml, kept with their SHA-256,
made again with `make report` (docs/reports.md, docs/kpis.md).

**Done by:** 14:00 UTC, four hours after it starts; a later run is told to management.

**What a failure means:** a red task found a control broken, and names what broke it; or it could not ask, and says
whom. A finding that is neither was not assessed, with the reason. Green is evidence for a control, never a statement
that a law is met.

**First thing to do:** open the mail or the summary task's log and follow the first action of the topmost red finding.
A broken audit chain comes first: change nothing, keep the evidence, call the security contact.

**Safe to re-run:** yes, whole or any task: it reads only, and its findings and evidence take the place of the earlier
try's.
"""

from datetime import timedelta

from clo_ops.findings import Finding
from clo_ops.orchestration import compliance, performance, weekly_reports
from clo_ops.orchestration.blueprint import manual_page, one_after_another, section
from clo_ops.orchestration.procedure import procedure
from clo_ops.orchestration.run import Run

# The trail is read row by row.
READING = {"execution_timeout": timedelta(hours=1), "retries": 1}


@manual_page
def weekly_friday_compliance() -> None:
    with section("Regulatory Compliance"):

        @procedure("WF-01")
        def sox(run: Run) -> list[Finding]:
            """Who approved what they had asked for; approvals, conflicting roles, reviews made."""
            return compliance.sox(run)

        @procedure("WF-02")
        def sec(run: Run) -> list[Finding]:
            """The week's calculations and reports on record, anchored, and closed to changes."""
            return compliance.sec(run)

        @procedure("WF-03")
        def gdpr(run: Run) -> list[Finding]:
            """Personal data not kept too long, requests answered in time, reads by those who may."""
            return compliance.gdpr(run)

        @procedure("WF-04")
        def industry_standards(run: Run) -> list[Finding]:
            """The PostgreSQL benchmark's recommendations that SQL can see; the others with why not."""
            return compliance.industry_standards(run)

    with section("Audit Trail Verification"):

        @procedure("WF-05", **READING)
        def audit_trail(run: Run) -> list[Finding]:
            """The chain whole, every changed financial row in it, never silent, every actor known."""
            return compliance.audit_trail(run)

        @procedure("WF-06")
        def configuration_changes(run: Run) -> list[Finding]:
            """Every change seen has its entry, and every entry its change; of the server and the application."""
            return compliance.configuration_changes(run)

        @procedure("WF-07")
        def data_access(run: Run) -> list[Finding]:
            """Reads and exports of each user against their own habit."""
            return compliance.data_access(run)

        @procedure("WF-08")
        def security_events(run: Run) -> list[Finding]:
            """Every security event with an owner, a class and an outcome in time."""
            return compliance.security_events(run)

    with section("Weekly Reports"):
        procedure("WF-09")(performance.week_available)
        procedure("WF-10")(performance.week_performed)
        procedure("WF-11")(weekly_reports.security_incidents)
        procedure("WF-12")(weekly_reports.user_activity)

    one_after_another(sox, sec, gdpr, industry_standards)
    one_after_another(audit_trail, configuration_changes, data_access, security_events)
