"""# Monday maintenance: an Airflow DAG that keeps the system fast and small, and that nobody notices

**Manual section:** Weekly Operations / Monday: System Maintenance (L85-L113), procedures WM-01 to WM-09.

**What it does:** looks after the audit trail, statistics, indexes and the cache, one after the other, with nothing
that blocks a writer: audit rows leave for the archive once they stand in it, read back and compared;
ANALYZE of what is stale, REINDEX CONCURRENTLY of what is bloated, UNLINK in small batches by the policy's patterns.
Before each, one gate: the primary, a verified fresh backup, no backup, drill, long transaction or other maintainer at
work, room for a second copy of the largest index, standbys that keep up, and time left in its window.

Beside it the security review (WM-06 to WM-09): who logged in from where, who was refused, which permissions changed,
and how the system stands against its baseline. It reads only; each control leaves evidence (docs/security-review.md).

**What is applied:** each duty first writes its plan: what, why, how long, at what cost. On schedule it is applied
where maintenance.yaml, `duties`, says `apply: true`; by hand it stops at the plan unless the form says *apply*, and
inside its window only. What was left over comes first next time. Before and after are measured and kept.

**Done by:** 07:00 UTC, two hours after it starts; a later run is told to management.

**What a failure means:** a red task could not do what was owed (no verified backup, no room, a step that failed), or
could not look. A yellow one gave way to something that had its turn, or left something over: its message says to what.

**First thing to do:** open the mail or the summary task's log and follow the first action of the topmost red finding.
docs/maintenance.md explains the gate, the plans and what each reason means.

**Safe to re-run:** yes, whole or any task: each looks anew, what this run has applied is not applied again, and a step
that was killed half way is asked how far it came.
"""

from datetime import timedelta

from clo_ops.findings import Finding
from clo_ops.orchestration import audit_retention, cache, security_review, upkeep
from clo_ops.orchestration.blueprint import manual_page, one_after_another, section
from clo_ops.orchestration.maintenance_form import form
from clo_ops.orchestration.procedure import procedure
from clo_ops.orchestration.run import Run
from clo_ops.policy import policy_at_parse

POLICY = policy_at_parse()
# What ends by itself is waited for, then the work; each step is bounded by what is left of the window.
WORKING = {"execution_timeout": POLICY.windows["monday"].length + POLICY.maintenance.gate.wait_at_most, "retries": 1}
LOOKING = {"execution_timeout": POLICY.maintenance.gate.wait_at_most + timedelta(minutes=30), "retries": 1}


@manual_page(params=form())
def weekly_monday_maintenance() -> None:
    with section("Database Maintenance"):

        @procedure("WM-03", **WORKING)
        def audit_log_retention(run: Run) -> list[Finding]:
            """The audit chain proven, then its old rows into the archive, read back and compared; then proven again."""
            return audit_retention.audit_clean_up(run)

        @procedure("WM-01", **WORKING)
        def planner_statistics(run: Run) -> list[Finding]:
            """Ages and sequences judged; what is stale is analysed, with why each table was chosen."""
            return upkeep.statistics(run)

        @procedure("WM-02", **WORKING)
        def fragmented_indexes(run: Run) -> list[Finding]:
            """Bloated indexes rebuilt one by one; unused, duplicate and half-built ones reported."""
            return upkeep.indexes(run)

    with section("Cache Optimization"):

        @procedure("WM-04", **LOOKING)
        def expired_cache_entries(run: Run) -> list[Finding]:
            """Keys by the policy's patterns, without a time to live, and large ones; what may go is removed."""
            return cache.expired_entries(run)

        @procedure("WM-05", **LOOKING)
        def cache_memory(run: Run) -> list[Finding]:
            """Used, peak, fragmented, evicted, hit; memory given back where fragmentation calls for it."""
            return cache.cache_memory(run)

    # D04: rows leave first; what they leave behind is counted and rebuilt after them. The cache is last.
    one_after_another(audit_log_retention, planner_statistics, fragmented_indexes, expired_cache_entries, cache_memory)

    with section("Security Review"):

        @procedure("WM-06")
        def user_access_review(run: Run) -> list[Finding]:
            """Logins from new sources, out of hours, and of accounts nobody had used for long."""
            return security_review.user_access(run)

        @procedure("WM-07")
        def failed_logins(run: Run) -> list[Finding]:
            """Refused logins by account and source: brute force, spraying and stuffing named."""
            return security_review.failed_logins(run)

        @procedure("WM-08")
        def permission_changes(run: Run) -> list[Finding]:
            """Roles and grants of the application and of PostgreSQL against the last look, and who approved them."""
            return security_review.permission_changes(run)

        @procedure("WM-09")
        def security_configuration(run: Run) -> list[Finding]:
            """Settings, ways in, powerful roles, passwords and files against the baseline that was signed off."""
            return security_review.security_configuration(run)

    one_after_another(user_access_review, failed_logins, permission_changes, security_configuration)
