"""Updates on a real sshd host with real apt: planned, approved, backed up, applied, verified, or taken back."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from clo_ops.actions.updates import hosts as action
from clo_ops.actions.updates.looking import Patience
from clo_ops.findings import CouldNotCheck, Severity, Status, worst
from clo_ops.findings.plans import Outcome
from clo_ops.findings.updates import Change
from clo_ops.orchestration import authorisation, rollout, rollout_tasks, updates, window_tasks, windows
from clo_ops.orchestration.connections import Connections
from clo_ops.orchestration.run import Run
from clo_ops.orchestration.window_tasks import decide
from clo_ops.policy import load_policy
from clo_ops.policy.firing import by_hand
from clo_ops.policy.system import Host, Service
from clo_ops.probes.reaching import Unreachable
from clo_ops.rules import rollout as rules
from demo.mornings import Plain
from tests.integration.maintenance.apt_host import AptHost, missing_programs

WORKER = "srv/clo/worker/health"
PAGE = "monthly_week4_system_updates"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    if lacking := missing_programs():
        if os.environ.get("CI"):
            pytest.fail(f"CI must have {lacking}")
        pytest.skip(f"this machine has no {', '.join(lacking)}")
    made = AptHost(tmp_path_factory.mktemp("apt-host"))
    made.package("clo-worker", "1.0", {WORKER: "ok"})
    made.package("clo-tools", "1.0", {"srv/clo/tools": "1.0"})
    made.package("clo-tools", "1.1", {"srv/clo/tools": "1.1"})
    made.package("clo-lib", "1:2.0", {"srv/clo/lib": "2.0"})
    made.package("clo-worker", "1.1", {WORKER: "ok"}, "security", depends="clo-lib")
    made.start()
    yield made
    made.stop()


@pytest.fixture
def host(place):
    """As the site left it: the old versions, fresh lists; the worker's health is a file of its package."""
    extra = list((place.folder / "repo/security").glob("clo-worker_1.[23]*"))
    gone = not (place.folder / "repo/main/clo-worker_1.0_all.deb").exists()
    for one in extra:
        one.unlink()
    if gone:
        place.package("clo-worker", "1.0", {WORKER: "ok"})
    if extra or gone or not list((place.folder / "apt/state/lists").glob("*Packages")):
        place._index("security")
        place.refresh()
    if place.versions() != {"clo-worker": "1.0", "clo-tools": "1.0"}:
        place.own("sh", "-c", "dpkg --purge clo-worker clo-lib clo-tools 2>/dev/null; true")
        place.install("clo-worker=1.0", "clo-tools=1.0")
    (place.root / WORKER).write_text("ok")
    return place


