"""DM-10, DM-11 and DM-12 against the running demo system: healthy, broken by its switches, stopped, unreachable."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import psycopg
import pytest

from clo_ops.findings import Severity, Status, worst
from clo_ops.probes import access
from clo_ops.rules import login, mfa, sessions

AT = datetime(2026, 11, 23, 8, tzinfo=UTC)


@pytest.fixture
def dm10(site, account, policy):
    return lambda target=site.api: login.judge(access.login(target, account, policy.access), policy.access, at=AT)


@pytest.fixture
def dm11(site, account, policy):
    return lambda target=site.api: mfa.judge(access.mfa(target, account, policy.access), policy.access, at=AT)


@pytest.fixture
def dm12(site, account, policy):
    def run(target=site.api, redis=site.redis, postgres=site.postgres):
        answer = access.sessions(target, account, redis, postgres, policy.access)
        return sessions.judge(answer, policy.access, at=AT)

    return run


def nowhere(target):
    return replace(target, base_url="http://nobody.invalid")


def by(findings, status: Status) -> set[str]:
    return {f"{one.name} {one.subject}".strip() for one in findings if one.status is status}


def open_sessions(site, account) -> int:
    with psycopg.connect(site.system.cluster.url("clo", "clo_app")) as connection:
        query = (
            "SELECT count(*) FROM app_sessions JOIN app_users USING (user_id) WHERE username = %s AND ended_at IS NULL"
        )
        return connection.execute(query, (account.username,)).fetchone()[0]


def test_login_passes_and_leaves_no_session(site, account, dm10):
    found = dm10()
    assert worst(found) is Status.PASS, [one.message for one in found]
    assert len(found) == 3
    assert open_sessions(site, account) == 0


def test_one_morning_costs_the_account_one_wrong_password(site, account, dm10):
    dm10()
    with psycopg.connect(site.system.cluster.url("clo", "clo_app")) as connection:
        query = "SELECT reason, count(*) FROM login_attempts WHERE username = %s AND NOT success GROUP BY reason"
        assert connection.execute(query, (account.username,)).fetchall() == [("invalid credentials", 1)]


def test_a_wrong_password_accepted_is_a_p1_failure(site, account, dm10):
    with site.broken("wrong-password-accepted"):
        found = dm10()
    assert by(found, Status.FAIL) == {"wrong password refused"}
    assert worst(found) is Status.FAIL
    assert next(one.severity for one in found if one.status is Status.FAIL) is Severity.P1
    assert open_sessions(site, account) == 0, "the session opened by mistake is closed too"


def test_a_broken_login_fails_and_proves_nothing_about_wrong_passwords(site, dm10):
    with site.broken("login-broken"):
        found = dm10()
    assert by(found, Status.FAIL) == {"correct password accepted"}
    assert by(found, Status.UNKNOWN) == {
        f"could not ask: login wrong_password {site.api}", f"could not ask: login identity {site.api}"
    }  # fmt: skip


def test_a_stopped_api_makes_all_of_access_unknown(site, dm10, dm11, dm12):
    with site.broken("stopped-api"):
        for found in (dm10(), dm11()):
            assert {one.status for one in found} == {Status.UNKNOWN}
        counted = dm12()
    assert by(counted, Status.UNKNOWN) == {f"could not ask: session ends with logout {site.api}"}
    assert "open sessions store" in by(counted, Status.PASS), "the store is asked all the same"


def test_an_unreachable_api_is_unknown(site, dm10, dm11):
    assert {one.status for one in dm10(nowhere(site.api))} == {Status.UNKNOWN}
    assert {one.status for one in dm11(nowhere(site.api))} == {Status.UNKNOWN}


def test_mfa_passes_and_leaves_no_session(site, account, dm11):
    found = dm11()
    assert [one.status for one in found] == [Status.PASS] * 3, [one.message for one in found]
    assert open_sessions(site, account) == 0


@pytest.mark.parametrize(
    ("switch", "name"),
    [("login-without-mfa", "second factor required"), ("replayed-code-accepted", "replayed code refused")],
)
def test_a_hole_in_the_second_factor_is_a_p1_failure(site, account, dm11, switch, name):
    with site.broken(switch):
        found = dm11()
    (hole,) = [one for one in found if one.status is Status.FAIL]
    assert (hole.name, hole.severity) == (name, Severity.P1)
    assert open_sessions(site, account) == 0


def test_procedures_that_share_the_account_wait_for_each_others_codes(dm10, dm11):
    assert worst(dm10() + dm11() + dm10()) is Status.PASS


def test_sessions_pass(site, account, dm12):
    found = dm12()
    assert worst(found) is Status.PASS, [one.message for one in found if one.status is not Status.PASS]
    assert {"logout ends the session", "oldest session", "orphaned sessions store", "orphaned sessions table"} <= by(
        found, Status.PASS
    )


def test_a_session_that_outlives_logout_is_a_p1_failure(site, dm12):
    with site.broken("session-outlives-logout"):
        found = dm12()
    assert by(found, Status.FAIL) == {"logout ends the session"}
    assert next(one.severity for one in found if one.status is Status.FAIL) is Severity.P1


def test_a_session_that_never_expires_fails(site, dm12):
    with site.broken("session-never-expires"):
        found = dm12()
    assert by(found, Status.FAIL) == {"oldest session", "longest session granted", "session length granted"}
    assert by(found, Status.WARN) == {"sessions without expiry store"}


def test_orphans_are_counted_on_both_sides(site, dm12):
    with site.broken("orphaned-sessions"):
        found = dm12()
    assert by(found, Status.WARN) == {"orphaned sessions store", "orphaned sessions table"}
    assert [one.actual for one in found if one.status is Status.WARN] == ["5", "5"]


def test_a_stopped_store_is_unknown_and_the_table_still_counted(site, dm12):
    with site.broken("stopped-redis"):
        found = dm12()
    unknown = by(found, Status.UNKNOWN)
    assert f"could not ask: age of the oldest session {site.redis}" in unknown
    assert f"could not ask: orphaned sessions {site.redis}" in unknown
    assert "open sessions table" in by(found, Status.PASS)


def test_an_unreachable_table_is_unknown_and_the_store_still_counted(site, dm12):
    gone = replace(site.postgres, host="nobody.invalid")
    found = dm12(postgres=gone)
    assert f"could not ask: orphaned sessions {gone}" in by(found, Status.UNKNOWN)
    assert {"open sessions store", "oldest session"} <= by(found, Status.PASS)
