"""DM-03 (manual L15): each service of the policy runs; a stopped one is named with where and what was seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from clo_ops.findings import Answer, Finding, Severity, unanswered_findings
from clo_ops.policy.system import Service
from clo_ops.rules.verdicts import Case

PROCEDURE = "DM-03"
MANUAL = "L15"
REACH = "Check from the worker that the service's host answers and that its connection is complete, then look there."
START = "Start it where it runs, and read the last lines of its log for why it stopped."
NAME_SOME = "Name the services that must run in services.yaml."


def judge(answer: Answer, policy: Sequence[Service], *, at: datetime) -> list[Finding]:
    """``service running`` for each service, in the policy's order; what nobody could ask about is unknown."""
    findings = unanswered_findings(PROCEDURE, answer, _worst(policy), REACH) + list(_services(answer, policy))
    nobody = Case(PROCEDURE, "service running", "services in services.yaml", Severity.P3, NAME_SOME, MANUAL)
    return findings or [nobody.not_measured()]


def _worst(policy: Sequence[Service]) -> Severity:
    """An open question could be about any of them."""
    return min((one.severity for one in policy), default=Severity.P2)


def _services(answer: Answer, policy: Sequence[Service]) -> Iterator[Finding]:
    questions = {one.question for one in answer.unanswered}
    for service in policy:
        up = answer.first("service.up", service=service.name)
        if up is not None:
            yield _case(service).either(up, f"{service.name} runs", f"{service.name} is stopped")
        elif f"whether service {service.name} runs" not in questions:
            yield _case(service).not_measured()


def _case(service: Service) -> Case:
    where = f" on {service.host}" if service.host else ""
    expected = f"running{where} ({service.check} check)"
    return Case(PROCEDURE, "service running", expected, service.severity, START, service.manual or MANUAL, service.name)
