"""DM-10 (manual L29): the synthetic account (D61) logs in as itself, and a wrong password is refused."""

from __future__ import annotations

from datetime import datetime

from clo_ops.findings import Answer, Finding, Severity, unanswered_findings
from clo_ops.policy.morning import Access
from clo_ops.rules.verdicts import Case

PROCEDURE = "DM-10"
ASK_AGAIN = "Check from the worker that the API's host answers, then run the procedure again."
LOG_IN = "Log in by hand with another account; if that works, check the synthetic account (locked, expired, changed)."
SHUT = "Treat it as a security breach: take the login off the network and call the security team."
WHO = "Log in by hand and look whose data is shown; if it is another user's, treat it as a security breach."


def judge(answer: Answer, policy: Access, *, at: datetime) -> list[Finding]:
    """Findings ``correct password accepted``, ``wrong password refused`` and ``identity``."""
    manual = policy.manual or "L29"
    good = Case(PROCEDURE, "correct password accepted", "a session opens", Severity.P1, LOG_IN, manual)
    bad = Case(PROCEDURE, "wrong password refused", "no session opens", Severity.P1, SHUT, manual)
    who = Case(PROCEDURE, "identity", "the account that logged in", Severity.P1, WHO, manual)
    findings = unanswered_findings(PROCEDURE, answer, Severity.P2, ASK_AGAIN)
    if (one := answer.first("login.accepted", case="correct")) is not None:
        findings.append(good.either(one, "The synthetic account logged in", "The synthetic account could not log in"))
    if (one := answer.first("login.accepted", case="wrong_password")) is not None:
        findings.append(_refused(bad, one.value, one.detail))
    if (one := answer.first("login.identity.matches")) is not None:
        findings.append(who.either(one, "The API knows who logged in", "The API takes the session for another's"))
    return findings + _silent(answer, good, bad)


def _refused(case: Case, accepted: float, detail: str) -> Finding:
    if accepted:
        return case.failed(detail, f"A wrong password was accepted ({detail})")
    return case.passed(detail, f"A wrong password was refused ({detail})")


def _silent(answer: Answer, good: Case, bad: Case) -> list[Finding]:
    """A case with neither a measurement nor a reason was not looked at: never a pass."""
    asked = {one.labels.get("case") for one in answer.select("login.accepted")}
    asked |= {one.question.removeprefix("login ") for one in answer.unanswered}
    return [case.not_measured() for name, case in (("correct", good), ("wrong_password", bad)) if name not in asked]
