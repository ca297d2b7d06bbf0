"""What policy may never let go: sessions, files outside a log's folder, records their class still needs."""

from __future__ import annotations

from typing import Any

import pytest

from clo_ops.policy.cache import may_meet
from tests.unit.policy.conftest import Site

PATTERN = 'pattern: "expired:*"'


@pytest.mark.parametrize(
    "pattern", ["*", "e*", "ex", "exp?", "[e]xpired:*", "*:expired", r"exp\\*", "expired:*:x", "", "expired: *"]
)
def test_a_pattern_that_is_no_plain_prefix_is_refused(site: Site, pattern: str) -> None:
    problem = site.edit("maintenance.yaml", PATTERN, f'pattern: "{pattern}"').problem()
    assert problem.key == "cache.remove[0].pattern"


@pytest.mark.parametrize("pattern", ["session:*", "session:old*", "ses*"])
def test_a_pattern_that_could_meet_a_session_is_refused(site: Site, pattern: str) -> None:
    problem = site.edit("maintenance.yaml", PATTERN, f'pattern: "{pattern}"').problem()
    assert "no session's key" in problem.allowed


def test_nor_may_sessions_be_renamed_into_one(site: Site) -> None:
    problem = site.edit(
        "morning.yaml", "session_key_pattern: session:*", 'session_key_pattern: "expired:s:*"'
    ).problem()
    assert problem.file == "maintenance.yaml"


def test_sessions_that_may_begin_with_anything_protect_every_key(site: Site) -> None:
    assert site.edit("morning.yaml", "session_key_pattern: session:*", 'session_key_pattern: "*:session"').problem()


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        ("expired:*", "session:*", False),
        ("expired:*", "expired:*", True),
        ("expired:*", "*", True),
        ("a:b*", "a:*", True),
        ("a[bc]*", "ad*", True),
        ("a\\*b*", "ac*", True),
        ("ab*", "ac*", False),
    ],
)
def test_two_patterns_that_may_have_a_key_in_common(one: str, other: str, meet: bool) -> None:
    assert may_meet(one, other) is meet


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("  batch: 500\n  pause: 10 ms", "  batch: 5000\n  pause: 10 ms", "cache.batch"),
        ("  batch: 500\n  pause: 10 ms", "  batch: 500\n  pause: 0 ms", "cache.pause"),
        ("purge: {ratio: 1.5,", "purge: {ratio: 0.5,", "cache.purge.ratio"),
    ],
)
def test_a_pace_that_would_be_felt_is_refused(site: Site, old: str, new: str, key: str) -> None:
    assert site.edit("maintenance.yaml", old, new).problem().key == key


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("path: api.jsonl", "path: ../api.jsonl", "files[0].path"),
        ("path: api.jsonl", "path: /var/log/../../etc/passwd", "files[0].path"),
        ("path: api.jsonl", "path: logs/", "files[0].path"),
        ("rotated: api.jsonl.*", "rotated: old/api.jsonl.*", "files[0].rotated"),
        ("rotated: api.jsonl.*", 'rotated: "*"', "files[0].rotated"),
        ("rotated: api.jsonl.*", "rotated: api.jsonl.1", "files[0].rotated"),
        ("classes: [application_logs]", "classes: []", "files[0].classes"),
        ("host: app1", "host: app7", "files[0].host"),
        ("table: login_attempts", 'table: "login_attempts; drop"', "tables[1].table"),
        ("{name: deadlocks,", "{name: slow statements,", "marks"),
        ("matches: '^deadlock detected'", "matches: '^(deadlock detected'", "marks[1].matches"),
        ("sanity: 0.5", "sanity: 1.5", "removal.sanity"),
        ("minimum_weeks: 3", "minimum_weeks: 9", "trends.minimum_weeks"),
        ("holds: []", "holds: [{name: a, reason: b, since: 2026-02-01, until: 2026-01-01}]", "holds[0].until"),
    ],
)
def test_what_is_wrong_with_a_log_is_said_where_it_stands(site: Site, old: str, new: str, key: str) -> None:
    assert site.edit("logs.yaml", old, new).problem().key == key


def test_the_longest_class_wins_and_holds_of_others_hold_logs(site: Site) -> None:
    from clo_ops.rules import log_retention as rules

    policy = site.edit(
        "retention.yaml", "  holds: []", "  holds: [{name: a, reason: b, since: 2026-02-01, until: 2026-02-28}]"
    ).load()
    classes: Any = ("system_logs", "security_logs")
    assert rules.longest(classes, policy.retention) is policy.retention["security_logs"]
    ((begins, ends),) = rules.holds_of(classes, policy)
    assert (begins.isoformat(), ends.isoformat() if ends else "") == (
        "2026-02-01T00:00:00+00:00",
        "2026-03-01T00:00:00+00:00",
    )
