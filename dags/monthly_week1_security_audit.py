"""# Security audit: an Airflow DAG for the first week of the month

**Manual section:** Monthly Operations / First Week: Security Audit (L159-L178), procedures M1-01 to M1-09.

**What it does:** puts every account and permission before their owners, with last use and second factor; names accounts
nobody uses, roles that conflict, what belongs to nobody, who used a privilege and what for, and how the configuration
drifted since the last audit; which packages have known flaws, and which controls failed. Findings of penetration tests,
gaps and actions stand in a register with owner, date and age until somebody closes them; overdue ones are escalated.

**Access review,** a run of its own at 16:00 UTC the same day: M1-01 puts each list before the owner of the roles, who
has 14 days to answer in Required Actions: keep, or revoke whom. Nobody answers for a list they are on. M1-09 then says
who answered. A list nobody answered is late, and a finding.

**Nothing is disabled by itself.** Inactive accounts are a list. Where `audit.yaml` (accounts.disable) or the form of a
run by hand says so, somebody of the policy's `approvals` is asked in Required Actions, never the one who asked; the
approval holds for that list by its hash, and an account that was used meanwhile is left alone. The same form closes or
moves an item of the register, and adds an action.

**Done by:** 6 hours after it starts, at 10:00 UTC on the first Monday of each month; an access review in 15 days.

**What a failure means:** a red task found an account, a role, a privilege or a setting that should not be, and names
it; or it could not ask, and says whom. What was not looked at is never green.

**First thing to do:** open the summary's log and follow the first action of the topmost red finding; the lists are the
evidence of each task. docs/security-audit.md explains every part.

**Safe to re-run:** yes, whole or any task: it reads only, but for accounts whose list was approved; those that are on
record as disabled in this run are not disabled again.
"""

from datetime import timedelta

from clo_ops.findings import Finding
from clo_ops.orchestration import access_audit, audit_tasks
from clo_ops.orchestration import audit_register as register
from clo_ops.orchestration import inactive_accounts as unused
from clo_ops.orchestration import vulnerability_scan as scan
from clo_ops.orchestration.blueprint import manual_page, one_after_another, section
from clo_ops.orchestration.procedure import BOUNDS, procedure
from clo_ops.orchestration.run import Run

# Somebody who may not approve may click again and again: each answer is one try.
ASKING = {**BOUNDS, "retries": 10}

# Every package is asked about, and every host.
SCANNING = {"execution_timeout": timedelta(minutes=30), "retries": 1}


# A review waits for its people for days: the audit, and whoever closes an item by its form, do not wait for it.
AT_ONCE = 3


@manual_page(params=audit_tasks.form(), max_active_runs=AT_ONCE)
def monthly_week1_security_audit() -> None:
    with section("User Access Audit"):

        @procedure("M1-01")
        def accounts(run: Run) -> list[Finding]:
            """Every account with its roles, last login and second factor; every role and grant of PostgreSQL."""
            return access_audit.accounts(run)

        reviews = audit_tasks.reviews()
        asked = audit_tasks.ListOperator(task_id="list_for_disabling", doc_md=audit_tasks.LIST_PAGE, **BOUNDS)
        approved = audit_tasks.ApprovalOperator(task_id="who_approves", **ASKING)

        @procedure("M1-02")
        def inactive_accounts(run: Run) -> list[Finding]:
            """Accounts unused for longer than the limit; disabled only where this very list was approved."""
            return unused.inactive(run)

        @procedure("M1-03")
        def role_assignments(run: Run) -> list[Finding]:
            """Roles nobody may hold together, accounts and roles without their place, shared accounts."""
            return access_audit.roles(run)

        @procedure("M1-04")
        def privileged_access(run: Run) -> list[Finding]:
            """Who used a privilege, when, what for; superusers of PostgreSQL, administrators of the hosts."""
            return access_audit.privileges(run)

    with section("System Security Assessment"):

        @procedure("M1-05", **SCANNING)
        def vulnerability_scan(run: Run) -> list[Finding]:
            """Flaws known of the installed Python packages; security updates the hosts wait for."""
            return scan.vulnerabilities(run)

        @procedure("M1-06")
        def configuration_review(run: Run) -> list[Finding]:
            """Monday's baseline in full, and what changed since the last audit."""
            return access_audit.configuration(run)

        @procedure("M1-07")
        def penetration_tests(run: Run) -> list[Finding]:
            """Findings of penetration tests out of their reports, each with its age until it is closed."""
            return register.penetration_tests(run)

        @procedure("M1-08")
        def compliance_gaps(run: Run) -> list[Finding]:
            """Every control of the month: failed, or assessed by nobody; with trend and owner."""
            return register.compliance_gaps(run)

    with section("Security Improvements"):

        @procedure("M1-09")
        def improvements(run: Run) -> list[Finding]:
            """What is to be done, by whom and until when; what is late; and the report of the whole audit."""
            return register.improvements(run)

    # What was asked in vain must not hide what follows: each judges for itself.
    asked.trigger_rule = approved.trigger_rule = inactive_accounts.trigger_rule = "all_done"
    accounts >> asked >> approved >> inactive_accounts
    one_after_another(role_assignments, privileged_access)
    one_after_another(vulnerability_scan, configuration_review, penetration_tests)
    # The register speaks of everything that was found before it.
    compliance_gaps.trigger_rule = "all_done"
    [inactive_accounts, privileged_access, penetration_tests] >> compliance_gaps
    one_after_another(accounts, reviews, improvements)
    compliance_gaps >> improvements
