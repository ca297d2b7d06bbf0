"""The smoke checks put to the application on a recovered database (M3-06, manual L213).

Each measures ``application.check`` {check}: 1, or 0 with what was seen instead. They go through the front door, as
users do, and look in the database whether what they were told is what is there. Logging in and ordering a calculation
write, and so does making the account they log in with: this is for throw-away databases only.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from clo_ops.actions.drill import account as accounts
from clo_ops.actions.drill.session import writing
from clo_ops.findings import Answer, Measurement
from clo_ops.policy.failover import Application
from clo_ops.probes.channel import Channel, NotOpen, ping
from clo_ops.probes.exchange import Browser, NoReply, Reply
from clo_ops.probes.postgres import connect, rows
from clo_ops.probes.reaching import Unreachable, nobody_answered
from clo_ops.probes.signin import Attempt, Doors, Outcome, session
from clo_ops.probes.targets import Account, PostgresTarget, WebTarget
from clo_ops.probes.web import mismatch

LOOK_AGAIN = 0.2  # seconds
SHOWN = 120


class NotSo(Exception):
    """A check came to something else than it must; the text is what was seen."""


class NoAnswer(Exception):
    """Nobody could be asked; the text says why."""


@dataclass(frozen=True)
class Smoke:
    """Everything the checks need: whom to ask, as whom, and the database behind it.

    ``account`` is made in ``database`` first. ``production`` is the system identifier of production's server, where
    nothing is written. The parts may take ``settles_in`` seconds to find each other once they listen.
    """

    web: WebTarget
    account: Account
    database: PostgresTarget
    application: Application
    doors: Doors
    channel: Channel
    production: str = ""
    settles_in: float = 15.0

    def checked(self) -> Answer:
        """All checks of the policy, in its order; those that need a session share one."""
        wanted, answer = self.application.checks, Answer()
        with Browser(self.web) as browser:
            if "health" in wanted:
                answer += self._check("health", lambda: self._healthy(browser))
            if set(wanted) - {"health"}:
                answer += self._with_a_session(browser)
        return answer

    def _with_a_session(self, browser: Browser) -> Answer:
        wanted = [name for name in self.application.checks if name != "health"]
        try:
            self._make_account()
        except Unreachable as error:
            return nobody_answered([f"application {name}" for name in wanted], self.database, "a session", error.reason)
        except NotSo as error:
            return self._without_an_account(wanted, str(error))
        with session(browser, self.account, self.doors) as login:
            answer = self._check("login", lambda: self._signed_in(browser, login)) if "login" in wanted else Answer()
            for name, check in self._inside(browser, login.token).items():
                if name in wanted:
                    answer += self._check(name, check) if login.accepted else self._no_session(name, login.reason)
        return answer

    def _inside(self, browser: Browser, token: str) -> dict[str, Callable[[], str]]:
        return {
            "portfolios": lambda: self._portfolios(browser, token),
            "calculation": lambda: self._calculation(browser, token),
            "websocket": lambda: self._websocket(token),
        }

    def _check(self, name: str, check: Callable[[], str]) -> Answer:
        try:
            good, seen = True, check()
        except NotSo as error:
            good, seen = False, str(error)
        except (NoAnswer, Unreachable) as error:
            return nobody_answered([f"application {name}"], self.web, f"smoke check {name}", str(error))
        return Answer((Measurement("application.check", good, "bool", datetime.now(UTC), {"check": name}, seen),))

    def _no_session(self, name: str, reason: str) -> Answer:
        said = f"no session was opened to ask with: {reason}"
        return nobody_answered([f"application {name}"], self.web, f"smoke check {name}", said)

    def _without_an_account(self, wanted: Sequence[str], reason: str) -> Answer:
        """Said once, by the login where it is asked for; the others could not be asked."""

        def refused() -> str:
            raise NotSo(reason)

        answer = self._check("login", refused) if "login" in wanted else Answer()
        for name in (one for one in wanted if one != "login"):
            answer += self._no_session(name, reason)
        return answer

    def _make_account(self) -> None:
        """Raises NotSo where the copy's own tables do not take it: part of what the checks are to find."""
        import psycopg

        terms = self.application.account
        with writing(self.database, production=self.production) as connection:
            try:
                known = accounts.make(connection, self.account, terms)
            except (psycopg.ProgrammingError, psycopg.IntegrityError) as error:
                raise NotSo(f"no account could be made in the copy: {error.diag.message_primary}") from None
            if not known:
                raise NotSo(f"no account could be made in the copy: it has no application role {terms.role!r}")

    def _healthy(self, browser: Browser) -> str:
        """Asked again for a while: the parts find each other some moments after they listen."""
        calls, until = self.application.calls, time.monotonic() + self.settles_in
        while True:
            wrong = self._sick(browser)
            if not wrong:
                return f"{calls.health} says what it must"
            if time.monotonic() > until:
                raise NotSo(wrong)
            time.sleep(LOOK_AGAIN)

    def _sick(self, browser: Browser) -> str:
        calls = self.application.calls
        reply = browser.ask("GET", calls.health)
        if isinstance(reply, NoReply):
            return reply.reason
        if reply.status != 200:
            return f"{calls.health}: {_shown(reply)}"
        wrong = mismatch(reply, calls.health_body)
        return f"{calls.health}: {wrong}; {reply.text()[: 2 * SHOWN]}" if wrong else ""

    def _signed_in(self, browser: Browser, login: Attempt) -> str:
        if login.outcome is Outcome.NO_REPLY and not login.answered:
            raise NoAnswer(login.reason)
        if not login.accepted:
            raise NotSo(login.reason)
        me = _object(_asked(browser, "GET", self.doors.me_path, login.token))
        name = me.get(self.doors.fields.identity)
        if name != self.account.username:
            raise NotSo(f"logged in as {str(name)[:40]!r}")
        factor = " and second factor" if self.account.totp_secret else ""
        return f"the account made for this drill logged in with password{factor}"

    def _portfolios(self, browser: Browser, token: str) -> str:
        reply = _asked(browser, "GET", self.application.calls.portfolios, token)
        answer = reply.json()
        listed = answer.get(self.application.calls.fields.portfolios) if isinstance(answer, dict) else answer
        if reply.status != 200 or not isinstance(listed, list):
            raise NotSo(f"{self.application.calls.portfolios}: {_shown(reply)}")
        there = self._row("source/portfolio_count")["portfolios"]
        seen = f"{len(listed)} portfolios listed, {there} in the database"
        if len(listed) != there or not there:
            raise NotSo(seen)
        return seen

    def _calculation(self, browser: Browser, token: str) -> str:
        calls, deal = self.application.calls, self._row("source/calculable_deal").get("deal_id")
        if deal is None:
            raise NotSo("no deal with an active position is in the database")
        reply = _asked(browser, "POST", calls.calculations, token, {calls.fields.deal: deal})
        job = _object(reply).get(calls.fields.job)
        if reply.status != calls.accepted or not job:
            raise NotSo(f"ordering a calculation: {_shown(reply)}")
        told = self._finished(browser, f"{calls.calculations}/{job}", token)
        stored = self._row("source/calculation_stored", job_id=str(job))
        if stored.get("result") is None or stored["result"] != told.get(calls.fields.result):
            raise NotSo(f"the result told is not the result stored (stored: {stored.get('status', 'nothing')})")
        return f"calculation of {deal} completed, its result is in the database"

    def _finished(self, browser: Browser, path: str, token: str) -> Mapping[str, Any]:
        calls, names = self.application.calls, self.application.calls.fields
        within = calls.calculation_within.total_seconds()
        until = time.monotonic() + within
        while (job := _object(_asked(browser, "GET", path, token))).get(names.status) in calls.running:
            if time.monotonic() > until:
                raise NotSo(f"the calculation is still {job[names.status]} after {within:g} s")
            time.sleep(LOOK_AGAIN)
        if job.get(names.status) != calls.completed:
            raise NotSo(f"the calculation is {job.get(names.status, 'lost')}: {str(job.get(names.error))[:SHOWN]}")
        return job

    def _websocket(self, token: str) -> str:
        try:
            echo = ping(self.web, self.channel, token)
        except NotOpen as error:
            raise (NotSo if error.answered else NoAnswer)(f"{self.channel.path}: {error.reason}") from None
        if echo.broken or echo.sent != echo.received:
            raise NotSo(f"{self.channel.path}: {echo.broken or 'the pong carries another value than was sent'}")
        return f"opened, and a pong within {echo.ms:.1f} ms"

    def _row(self, name: str, **values: object) -> Mapping[str, Any]:
        """The first row, or nothing. A table that is not there is a finding, not an accident."""
        import psycopg

        with connect(self.database) as connection:
            try:
                return next(iter(rows(connection, name, values)), {})
            except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn) as error:
                raise NotSo(f"the database: {error.diag.message_primary}") from None


def _asked(browser: Browser, method: str, path: str, token: str, body: Mapping[str, Any] | None = None) -> Reply:
    """The reply. What answers by breaking off is down; who cannot be reached was not asked."""
    reply = browser.ask(method, path, token=token, body=body)
    if isinstance(reply, NoReply):
        raise (NotSo if reply.answered else NoAnswer)(f"{method} {path}: {reply.reason}")
    return reply


def _object(reply: Reply) -> Mapping[str, Any]:
    answer = reply.json()
    return answer if isinstance(answer, dict) else {}


def _shown(reply: Reply) -> str:
    return f"HTTP {reply.status} {' '.join(reply.text()[:SHOWN].split())}".strip()
