from __future__ import annotations

from datetime import UTC, datetime

import pytest

from clo_ops.findings import Answer, Measurement, Severity, Status, Unanswered, worst
from clo_ops.policy import load_policy
from clo_ops.rules import connections

AT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
POLICY = load_policy(mode="demo").connections
# (state, user, connections)
QUIET = (("active", "clo_app", 3), ("idle", "clo_app", 10))


def answer(clients=QUIET, limit=97.0, *more):
    states = {"active": 0, "idle": 0, "idle in transaction": 0}
    measured = []
    for state, user, count in clients:
        labels = {"state": state, "user": user, "application": "clo-api", "database": "clo"}
        measured.append(Measurement("postgresql.connection.by_client", count, "count", AT, labels))
        states[state] += count
    measured += [Measurement("postgresql.connection.count", n, "count", AT, {"state": s}) for s, n in states.items()]
    measured.append(Measurement("postgresql.connection.slot_free", 1, "bool", AT))
    if limit is not None:
        measured.append(Measurement("postgresql.connection.max", limit, "count", AT, detail="max_connections 100"))
    return Answer.of([*measured, *more])


def session(kind, seconds, pid=42, **labels):
    who = {"pid": str(pid), "user": "clo_app", "application": "clo-api", "database": "clo", **labels}
    return Measurement(f"postgresql.session.{kind}", seconds, "s", AT, who, "select 1")


def named(given, name, policy=POLICY):
    return [one for one in connections.judge(given, policy, at=AT) if one.name == name]


def test_a_quiet_server_passes_with_states_on_record():
    findings = connections.judge(answer(), POLICY, at=AT)
    assert [one.status for one in findings] == [Status.PASS] * 4
    assert "3 in use (3 active, 10 idle), of 20" in findings[0].message


@pytest.mark.parametrize(
    ("active", "status"),
    [(14, "pass"), (15, "pass"), (16, "warn"), (17, "warn"), (18, "warn"), (19, "fail")],
)
def test_the_manuals_15_and_18_of_a_pool_of_20(active, status):
    (found,) = named(answer([("active", "clo_app", active)]), "pool in use")
    assert found.status == status
    assert found.actual == f"{active} of 20"
    assert found.expected == "at most 15, never over 18 of 20"


def test_idle_in_transaction_is_in_use_and_idle_is_not():
    clients = [("active", "clo_app", 8), ("idle in transaction", "clo_app", 8), ("idle", "clo_app", 30)]
    (found,) = named(answer(clients), "pool in use")
    assert (found.status, found.actual) == (Status.WARN, "16 of 20")


def test_others_connections_are_not_the_pools():
    (found,) = named(answer([("active", "somebody", 40)]), "pool in use")
    assert found.actual == "0 of 20"


@pytest.mark.parametrize(
    ("users", "applications", "used"), [((), (), 9), (("a",), (), 4), ((), ("clo-api",), 9), (("a",), ("x",), 0)]
)
def test_the_pool_is_whom_the_policy_names(users, applications, used):
    policy = POLICY.model_copy(update={"pool_users": users, "pool_applications": applications})
    (found,) = named(answer([("active", "a", 4), ("active", "b", 5)]), "pool in use", policy)
    assert found.actual == f"{used} of 20"


@pytest.mark.parametrize(("total", "status"), [(74, "pass"), (75, "pass"), (76, "warn"), (90, "warn"), (91, "fail")])
def test_the_servers_own_limit_by_the_same_shares(total, status):
    (found,) = named(answer([("idle", "somebody", total)], 100), "server connections")
    assert found.status == status


@pytest.mark.parametrize(("kind", "name", "warning", "critical"), [
    ("idle_in_transaction", "idle in transaction", 300, 900),
    ("blocked", "blocked sessions", 30, 300),
])  # fmt: skip
def test_ages_at_their_limits(kind, name, warning, critical):
    expected = {
        warning - 1: "pass", warning: "pass", warning + 1: "warn",
        critical - 1: "warn", critical: "warn", critical + 1: "fail",
    }  # fmt: skip
    for seconds, status in expected.items():
        (found,) = named(answer(QUIET, 97, session(kind, seconds)), name)
        assert found.status == status, seconds


def test_a_blocked_session_names_itself_and_whom_it_waits_for():
    (found,) = named(answer(QUIET, 97, session("blocked", 31, blocked_by="7, 9")), "blocked sessions")
    assert found.subject == "pid 42"
    assert "clo_app, clo-api" in found.message
    assert "waits for pid 7, 9: select 1" in found.message


def test_many_sessions_are_named_oldest_first_and_the_rest_counted():
    many = [session("blocked", 100 + number, pid=number) for number in range(15)]
    found = named(answer(QUIET, 97, *many), "blocked sessions")
    assert found[0].subject == "pid 14"
    assert len(found) == 11
    assert "5 more sessions" in found[-1].message


def test_a_full_server_fails_as_p1():
    full = Answer.of([Measurement("postgresql.connection.slot_free", 0, "bool", AT, detail="too many clients")])
    (found,) = connections.judge(full, POLICY, at=AT)
    assert (found.status, found.severity) == (Status.FAIL, Severity.P1)
    assert "too many clients" in found.message


def test_an_unreachable_server_is_unknown():
    silent = Answer.of(unanswered=[Unanswered("connections", "postgresql://x", "a session", "refused", AT)])
    (found,) = connections.judge(silent, POLICY, at=AT)
    assert found.status is Status.UNKNOWN


def test_nothing_measured_is_unknown():
    assert worst(connections.judge(Answer(), POLICY, at=AT)) is Status.UNKNOWN
    assert worst(connections.judge(answer(limit=None), POLICY, at=AT)) is Status.UNKNOWN
