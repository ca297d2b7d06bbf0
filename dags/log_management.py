"""# Logs: an Airflow DAG that shows whether a log is full of errors

**Manual section:** Monitoring and Alerting / Log Management / Log Analysis (L364-L368), procedure LM-02 (L365).

**What it does:** puts on record how the error bursts of each log stand. The logs are those of alerting.yaml
(`error_logs`); the watch in the triggerer reads on in each of them every few seconds, on its own host, and counts the
error lines of the last minute. Over its level (thresholds.yaml, `log_errors`) it is an alert and an incident at once:
this page finds out nothing new, it says how that stands, and whether anybody looks at all. Nothing is changed.

**How it reads:** only what was written since the last look, whole lines, a few megabytes at most. A log that was
rotated is read on to its end and the new one from its beginning; one cut short is read from its beginning; one that is
missing or may not be read is not "no errors" but an alert of its own.

**Its levels:** how many error lines within a minute warn and how many are critical is in thresholds.yaml; the manual
gives no figure. A warning is a P3, a critical burst a P2; a log nobody can read is a P2 as well. It is over by itself
once no more than the clearing level were written within a minute, and the all-clear is told then.

**A log more, or one less:** write it into `error_logs` of alerting.yaml: its name, its host (of hosts.yaml), its path
and what an error line matches (an extended regular expression, as `grep -E` takes it). A relative path lies below
`logs` in the extra of the host's connection. The user of that connection must be allowed to read the file, and needs
nothing else on the host but a shell. `component` names what writes it, so that the incident says which vendor to call.

**A log that is noisy:** correct the pattern before the levels: a line that is written every day and means nothing is
no error. A level that is never reached looks like a log in which nothing ever happens.

**When a burst is told:** a few seconds after its lines were written, by the watch: the incident names the log, how
many lines it were within the minute and both levels, and the people of the ladder are told as for every other alert.
One log over its level is one incident, however long it lasts and however many lines it has.

**What the watch remembers:** where it stopped reading in each log, as long as the triggerer runs. What was written
while the ledger was away is counted once it is back. A triggerer that was started anew begins at the end of each log.

**What it does not do:** it keeps no line and mails none, since nobody knows what an application writes there; where to
read is in the task's evidence. The day's, the week's and the month's analysis of logs, and how long each is kept, are
procedures of this page that are not built yet.

**Done by:** 4 minutes after it starts, every five minutes at all hours. An alert does not wait for it.

**What a failure means:** more error lines than the critical level were written to a log within a minute and have not
gone under its clearing level since, or nobody could read it; its incident tells the people on call.

**First thing to do:** open the incident named and take it; read the first error of the burst, not the last. When the
watch is silent, look at the triggerer.

**When it is unknown:** a log that is missing may have been renamed by a release, or its host may be down: the evidence
and the incident say which, and what was tried. Correct alerting.yaml, or see to the host.

**Safe to re-run:** yes: it only reads, and a re-run takes the place of its own earlier findings.
"""

from clo_ops.findings import Finding
from clo_ops.orchestration import bursts
from clo_ops.orchestration.blueprint import manual_page, section
from clo_ops.orchestration.procedure import procedure
from clo_ops.orchestration.run import Run


# The evening's analysis may take hours; the five minutes do not wait for it.
@manual_page(mail="when red", max_active_runs=2)
def log_management() -> None:
    with section("Log Analysis"):

        @procedure("LM-02")
        def error_bursts(run: Run) -> list[Finding]:
            """Error lines of each log within a minute, against its levels, as the watch last judged them."""
            return bursts.error_bursts(run)
