"""M3-02: what pg_restore and psql say, sorted; what a restore's figures mean."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from clo_ops.findings import Answer, Measurement, Status, worst
from clo_ops.policy import load_policy
from clo_ops.rules.restore import classify, judge

AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
ROLE = """\
pg_restore: while PROCESSING TOC:
pg_restore: from TOC entry 215; 1259 16400 TABLE deal clo_owner
pg_restore: error: could not execute query: ERROR:  role "clo_owner" does not exist
Command was: ALTER TABLE public.deal OWNER TO clo_owner;


pg_restore: warning: errors ignored on restore: 1
"""
PUBLIC = """\
pg_restore: error: could not execute query: ERROR:  schema "public" already exists
Command was: CREATE SCHEMA public;

pg_restore: warning: errors ignored on restore: 1
"""
SAID = [
    ("", []),
    (ROLE, ["fatal", "tolerated"]),
    (PUBLIC, ["tolerated", "tolerated"]),
    ("pg_restore: error: could not read from input file: end of file\n", ["fatal"]),
    ("pg_restore: error: could not uncompress data: (null)\n", ["fatal"]),
    ("pg_restore: error: input file appears to be a text format dump. Please use psql.\n", ["fatal"]),
    ("pg_restore: error: input file is too short (read 0, expected 5)\n", ["fatal"]),
    ("pg_restore: error: did not find magic string in file header\n", ["fatal"]),
    ('COPY failed for table "t": ERROR:  could not extend file "base/1/2": No space left on device\n', ["fatal"]),
    ("pg_restore: error: server closed the connection unexpectedly\n", ["fatal"]),
    ('psql:/backup/a.sql:7: ERROR:  relation "t" already exists\n', ["fatal"]),
    ("psql:/backup/a.sql:7: FATAL:  terminating connection due to administrator command\n", ["fatal"]),
    ("NOTICE:  there is nothing to be seen\n", ["tolerated"]),
    ('psql:/backup/a.sql:20: NOTICE:  table "t" does not exist, skipping\n', ["tolerated"]),
    ("psql:/backup/a.sql:20: WARNING:  something nobody has heard of\n", ["unknown"]),
    ("WARNING:  something nobody has heard of\n", ["unknown"]),
    ("Killed\n", ["unknown"]),
    ("pg_restore: warning: errors ignored on restore: 3\n", ["tolerated", "unknown"]),
]


@pytest.fixture(scope="module")
def terms():
    return load_policy(mode="demo").recovery.restore


@pytest.mark.parametrize(("stderr", "kinds"), SAID)
def test_each_message_is_fatal_tolerated_or_unknown(terms, stderr, kinds):
    assert [one.kind for one in classify(stderr, terms)] == kinds


def test_a_message_says_where_and_ends_where_the_next_begins(terms):
    first, second = classify(ROLE, terms)
    assert first.text == (
        'pg_restore: error: could not execute query: ERROR:  role "clo_owner" does not exist '
        "[pg_restore: from TOC entry 215; 1259 16400 TABLE deal clo_owner]"
    )
    assert "ALTER TABLE" not in first.text + second.text


def test_a_statement_that_speaks_of_errors_is_no_message(terms):
    stderr = PUBLIC.replace("CREATE SCHEMA public;", "CREATE FUNCTION f() ... RAISE 'FATAL: no ERROR:'\nERROR-LIKE;")
    assert [one.kind for one in classify(stderr, terms)] == ["tolerated", "tolerated"]


def figures(**changed):
    values = {
        "empty": 1,
        "roles": 3,
        "exit_code": 0,
        "fatal": 0,
        "tolerated": 0,
        "unknown": 0,
        "expected": 5,
        "missing": 0,
    }
    values |= changed
    made = [
        Measurement("restore.target.empty", values["empty"], "bool", AT),
        Measurement("restore.roles", values["roles"], "count", AT),
        Measurement("restore.exit_code", values["exit_code"], "count", AT, detail=values.get("last", "")),
    ]
    made += [
        Measurement("restore.message", values[kind], "count", AT, {"kind": kind}, f"a {kind} one")
        for kind in ("fatal", "tolerated", "unknown")
    ]
    made += [
        Measurement("restore.tables", values[side], "count", AT, {"side": side}) for side in ("expected", "missing")
    ]
    return Answer.of(made)


def red(findings):
    return {one.name: one.status.value for one in findings if one.status is not Status.PASS}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, {}),
        ({"exit_code": 1, "tolerated": 2}, {}),
        ({"exit_code": 1}, {"restore ended": "fail"}),
        ({"exit_code": 137}, {"restore ended": "fail"}),
        ({"exit_code": 124, "tolerated": 1}, {"restore ended": "fail"}),
        ({"exit_code": 3, "tolerated": 1}, {"restore ended": "fail"}),
        ({"fatal": 1}, {"restore messages": "fail"}),
        ({"unknown": 1}, {"restore messages": "fail"}),
        ({"exit_code": 1, "tolerated": 1, "unknown": 1}, {"restore messages": "fail", "restore ended": "fail"}),
        ({"missing": 1}, {"every table restored": "fail"}),
        ({"expected": 0}, {"every table restored": "fail"}),
        ({"roles": 0}, {"roles restored": "warn"}),
        ({"empty": 0}, {"restore into an empty database": "fail"}),
    ],
)
def test_what_the_figures_of_a_restore_mean(changed, expected):
    assert red(judge(figures(**changed))) == expected


def test_nothing_measured_is_never_green():
    assert worst(judge(Answer())) is Status.UNKNOWN
    assert Status.PASS not in {one.status for one in judge(Answer())}
