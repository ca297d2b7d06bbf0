"""The copy against its manifest, at the edges."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from clo_ops.findings import Answer, Finding, Measurement, Severity, Status
from clo_ops.findings.contents import Contents, SequenceState, TableContents
from clo_ops.policy.proof import NewestRow, Proof
from clo_ops.rules import contents

AT = datetime(2026, 11, 23, 2, tzinfo=UTC)
RPO = timedelta(hours=1)
QUIET = timedelta(days=5)
POLICY = Proof(
    workers=1,
    statement_timeout="30 min",
    newest=(NewestRow(table="public.audit_logs", column="created_at", quiet="5 days"),),
    manual="L207",
)
SCHEMA = {"table public.a": "", "column public.a.n": "#1 integer", "owner of table public.a": "clo_app"}


def held(**changes: Any) -> Contents:
    given: dict[str, Any] = {
        "at": AT,
        "server_version": "15.14",
        "server_major": 15,
        "tables": {"public.a": TableContents(3, "77"), "public.b": TableContents(0, "0")},
        "sequences": {"public.s": SequenceState(3, 4, 1, "public.a.n", 3)},
        "schema": SCHEMA,
        "collation": {"collate": "C"},
        "extensions": {"plpgsql": "1.0"},
        "newest": {"public.audit_logs": AT - timedelta(minutes=5)},
    }
    return Contents(**given | changes)


def manifest(**changes: Any) -> dict[str, Any]:
    return held().as_manifest() | {"snapshot_at": AT.isoformat(), "format_version": 2} | changes


def judged(found: Contents | None = None, answer: Answer = Answer(), **changes: Any) -> dict[str, Finding]:  # noqa: B008
    findings = contents.judge(manifest(**changes), found or held(), answer, POLICY, rpo=RPO)
    return {f"{one.name} {one.subject}".strip(): one for one in findings}


def test_the_same_contents_pass() -> None:
    found = judged()
    assert {one.status for name, one in found.items() if name != "canary"} == {Status.PASS}
    assert found["canary"].status is Status.NOT_APPLICABLE


@pytest.mark.parametrize(
    ("changes", "left_out"),
    [
        ({"canary": {"table": "c", "nonce": "n"}}, []),
        ({}, ["canary"]),
        ({"canary": {"table": "c", "nonce": "n"}, "schema_fingerprint": ""}, ["schema"]),
        ({"canary": {"table": "c", "nonce": "n"}, "tables": {"public.a": {"rows": 3}}}, ["fingerprints"]),
        ({"tables": {}, "schema_fingerprint": ""}, ["canary", "schema", "tables"]),
    ],
)
def test_what_nothing_could_be_held_against_is_named(changes: dict[str, Any], left_out: list[str]) -> None:
    """Indexes nobody could check, or no drill before this one, are no part of the backup's own record."""
    canary = Measurement("contents.canary.matches", 1, "bool", AT, {"table": "c"})
    unchecked = Measurement("contents.index.checked", 0, "bool", AT, {}, "no amcheck here")
    found = judged(answer=Answer((canary, unchecked)), **changes)
    assert contents.uncompared(found.values()) == left_out


@pytest.mark.parametrize(
    ("lost", "status"), [(RPO, Status.PASS), (RPO + timedelta(seconds=1), Status.FAIL), (timedelta(0), Status.PASS)]
)
def test_rows_lost_are_judged_strictly_at_the_recovery_point(lost: timedelta, status: Status) -> None:
    recorded = AT - timedelta(minutes=5)
    found = judged(held(newest={"public.audit_logs": recorded - lost}))
    assert found["newest row public.audit_logs"].status is status


@pytest.mark.parametrize(("age", "status"), [(QUIET, Status.PASS), (QUIET + timedelta(seconds=1), Status.FAIL)])
def test_quiet_is_judged_strictly(age: timedelta, status: Status) -> None:
    newest = AT - age
    found = judged(held(newest={"public.audit_logs": newest}), newest={"public.audit_logs": newest.isoformat()})
    assert found["newest row public.audit_logs"].status is status


