"""Access reviews: each list before the owner of the roles, nobody about themselves, late from the very next moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from clo_ops.findings import Status
from clo_ops.findings.audit_items import REVIEW, Item
from clo_ops.policy import load_policy
from clo_ops.rules import access_review as rules

TERMS = load_policy(mode="demo").audit.review
AT = datetime(2026, 12, 7, 16, tzinfo=UTC)
DAY, MOMENT = timedelta(days=1), timedelta(microseconds=1)
OWNERS = {"admin": "Security Officer", "analyst": "Compliance Officer", "viewer": "Compliance Officer"}


def account(username, roles, state="enabled"):
    row = {"full_name": username.title(), "account": "person", "since": "2026-01-02", "last_login": None}
    return {"username": username, "roles": roles, "state": state, **row}


def item(reviewer="Security Officer", *, due=AT, closed=None, seen=AT - 14 * DAY):
    closing = {"closed_at": closed, "closed_by": "op" if closed else "", "close_reason": "list ab: all kept"}
    told = {"title": "Review", "rating": "", "owner": reviewer, "detail": "ab", "told_due_at": None}
    return Item(id=1, kind=REVIEW, key=reviewer, opened_at=seen, last_seen_at=seen, due_at=due, **told, **closing)


def test_each_account_is_before_the_owners_of_its_roles_and_those_without_one_before_somebody():
    rows = [account("ann", "admin analyst"), account("bob", "viewer"), account("gone", "admin", "disabled")]
    rows += [account("odd", "unknown_role"), account("new", None)]
    lines = list(rules.of_accounts(rows, {"ann": "yes"}, OWNERS, "Security Officer"))
    security, compliance, database = rules.lists(lines, TERMS.reviewers)
    assert [(one.name, one.access) for one in security.lines] == [
        ("ann", "admin"),
        ("odd", "unknown_role"),
        ("new", "no role"),
    ]
    assert [(one.name, one.access) for one in compliance.lines] == [("ann", "analyst"), ("bob", "viewer")]
    assert security.rows[0] == ("ann", "Ann", "person", "admin", "2026-01-02", "never", "yes")
    assert compliance.rows[1][-1] == "no source"
    assert (database.reviewer, database.lines) == ("Database Administrator", ())


@pytest.mark.parametrize(
    ("key", "value", "name"),
    [
        ("role night shift", "SUPERUSER", "night shift"),
        ("ann is a member of pg_monitor", "", "ann"),
        ("SELECT on table public.a for b for everybody", "", "everybody"),
        ("default privileges of x on tables for bob", "SELECT", "bob"),
        ("owner of schema public", "clo_app", "clo_app"),
    ],
)
def test_each_line_of_the_database_stands_with_whom_it_is_for(key, value, name):
    ((reviewer, line),) = rules.of_database([{"key": key, "value": value}], "Database Administrator")
    assert (reviewer, line.name, line.account) == ("Database Administrator", name, "PostgreSQL")
    assert line.access == (f"{key}: {value}" if value else key)


def test_nobody_answers_for_a_list_they_are_on_under_any_of_their_names():
    assert rules.may_answer(["ann"], "Security Officer", TERMS) == ["manager", "admin"]
    assert rules.may_answer(["ADMIN", "ann"], "Security Officer", TERMS) == ["manager"]
    other = TERMS.model_copy(update={"accounts": {"manager": ("ann",)}})
    assert rules.may_answer(["ann", "admin"], "Security Officer", other) == []
    assert rules.may_answer(["ann"], "Nobody Known", TERMS) == []


def test_names_to_be_revoked_are_those_of_the_list():
    said = " ann;bob,\nann, a stranger "
    assert rules.to_be_revoked(said, ["ann", "bob", "eve"]) == (["ann", "bob"], ["a stranger"])
    assert rules.to_be_revoked("", ["ann"]) == ([], [])


@pytest.mark.parametrize(
    ("one", "status", "words"),
    [
        (item(closed=AT), Status.PASS, "op on 2026-12-07 16:00 UTC: list ab: all kept"),
        (item(due=AT), Status.FAIL, "due 2026-12-07"),
        (item(due=AT - MOMENT), Status.FAIL, "0 days late"),
        (item(due=AT - DAY), Status.FAIL, "1 days late"),
        (None, Status.UNKNOWN, "No list was put before"),
    ],
)
def test_a_run_that_asked_passes_only_what_was_answered(one, status, words):
    items = {one.key: one} if one else {}
    (found,) = rules.answered(items, ["Security Officer"], AT, action="Ask them", lines="L162")
    assert found.status is status
    assert words in found.message


@pytest.mark.parametrize(
    ("items", "owed"),
    [
        ([item(due=AT)], ""),
        ([item(due=AT - MOMENT)], "was to be answered by 2026-12-07"),
        ([item(closed=AT, due=AT - DAY)], ""),
        ([item(closed=AT, due=AT - DAY, seen=AT - 35 * DAY)], ""),
        ([item(closed=AT, due=AT - DAY, seen=AT - 35 * DAY - MOMENT)], "not asked since 2026-11-02"),
        ([item("Compliance Officer")], "not asked since"),
        ([], "not asked since"),
    ],
)
def test_a_review_is_owed_that_is_late_or_was_not_asked_for_too_long(items, owed):
    found = rules.reviews_owed(items, ["Security Officer"], AT - 35 * DAY, AT)
    assert [who for who, _ in found] == (["Security Officer"] if owed else [])
    assert all(owed in why for _, why in found)
