"""How the system was used: logins, sessions, jobs, approvals, and the audit rows of all of it, day by day."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from demo.world.calendar import is_business
from demo.world.groups import Change
from demo.world.people import PROBE, User
from demo.world.plan import Plan
from demo.world.reference import Record

# Logins per hour of a working day (UTC): mornings and early afternoons, hardly anybody at night.
HOURS = (1, 0, 0, 0, 1, 3, 10, 40, 90, 80, 60, 50, 45, 85, 80, 60, 45, 30, 15, 8, 5, 4, 2, 1)
QUIET = 0.06  # of a working day's load, at the week-end and on holidays
LOGINS, CALCULATIONS, REPORTS = 60, 40, 14  # on a working day at scale 1
SESSION = timedelta(hours=8)
REFUSALS = ("invalid credentials",) * 5 + ("invalid second factor",) * 2
CALCULATION_FAILURES = 0.006
SETTINGS = (("session.length_minutes", "480", "420"), ("report.retention_days", "90", "120"))
CALCULATIONS_APPROVED = "compliance"  # the kind that somebody else has to approve
EXPORTED, READ = (40, 400), (1, 30)  # rows of an export; accounts a user administrator looks at
ANSWERED, LEGAL = timedelta(days=12), timedelta(days=30)  # a subject's request: answered after, due after
REQUESTS = ("access", "erasure", "rectification")
REMARKS = ("fast today", "report layout is clear", "export to CSV helps", "search could be quicker", "all good")


@dataclass
class Day:
    """The rows of one day by table; audit rows are put in the order of their time when the day is done."""

    rows: dict[str, list[Record]] = field(default_factory=dict)
    audit: list[Record] = field(default_factory=list)

    def add(self, table: str, **columns: Any) -> None:
        self.rows.setdefault(table, []).append(columns)

    def note(self, at: datetime, actor: str, action: str, of: tuple[str, str], **detail: Any) -> None:
        row = {"created_at": at, "actor": actor, "action": action, "object_type": of[0], "object_id": of[1]}
        self.audit.append(row | {"detail": json.dumps(detail)})

    def tables(self) -> Iterator[tuple[str, list[Record]]]:
        yield from self.rows.items()
        yield "audit_logs", sorted(self.audit, key=lambda row: row["created_at"])


class Operations:
    """``seen`` is filled with each user's last login, as the days are made."""

    def __init__(self, plan: Plan, people: list[User], deal_ids: list[str], changes: list[Change]) -> None:
        self.plan, self.deal_ids = plan, deal_ids
        self.people = [user for user in people if not user.disabled and user.username != PROBE]
        self.authors = [user for user in self.people if user.role in ("manager", "analyst")]
        self.managers = [user for user in self.people if user.role == "manager"]
        self.seen: dict[str, datetime] = {}
        self.changed: dict[str, Record] = {}
        self.ids: dict[str, int] = {}
        self.changes: dict[date, list[Change]] = {}
        for change in changes:
            if change.at >= plan.history_start:
                self.changes.setdefault(change.at.date(), []).append(change)

    def days(self) -> Iterator[Day]:
        first = self.plan.history_start.date()
        for number in range(self.plan.days + 1):
            yield self._day(first + timedelta(days=number), number)

    def _day(self, day: date, number: int) -> Day:
        made, rng = Day(), self.plan.rng("operations", day)
        for at in self._moments(rng, day, LOGINS):
            self._login(made, rng, at)
        for at in self._moments(rng, day, CALCULATIONS):
            self._calculation(made, rng, at)
        for at in self._moments(rng, day, REPORTS):
            self._report(made, rng, at)
        for change in self.changes.get(day, []):
            made.note(change.at, "worker", change.action, (change.object_type, change.object_id))
        if is_business(day):
            self._approvals(made, rng, day, number)
            self._office(made, self.plan.rng("office", day), day, number)
        return made

    def _moments(self, rng: random.Random, day: date, usual: int) -> list[datetime]:
        """When something happened that day, before the world's end, along the load curve."""
        load = usual * self.plan.scale * (1 if is_business(day) else QUIET) * rng.uniform(0.9, 1.1)
        count = int(load) + (rng.random() < load % 1)
        midnight = datetime.combine(day, time(), UTC)
        hours = rng.choices(range(24), HOURS, k=count)
        moments = [midnight + timedelta(hours=hour, milliseconds=rng.randrange(3_600_000)) for hour in hours]
        return sorted(at for at in moments if at < self.plan.as_of - timedelta(minutes=2))

    def _next(self, table: str) -> int:
        self.ids[table] = self.ids.get(table, 0) + 1
        return self.ids[table]

    def _login(self, made: Day, rng: random.Random, at: datetime) -> None:
        user, source = rng.choice(self.people), f"10.20.{rng.randint(0, 3)}.{rng.randint(2, 250)}"
        if rng.random() < 0.035:
            self._refused(made, rng, user, source, at - timedelta(seconds=rng.randint(5, 40)))
        self._attempt(made, user.username, None, source, at)
        session = str(uuid.UUID(int=rng.getrandbits(128), version=4))
        made.note(at, user.username, "login", ("session", session), source_ip=source)
        self.seen[user.username] = at
        self._session(made, rng, (user, source), at, session)

    def _refused(self, made: Day, rng: random.Random, user: User, source: str, at: datetime) -> None:
        reason = rng.choice(REFUSALS)
        self._attempt(made, user.username, reason, source, at)
        made.note(at, user.username, "login_refused", ("user", user.username), reason=reason, source_ip=source)
        facts = {"event_type": "login_refused", "severity": "info", "username": user.username, "source_ip": source}
        number = self._next("security_events")
        closed = {"event_class": "authentication", "owner": "security desk", "outcome": "mistyped", "closed_at": at}
        made.add("security_events", event_id=number, at=at, **facts, detail=json.dumps({"reason": reason}), **closed)

    def _attempt(self, made: Day, username: str, reason: str | None, source: str, at: datetime) -> None:
        made.add(
            "login_attempts",
            attempt_id=self._next("login_attempts"),
            username=username,
            success=reason is None,
            reason=reason,
            source_ip=source,
            at=at,
        )

    def _session(
        self, made: Day, rng: random.Random, who: tuple[User, str], at: datetime, session: str
    ) -> None:  # fmt: skip
        """Every session of the past is over: the session store of a new demo knows none of them."""
        worked = timedelta(minutes=min(470.0, rng.lognormvariate(3.8, 0.9)))
        logout = rng.random() < 0.72
        ended = at + (worked if logout else SESSION)
        if ended >= self.plan.as_of:
            logout, ended = True, at + (self.plan.as_of - at) * rng.uniform(0.3, 0.9)
        made.add(
            "app_sessions",
            session_id=session,
            user_id=who[0].user_id,
            created_at=at,
            last_seen_at=ended if logout else min(ended, at + worked),
            expires_at=at + SESSION,
            ended_at=ended,
            end_reason="logout" if logout else "expired",
            source_ip=who[1],
        )
        if logout and ended.date() == at.date():
            made.note(ended, who[0].username, "logout", ("session", session))

    def _calculation(self, made: Day, rng: random.Random, at: datetime) -> None:
        failed = rng.random() < CALCULATION_FAILURES
        took = timedelta(seconds=min(240.0, rng.lognormvariate(2.2, 0.6)))
        job = self._job(made, rng, "calculation", at, took, failed=failed)
        result = None if failed else json.dumps({"tests_passed": rng.randint(40, 48)})
        error = "JobFailed: the cash-flow projection did not converge" if failed else None
        kind = rng.choice(("waterfall", "waterfall", "compliance", "cash_flow"))
        made.add("calculation_jobs", **job, kind=kind, error=error, result=result)
        if kind == CALCULATIONS_APPROVED and not failed:
            self._approved(made, job)

    def _approved(self, made: Day, job: Record) -> None:
        """Two hours later, the same day, by somebody who did not ask for it; not yet where the world ends before."""
        day_ends = datetime.combine(job["queued_at"].date(), time(23, 59, 59), UTC)
        at = max(min(job["finished_at"] + timedelta(hours=2), day_ends), job["finished_at"] + timedelta(seconds=1))
        if at >= self.plan.as_of:
            return
        others = [user.username for user in self.managers if user.username != job["requested_by"]] or ["admin"]
        by = self.plan.rng("approved", job["job_id"]).choice(others)
        number, facts = self._next("calculation_approvals"), {"decision": "approved", "decided_by": by}
        made.add("calculation_approvals", approval_id=number, job_id=job["job_id"], decided_at=at, **facts, note=None)
        made.note(at, by, "calculation_approved", ("calculation", job["job_id"]), deal_id=job["deal_id"])

    def _report(self, made: Day, rng: random.Random, at: datetime) -> None:
        took = timedelta(seconds=min(120.0, rng.lognormvariate(1.6, 0.5)))
        job = self._job(made, rng, "report", at, took, failed=False)
        form = rng.choice(("html", "csv"))
        made.add("report_jobs", **job, report_type="portfolio", report_format=form, error=None, result=None)

    def _job(
        self, made: Day, rng: random.Random, what: str, at: datetime, took: timedelta, *, failed: bool
    ) -> Record:  # fmt: skip
        author, deal_id = rng.choice(self.authors).username, rng.choice(self.deal_ids)
        status, started = "failed" if failed else "completed", at + timedelta(milliseconds=rng.randint(40, 900))
        finished = min(started + took, self.plan.as_of - timedelta(seconds=1))
        job = str(uuid.UUID(int=rng.getrandbits(128), version=4))
        made.note(at, author, f"{what}_requested", (what, job), deal_id=deal_id)
        made.note(finished, "worker", f"{what}_{status}", (what, job), deal_id=deal_id)
        return {
            "job_id": job,
            "deal_id": deal_id,
            "requested_by": author,
            "status": status,
            "queued_at": at,
            "started_at": started,
            "finished_at": finished,
        }

    def _approvals(self, made: Day, rng: random.Random, day: date, number: int) -> None:
        """Rare, and always one person's wish and another's approval."""
        at = datetime.combine(day, time(9), UTC) + timedelta(seconds=rng.randrange(20_000))
        if at >= self.plan.as_of - timedelta(hours=2):
            return
        approver = rng.choice(self.managers or self.people).username
        if number % 6 == 1:
            self._elevation(made, rng, at, approver)
        if number % 9 == 2:
            self._setting(made, rng, at, approver)
        if rng.random() < 0.4:
            who = rng.choice(self.people).username
            remark = {"rating": rng.randint(3, 5), "category": "application", "comment": rng.choice(REMARKS)}
            made.add("feedback", feedback_id=self._next("feedback"), at=at, username=who, **remark)

    def _office(self, made: Day, rng: random.Random, day: date, number: int) -> None:
        """What an office does with data: exports of authors, accounts looked at by the administrator, requests."""
        for user in self.authors:
            if rng.random() < 0.3:
                self._access(made, rng, day, (user.username, "export", "portfolio", "asset"), EXPORTED)
        if rng.random() < 0.5:
            self._access(made, rng, day, ("admin", "read", "personal", "user"), READ)
        if number % 9 == 3:
            self._request(made, rng, day)

    def _access(
        self, made: Day, rng: random.Random, day: date, what: tuple[str, str, str, str], rows: tuple[int, int]
    ) -> None:  # fmt: skip
        at = datetime.combine(day, time(8), UTC) + timedelta(seconds=rng.randrange(9 * 3600))
        username, kind, data_class, object_type = what
        count, source = rng.randint(*rows), f"10.20.{rng.randint(0, 3)}.{rng.randint(2, 250)}"
        if at >= self.plan.as_of:
            return
        facts = {"username": username, "kind": kind, "data_class": data_class, "object_type": object_type}
        access = self._next("data_access")
        made.add("data_access", access_id=access, at=at, **facts, row_count=count, source_ip=source)
        made.note(at, username, f"data_{kind}", (object_type, str(access)), rows=count)

    def _request(self, made: Day, rng: random.Random, day: date) -> None:
        at = datetime.combine(day, time(10), UTC)
        if at >= self.plan.as_of:
            return
        answered = at + ANSWERED if at + ANSWERED < self.plan.as_of else None
        made.add(
            "subject_requests",
            request_id=self._next("subject_requests"),
            received_at=at,
            kind=rng.choice(REQUESTS),
            subject=f"subject-{rng.getrandbits(40):010x}",
            due_at=at + LEGAL,
            handled_by="data protection officer",
            completed_at=answered,
            outcome="answered" if answered else None,
        )

    def settings(self) -> list[Record]:
        """The configuration the changes of all days have led to; call it when the days are made."""
        first = {
            name: {"setting": name, "value": old, "updated_at": self.plan.history_start, "updated_by": "admin"}
            for name, old, _ in SETTINGS
        }
        return list((first | self.changed).values())

    def _elevation(self, made: Day, rng: random.Random, at: datetime, approver: str) -> None:
        """A role lent for an hour and taken back, so that the grants of today are those the users began with."""
        username = rng.choice([user for user in self.people if user.role == "viewer"] or self.people).username
        for action, moment in (("granted", at), ("revoked", at + timedelta(hours=1))):
            number = self._next("permission_changes")
            facts = {"username": username, "role_name": "analyst", "action": action}
            approval = {"approved_by": approver, "reason": "stand-in"}
            made.add("permission_changes", change_id=number, at=moment, changed_by="admin", **facts, **approval)
            made.note(moment, "admin", f"role_{action}", ("user", username), role="analyst")

    def _setting(self, made: Day, rng: random.Random, at: datetime, approver: str) -> None:
        name, old, new = rng.choice(SETTINGS)
        number = self._next("configuration_changes")
        values = {"setting": name, "old_value": old, "new_value": new, "approved_by": approver}
        made.add("configuration_changes", change_id=number, at=at, changed_by="admin", **values, reason="trial")
        made.note(at, "admin", "setting_changed", ("setting", name), old=old, new=new)
        self.changed[name] = {"setting": name, "value": new, "updated_at": at, "updated_by": "admin"}
