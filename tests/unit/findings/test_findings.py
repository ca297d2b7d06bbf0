"""The ground floor: only pass is green, nothing measured is unknown, and errors carry both numbers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from clo_ops.findings import (
    Answer,
    CheckFailed,
    Finding,
    Measurement,
    Severity,
    Status,
    Unanswered,
    unanswered_findings,
    worst,
)

AT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


def finding(status: Status) -> Finding:
    return Finding("DM-05", "n", status, "15", "16", "m", severity=Severity.P2, first_action="look")


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ([], Status.UNKNOWN),
        ([Status.PASS], Status.PASS),
        ([Status.PASS, Status.NOT_APPLICABLE], Status.PASS),
        ([Status.NOT_APPLICABLE], Status.NOT_APPLICABLE),
        ([Status.PASS, Status.WARN], Status.WARN),
        ([Status.WARN, Status.UNKNOWN], Status.UNKNOWN),
        ([Status.UNKNOWN, Status.FAIL, Status.PASS], Status.FAIL),
    ],
)
def test_the_worst_speaks_for_all_and_nothing_is_unknown(statuses, expected):
    assert worst(finding(status) for status in statuses) is expected


@pytest.mark.parametrize("status", [Status.WARN, Status.FAIL, Status.UNKNOWN])
def test_what_needs_a_person_needs_severity_and_first_action(status):
    with pytest.raises(ValueError, match="needs a severity and a first action"):
        Finding("DM-05", "n", status, "15", "16", "m")


def test_not_applicable_needs_its_reason():
    with pytest.raises(ValueError, match="needs its reason"):
        Finding("DM-06", "n", Status.NOT_APPLICABLE, "", "", "")


def test_measurements_are_in_utc_and_refuse_times_without_zone():
    berlin = timezone(timedelta(hours=1))
    assert Measurement("m", 1, "count", datetime(2026, 11, 23, 9, 0, tzinfo=berlin)).at == AT
    assert Measurement("m", 1, "count", datetime(2026, 11, 23, 9, 0, tzinfo=berlin)).at.tzinfo is UTC
    with pytest.raises(ValueError, match="time zone"):
        Measurement("m", 1, "count", datetime(2026, 11, 23))  # noqa: DTZ001 - the mistake under test


def test_an_answer_is_searched_by_name_and_labels_and_never_invents():
    one = Measurement("up", 1, "bool", AT, {"host": "a"})
    two = Measurement("up", 0, "bool", AT, {"host": "b"})
    answer = Answer((one,)) + Answer((two,))
    assert answer.value("up", host="b") == 0
    assert answer.value("up", host="c") is None
    assert [m.labels["host"] for m in answer.select("up")] == ["a", "b"]


def test_what_got_no_answer_becomes_unknown_and_names_what_was_tried():
    answer = Answer(unanswered=(Unanswered("connections", "postgresql://x", "connect for 5 s", "timed out", AT),))
    [found] = unanswered_findings("DM-05", answer, Severity.P2, "Look at the server.")
    assert found.status is Status.UNKNOWN
    assert "connect for 5 s" in found.message
    assert "timed out" in found.message


def test_an_error_says_what_was_seen_what_is_allowed_and_what_to_do():
    error = CheckFailed("16 active connections", allowed="15 or fewer", next_step="find who holds them.")
    assert str(error) == "16 active connections. Allowed: 15 or fewer. Next: find who holds them."
