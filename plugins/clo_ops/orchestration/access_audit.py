"""The month's audit of who has access to what: accounts, roles, privileges, configuration (L161-L166, L170)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from clo_ops.findings import Finding, Status
from clo_ops.orchestration import access_review
from clo_ops.orchestration.controls import asked, judged, lent
from clo_ops.rules.controls import signed_off

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clo_ops.orchestration.run import Run
    from clo_ops.probes.performing import Outcome

LIST, FACTOR = "IAM-01", "IAM-02"
NO_SOURCE = "no source"
# What PostgreSQL says of a table or column this system does not have.
NOT_THERE = "does not exist"
HEADING = ("username", "full name", "account", "state", "roles", "since", "last login", "second factor")
COLUMNS = ("username", "full_name", "account", "state", "roles", "since", "last_login")
# Of Monday's WM-08: what of the server's own ways in is not as it was at the last audit.
DRIFT = ("PER-04", "PER-05")


def accounts(run: Run) -> list[Finding]:
    """M1-01: every account with roles, last login and second factor; every role and grant of PostgreSQL."""
    controls = run.policy.controls.of("M1-01")
    answers = asked(run, controls)
    _keep_list(run, answers)
    if access_review.is_review(run):
        access_review.put(run, answers, _factors(answers.get(FACTOR)))
    findings = judged(run, controls, answers)
    return [_no_source(one) if _lacks(answers.get(FACTOR)) and one.subject == FACTOR else one for one in findings]


def _lacks(answer: Outcome | None) -> bool:
    return isinstance(answer, str) and NOT_THERE in answer


def _no_source(finding: Finding) -> Finding:
    """Nobody can tell: the system does not say whether there is a second factor. Unknown, never a number."""
    said = f"{finding.message} This system has no source for it (docs/connect.md)."
    return replace(finding, status=Status.UNKNOWN, actual=NO_SOURCE, message=said)


def _keep_list(run: Run, answers: Mapping[str, Outcome]) -> None:
    from clo_ops.reports.sheet import Table, as_csv

    found, factors = answers.get(LIST), _factors(answers.get(FACTOR))
    if found is None or isinstance(found, str):
        return
    rows = [[str(row[name] or "") for name in COLUMNS] for row in found.rows]
    table = Table(HEADING, tuple((*row, factors.get(row[0], NO_SOURCE)) for row in rows))
    run.attach("accounts-and-permissions.csv", as_csv(table), "text/csv")


def _factors(answer: Outcome | None) -> dict[str, str]:
    if answer is None or isinstance(answer, str):
        return {}
    return {str(row["username"]): "yes" if row["mfa"] else "no" for row in answer.rows}


def roles(run: Run) -> list[Finding]:
    """M1-03: roles nobody may hold together, accounts and roles without their place, accounts that are shared."""
    controls = (*lent(run, "M1-03", "SOX-04"), *run.policy.controls.of("M1-03"))
    return judged(run, controls, asked(run, controls))


def privileges(run: Run) -> list[Finding]:
    """M1-04: who used a privilege, when, what for; superusers of PostgreSQL and administrators of the hosts."""
    controls = (*lent(run, "M1-04", "CFG-02"), *run.policy.controls.of("M1-04"))
    return judged(run, controls, asked(run, controls))


def configuration(run: Run) -> list[Finding]:
    """M1-06: everything Monday's WM-09 asks, and what of it, of roles and of pg_hba changed since the last audit."""
    weekly = [one.id for one in run.policy.controls.of("WM-09")]
    controls = lent(run, "M1-06", *weekly, *DRIFT)
    return [signed_off(run.policy.controls, "M1-06"), *judged(run, controls, asked(run, controls))]