@pytest.fixture(scope="module")
def health_page(place):
    """The worker's health over HTTP, as its package has it."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self):
            path = place.root / WORKER
            well = path.exists() and path.read_text() == "ok"
            self.send_response(200 if well else 500)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *words):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def site(world, host, health_page, monkeypatch):
    """The maintenance world with this host, all day its first Sunday; updates may be applied."""
    monkeypatch.setattr("clo_ops.orchestration.windows._health", lambda run: [])
    known = {"clo_host_app1": host.connection(), "clo_worker": {"host": health_page}}
    original = world.connections

    def connections():
        inner = original()._get
        return Connections("clo_ops/t", lambda one: Plain(one, **known[one]) if one in known else inner(one))

    world.connections = connections
    monthly = world.policy.cadences["maintenance_monthly"].model_copy(update={"cron": ("0 0 * * *",)})
    all_day = world.policy.windows["monthly"].model_copy(
        update={"starts": time(tzinfo=UTC), "ends": time(23, 59, 59, tzinfo=UTC)}
    )
    terms = world.policy.updates.rollout.model_copy(
        update={
            "way_back": str(host.folder / "way-back"),
            "settle": timedelta(seconds=1),
            "look_every": timedelta(milliseconds=100),
        }
    )
    duties = world.policy.maintenance.duties
    allowed = duties["updates"].model_copy(update={"apply": True})
    world.policy = world.policy.model_copy(
        update={
            "cadences": type(world.policy.cadences)({**world.policy.cadences, "maintenance_monthly": monthly}),
            "windows": world.policy.windows.model_copy(
                update={"planned": {**world.policy.windows.planned, "monthly": all_day}}
            ),
            "updates": world.policy.updates.model_copy(update={"rollout": terms}),
            "maintenance": world.policy.maintenance.model_copy(update={"duties": {**duties, "updates": allowed}}),
            "services": (
                Service(
                    name="worker", component="worker", check="http", connection="clo_worker", path="/",
                    severity=Severity.P1, critical=True, manual="L15",
                ),
            ),
        }
    )  # fmt: skip
    world.with_terms(freeze__on=())
    world.proven()
    return world


def fourth_week(site, by="ann"):
    """A run of the fourth week's page by hand."""
    moment = datetime.now(UTC)
    key = site.ledger.open_run(PAGE, f"manual__{moment.isoformat()}", moment, "", "manual")
    firing = by_hand(site.policy, PAGE, None)
    return Run(
        PAGE, f"manual__{moment.isoformat()}", "t", moment, site.policy, site.connections(), site.ledger, key,
        firing=firing, trigger="manual", asked_by=by,
    )  # fmt: skip


def approved(site):
    run = fourth_week(site)
    assert rollout_tasks.ask(run, datetime.now(UTC)) is not None
    decide(run, "Approve", "manager", "seen")
    return run


def window(site):
    return site.run("maintenance_monthly", by="ann", work="apply")


def the(findings, name, subject=None):
    return next(one for one in findings if one.name == name and subject in (None, one.subject))


# ---------------------------------------------------------------- looking


def test_a_look_names_what_is_pending_and_what_of_it_is_a_security_fix(site, host):
    run = fourth_week(site)
    found = updates.hosts(run)
    pending = the(found, "pending updates")
    assert (pending.status, pending.subject, pending.actual) == (Status.WARN, "app1", "1 security, 2 other")
    assert "clo-worker 1.0 -> 1.1" in pending.message
    assert the(found, "package lists").status is Status.PASS
    assert the(found, "reboot").status is Status.PASS
    assert host.versions() == {"clo-worker": "1.0", "clo-tools": "1.0"}, "a look changes nothing"


def test_a_reboot_that_is_waited_for_and_one_that_is_over(site, host):
    flag = host.root / "var/run/reboot-required"
    flag.parent.mkdir(parents=True, exist_ok=True)
    flag.touch()
    (flag.parent / "reboot-required.pkgs").write_text("linux-image-6.1.0-50-amd64\n")
    try:
        waits = the(updates.hosts(fourth_week(site)), "reboot")
    finally:
        flag.unlink()
        (flag.parent / "reboot-required.pkgs").unlink()
    assert waits.status is Status.WARN
    assert "linux-image-6.1.0-50-amd64" in waits.message
    assert the(updates.hosts(fourth_week(site)), "reboot").status is Status.PASS


def test_lists_that_are_too_old_know_nothing(site, host):
    lists = host.folder / "apt/state/lists"
    old = (datetime.now(UTC) - timedelta(days=3)).timestamp()
    for one in (lists, lists / "partial"):
        os.utime(one, (old, old))
    assert the(updates.hosts(fourth_week(site)), "package lists").status is Status.UNKNOWN
    host.refresh()


def test_a_host_nobody_reaches_is_unknown_and_does_not_hide_the_others(site):
    second = Host(name="app2", connection="clo_host_app2", mounts=("/",), manual="L41")
    site.policy = site.policy.model_copy(update={"hosts": (*site.policy.hosts, second)})
    inner = site.connections()
    away = {"host": "127.0.0.1", "port": 1, "login": "nobody", "extra": {"password": "x"}}
    run = fourth_week(site)
    run.connections = Connections("t", lambda one: Plain(one, **away) if one == "clo_host_app2" else inner._get(one))
    found = updates.hosts(run)
    assert the(found, "could not ask: pending updates").status is Status.UNKNOWN
    assert the(found, "pending updates", "app1").status is Status.WARN
    plan, left = rollout.plan_hosts(run)
    assert [one.target for one in plan.steps] == ["app1"]
    assert "ssh://nobody" in left[0].subject or left[0].subject == "app2", left


