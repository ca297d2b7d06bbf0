"""DM-14 (manual L35): the page and its assets load, it is our page, and all of it comes in time."""

from __future__ import annotations

from datetime import datetime

from clo_ops.findings import Answer, Finding, Severity, unanswered_findings
from clo_ops.policy.morning import Frontend
from clo_ops.rules.verdicts import Case, timed, within

PROCEDURE = "DM-14"
SEVERITY = Severity.P2
ASK_AGAIN = "Check from the worker that the frontend's name resolves and its host answers."
BRING_UP = "See whether the frontend's process runs (DM-03) and read its log; restart it if it hangs."
WRONG_PAGE = "Open the page in a browser; look at the last deployment and at what answers on this address."
ASSETS = "Open the page in a browser with its network view; look whether the last deployment copied every asset."
SLOW = "Compare page and asset times in a browser; look at the frontend's host (BH-01) and its network."


def judge(answer: Answer, policy: Frontend, *, at: datetime) -> list[Finding]:
    """Findings ``frontend up``, ``page status``, ``title`` and ``marker``, ``page asset`` for each, ``load time``."""
    findings = unanswered_findings(PROCEDURE, answer, SEVERITY, ASK_AGAIN)
    up = answer.first("frontend.up")
    if up is None:
        return findings or [_case(policy, "frontend up", "a reply", ASK_AGAIN).not_measured()]
    case = _case(policy, "frontend up", "a reply", BRING_UP)
    if up.value != 1:
        return [*findings, case.failed(up.detail, f"{policy.path} is down: {up.detail}")]
    page = _page(answer, policy)
    return [*findings, case.passed("a reply", f"{policy.path} answered"), *page]


def _case(policy: Frontend, name: str, expected: str, first_action: str, subject: str = "") -> Case:
    return Case(PROCEDURE, name, expected, SEVERITY, first_action, policy.manual or "L35", subject or policy.path)


def _page(answer: Answer, policy: Frontend) -> list[Finding]:
    case = _case(policy, "page status", "HTTP 200", WRONG_PAGE)
    status = answer.first("frontend.page.status_code")
    if status is None:
        return [case.not_measured()]
    seen = f"HTTP {status.value:.0f}"
    if status.value != 200:
        return [case.failed(seen, f"{policy.path} answered {seen}")]
    return [
        case.passed(seen, f"{policy.path} answered {seen}"),
        _recognised(answer, "frontend.title.matches", _case(policy, "page title", policy.title, WRONG_PAGE)),
        _recognised(answer, "frontend.marker.present", _case(policy, "page marker", policy.marker, WRONG_PAGE)),
        *_assets(answer, policy),
        *_time(answer, policy),
    ]


def _recognised(answer: Answer, name: str, case: Case) -> Finding:
    found = answer.first(name)
    if found is None:
        return case.not_measured()
    return case.either(found, f"{case.subject} has its {case.name[5:]}", f"{case.subject} is not our page")


def _assets(answer: Answer, policy: Frontend) -> list[Finding]:
    """What the page loads; a page that loads nothing has lost what makes it work."""
    found = list(answer.select("frontend.asset.loaded"))
    expected = "HTTP 200, right content type, not empty"
    if not found:
        case = _case(policy, "page asset", "at least one asset", ASSETS)
        return [case.failed("none", f"{policy.path} refers to no asset")]
    return [
        _case(policy, "page asset", expected, ASSETS, one.labels["asset"]).either(
            one, f"{one.labels['asset']} loads", f"{one.labels['asset']} does not load"
        )
        for one in found
    ]


def _time(answer: Answer, policy: Frontend) -> list[Finding]:
    """A page that lacks an asset is quick for the wrong reason: only a whole one is timed."""
    if any(one.value != 1 for one in answer.select("frontend.asset.loaded")):
        return []
    case = _case(policy, "load time", within(policy), SLOW)
    taken = answer.first("frontend.load.duration")
    return [case.not_measured() if taken is None else timed(case, taken, policy, f"{policy.path} with its assets")]
