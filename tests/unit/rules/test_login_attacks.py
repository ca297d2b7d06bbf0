"""Patterns of attack in refused logins, each at its limit, and none mistaken for another."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from clo_ops.rules import login_attacks

AT = datetime(2026, 11, 16, 9, tzinfo=UTC)
BRUTE = {"refused": 20, "minutes": 60}
SPRAY = {"accounts": 10, "each": 5, "minutes": 60}
STUFFING = {"accounts": 20, "sources": 5, "of_one_source": 10, "minutes": 60}


def tried(username, source, refused=1, accepted=0, minutes=0):
    at = AT + timedelta(minutes=minutes)
    counts = {"refused": refused, "accepted": accepted}
    return {"starts_at": at.isoformat(), "username": username, "source": source, **counts}


def told(rows):
    """What all three say of the rows."""
    rows = sorted(rows, key=lambda row: row["starts_at"])
    judges = ((login_attacks.brute_force, BRUTE), (login_attacks.spray, SPRAY), (login_attacks.stuffing, STUFFING))
    return {one.key: one.reason for judge, terms in judges for one in judge(rows, terms).violations}


@pytest.mark.parametrize(("count", "found"), [(19, []), (20, []), (21, ["ann"])])
def test_brute_force_on_one_account(count, found):
    rows = [tried("ann", f"10.0.0.{n}", minutes=5 * (n % 12)) for n in range(count)]
    assert list(told(rows)) == found


@pytest.mark.parametrize(("last", "found"), [(55, ["ann"]), (60, [])])
def test_an_hour_is_an_hour(last, found):
    assert list(told([tried("ann", "10.0.0.1", 20), tried("ann", "10.0.0.1", 1, minutes=last)])) == found


@pytest.mark.parametrize(("accounts", "found"), [(10, []), (11, ["source 203.0.113.5"])])
def test_a_spray_over_many_accounts(accounts, found):
    assert list(told([tried(f"user{n}", "203.0.113.5") for n in range(accounts)])) == found


@pytest.mark.parametrize(("each", "found"), [(5, ["source 203.0.113.5"]), (6, [])])
def test_a_spray_tries_each_account_few_times(each, found):
    assert list(told([tried(f"user{n}", "203.0.113.5", each) for n in range(11)])) == found


def test_a_spray_without_an_address_is_one_too():
    assert list(told([tried(f"user{n}", "") for n in range(11)])) == ["source unknown"]


@pytest.mark.parametrize(
    ("accounts", "sources", "found"),
    [(20, 10, []), (21, 10, ["credential stuffing"]), (21, 5, []), (21, 6, ["credential stuffing"])],
)
def test_stuffing_from_many_places(accounts, sources, found):
    assert list(told([tried(f"user{n}", f"198.51.100.{n % sources}") for n in range(accounts)])) == found


def test_a_spray_is_not_told_as_stuffing_as_well():
    rows = [tried(f"user{n}", "203.0.113.5") for n in range(40)] + [tried(f"m{n}", f"10.0.0.{n}") for n in range(6)]
    assert list(told(rows)) == ["source 203.0.113.5"]


def test_who_was_let_in_afterwards_is_named():
    rows = [tried(f"user{n:02}", "203.0.113.5") for n in range(11)]
    rows += [tried("user07", "203.0.113.5", 0, 1, minutes=5), tried("user03", "10.20.1.1", 0, 1, minutes=5)]
    assert told(rows)["source 203.0.113.5"].endswith("let in afterwards: user07")


def test_people_who_mistype_are_no_attack():
    rows = [tried(f"user{n % 9}", f"10.20.0.{n % 9}", minutes=17 * n) for n in range(60)]
    assert told(rows) == {}
    assert login_attacks.brute_force(rows, BRUTE).looked_at == 60


@pytest.mark.parametrize(("since", "found"), [(-60, ["ann"]), (4, ["ann"]), (5, [])])
def test_a_stretch_that_was_over_before_the_time_looked_at_is_the_earlier_reviews(since, found):
    terms = BRUTE | {"since": (AT + timedelta(minutes=since)).isoformat()}
    rows = [tried("ann", "10.0.0.1", 11, minutes=-5), tried("ann", "10.0.0.1", 10)]
    assert [one.key for one in login_attacks.brute_force(rows, terms).violations] == found


def test_nothing_tried_is_nothing_found():
    assert told([]) == {}
