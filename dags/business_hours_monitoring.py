"""# Monitoring in business hours, and alerts round the clock: an Airflow DAG

**Manual section:** Daily Operations / Business Hours Monitoring (L38-L60) and Monitoring and Alerting / Alert
Configuration (L319-L353), procedures BH-01 to BH-04 and AL-01 to AL-08.

**What it does:** every five minutes, puts on record how the alerts stand; in business hours also a full snapshot of
hosts, users, requests and jobs. With the alerts it keeps whether the service answered, and what the database's active
sessions wait for: of these the figures of weeks and months are made. The watch itself runs in the triggerer, looks
every few seconds, and opens incidents; this page shows what it saw, and is red when it does not look. Nothing is
changed.

**Done by:** 4 minutes after it starts; the snapshot from 08:00 to 18:00 UTC on business days, the alerts at all hours.

**What a failure means:** a red alert stands above its critical level, or nobody could look; its incident tells the
people on call. A red AL-08 means that an alert stands and nobody is being told, or nobody answered in time.

**First thing to do:** open the incident named and take it; when the watch is silent, look at the triggerer.

**Safe to re-run:** yes, whole or any task: it only reads, and a re-run takes the place of its own earlier findings.
"""

from clo_ops.findings import Finding
from clo_ops.orchestration import hours
from clo_ops.orchestration.blueprint import manual_page, section
from clo_ops.orchestration.procedure import procedure
from clo_ops.orchestration.run import Run


@manual_page(mail="when red")
def business_hours_monitoring() -> None:
    with section("Real-Time Monitoring"):
        procedure("BH-01")(hours.hosts_now)
        procedure("BH-02")(hours.users_now)
        procedure("BH-03")(hours.requests_of_users)
        procedure("BH-04")(hours.jobs_now)

    with section("System Alerts"):

        @procedure("AL-01")
        def cpu_alert(run: Run) -> list[Finding]:
            """CPU of each host, held over its level."""
            return hours.alert(run, "AL-01")

        @procedure("AL-02")
        def memory_alert(run: Run) -> list[Finding]:
            """Memory of each host, held over its level."""
            return hours.alert(run, "AL-02")

        @procedure("AL-03")
        def disk_alert(run: Run) -> list[Finding]:
            """Each mount of each host, held over its level."""
            return hours.alert(run, "AL-03")

        @procedure("AL-04")
        def response_time_alert(run: Run) -> list[Finding]:
            """95th percentile of each endpoint's answers, held over its level."""
            return hours.answers(run)

    with section("Business Alerts"):

        @procedure("AL-05")
        def failed_calculation_alert(run: Run) -> list[Finding]:
            """Calculations that failed within an hour."""
            return hours.alert(run, "AL-05")

        @procedure("AL-06")
        def failed_login_alert(run: Run) -> list[Finding]:
            """Logins refused within five minutes: in all, and of one user or source."""
            return hours.alert(run, "AL-06")

        @procedure("AL-07")
        def database_connection_alert(run: Run) -> list[Finding]:
            """Connections in use, of the application's pool and of the server's own limit."""
            return hours.connections(run)

    with section("Alert Response"):
        procedure("AL-08")(hours.priorities)
