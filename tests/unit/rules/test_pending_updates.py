"""M4-01 to M4-04 at their limits, one below and one above; what nobody knows is never green."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from clo_ops.findings import Answer, Measurement, Severity, Status
from clo_ops.findings.updates import ApplicationState, Change, HostState, Release
from clo_ops.policy import load_policy
from clo_ops.policy.updates import KnownVersion
from clo_ops.probes.reaching import nobody_answered
from clo_ops.rules import pending_updates as rule

POLICY = load_policy(mode="demo").updates
AT = datetime(2026, 11, 23, 10, tzinfo=UTC)
DAY = AT.date()
FIX = Change("openssl", "3.0.17-1", "3.0.18-1", security=True)


def host(**changes):
    given = {"host": "app1", "manager": "apt", "lists_age": 3600.0, "reboot": ""}
    return HostState(**given | changes)


def hosts(state, since=None):
    return {one.name: one for one in rule.hosts([state], Answer(), {"app1": since or {}}, POLICY.hosts, DAY)}


@pytest.mark.parametrize(
    ("days", "status"), [(0, Status.WARN), (35, Status.WARN), (36, Status.FAIL), (400, Status.FAIL)]
)
def test_a_security_fix_may_be_pending_for_so_long(days, status):
    since = {"openssl 3.0.17-1": (DAY - timedelta(days=days)).isoformat()}
    found = hosts(host(changes=(FIX,)), since)["pending updates"]
    assert found.status is status
    assert "openssl 3.0.17-1 -> 3.0.18-1" in found.message


def test_other_updates_are_counted_and_green():
    found = hosts(host(changes=(Change("vim", "1", "2"),)))["pending updates"]
    assert (found.status, found.actual) == (Status.PASS, "0 security, 1 other")


def test_the_day_a_fix_was_first_seen_stays_though_its_version_goes_on():
    first = rule.first_seen(host(changes=(FIX,)), {}, DAY)
    newer = Change("openssl", "3.0.17-1", "3.0.19-1", security=True)
    assert rule.first_seen(host(changes=(newer,)), first, DAY + timedelta(days=30)) == first
    assert rule.first_seen(host(), first, DAY) == {}, "once it is in, it is forgotten"


def test_a_package_that_gets_a_fix_each_month_and_takes_each_in_time_is_never_late():
    seen = {}
    for month in range(4):
        day = DAY + timedelta(days=28 * month)
        pending = Change("openssl", f"3.0.{17 + month}-1", f"3.0.{18 + month}-1", security=True)
        seen = rule.first_seen(host(changes=(pending,)), seen, day)
        found = rule.hosts([host(changes=(pending,))], Answer(), {"app1": seen}, POLICY.hosts, day)
        assert next(one for one in found if one.name == "pending updates").status is Status.WARN


@pytest.mark.parametrize(
    ("age", "status"), [(172800.0, Status.PASS), (172801.0, Status.UNKNOWN), (None, Status.UNKNOWN)]
)
def test_old_lists_know_nothing(age, status):
    assert hosts(host(lists_age=age))["package lists"].status is status


@pytest.mark.parametrize(("said", "status"), [("", Status.PASS), ("kernel", Status.WARN), (None, Status.UNKNOWN)])
def test_a_reboot(said, status):
    assert hosts(host(reboot=said))["reboot"].status is status


def test_half_installed_fails_and_what_a_person_has_to_do_warns():
    found = hosts(host(broken=("libc6",), removals=("mta",), held=("docker",)))
    assert [found[name].status for name in ("half installed", "removals", "held back")] == [
        Status.FAIL, Status.WARN, Status.WARN,
    ]  # fmt: skip


def test_nobody_reached_is_unknown():
    answer = nobody_answered(["pending updates"], "ssh://x", "a script", "refused")
    assert [one.status for one in rule.hosts([], answer, {}, POLICY.hosts, DAY)] == [Status.UNKNOWN]
    assert rule.hosts([], Answer(), {}, POLICY.hosts, DAY)[0].status is Status.UNKNOWN


# ---------------------------------------------------------------- PostgreSQL


def known(newest="15.20", as_of=DAY, until=date(2027, 11, 11)):
    return {"15": KnownVersion(newest=newest, as_of=as_of, until=until)}


def postgres(version="15.20", table=None, day=DAY, waiting=(), extensions=()):
    at = AT
    found = [
        Measurement(rule.VERSION, float(version.split(".")[1]), "count", at, {}, version),
        Measurement(rule.WAITING, len(waiting), "count", at, {}, ", ".join(waiting)),
        *(
            Measurement(rule.EXTENSION, float(a == b), "bool", at, {"extension": name}, f"{a} {b}")
            for name, a, b in extensions
        ),
    ]
    judged = rule.postgres(Answer.of(found), known() if table is None else table, POLICY.postgres, day)
    return {one.name: one for one in judged}


@pytest.mark.parametrize(
    ("runs", "status"),
    [
        ("15.20", Status.PASS),
        ("15.21", Status.PASS),
        ("15.19", Status.WARN),
        ("15.18", Status.WARN),
        ("15.17", Status.FAIL),
    ],
)
def test_minor_versions_behind(runs, status):
    assert postgres(runs)["version"].status is status


@pytest.mark.parametrize(("days", "status"), [(100, Status.PASS), (101, Status.UNKNOWN)])
def test_a_newest_version_looked_up_too_long_ago_proves_nothing(days, status):
    found = postgres(table=known(as_of=DAY - timedelta(days=days)))["version"]
    assert found.status is status
    behind = postgres("15.19", table=known(as_of=DAY - timedelta(days=days)))["version"]
    assert behind.status is Status.WARN, "behind an old one is behind all the same"


@pytest.mark.parametrize(
    ("left", "status"), [(181, Status.PASS), (180, Status.WARN), (0, Status.WARN), (-1, Status.FAIL)]
)
def test_the_end_of_support(left, status):
    assert postgres(table=known(until=DAY + timedelta(days=left)))["support"].status is status


def test_a_line_nobody_knows_has_no_source_and_no_number():
    found = postgres("19.0")["version"]
    assert (found.status, found.actual) == (Status.NOT_APPLICABLE, "no source")


def test_extensions_and_settings_that_wait():
    found = postgres(waiting=["shared_buffers"], extensions=[("pgstattuple", "1.4", "1.5")])
    assert (found["extension"].status, found["restart"].status) == (Status.WARN, Status.WARN)
    assert "shared_buffers" in found["restart"].message
    well = postgres(extensions=[("pgstattuple", "1.5", "1.5")])
    assert (well["extension"].status, well["restart"].status) == (Status.PASS, Status.PASS)


def test_a_silent_database_is_unknown():
    silent = nobody_answered(["PostgreSQL's version"], "postgresql://x", "a session", "refused")
    assert {one.status for one in rule.postgres(silent, known(), POLICY.postgres, DAY)} == {Status.UNKNOWN}


# ---------------------------------------------------------------- applications and libraries


def release(version, days, **more):
    return Release(version, DAY - timedelta(days=days), **more)


@pytest.mark.parametrize(("days", "status"), [(30, Status.WARN), (31, Status.FAIL)])
def test_a_release_with_a_security_fix_may_wait_for_so_long(days, status):
    state = ApplicationState("clo", "2.4.0", (release("2.4.1", days, kind="security", fixes=("CVE-2026-0001",)),))
    (found,) = rule.applications([state], Answer(), POLICY.releases.security_within, AT)
    assert found.status is status
    assert "CVE-2026-0001" in found.message


def test_releases_that_run_or_bring_no_security_fix_are_green_and_counted():
    state = ApplicationState("clo", "2.10.0", (release("2.9.9", 400, kind="security"), release("2.10.1", 90)))
    (found,) = rule.applications([state], Answer(), POLICY.releases.security_within, AT)
    assert (found.status, found.actual) == (Status.PASS, "none pending")
    assert "1 newer releases" in found.message


def test_an_application_without_a_feed_has_no_source():
    state = ApplicationState("clo", no_source="clo has no release feed")
    (found,) = rule.applications([state], Answer(), POLICY.releases.security_within, AT)
    assert (found.status, found.actual) == (Status.NOT_APPLICABLE, "no source")


def test_libraries_behind_by_a_major_version_warn_and_others_are_counted():
    packages = {"a": "1.9", "b": "2.0.1", "c": "3.0"}
    found = rule.outdated(packages, {"a": "2.0", "b": "2.0.2"}, Answer())
    assert (found.status, found.severity) == (Status.WARN, Severity.P4)
    assert found.actual == "2 of 3 outdated, 1 by a major version"
    assert "1 are not known to the index" in found.message
    assert rule.outdated(packages, {"b": "2.0.2"}, Answer()).status is Status.PASS
    assert rule.outdated(packages, {}, Answer()).status is Status.UNKNOWN
    assert rule.no_index().actual == "no source"