def test_an_empty_table_where_rows_were_recorded_fails() -> None:
    one = judged(held(newest={"public.audit_logs": None}))["newest row public.audit_logs"]
    assert one.status is Status.FAIL
    assert "recorded was 2026-11-23 01:55 UTC" in one.message


@pytest.mark.parametrize(
    ("state", "behind"),
    [
        (SequenceState(3, 4, 1, "t.n", 3), False),
        (SequenceState(3, 3, 1, "t.n", 3), True),  # set, and not called yet: it gives 3 next
        (SequenceState(2, 3, 1, "t.n", 3), True),
        (SequenceState(1, 1, 1, "t.n", None), False),
        (SequenceState(-5, -6, -1, "t.n", -5), False),
        (SequenceState(-5, -5, -1, "t.n", -5), True),
        (SequenceState(10, 20, 10, "t.n", 15), False),
    ],
)
def test_a_sequence_is_behind_when_it_gives_what_is_taken(state: SequenceState, behind: bool) -> None:
    assert state.behind is behind
    found = judged(held(sequences={"public.s": state}))
    told = [one.status for name, one in found.items() if name.startswith("sequences") and name != "sequences recorded"]
    assert told == [Status.FAIL if behind else Status.PASS]


def test_a_sequence_that_is_gone_fails_and_one_that_is_further_back_warns() -> None:
    """It is in no snapshot: one that moved while the dump was taken is no proof of a loss."""
    assert judged(held(sequences={}))["sequences recorded"].status is Status.FAIL
    tickets = judged(held(sequences={"public.s": SequenceState(2, 3)}))["sequences recorded"]
    assert tickets.status is Status.WARN
    assert "public.s recorded 3, restored 2" in tickets.message


def test_both_numbers_are_in_the_message() -> None:
    found = judged(held(tables={"public.a": TableContents(2, "78"), "public.b": TableContents(0, "0")}))
    assert "manifest 3, restored 2" in found["row counts public.a"].message
    assert "manifest 77, restored 78" in found["fingerprints public.a"].message
    assert found["tables"].status is Status.PASS


def test_owners_are_told_apart_from_the_schema() -> None:
    found = judged(held(schema=SCHEMA | {"owner of table public.a": "postgres"}))
    assert found["schema"].status is Status.PASS
    assert (found["owners and grants"].status, found["owners and grants"].severity) == (Status.FAIL, Severity.P2)


def test_many_differences_are_cut_and_counted() -> None:
    schema = SCHEMA | {f"column public.a.c{n}": "#2 text" for n in range(9)}
    one = judged(held(schema=schema))["schema"]
    assert "and 4 more" in one.message
    assert one.message.count("is extra") == 5


def test_amcheck_made_by_the_drill_is_no_extra_extension() -> None:
    found = judged(held(extensions={"plpgsql": "1.0", "amcheck": "1.3"}))
    assert found["extensions"].status is Status.PASS
    found = judged(held(extensions={"plpgsql": "1.1"}))
    assert found["extensions"].status is Status.WARN


@pytest.mark.parametrize(("matches", "status"), [(1, Status.PASS), (0, Status.FAIL), (None, Status.UNKNOWN)])
def test_the_canary(matches: int | None, status: Status) -> None:
    measured = [] if matches is None else [Measurement("contents.canary.matches", matches, "bool", AT, {"table": "c"})]
    found = judged(answer=Answer.of(measured), canary={"table": "c", "nonce": "n"})
    assert {one.status for name, one in found.items() if name.startswith("canary")} == {status}


def test_nothing_known_is_unknown() -> None:
    (one,) = contents.judge(manifest(), None, Answer(), POLICY, rpo=RPO)
    assert one.status is Status.UNKNOWN


def test_the_comparison_is_measured_for_the_ledger() -> None:
    found = held(tables={"public.a": TableContents(2, "78")}, schema=SCHEMA | {"table public.z": ""})
    answer = Answer.of(contents.measurements(manifest(), found, AT))
    assert answer.value("contents.table.matches", table="public.a", aspect="rows") == 0
    assert answer.value("contents.schema.matches") == 0
    assert answer.value("contents.newest_row.age", table="public.audit_logs") == 300
    assert answer.value("contents.sequence.behind", sequence="public.s") == 0