def test_a_security_fix_that_stays_fails_in_the_end(site):
    first = fourth_week(site)
    updates.hosts(first)
    later = replace(fourth_week(site), at=first.at + timedelta(days=36))
    found = the(updates.hosts(later), "pending updates")
    assert found.status is Status.FAIL
    assert "pending since" in found.message


# ---------------------------------------------------------------- plan, approval, backup, apply, verify


def test_from_the_plan_in_the_fourth_week_to_the_hosts_new_versions(site, host):
    week = approved(site)
    judged = rollout.approved_rollout(week)
    assert the(judged, "approval").status is Status.PASS, judged
    run = window(site)
    found = rollout.hosts(run)
    assert worst(found) is Status.PASS, found
    assert the(found, "gate", "backup").status is Status.PASS
    assert host.versions() == {"clo-worker": "1.1", "clo-lib": "1:2.0", "clo-tools": "1.1"}
    (plan,) = site.ledger.plans_of(run.ledger_run)
    (row,) = plan.steps
    assert row.effect.outcome is Outcome.APPLIED
    assert (row.effect.after["health before"], row.effect.after["health after"]) == ("healthy", "healthy")
    assert row.step.statement == "clo-lib new -> 1:2.0; clo-tools 1.0 -> 1.1; clo-worker 1.0 -> 1.1"
    told = rollout.approved_rollout(fourth_week(site))
    assert the(told, "approved").actual == "by manager"
    assert the(told, "carried out").actual == "applied, verified"
    assert rollout.hosts(window(site))[0].actual == "nothing approved", "what was carried out is not done again"


def weekly(site):
    """A run of the weekly window, which is all day as the monthly one is."""
    plain = site.policy
    daily = plain.cadences["maintenance_weekly"].model_copy(update={"cron": ("0 0 * * *",)})
    all_day = plain.windows["weekly"].model_copy(
        update={"starts": time(tzinfo=UTC), "ends": time(23, 59, 59, tzinfo=UTC)}
    )
    planned = {**plain.windows.planned, "weekly": all_day}
    changes = {
        "cadences": type(plain.cadences)({**plain.cadences, "maintenance_weekly": daily}),
        "windows": plain.windows.model_copy(update={"planned": planned}),
    }
    site.policy = plain.model_copy(update=changes)
    try:
        return site.run("maintenance_weekly", by="ann", work="apply")
    finally:
        site.policy = plain


def test_a_weekly_window_passes_over_a_host_that_has_more_than_security_fixes(site, host):
    approved(site)
    sunday = weekly(site)
    assert worst(rollout.hosts(sunday)) is Status.PASS
    (row,) = site.ledger.plans_of(sunday.ledger_run)[0].steps
    assert (row.effect.outcome, row.effect.reason) == (Outcome.SKIPPED, rules.WAITS)
    assert host.versions()["clo-worker"] == "1.0"
    first_sunday = window(site)
    assert worst(rollout.hosts(first_sunday)) is Status.PASS
    assert host.versions() == {"clo-worker": "1.1", "clo-lib": "1:2.0", "clo-tools": "1.1"}
    record = rollout.approved_rollout(fourth_week(site))
    assert [one.actual for one in record if one.name == "carried out"] == ["applied, verified"]


def test_who_approves_is_told_in_which_window_each_goes_out(site):
    week = replace(fourth_week(site), policy=load_policy(mode="demo"), at=datetime(2026, 11, 25, 9, tzinfo=UTC))
    said = rollout.next_window(week, "updates")
    assert said.startswith("Monthly window, first Sunday, 2026-12-06")
    assert "; hosts that get nothing but security fixes in Weekly window, Sunday, 2026-11-29" in said


