"""DM-11 (manual L30): no session without the second factor, one with it, and none with a code used before."""

from __future__ import annotations

from datetime import datetime

from clo_ops.findings import Answer, Finding, Severity, unanswered_findings
from clo_ops.policy.morning import Access
from clo_ops.rules.verdicts import Case

PROCEDURE = "DM-11"
ASK_AGAIN = "See DM-10: where nobody can log in, the second factor cannot be tried. Then run the procedure again."
SHUT = "Treat it as a security breach: take the login off the network and call the security team."
LOG_IN = "Compare the clocks of worker and API; then check the second factor of the synthetic account."
# case -> finding, whether a session must open, what a person is told when it goes wrong, and what to do first
CASES = {
    "without_second_factor": ("second factor required", False, "A session opened without the second factor", SHUT),
    "with_second_factor": ("second factor accepted", True, "No session opened with a good second factor", LOG_IN),
    "replayed_code": ("replayed code refused", False, "A code used before opened another session", SHUT),
}


def judge(answer: Answer, policy: Access, *, at: datetime) -> list[Finding]:
    """One finding per case; a door that stands open is P1."""
    findings = unanswered_findings(PROCEDURE, answer, Severity.P2, ASK_AGAIN)
    silent = {one.question.removeprefix("login ") for one in answer.unanswered}
    for case, (name, opens, wrong, first_action) in CASES.items():
        expected = "a session opens" if opens else "no session opens"
        manual = policy.manual or "L30"
        judged = Case(PROCEDURE, name, expected, Severity.P1, first_action, manual)
        made = answer.first("login.accepted", case=case)
        if made is not None and bool(made.value) == opens:
            findings.append(judged.passed(made.detail, f"As it must be ({made.detail})"))
        elif made is not None:
            findings.append(judged.failed(made.detail, f"{wrong} ({made.detail})"))
        elif case not in silent:
            findings.append(judged.not_measured())
    return findings
