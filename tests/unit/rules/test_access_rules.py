"""DM-10, DM-11 and DM-12: every case right, wrong and not asked; every figure at its limit and a step either side."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from clo_ops.findings import Answer, Finding, Measurement, Severity, Status, Unanswered
from clo_ops.policy.morning import Access, LoginFields
from clo_ops.rules import login, mfa, sessions

AT = datetime(2026, 11, 23, 8, tzinfo=UTC)
POLICY = Access(
    connection="clo_api",
    login_path="/login",
    logout_path="/logout",
    me_path="/me",
    wrong_password_suffix="-wrong",
    refused_status=401,
    second_factor_words="second factor",
    fields=LoginFields(
        username="username",
        password="password",
        code="totp",
        token="access_token",
        lifetime="expires_in",
        refusal="detail",
        identity="username",
    ),
    clock_tolerance=timedelta(seconds=5),
    session_max_age=timedelta(hours=12),
    session_connection="clo_redis",
    session_key_pattern="session:*",
    expired_warning=50,
    orphaned_warning=0,
    manual="L28-L31",
)
LIMIT = 12 * 3600 + 5


def accepted(**cases: float) -> Answer:
    return Answer.of(Measurement("login.accepted", value, "bool", AT, {"case": case}) for case, value in cases.items())


def identity(right: float) -> Answer:
    return Answer((Measurement("login.identity.matches", right, "bool", AT),))


def silent(question: str) -> Answer:
    return Answer(unanswered=(Unanswered(question, "http://clo", "login", "no connection within 5 s", AT),))


def by_name(findings: list[Finding]) -> dict[str, Finding]:
    return {one.name: one for one in findings}


class TestLogin:
    def test_all_right_passes(self):
        found = login.judge(accepted(correct=1, wrong_password=0) + identity(1), POLICY, at=AT)
        assert {one.status for one in found} == {Status.PASS}
        assert len(found) == 3

    def test_wrong_password_accepted_is_a_p1_failure(self):
        found = by_name(login.judge(accepted(correct=1, wrong_password=1) + identity(1), POLICY, at=AT))
        assert found["wrong password refused"].status is Status.FAIL
        assert found["wrong password refused"].severity is Severity.P1

    def test_a_refused_login_fails(self):
        found = by_name(login.judge(accepted(correct=0, wrong_password=0), POLICY, at=AT))
        assert found["correct password accepted"].status is Status.FAIL
        assert found["wrong password refused"].status is Status.PASS

    def test_somebody_elses_session_is_a_p1_failure(self):
        found = by_name(login.judge(accepted(correct=1, wrong_password=0) + identity(0), POLICY, at=AT))
        assert (found["identity"].status, found["identity"].severity) == (Status.FAIL, Severity.P1)

    def test_silence_is_unknown_once_per_question(self):
        given = silent("login correct") + silent("login wrong_password")
        assert [one.status for one in login.judge(given, POLICY, at=AT)] == [Status.UNKNOWN] * 2

    def test_a_case_nobody_asked_is_unknown(self):
        found = by_name(login.judge(accepted(correct=1), POLICY, at=AT))
        assert found["wrong password refused"].status is Status.UNKNOWN
        assert len(login.judge(Answer(), POLICY, at=AT)) == 2


class TestMfa:
    RIGHT = {"without_second_factor": 0, "with_second_factor": 1, "replayed_code": 0}  # noqa: RUF012 - never changed

    def test_all_right_passes(self):
        found = mfa.judge(accepted(**self.RIGHT), POLICY, at=AT)
        assert [one.status for one in found] == [Status.PASS] * 3

    @pytest.mark.parametrize(
        ("case", "name"),
        [
            ("without_second_factor", "second factor required"),
            ("with_second_factor", "second factor accepted"),
            ("replayed_code", "replayed code refused"),
        ],
    )
    def test_each_wrong_case_is_a_p1_failure_alone(self, case, name):
        found = by_name(mfa.judge(accepted(**{**self.RIGHT, case: 1 - self.RIGHT[case]}), POLICY, at=AT))
        assert (found[name].status, found[name].severity) == (Status.FAIL, Severity.P1)
        assert [one.status for key, one in found.items() if key != name] == [Status.PASS] * 2

    def test_a_case_nobody_asked_is_unknown_and_told_once(self):
        given = accepted(without_second_factor=0, with_second_factor=1) + silent("login replayed_code")
        assert [one.status for one in mfa.judge(given, POLICY, at=AT)].count(Status.UNKNOWN) == 1
        assert [one.status for one in mfa.judge(Answer(), POLICY, at=AT)] == [Status.UNKNOWN] * 3


def honoured(before: float, after: float | None) -> Answer:
    cases = {"before_logout": before} | ({} if after is None else {"after_logout": after})
    return Answer.of(
        Measurement("session.honoured", value, "bool", AT, {"case": case}) for case, value in cases.items()
    )


def count(name: str, value: float, where: str, detail: str = "") -> Answer:
    return Answer((Measurement(name, value, "count", AT, {"where": where}, detail),))


def seconds(name: str, value: float, detail: str = "a1b2c3d4") -> Answer:
    return Answer((Measurement(name, value, "s", AT, detail=detail),))


GOOD = honoured(1, 0) + seconds("session.age.max", 60) + count("session.open", 3, "store")


class TestSessions:
    def test_all_right_passes_and_counts_are_reported(self):
        found = by_name(sessions.judge(GOOD, POLICY, at=AT))
        assert {one.status for one in found.values()} == {Status.PASS}
        assert found["open sessions"].actual == "3"

    def test_honoured_after_logout_is_a_p1_failure(self):
        given = honoured(1, 1) + seconds("session.age.max", 60)
        found = by_name(sessions.judge(given, POLICY, at=AT))["logout ends the session"]
        assert (found.status, found.severity) == (Status.FAIL, Severity.P1)

    def test_what_was_never_honoured_proves_nothing_about_logout(self):
        found = by_name(sessions.judge(honoured(0, 0), POLICY, at=AT))
        assert found["session honoured until logout"].status is Status.FAIL
        assert "logout ends the session" not in found

    @pytest.mark.parametrize(
        ("metric", "name"),
        [
            ("session.age.max", "oldest session"),
            ("session.lifetime.max", "longest session granted"),
            ("session.granted", "session length granted"),
        ],
    )
    @pytest.mark.parametrize(
        ("over", "status"), [(-1, Status.PASS), (0, Status.PASS), (1, Status.FAIL)], ids=["below", "at", "above"]
    )
    def test_a_length_fails_strictly_above_limit_and_tolerance(self, metric, name, over, status):
        found = by_name(sessions.judge(honoured(1, 0) + seconds(metric, LIMIT + over), POLICY, at=AT))[name]
        assert found.status is status
        assert "12.00 h" in found.expected
        assert "a1b2c3d4" in found.message

    @pytest.mark.parametrize(
        ("metric", "name", "limit"),
        [
            ("session.expired", "expired sessions", 50),
            ("session.orphaned", "orphaned sessions", 0),
            ("session.without_expiry", "sessions without expiry", 0),
            ("session.unreadable", "unreadable sessions", 0),
        ],
    )
    def test_a_count_warns_strictly_above_its_limit(self, metric, name, limit):
        def status(value: float) -> Status:
            return by_name(sessions.judge(GOOD + count(metric, value, "store"), POLICY, at=AT))[name].status

        assert status(limit) is Status.PASS
        assert status(limit + 1) is Status.WARN
        if limit:
            assert status(limit - 1) is Status.PASS

    def test_orphans_are_named_and_their_side_told(self):
        given = GOOD + count("session.orphaned", 2, "table", "aa (no key), bb (no key)")
        found = by_name(sessions.judge(given, POLICY, at=AT))["orphaned sessions"]
        assert found.subject == "table"
        assert "aa (no key), bb (no key)" in found.message
        assert found.actual == "2"

    def test_an_empty_store_has_no_old_session(self):
        given = honoured(1, 0) + count("session.open", 0, "store") + count("session.expired", 0, "store")
        assert by_name(sessions.judge(given, POLICY, at=AT))["oldest session"].status is Status.PASS

    def test_nothing_measured_is_unknown(self):
        assert {one.status for one in sessions.judge(Answer(), POLICY, at=AT)} == {Status.UNKNOWN}

    def test_silence_is_unknown_and_not_told_twice(self):
        given = silent("session ends with logout") + silent("age of the oldest session")
        assert [one.status for one in sessions.judge(given, POLICY, at=AT)] == [Status.UNKNOWN] * 2
