"""The session store held against the session table: what is counted, what is named, and that nothing is changed."""

from __future__ import annotations

import json
import tracemalloc
import uuid
from contextlib import closing
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
import redis

from clo_ops.probes import session_store

HOUR = timedelta(hours=1)
ROW = """INSERT INTO app_sessions (session_id, user_id, created_at, last_seen_at, expires_at, ended_at, end_reason)
SELECT %s, min(user_id), %s, %s, %s, %s, %s FROM app_users"""


class Sessions:
    """Makes sessions in the store, in the table, or in both."""

    def __init__(self, store, table):
        self.store, self.table, self.now = store, table, datetime.now(UTC)

    def key(self, session_id, created=HOUR, left=HOUR, ttl=True):
        times = {"created_at": (self.now - created).isoformat(), "expires_at": (self.now + left).isoformat()}
        name = f"session:test-{session_id}"
        self.store.set(name, json.dumps({"session_id": session_id, **times}), ex=3600 if ttl else None)

    def row(self, session_id, created=HOUR, left=HOUR, ended=False):
        begun, end = self.now - created, self.now + left
        closing_time, reason = (self.now, "logout") if ended else (None, None)
        self.table.execute(ROW, (session_id, begun, begun, end, closing_time, reason))

    def both(self, **times):
        session_id = f"test-{uuid.uuid4()}"
        self.key(session_id, **times)
        self.row(session_id, **times)
        return session_id


@pytest.fixture
def made(site):
    with (
        closing(redis.Redis.from_url(site.system.redis.url())) as store,
        psycopg.connect(site.system.cluster.url("clo", "clo_app"), autocommit=True) as table,
    ):
        for key in store.scan_iter("session:*"):
            store.delete(key)
        table.execute("UPDATE app_sessions SET ended_at = now(), end_reason = 'logout' WHERE ended_at IS NULL")
        yield Sessions(store, table)
        for key in store.scan_iter("session:*"):
            store.delete(key)
        table.execute("DELETE FROM app_sessions WHERE session_id LIKE 'test-%'")


@pytest.fixture
def compared(site, policy):
    return lambda: session_store.compared(site.redis, site.postgres, policy.access)


def test_what_is_open_in_both_is_counted_in_both(made, compared):
    old = made.both(created=5 * HOUR)
    made.both()
    answer = compared()
    assert answer.value("session.open", where="store") == answer.value("session.open", where="table") == 2
    assert answer.value("session.orphaned", where="store") == answer.value("session.orphaned", where="table") == 0
    oldest = answer.first("session.age.max")
    assert oldest.value == pytest.approx(5 * 3600, abs=60)
    assert oldest.detail == session_store.digest(old)
    assert answer.value("session.lifetime.max") == pytest.approx(6 * 3600, abs=1)
    assert answer.unanswered == ()


def test_an_empty_store_has_no_oldest_session(made, compared):
    answer = compared()
    assert answer.value("session.open", where="store") == 0
    assert answer.value("session.age.max") is None


def test_a_key_without_a_row_and_one_whose_row_is_closed_are_orphans(made, compared):
    made.key("test-nobody")
    made.key("test-closed")
    made.row("test-closed", ended=True)
    orphans = compared().first("session.orphaned", where="store")
    assert orphans.value == 2
    assert f"{session_store.digest('test-nobody')} (no row)" in orphans.detail
    assert f"{session_store.digest('test-closed')} (its row is closed)" in orphans.detail
    assert "test-nobody" not in orphans.detail


def test_an_open_row_without_a_key_is_an_orphan(made, compared):
    made.row("test-keyless")
    orphans = compared().first("session.orphaned", where="table")
    assert (orphans.value, orphans.detail) == (1, f"{session_store.digest('test-keyless')} (no key)")


def test_what_has_just_begun_is_no_orphan(made, compared):
    just = timedelta(seconds=1)
    made.key("test-new-key", created=just)
    made.row("test-new-row", created=just)
    answer = compared()
    assert answer.value("session.orphaned", where="store") == answer.value("session.orphaned", where="table") == 0


@pytest.mark.parametrize(("late", "expired"), [(4, 0), (60, 1)])
def test_past_expiry_is_counted_and_named_beyond_the_clocks_tolerance(made, compared, late, expired):
    session_id = made.both(left=timedelta(seconds=-late))
    answer = compared()
    found = answer.first("session.expired", where="store")
    assert found.value == answer.value("session.expired", where="table") == expired
    assert (session_store.digest(session_id) in found.detail) == bool(expired)


def test_a_key_that_never_expires_is_named(made, compared):
    made.key("test-endless", ttl=False)
    found = compared().first("session.without_expiry")
    assert (found.value, found.detail) == (1, session_store.digest("test-endless"))


def test_what_is_no_session_is_counted_and_harms_nothing(made, compared):
    made.store.set("session:text", "not json")
    made.store.set("session:binary", b"\xff\x00")
    made.store.set("session:list", "[]")
    made.store.set("session:naive", '{"session_id": "x", "created_at": "2026-01-01", "expires_at": "2026-01-02"}')
    made.store.hset("session:hash", "a", "b")
    made.both()
    answer = compared()
    assert answer.value("session.unreadable") == 5
    assert answer.value("session.open", where="store") == 1


def test_other_keys_are_left_alone(made, compared):
    made.store.set("cache:session:1", "x")
    assert compared().value("session.unreadable") == 0
    made.store.delete("cache:session:1")


def test_many_names_are_cut_and_the_rest_counted(made, compared):
    for number in range(session_store.NAMED_AT_MOST + 3):
        made.key(f"test-orphan-{number}")
    orphans = compared().first("session.orphaned", where="store")
    assert orphans.value == session_store.NAMED_AT_MOST + 3
    assert orphans.detail.endswith("and 3 more")


def test_thousands_are_compared_in_little_memory(made, compared):
    made.table.execute(
        "INSERT INTO app_sessions (session_id, user_id, created_at, last_seen_at, expires_at)"
        " SELECT 'test-' || n, (SELECT min(user_id) FROM app_users), now() - interval '1 hour', now(),"
        " now() + interval '1 hour' FROM generate_series(1, 4000) AS n"
    )
    for number in range(1, 4001):
        made.key(f"test-{number}")
    tracemalloc.start()
    answer = compared()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert answer.value("session.open", where="store") == answer.value("session.open", where="table") == 4000
    assert answer.value("session.orphaned", where="table") == 0
    assert peak < 8_000_000


def test_more_than_can_be_remembered_is_said(made, compared, monkeypatch):
    monkeypatch.setattr(session_store, "MOST_REMEMBERED", 2)
    for _ in range(3):
        made.both()
    answer = compared()
    assert answer.value("session.open", where="store") == 3
    assert answer.value("session.orphaned", where="table") is None
    assert answer.unanswered[0].reason == "more than 2 sessions"


def test_a_table_that_is_not_there_is_unanswered(made, site, policy):
    elsewhere = session_store.PostgresTarget(
        site.postgres.host, site.postgres.port, "postgres", site.postgres.user, site.postgres.password, "disable"
    )
    answer = session_store.compared(site.redis, elsewhere, policy.access)
    assert {one.question for one in answer.unanswered} == {"sessions in the table", "orphaned sessions"}
    assert answer.value("session.open", where="store") is not None
