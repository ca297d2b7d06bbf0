"""Logins of the week: sources, hours and sleepers, each at its limit and one step either side."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from clo_ops.rules import logins

NETWORKS = {"known_networks": ["10.20.0.0/16", "::1/128"], "ipv4_prefix": 24, "ipv6_prefix": 64}
HOURS = {"opens": 6, "closes": 20, "at_most": 3}
MONDAY = datetime(2026, 11, 16, tzinfo=UTC)


def login(username="ann", source="10.20.1.5", at=MONDAY + timedelta(hours=9), count=1, **more):
    row = {
        "username": username, "source": source, "hour": at.isoformat(), "logins": count, "first_at": at.isoformat(),
        "previous_at": (at - timedelta(days=1)).isoformat(), "account_since": "2025-01-01T00:00:00+00:00",
        "record_since": "2026-01-01T00:00:00+00:00", "roles": ["analyst"], "known_sources": [],
    }  # fmt: skip
    return row | more


def keys(judged):
    return [one.key for one in judged.violations]


@pytest.mark.parametrize(
    ("source", "known", "broken"),
    [
        ("10.20.255.255", [], []),
        ("10.21.0.0", [], ["ann from 10.21.0.0/24"]),
        ("203.0.113.9", ["203.0.113.200"], []),
        ("203.0.113.9", ["203.0.114.200"], ["ann from 203.0.113.0/24"]),
        ("::1", [], []),
        ("2001:db8::1", ["2001:db8::ffff"], []),
        ("2001:db8:1::1", ["2001:db8::1"], ["ann from 2001:db8:1::/64"]),
        ("testclient", [], ["ann from testclient"]),
        ("testclient", ["testclient"], []),
        ("", [], ["ann from no address"]),
    ],
)
def test_a_source_is_new_by_its_network(source, known, broken):
    judged = logins.new_sources([login(source=source, known_sources=known)], NETWORKS)
    assert keys(judged) == broken
    assert judged.looked_at == 1


def test_a_new_network_is_told_once_for_each_account():
    rows = [login(name, f"203.0.113.{n}") for name in ("ann", "ben") for n in (1, 2)]
    assert keys(logins.new_sources(rows, NETWORKS)) == ["ann from 203.0.113.0/24", "ben from 203.0.113.0/24"]


@pytest.mark.parametrize(("count", "broken"), [(2, []), (3, []), (4, ["ann"])])
def test_more_logins_out_of_hours_than_allowed(count, broken):
    rows = [login(at=MONDAY + timedelta(hours=3), count=count), login(at=MONDAY + timedelta(hours=10), count=50)]
    assert keys(logins.out_of_hours(rows, HOURS)) == broken


@pytest.mark.parametrize(
    ("at", "outside"),
    [
        (MONDAY + timedelta(hours=5), True),
        (MONDAY + timedelta(hours=6), False),
        (MONDAY + timedelta(hours=19), False),
        (MONDAY + timedelta(hours=20), True),
        (MONDAY + timedelta(days=4, hours=10), False),
        (MONDAY + timedelta(days=5, hours=10), True),
        (MONDAY - timedelta(hours=14), True),
    ],
)
def test_what_business_hours_are(at, outside):
    assert bool(keys(logins.out_of_hours([login(at=at, count=9)], HOURS))) is outside


@pytest.mark.parametrize(("days", "broken"), [(89, []), (90, []), (91, ["ann"])])
def test_an_account_is_dormant_after_more_than_its_days(days, broken):
    at = MONDAY
    row = login(at=at, previous_at=(at - timedelta(days=days)).isoformat())
    judged = logins.dormant([row], {"days": 90})
    assert keys(judged) == broken
    assert all("last used" in one.reason for one in judged.violations)


@pytest.mark.parametrize(
    ("account_days", "record_days", "broken"),
    [(400, 35, []), (400, 91, ["ann"]), (30, 400, []), (91, 400, ["ann"])],
)
def test_without_an_earlier_login_only_what_the_record_reaches_is_known(account_days, record_days, broken):
    row = login(
        at=MONDAY,
        previous_at=None,
        account_since=(MONDAY - timedelta(days=account_days)).isoformat(),
        record_since=(MONDAY - timedelta(days=record_days)).isoformat(),
    )
    assert keys(logins.dormant([row], {"days": 90})) == broken


def test_a_name_without_an_account_is_judged_by_the_record_alone():
    row = login(previous_at=None, account_since=None, roles=[])
    assert "no role" in logins.dormant([row], {"days": 90}).violations[0].reason
