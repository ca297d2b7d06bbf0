"""LM-02 as the record shows it: a log without a word is unknown, a watch that does not look leaves all unknown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from clo_ops.findings import Status, worst
from clo_ops.policy import load_policy
from clo_ops.rules import bursts

POLICY = load_policy()
AT = datetime(2026, 11, 23, 8, tzinfo=UTC)
SILENT = POLICY.alerting.watch.silent_for


def alert(source, level="ok", value=0.0, rule="log_errors"):
    labels = {"source": source} if rule == "log_errors" else {"host": source}
    return SimpleNamespace(rule=rule, labels=labels, state={}, level=level, value=value)


def judged(*alerts, looked=AT, policy=POLICY):
    return bursts.judge(alerts, looked, policy, at=AT)


def by_source(*alerts):
    return {one.subject: one.status for one in judged(*alerts)}


@pytest.mark.parametrize(
    ("level", "expected"),
    [("ok", Status.PASS), ("warning", Status.WARN), ("critical", Status.FAIL), ("unknown", Status.UNKNOWN)],
)
def test_each_level_has_its_status(level, expected):
    assert by_source(alert("api", level, 60.0), alert("worker")) == {"api": expected, "worker": Status.PASS}


def test_both_numbers_and_the_manual_are_told():
    (finding,) = [one for one in judged(alert("api", "critical", 51.0), alert("worker")) if one.subject == "api"]
    assert "51" in finding.actual
    assert "at most 10, never over 50" in finding.message
    assert "L365" in finding.message
    assert finding.first_action == POLICY.procedures["LM-02"].first_action


def test_a_log_nobody_has_a_word_of_is_unknown():
    assert by_source(alert("api")) == {"api": Status.PASS, "worker": Status.UNKNOWN}
    assert worst(judged()) is Status.UNKNOWN


def test_another_rules_word_of_a_log_is_not_this_ones():
    other = SimpleNamespace(rule="cpu", labels={"source": "api"}, state={}, level="ok", value=0.0)
    assert by_source(alert("worker"), other) == {"api": Status.UNKNOWN, "worker": Status.PASS}


def test_a_log_that_is_no_longer_in_policy_and_other_alerts_do_not_count():
    found = by_source(alert("api"), alert("worker"), alert("gone", "critical"), alert("app1", "critical", rule="cpu"))
    assert found == {"api": Status.PASS, "worker": Status.PASS}


@pytest.mark.parametrize(
    ("looked", "expected"),
    [(AT - SILENT, Status.PASS), (AT - SILENT - timedelta(seconds=1), Status.UNKNOWN), (None, Status.UNKNOWN)],
)
def test_a_watch_that_did_not_look_leaves_it_unknown(looked, expected):
    found = judged(alert("api"), alert("worker"), looked=looked)
    assert worst(found) is expected
    assert len({(one.name, one.subject) for one in found}) == len(found)


def test_where_policy_names_no_log_there_is_none_to_look_at():
    alerting = POLICY.alerting.model_copy(update={"error_logs": ()})
    (finding,) = judged(policy=POLICY.model_copy(update={"alerting": alerting}))
    assert finding.status is Status.NOT_APPLICABLE
    assert "error_logs" in finding.message
