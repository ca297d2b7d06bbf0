"""# Logs: an Airflow DAG that says what they tell, whether they are full of errors, and what of them is due to go

**Manual section:** Monitoring and Alerting / Log Management (L355-L368), procedures LM-01 to LM-05.

**What it does:** every five minutes it puts on record how the error bursts of each log stand (LM-02). Every evening it
reads on in the logs and tells the day's performance and usage (LM-03), and says what is older than its class is kept,
in tables and in files (LM-01). On Fridays it names signatures that are new, growing or gone (LM-04); on the first
Monday of a month it gathers the evidence for those who review the logs, puts all evidence of the month before into one
file that verifies offline, and anchors its head (LM-05). docs/logs.md and docs/evidence.md have it all.

**What it changes:** nothing outside a window. What is due (LM-01) is shown as a plan; the windows carry it out where
maintenance.yaml says `duties.logs.apply: true`: rows in small batches, files only once they stand in the archive and
were read back. A legal hold wins over every date.

**Which logs:** logs.yaml names each log's host, path, form and classes, and the tables that are logs. Which lines are
errors within a minute is alerting.yaml's (`error_logs`). The user of a host's connection must be allowed to read them.

**How it reads:** on the log's own host, only what was written since the last look, whole lines, across rotations, a
bounded number of bytes. What cannot be found again after a rotation is said to be lost, what is left over is read next
time; a log that is missing or may not be read is not "no errors" but unknown.

**What is kept:** no line. Counts by day and endpoint, and signatures: lines without their numbers, names, addresses,
quoted texts and SQL. A short history is said to be short; nothing is called new or growing before it is long enough.

**When a burst is told (LM-02):** a few seconds after its lines were written, by the watch in the triggerer: one log
over its level (thresholds.yaml, `log_errors`) is one alert and one incident, however long it lasts. This page finds
out nothing new of it, it says how that stands, and whether anybody looks at all.

**A log that is noisy:** correct the pattern before the levels: a line that is written every day and means nothing is
no error. A level that is never reached looks like a log in which nothing ever happens.

**Done by:** 4 minutes after it starts, every five minutes; the day's analysis within an hour of 18:30 UTC, the week's
two hours after Friday 11:00, the month's four hours after 12:00 of the first Monday.

**What a failure means:** a log is full of errors and its incident is open; or nobody could read a log, a table or the
archive: the finding says which, whom it asked, and how.

**First thing to do:** open the mail or the summary task's log and follow the first action of the topmost red finding.
When the watch is silent, look at the triggerer.

**Safe to re-run:** yes: what was read is counted once and remembered together with how far it was read; a plan that was
carried out is not carried out again.
"""

from datetime import timedelta

from clo_ops.findings import Finding
from clo_ops.orchestration import bursts, log_retention, logs, monthly_evidence
from clo_ops.orchestration.blueprint import manual_page, one_after_another, section
from clo_ops.orchestration.procedure import procedure
from clo_ops.orchestration.run import Run
from clo_ops.policy import policy_at_parse

LOGS = policy_at_parse().logs
# One log after the other, each for as long as policy lets a look take.
READING = {"execution_timeout": LOGS.reading.within * max(1, len(LOGS.files)) + timedelta(minutes=10)}
LISTING = {"execution_timeout": timedelta(minutes=30)}


# The evening's analysis may take hours; the five minutes do not wait for it.
@manual_page(mail="when red", max_active_runs=2)
def log_management() -> None:
    with section("Log Analysis"):

        @procedure("LM-02")
        def error_bursts(run: Run) -> list[Finding]:
            """Error lines of each log within a minute, against its levels, as the watch last judged them."""
            return bursts.error_bursts(run)

        @procedure("LM-03", **READING)
        def daily_analysis(run: Run) -> list[Finding]:
            """Every log read on; the day's requests, errors, slow statements and the like, and what is new of it."""
            return logs.daily(run)

        @procedure("LM-04")
        def weekly_trends(run: Run) -> list[Finding]:
            """Signatures of the week against those of the weeks before: new, growing, gone."""
            return logs.weekly(run)

        @procedure("LM-05", **LISTING)
        def monthly_review(run: Run) -> list[Finding]:
            """Logs of each class, whole and kept long enough; lines that matter to security; the month's evidence."""
            return [*logs.monthly(run), *monthly_evidence.of_last_month(run)]

    with section("Log Categories and Retention"):

        @procedure("LM-01", **LISTING)
        def log_retention_by_class(run: Run) -> list[Finding]:
            """What is older than its class is kept, in tables, files, archive and ledger; a hold wins over all."""
            return log_retention.retention(run)

    # What goes was read before.
    one_after_another(daily_analysis, log_retention_by_class)
