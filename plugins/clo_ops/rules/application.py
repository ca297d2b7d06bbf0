"""M3-06 (manual L213): the application works on the recovered database, and can reach nothing of production."""

from __future__ import annotations

from datetime import datetime

from clo_ops.findings import Answer, Finding, Severity, unanswered_findings
from clo_ops.policy.failover import Application
from clo_ops.rules.verdicts import Case

PROCEDURE = "M3-06"
MANUAL = "L213"
ASK_AGAIN = "Look at the container engine and at the application's log of this drill; then run the drill again."
START = "Read the end of the application's log in the message: its image, its variables, the database's roles."
ISOLATE = "Stop the drill. Find out how its network reaches production before an application is started in it again."
READ_LOG = "Read the application's log against the recovered database, and compare its schema with production's."
EXPECTED = {
    "health": "every component healthy",
    "login": "an account made in the copy logs in",
    "portfolios": "as many portfolios as the database holds",
    "calculation": "a calculation completes and its result is stored",
    "websocket": "a ping comes back",
}


def judge(answer: Answer, policy: Application, *, at: datetime) -> list[Finding]:
    """``application isolated``, ``application started``, and one finding for each of the policy's checks.

    An application that could reach production is not started, and of one that did not start the checks were not made:
    that is said once. Weaker isolation, which only a local place has, warns.
    """
    findings = [*unanswered_findings(PROCEDURE, answer, Severity.P2, ASK_AGAIN), _isolated(answer, policy)]
    case, started = _case(policy, "application started", "it listens", START), answer.first("application.started")
    if started is None:
        said = answer.unanswered or answer.value("application.isolated") == 0
        return findings if said else [*findings, case.not_measured()]
    findings.append(case.either(started, "The application started", "The application did not start"))
    if started.value == 1:
        asked = {one.question for one in answer.unanswered}
        names = [name for name in policy.checks if f"application {name}" not in asked]
        findings += [_check(answer, policy, name) for name in names]
    return findings


def _case(policy: Application, name: str, expected: str, action: str, severity: Severity = Severity.P2) -> Case:
    return Case(PROCEDURE, name, expected, severity, action, policy.manual or MANUAL)


def _isolated(answer: Answer, policy: Application) -> Finding:
    case = _case(policy, "application isolated", "no way out of the drill's network", ISOLATE, Severity.P1)
    one = answer.first("application.isolated")
    if one is None:
        return case.not_measured()
    if one.value != 1 and one.labels.get("place") == "local":
        return case.warned(one.detail, f"The application ran with weaker isolation ({one.detail})")
    return case.either(one, "The application has no way out", "The application can reach what it must not")


def _check(answer: Answer, policy: Application, name: str) -> Finding:
    case = _case(policy, f"application {name}", EXPECTED[name], READ_LOG)
    one = answer.first("application.check", check=name)
    if one is None:
        return case.not_measured()
    return case.either(one, f"Smoke check {name} passed", f"Smoke check {name} failed")