def test_security_fixes_go_out_in_a_weekly_window_and_not_once_more_in_the_next(site, host):
    host.install("clo-tools=1.1")
    approved(site)
    found = rollout.hosts(weekly(site))
    assert worst(found) is Status.PASS, found
    assert host.versions() == {"clo-worker": "1.1", "clo-lib": "1:2.0", "clo-tools": "1.1"}
    assert rollout.hosts(window(site))[0].actual == "nothing approved"
    assert the(rollout.approved_rollout(fourth_week(site)), "approved").actual == "by manager"


def test_a_system_that_is_not_well_after_it_gets_the_old_packages_back(site, host):
    host.package("clo-worker", "1.2", {WORKER: "broken"}, "security", depends="clo-lib")
    host.refresh()
    approved(site)
    week_of_failure = window(site)
    found = rollout.hosts(week_of_failure)
    failed = the(found, "maintenance", "update host app1")
    assert failed.status is Status.FAIL
    assert "not well after it" in failed.message
    assert "Rolled back to the versions of before; the system is well again" in failed.message
    assert host.versions() == {"clo-worker": "1.0", "clo-tools": "1.0"}
    assert (host.root / WORKER).read_text() == "ok"
    again = the(rollout.hosts(week_of_failure), "maintenance", "update host app1")
    assert again.status is Status.FAIL, "whoever clears the task tries nothing again"
    assert site.ledger.plans_of(week_of_failure.ledger_run)[0].steps[0].tries == 1
    assert rollout.hosts(window(site))[0].actual == "nothing approved", "what was rolled back needs a new approval"
    assert the(rollout.approved_rollout(fourth_week(site)), "carried out").actual == "failed"


def test_what_is_not_well_before_it_is_not_touched(site, host):
    approved(site)
    (host.root / WORKER).write_text("broken")
    found = rollout.hosts(window(site))
    assert "not begun, for the system is not well before it" in the(found, "maintenance", "update host app1").message
    assert host.versions()["clo-worker"] == "1.0"


def test_without_a_fresh_backup_nothing_begins(site, host):
    approved(site)
    site.with_terms(gate__backup_level="L4")
    found = rollout.hosts(window(site))
    assert the(found, "gate", "backup").status is Status.FAIL
    assert host.versions()["clo-worker"] == "1.0"


def test_who_asked_cannot_approve_and_what_is_not_approved_is_not_done(site, host):
    run = fourth_week(site, by="manager")
    asked = rollout_tasks.ask(run, datetime.now(UTC))
    with pytest.raises(Exception, match="may not decide"):
        decide(run, "Approve", "manager", "")
    assert the(rollout.approved_rollout(run), "approval").actual == "nobody answered"
    assert site.ledger.approvals_of(run.ledger_run)[0].id == asked.id
    assert rollout.hosts(window(site))[0].actual == "nothing approved"
    assert host.versions()["clo-worker"] == "1.0"


def test_the_pages_own_steps_plan_ask_and_take_the_answer(site, host, monkeypatch):
    """As Airflow calls them, with what Airflow hands them once somebody clicked."""
    run = fourth_week(site)

    @contextmanager
    def opened(context, task_id):
        yield run

    asked = []
    for module in ("rollout_tasks", "window_tasks"):
        monkeypatch.setattr(f"clo_ops.orchestration.{module}.open_run", opened)
    monkeypatch.setattr("clo_ops.orchestration.questions.Question.wait", lambda step, context: asked.append(step))
    plan = rollout_tasks.RolloutPlanOperator(task_id="what_is_planned")
    assert plan.execute({}) == plan.execute({}), "tried again it asks for the same approval"
    question = window_tasks.ApprovalOperator(task_id="who_approves")
    question.ask({})
    assert "clo-worker 1.0 -> 1.1" in asked[0].body
    assert "update host app1" in asked[0].subject
    answer = {
        "chosen_options": ["Approve"],
        "params_input": {"note": "seen"},
        "responded_at": datetime.now(UTC),
        "responded_by_user": {"id": "manager", "name": "manager"},
    }
    assert question.execute_complete({}, answer) == "approved by manager"
    assert the(rollout.approved_rollout(run), "approval").status is Status.PASS
    host.install("clo-worker=1.1", "clo-tools=1.1")
    nothing = fourth_week(site)
    assert rollout_tasks.ask(nothing, datetime.now(UTC)) is None, "where nothing is pending nobody is asked"
    assert the(rollout.approved_rollout(nothing), "approval").actual == "nothing to approve"


