"""The fourth week on a real PostgreSQL and real HTTP: patches, releases, libraries, deployments on record."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest

from clo_ops.findings import Status, worst
from clo_ops.findings.plans import Outcome
from clo_ops.orchestration import rollout, rollout_tasks, updates
from clo_ops.orchestration.connections import Connections
from clo_ops.orchestration.run import Run
from clo_ops.orchestration.window_tasks import decide
from clo_ops.policy.firing import by_hand
from clo_ops.policy.updates import Application, Deployer, Index, KnownVersion, Place, Told
from demo.mornings import Plain
from tests.integration.updates.answers import answering

PAGE = "monthly_week4_system_updates"
RELEASES = {"releases": [{"version": "2.4.1", "released": "2026-11-16", "kind": "feature", "title": "Ramp-up report"}]}


@pytest.fixture(scope="module")
def server():
    with answering() as feed:
        yield feed


@pytest.fixture
def site(world, server, tmp_path, monkeypatch):
    """An application with a feed, a version page and a deployer; the window is now."""
    monkeypatch.setattr("clo_ops.orchestration.windows._health", lambda run: [])
    said, command = tmp_path / "version", tmp_path / "deploy"
    said.write_text('{"version": "2.4.0"}')
    command.write_text(f'#!/bin/sh\nprintf \'{{"version": "%s"}}\' "$1" >{said}\n')
    command.chmod(0o755)
    server.answers.update({"/version": said, "/releases.json": RELEASES})
    original = world.connections
    known = {"clo_web": {"host": server.url}}

    def connections():
        inner = original()._get
        return Connections("clo_ops/t", lambda one: Plain(one, **known[one]) if one in known else inner(one))

    world.connections = connections
    one = Application(
        name="clo", feed=Place(connection="clo_web", path="/releases.json"),
        running=Told(connection="clo_web", path="/version", field="version"),
        deployer=Deployer(host="app1", command=str(command)), manual="L222",
    )  # fmt: skip
    terms = world.policy.updates.rollout.model_copy(
        update={"settle": timedelta(seconds=0.4), "look_every": timedelta(milliseconds=100)}
    )
    monthly = world.policy.cadences["maintenance_monthly"].model_copy(update={"cron": ("0 0 * * *",)})
    all_day = world.policy.windows["monthly"].model_copy(
        update={"starts": time(tzinfo=UTC), "ends": time(23, 59, 59, tzinfo=UTC)}
    )
    planned = {**world.policy.windows.planned, "monthly": all_day}
    world.policy = world.policy.model_copy(
        update={
            "updates": world.policy.updates.model_copy(update={"applications": (one,), "rollout": terms}),
            "cadences": type(world.policy.cadences)({**world.policy.cadences, "maintenance_monthly": monthly}),
            "windows": world.policy.windows.model_copy(update={"planned": planned}),
            "services": (),
            "hosts": (world.policy.hosts[0].model_copy(update={"name": "app1"}),),
        }
    )
    world.with_terms(freeze__on=())
    world.proven()
    world.said = said
    return world


def week(site, at=None):
    moment = at or datetime.now(UTC)
    name = f"manual__{datetime.now(UTC).isoformat()}"
    key = site.ledger.open_run(PAGE, name, moment, "", "manual")
    return Run(
        PAGE, name, "t", moment, site.policy, site.connections(), site.ledger, key,
        firing=by_hand(site.policy, PAGE, None), trigger="manual", asked_by="ann",
    )  # fmt: skip


def the(findings, name):
    return next(one for one in findings if one.name == name)


def with_updates(site, **changes):
    site.policy = site.policy.model_copy(update={"updates": site.policy.updates.model_copy(update=changes)})
    return site


# ---------------------------------------------------------------- M4-02


def test_the_real_servers_version_extensions_and_what_waits_for_a_restart(site):
    with site.cluster.connect("clo") as connection:
        (running,) = connection.execute("SHOW server_version").fetchone()
        connection.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm VERSION '1.5'")
        connection.execute("ALTER SYSTEM SET max_connections = 123")
        connection.execute("SELECT pg_reload_conf()")
    version = running.split()[0]
    major, _, minor = version.partition(".")
    newest = KnownVersion(newest=f"{major}.{int(minor) + 1}", as_of=datetime.now(UTC).date(), until="2030-01-01")
    with_updates(site, postgres=site.policy.updates.postgres.model_copy(update={"known": {major: newest}}))
    try:
        found = _until(lambda: updates.postgres(week(site)), "restart", Status.WARN)
    finally:
        with site.cluster.connect("clo") as connection:
            connection.execute("ALTER SYSTEM RESET max_connections")
            connection.execute("DROP EXTENSION pg_trgm")
            connection.execute("SELECT pg_reload_conf()")
    assert (the(found, "version").status, the(found, "version").actual) == (Status.WARN, f"{version}, 1 behind")
    assert "max_connections" in the(found, "restart").message
    lagging = next(one for one in found if one.subject == "pg_trgm")
    assert (lagging.status, lagging.actual) == (Status.WARN, "1.5")


def _until(look, name, status):
    """A reload is heard of a moment later."""
    deadline = datetime.now(UTC) + timedelta(seconds=20)
    while True:
        found = look()
        if the(found, name).status is status or datetime.now(UTC) > deadline:
            return found


def test_a_feed_that_is_silent_is_unknown_and_the_table_stands_in(site, server):
    server.answers.pop("/versions.json", None)
    postgres = site.policy.updates.postgres.model_copy(
        update={"feed": Place(connection="clo_web", path="/versions.json")}
    )
    with_updates(site, postgres=postgres)
    found = updates.postgres(week(site))
    assert the(found, "could not ask: the newest PostgreSQL versions").status is Status.UNKNOWN
    assert the(found, "version").status is not Status.UNKNOWN or "looked up" in the(found, "version").expected


# ---------------------------------------------------------------- M4-03, M4-04


def test_releases_of_a_feed_and_of_none(site):
    run = week(site)
    (found,) = updates.releases(run)
    assert (found.status, found.actual) == (Status.PASS, "none pending")
    assert "1 newer releases" in found.message
    with_updates(site, applications=(Application(name="clo", manual="L222"),))
    (nothing,) = updates.releases(week(site))
    assert (nothing.status, nothing.actual) == (Status.NOT_APPLICABLE, "no source")


def test_libraries_with_a_flaw_by_severity_and_those_that_are_outdated(site, server, monkeypatch):
    packages = {"alpha": "1.0.0", "beta": "2.0.0"}
    monkeypatch.setattr("clo_ops.orchestration.updates.installed", lambda: packages)
    monkeypatch.setattr("clo_ops.probes.vulnerabilities.installed", lambda: packages)
    flaw = {
        "id": "GHSA-1", "summary": "remote code", "database_specific": {"severity": "HIGH"},
        "affected": [{"package": {"name": "alpha", "ecosystem": "PyPI"},
                      "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.0.1"}]}]}],
    }  # fmt: skip
    server.answers.update(
        {
            "/v1/querybatch": {"results": [{"vulns": [{"id": "GHSA-1"}]}, {}]},
            "/v1/vulns/GHSA-1": flaw,
            "/pypi/alpha/json": {"info": {"version": "3.0.0"}},
            "/pypi/beta/json": {"info": {"version": "2.0.1"}},
        }
    )
    asked = {name: site.policy.controls[name] for name in ("VUL-01", "VUL-02")}
    here = {
        name: one.model_copy(update={"parameters": {**one.parameters, "source": server.url}})
        for name, one in asked.items()
    }
    controls = site.policy.controls.model_copy(update={"catalogue": {**site.policy.controls.catalogue, **here}})
    site.policy = site.policy.model_copy(update={"controls": controls})
    index = Index(connection="clo_web", path="/pypi/{package}/json", field="info.version")
    with_updates(site, libraries=site.policy.updates.libraries.model_copy(update={"index": index}))
    found = updates.libraries(week(site))
    assert {one.procedure for one in found} == {"M4-04"}
    grave = next(one for one in found if one.status is Status.FAIL)
    assert "alpha 1.0.0 GHSA-1" in grave.message
    assert "1.0.1" in grave.message
    outdated = the(found, "outdated libraries")
    assert (outdated.status, outdated.actual) == (Status.WARN, "2 of 2 outdated, 1 by a major version")
    server.answers["/v1/querybatch"] = 503
    assert Status.UNKNOWN in {one.status for one in updates.libraries(week(site))}


# ---------------------------------------------------------------- M4-06


def test_a_release_from_the_feed_to_the_record(site):
    first = week(site)
    assert rollout_tasks.ask(first, datetime.now(UTC)) is not None
    decide(first, "Approve", "manager", "go")
    early = rollout.deployments(first)
    assert the(early, "approval").status is Status.PASS
    assert the(early, "deployed on record").actual == "first look"
    run = site.run("maintenance_monthly", by="ann", work="apply")
    found = rollout.applications(run)
    assert worst(found) is Status.PASS, found
    (plan,) = site.ledger.plans_of(run.ledger_run)
    assert plan.steps[0].effect.outcome is Outcome.APPLIED
    later = rollout.deployments(week(site, datetime.now(UTC) + timedelta(minutes=1)))
    assert the(later, "approved").actual == "by manager"
    assert the(later, "carried out").actual == "applied, verified"
    assert "went from 2.4.0 to 2.4.1 by deploy clo" in the(later, "deployed on record").message
    assert worst(later) in (Status.PASS, Status.WARN)


def test_a_version_that_came_without_a_record_fails(site):
    rollout.deployments(week(site))
    site.said.write_text('{"version": "2.5.0"}')
    found = rollout.deployments(week(site, datetime.now(UTC) + timedelta(minutes=1)))
    assert the(found, "deployed on record").status is Status.FAIL
    site.said.write_text("gone")
    silent = rollout.deployments(week(site, datetime.now(UTC) + timedelta(minutes=2)))
    assert the(silent, "deployed on record").status is Status.UNKNOWN
