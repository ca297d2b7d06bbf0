"""# Reports and support: an Airflow DAG that puts the reports together, and sees whether those to be called can be

**Manual section:** Reporting and Analytics / Operational Reports (L414-L432), procedures RP-01 to RP-03; Performance
Metrics (L434-L446), procedure RP-04; Monitoring and Alerting / System Monitoring Dashboard (L308-L317), RP-05. Support
and Escalation / Support Contact Information (L458-L462), procedure SP-01; Vendor Support (L464-L476), procedure SP-02.

**What it does:** makes one report of a day, of a week and of a month out of those that the pages of that time kept,
each named with the SHA-256 of its page: nothing is counted twice. Errors in logs, how runs ended, incidents, reviews of
compliance and the figures of a month are added from the ledger (docs/reports.md). Then it holds the four support
contacts of contacts.yaml - operations centre, emergency hotline, status page, documentation - against what they must
be, and every message of the last day on which somebody was to act against them: each carries all four. Last the vendors
of vendors.yaml: whom to call for which component, whether they answer in time for a P1, and until when their contracts
run. Nothing of the CLO system is changed.

**What a contact must be:** the operations centre a mail address, the hotline a number in digits, status page and
documentation an address on the web. The manual's own placeholders reach nobody: in production each is a failure, and
the policy is refused before anything runs with them (D52); in a demonstration, whose mail never leaves it, they are
not applicable and say so.

**What a message must carry:** all four contacts, in its text and in its HTML, where it asks somebody to act: every
message that has a priority, as those of incidents, of red pages and of drills do. When one lacks them the newest
decides: as long as it does it is a failure, later a warning until a day has gone by. A contact that was changed
during the day makes such a warning of what went out before.

**What a vendor must be:** reachable; and where vendors.yaml says that policy counts on it in a P1 (`meets_p1: true`),
there round the clock and quicker than a P1 is to be resolved. One that is not is shown every day as the risk it is,
and the message of an incident that names it says that it is too late for a P1 (D50). Everything that runs
(services.yaml) has somebody to call, or is shown as having nobody.

**When a contract ends:** in vendors.yaml, `contract_ends`, is the last day on which it holds. It is told from
contacts.yaml's `vendor_contracts.notice` on, every day, and is a failure from the day after the last. A vendor without
a contract has none to end; one whose end nobody wrote down is a gap, and shown as such until somebody does.

**The scorecard:** every KPI of kpis.yaml over the calendar month before, with target, trend, owner and source; what
nobody measures is "no source", never a number. A missed target is a warning here: it is red where it is judged, in the
performance review of the same day. HTML, PDF and JSON, mailed to the roles of performance.yaml (docs/kpis.md).

**The operations page** (Operations, in Airflow's navigation; docs/operations-page.md) is there all day. Here it is seen
once a day that every part of it has figures on record, and that the API server serves it, to nobody without a login.

**Which runs:** RP-01, RP-05, SP-01 and SP-02 belong to the daily run, RP-02 to Friday's, RP-03 and RP-04 to the monthly
one; the others leave them out.

**Who is told:** the operations centre by mail when the run is red, and then the people of the ladder by its incident.
Risks and gaps are in the summary task's log of every run.

**Done by:** 60 minutes after it starts at 19:00 UTC, every day.

**What a failure means:** a contact reaches nobody, a message went out without them, a contract is over, or policy
counts on a vendor whose contract does not promise it. A red report lacks one that nobody made, or found one altered;
the rest of it went out. A warning is a risk or a gap that somebody should know of: a
vendor too late for a P1, a contract that ends soon or of which nobody wrote down when it ends.

**First thing to do:** correct contacts.yaml or vendors.yaml; where a contract ends, call the vendor and quote it.

**Safe to re-run:** yes, whole or any task: it only reads, and a re-run takes the place of its own earlier findings.
"""

from datetime import timedelta

from clo_ops.findings import Finding
from clo_ops.orchestration import collected_reports, operations_page, performance, support
from clo_ops.orchestration.blueprint import manual_page, one_after_another, section
from clo_ops.orchestration.procedure import procedure
from clo_ops.orchestration.run import Run


@manual_page(mail="when red")
def reports_and_support() -> None:
    with section("Performance Metrics"):
        # The months' figures are brought up to date first, where nobody did before.
        scorecard = procedure("RP-04", execution_timeout=timedelta(hours=1))(performance.scorecard)

    with section("Operational Reports"):

        @procedure("RP-01")
        def daily_report(run: Run) -> list[Finding]:
            """Availability, performance, user activity, errors and incidents of the day, from the day's reports."""
            return collected_reports.daily(run)

        @procedure("RP-02")
        def weekly_report(run: Run) -> list[Finding]:
            """Resource trends, performance, security events and capacity planning, from the week's reports."""
            return collected_reports.weekly(run)

        @procedure("RP-03")
        def monthly_report(run: Run) -> list[Finding]:
            """System health, business metrics, compliance status and infrastructure planning of the month."""
            return collected_reports.monthly(run)

    with section("System Monitoring Dashboard"):
        procedure("RP-05")(operations_page.operations_page)

    with section("Support Structure"):

        @procedure("SP-01")
        def support_contacts(run: Run) -> list[Finding]:
            """The four contacts, as policy has them and as the messages of the last day carry them."""
            return support.support_contacts(run)

    with section("Vendor Support"):

        @procedure("SP-02")
        def vendors(run: Run) -> list[Finding]:
            """Whom to call for which component, how soon they answer, and until when they are bound to."""
            return support.vendors(run)

    # The month's report takes the scorecard's figures in.
    one_after_another(scorecard, monthly_report)