def test_shipped_policy_shows_the_plan_only(site, host):
    duties = site.policy.maintenance.duties
    shut = duties["updates"].model_copy(update={"apply": False})
    site.policy = site.policy.model_copy(
        update={"maintenance": site.policy.maintenance.model_copy(update={"duties": {**duties, "updates": shut}})}
    )
    approved(site)
    run = window(site)
    run.trigger, run.params = "scheduled", {}
    found = rollout.hosts(run)
    assert "duties.updates.apply: false" in the(found, "maintenance", "updates").message
    assert host.versions()["clo-worker"] == "1.0"


# ---------------------------------------------------------------- one host, closer


def terms(host, name):
    return action.Terms(
        str(host.folder / "way-back" / name),
        timedelta(minutes=1),
        Patience(timedelta(seconds=0.3), timedelta(milliseconds=100)),
    )


def target(site):
    return site.connections().host("app1", "clo_host_app1")


WORKER_11 = (Change("clo-lib", "-", "1:2.0"), Change("clo-worker", "1.0", "1.1"))


def test_what_cannot_be_put_back_is_not_replaced(site, host):
    host.drop("clo-worker", "1.0")
    host.refresh()
    effect = action.update(target(site), WORKER_11, lambda: [], terms(host, "no-way"))
    assert effect.outcome is Outcome.FAILED
    assert "nothing was changed" in effect.reason
    assert "clo-worker=1.0 cannot be had any more" in effect.reason
    assert host.versions()["clo-worker"] == "1.0"


def test_the_old_packages_are_put_back_though_no_repository_has_them_any_more(site, host):
    where = terms(host, "gone")
    action._run(target(site), where, "keep", ["clo-worker=1.0"])
    host.drop("clo-worker", "1.0")
    host.refresh()
    effect = action.update(
        target(site), WORKER_11, lambda: ["api down"] if host.versions()["clo-worker"] == "1.1" else [], where
    )
    assert (effect.outcome, effect.after["rolled back"]) == (Outcome.FAILED, "yes")
    assert host.versions() == {"clo-worker": "1.0", "clo-tools": "1.0"}


def test_a_host_that_somebody_else_was_at_is_planned_anew(site, host):
    host.install("clo-worker=1.1")
    change = (Change("clo-worker", "1.0", "1.2"),)
    effect = action.update(target(site), change, lambda: [], terms(host, "strange"))
    assert "clo-worker is 1.1 by now" in effect.reason
    assert host.versions()["clo-worker"] == "1.1"


def test_a_try_that_was_cut_off_goes_on_where_it_was(site, host):
    where = terms(host, "cut")
    action._run(target(site), where, "keep", ["clo-worker=1.0"])
    action._run(target(site), where, "install", ["clo-lib=1:2.0", "clo-worker=1.1"])
    effect = action.update(target(site), WORKER_11, lambda: [], where)
    assert effect.outcome is Outcome.APPLIED
    action.back(target(site), WORKER_11, where)
    assert host.versions() == {"clo-worker": "1.0", "clo-tools": "1.0"}


