"""Ask whether logging in works as it must: right and wrong password (DM-10, manual L29), second factor (DM-11, L30),
and whether a session ends when it should (DM-12, L31).

The account is D61's synthetic one. A run costs it at most one wrong password, one login without its second factor and
one replayed code, which the CLO system does not count towards locking it (D48).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol

from clo_ops.findings import Answer, Measurement
from clo_ops.probes.exchange import Browser, NoReply
from clo_ops.probes.reaching import nobody_answered
from clo_ops.probes.signin import Attempt, Doors, Outcome, attempt, attempt_with_code, opened, session, sign_out
from clo_ops.probes.targets import Account, PostgresTarget, RedisTarget, WebTarget

NEVER_OPENED = "no session was opened to try it with"


class LoginFigures(Doors, Protocol):
    """``wrong_password_suffix`` makes a wrong password of the right one."""

    @property
    def wrong_password_suffix(self) -> str: ...


class SessionFigures(Doors, Protocol):
    """What DM-12 needs of the policy."""

    @property
    def session_key_pattern(self) -> str: ...
    @property
    def clock_tolerance(self) -> timedelta: ...


def login(target: WebTarget, account: Account, policy: LoginFigures) -> Answer:
    """Try a wrong password, then the right one, and ask who we are.

    Emits login.accepted {case: wrong_password | correct} and login.identity.matches (bool). The wrong password goes
    with a good code, so that nothing but the password is in its way; it goes first, because a refused login does not
    use its code up.
    """
    with Browser(target) as browser:
        wrong = account.password + policy.wrong_password_suffix
        refused = attempt_with_code(browser, account, policy, password=wrong)
        with opened(browser, refused, policy):
            answer = _must_refuse(target, "wrong_password", refused)
        with session(browser, account, policy) as right:
            answer += _must_accept(target, "correct", right)
            return answer + _identity(browser, account, policy, right)


def mfa(target: WebTarget, account: Account, policy: Doors) -> Answer:
    """Log in without the second factor, with it, and with the same code again.

    Emits login.accepted {case: without_second_factor | with_second_factor | replayed_code}.
    """
    with Browser(target) as browser:
        without = attempt(browser, account, policy)
        with opened(browser, without, policy):
            answer = _must_refuse(target, "without_second_factor", without)
        with session(browser, account, policy) as made:
            answer += _must_accept(target, "with_second_factor", made)
            if not made.accepted or not made.code:
                return answer + _open_question(target, "replayed_code", NEVER_OPENED)
            replayed = attempt(browser, account, policy, code=made.code)
            with opened(browser, replayed, policy):
                return answer + _must_refuse(target, "replayed_code", replayed)


def sessions(
    target: WebTarget, account: Account, redis: RedisTarget, postgres: PostgresTarget, policy: SessionFigures
) -> Answer:
    """Log in and out and see what the token is good for; then compare the session store with the session table.

    Emits session.honoured {case: before_logout | after_logout} (bool), session.granted (s) and what
    ``session_store.compared`` counts. The store is asked even where nobody can log in.
    """
    from clo_ops.probes.session_store import compared

    with Browser(target) as browser, session(browser, account, policy) as made:
        answer = _life(browser, policy, made) if made.accepted else _no_session(target, made)
    return answer + compared(redis, postgres, policy)


def _accepted(case: str, made: Attempt) -> Answer:
    now = datetime.now(UTC)
    return Answer((Measurement("login.accepted", made.accepted, "bool", now, {"case": case}, made.reason),))


def _open_question(target: WebTarget, case: str, reason: str) -> Answer:
    return nobody_answered([f"login {case}"], target, f"login, case {case}", reason)


def _must_accept(target: WebTarget, case: str, made: Attempt) -> Answer:
    """A server that answers and does not let us in has failed, whatever its reason."""
    if made.outcome is Outcome.NO_REPLY:
        return _open_question(target, case, made.reason)
    return _accepted(case, made)


def _must_refuse(target: WebTarget, case: str, made: Attempt) -> Answer:
    """Only a refusal proves that the door is shut; a server in trouble proves nothing."""
    if made.outcome in (Outcome.NO_REPLY, Outcome.UNCLEAR):
        return _open_question(target, case, made.reason)
    return _accepted(case, made)


def _identity(browser: Browser, account: Account, policy: Doors, made: Attempt) -> Answer:
    if not made.accepted:
        return _open_question(browser.target, "identity", NEVER_OPENED)
    reply = browser.ask("GET", policy.me_path, token=made.token)
    if isinstance(reply, NoReply):
        return _open_question(browser.target, "identity", reply.reason)
    said = reply.json()
    name = said.get(policy.fields.identity) if isinstance(said, dict) else None
    right = reply.status == 200 and name == account.username
    seen = f"HTTP {reply.status}, {policy.fields.identity} {str(name)[:40]!r}"
    return Answer((Measurement("login.identity.matches", right, "bool", datetime.now(UTC), detail=seen),))


def _no_session(target: WebTarget, made: Attempt) -> Answer:
    return nobody_answered(["session ends with logout"], target, "login", f"could not log in: {made.reason}")


def _life(browser: Browser, policy: Doors, made: Attempt) -> Answer:
    """Before and after logout, at once: nothing is waited for in between."""
    granted = Measurement("session.granted", made.granted, "s", datetime.now(UTC)) if made.granted else None
    answer = Answer.of([granted] if granted else []) + _honoured(browser, policy, made, "before_logout")
    sign_out(browser, made.token, policy)
    return answer + _honoured(browser, policy, made, "after_logout")


def _honoured(browser: Browser, policy: Doors, made: Attempt, case: str) -> Answer:
    reply = browser.ask("GET", policy.me_path, token=made.token)
    question, tried = f"session {case.replace('_', ' ')}", f"GET {browser.url(policy.me_path)}"
    if isinstance(reply, NoReply):
        return nobody_answered([question], browser.target, tried, reply.reason)
    if reply.status not in (200, policy.refused_status):
        return nobody_answered([question], browser.target, tried, f"HTTP {reply.status} says neither yes nor no")
    now, honoured = datetime.now(UTC), reply.status == 200
    return Answer((Measurement("session.honoured", honoured, "bool", now, {"case": case}, f"HTTP {reply.status}"),))
