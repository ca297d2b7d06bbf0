"""DM-12 (manual L31): logout ends a session at once, none is honoured longer than allowed, and what is left over
(expired, orphaned) is counted. Counts and ages warn or fail strictly above the policy's figure."""

from __future__ import annotations

from datetime import datetime, timedelta

from clo_ops.findings import Answer, Finding, Measurement, Severity, unanswered_findings
from clo_ops.policy.morning import Access
from clo_ops.rules.verdicts import Case

PROCEDURE = "DM-12"
ASK_AGAIN = "Check the connections clo_api, clo_redis and clo_postgres, and DM-10; then run the procedure again."
LOGOUT = "Treat it as a security breach: tokens stay good after logout. Flush the session store, call the developers."
TOO_OLD = "End the session named (DELETE /api/v1/auth/sessions/<id>, or its key) and look at the session length set."
LEFT_OVER = "Look whether the job that closes sessions runs, and compare the digests named with the session table."
KEYLESS = "Set an expiry on the keys named, or delete them; look for what writes sessions without one."


def judge(answer: Answer, policy: Access, *, at: datetime) -> list[Finding]:
    """Findings on logout, age, granted length, left-overs, and the plain count of open sessions."""
    findings = unanswered_findings(PROCEDURE, answer, Severity.P2, ASK_AGAIN)
    judged = [
        *_logout(answer, policy),
        *_lengths(answer, policy),
        *_left_over(answer, policy),
        *_open(answer, policy),
    ]
    return findings + judged or [_case(policy, "sessions", "figures", ASK_AGAIN).not_measured()]


def _case(policy: Access, name: str, expected: str, first_action: str, subject: str = "") -> Case:
    return Case(PROCEDURE, name, expected, Severity.P1, first_action, policy.manual or "L31", subject)


def _logout(answer: Answer, policy: Access) -> list[Finding]:
    """What was not honoured before logout proves nothing by not being honoured after it."""
    before = answer.first("session.honoured", case="before_logout")
    after = answer.first("session.honoured", case="after_logout")
    opens = _case(policy, "session honoured until logout", "honoured", ASK_AGAIN)
    ends = _case(policy, "logout ends the session", "refused at once", LOGOUT)
    if before is not None and before.value != 1:
        return [opens.failed(before.detail, f"A session just opened is not honoured ({before.detail})", Severity.P2)]
    if before is None or after is None:
        return [] if any("logout" in one.question for one in answer.unanswered) else [ends.not_measured()]
    if after.value:
        return [ends.failed(after.detail, f"The session is still honoured after logout ({after.detail})")]
    return [ends.passed(after.detail, f"The session is refused after logout ({after.detail})")]


# measurement -> finding, what to do first, and what it counts in the store and in the table
LEFT_OVERS = {
    "session.expired": ("expired sessions", LEFT_OVER, dict.fromkeys(("store", "table"), "past expiry and not closed")),
    "session.orphaned": ("orphaned sessions", LEFT_OVER, {"store": "without an open row", "table": "without a key"}),
    "session.without_expiry": ("sessions without expiry", KEYLESS, {"store": "whose key never expires"}),
    "session.unreadable": ("unreadable sessions", KEYLESS, {"store": "that are no session"}),
}
# measurement -> finding and what it is the length of
LENGTHS = {
    "session.age.max": ("oldest session", "The oldest session still in the store is"),
    "session.lifetime.max": ("longest session granted", "A session in the store was granted"),
    "session.granted": ("session length granted", "The session just opened was granted"),
}


def _lengths(answer: Answer, policy: Access) -> list[Finding]:
    found = [_length(policy, metric, one) for metric in LENGTHS if (one := answer.first(metric)) is not None]
    if answer.first("session.age.max") or any("oldest" in one.question for one in answer.unanswered):
        return found
    case = _case(policy, "oldest session", f"at most {_hours(policy.session_max_age)}", ASK_AGAIN)
    empty = answer.value("session.open", where="store") == 0 and answer.value("session.expired", where="store") == 0
    return [*found, case.passed("none", "No session is in the store") if empty else case.not_measured()]


def _length(policy: Access, metric: str, one: Measurement) -> Finding:
    """Two clocks are in a length, so their tolerance is allowed on top of the limit."""
    limit, length = policy.session_max_age, timedelta(seconds=one.value)
    name, told = LENGTHS[metric]
    case = _case(policy, name, f"at most {_hours(limit)}", TOO_OLD)
    message = f"{told} {_hours(length)}{f' ({one.detail})' if one.detail else ''}"
    if length > limit + policy.clock_tolerance:
        return case.failed(_hours(length), message, Severity.P2)
    return case.passed(_hours(length), message)


def _hours(length: timedelta) -> str:
    return f"{length / timedelta(hours=1):,.2f} h"


def _left_over(answer: Answer, policy: Access) -> list[Finding]:
    found = []
    for metric, (name, first_action, what) in LEFT_OVERS.items():
        most = {"session.expired": policy.expired_warning, "session.orphaned": policy.orphaned_warning}.get(metric, 0)
        for one in answer.select(metric):
            case = _case(policy, name, f"at most {most}", first_action, one.labels.get("where", ""))
            found.append(_counted(case, one, most, what[one.labels.get("where", "store")]))
    return found


def _counted(case: Case, one: Measurement, most: int, what: str) -> Finding:
    actual, named = f"{one.value:.0f}", f": {one.detail}" if one.detail else ""
    message = f"{actual} in the {case.subject or 'store'} {what}{named}"
    return case.warned(actual, message) if one.value > most else case.passed(actual, message)


def _open(answer: Answer, policy: Access) -> list[Finding]:
    return [
        _case(policy, "open sessions", "counted", ASK_AGAIN, one.labels.get("where", "")).passed(
            f"{one.value:.0f}", f"{one.value:.0f} open in the {one.labels.get('where', 'store')}"
        )
        for one in answer.select("session.open")
    ]