def test_a_worker_killed_before_it_looked_takes_back_what_it_had_installed(site, host, monkeypatch):
    host.package("clo-worker", "1.2", {WORKER: "broken"}, "security", depends="clo-lib")
    host.refresh()
    approved(site)
    run, looks = window(site), iter([[]])

    def killed_at_the_second_look(run):
        for look in looks:
            return look
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("clo_ops.orchestration.windows._health", killed_at_the_second_look)
        with pytest.raises(KeyboardInterrupt):
            rollout.hosts(run)
    assert host.versions()["clo-worker"] == "1.2", "installed, and nobody had looked"
    failed = the(rollout.hosts(run), "maintenance", "update host app1")
    assert (failed.status, "Rolled back to the versions of before" in failed.message) == (Status.FAIL, True), failed
    assert host.versions() == {"clo-worker": "1.0", "clo-tools": "1.0"}


def test_a_system_nobody_can_look_at_is_not_well(site, monkeypatch):
    def lost(run):
        raise CouldNotCheck("the ledger does not answer", "an answer")

    monkeypatch.setattr("clo_ops.orchestration.windows._health", lost)
    (said,) = rollout.health_of(fourth_week(site))()
    assert said.startswith("nobody could look: the ledger does not answer")


def test_apt_ends_what_it_began_though_nobody_waits_for_it_any_more(site, host):
    host.package("clo-worker", "1.3", {WORKER: "ok"}, "security", script="sleep 2")
    host.refresh()
    where = replace(terms(host, "slow"), within=timedelta(seconds=1))
    action._run(target(site), terms(host, "slow"), "keep", ["clo-worker=1.0"])
    with pytest.raises(Unreachable, match="did not end"):
        action._run(target(site), where, "install", ["clo-worker=1.3"])
    action.back(target(site), (Change("clo-worker", "1.0", "1.3"),), terms(host, "slow"))
    assert host.versions()["clo-worker"] == "1.0"
    said = (host.folder / "way-back/slow/apt.log").read_text()
    assert "Setting up clo-worker (1.3)" in said, "it had come to its end before it was taken back"


def test_an_emergency_with_its_own_backup_taken_and_the_page_round_it(site, host):
    proof = site.policy.recovery.proof.model_copy(update={"newest": ()})
    site.policy = site.policy.model_copy(update={"recovery": site.policy.recovery.model_copy(update={"proof": proof})})
    run = site.run(reason="CVE-2026-0001 is used", duties=["updates"])
    asked = authorisation.ask(run, datetime.now(UTC))
    (shown,) = site.ledger.plans_of(run.ledger_run)
    assert "clo-worker 1.0 -> 1.1" in shown.steps[0].step.statement
    assert host.versions()["clo-worker"] == "1.0", "asking changes nothing"
    decide(run, "Approve", "manager", "go")
    for name, procedure in (("MW-03", authorisation.emergency_authorised), ("MW-04", windows.before),
                            ("MW-05", windows.during), ("MW-06", windows.after)):  # fmt: skip
        run.answer = type(run.answer)()
        found = procedure(run)
        site.ledger.record(run.ledger_run, name, found, run.answer, [], 1)
        assert worst(found) is Status.PASS, found
    assert list(site.repository.glob("*.dump*")), "a backup was taken before it"
    assert host.versions()["clo-worker"] == "1.1"
    told = rollout.approved_rollout(fourth_week(site))
    assert the(told, "approved").status is Status.PASS
    assert asked.id in {one.id for one in site.ledger.approvals_for(shown.hash)}


def test_the_second_host_is_not_begun_after_the_first_went_wrong():
    from clo_ops.actions.updates.looking import OneByOne
    from clo_ops.findings.plans import Effect, Step

    begun = []

    def act(step):
        begun.append(step.target)
        return Effect(Outcome.FAILED, "rolled back")

    one_by_one = OneByOne(act)
    outcomes = [one_by_one(Step(f"update {one}", "update host", one, "", "")).outcome for one in ("a", "b")]
    assert outcomes == [Outcome.FAILED, Outcome.LEFT_OVER]
    assert begun == ["a"]
