"""Release feeds, PostgreSQL's versions, a package index over HTTP; a deployer that works, lies, is taken back; dnf."""

from __future__ import annotations

import shutil
from datetime import date, timedelta
from pathlib import Path

import pytest

from clo_ops.actions.updates.deploying import Terms, deploy
from clo_ops.actions.updates.looking import Patience
from clo_ops.findings.plans import Outcome
from clo_ops.policy.updates import Index
from clo_ops.probes import host_updates, package_index, release_feeds
from clo_ops.probes.targets import HostTarget, WebTarget

TODAY = date(2026, 11, 23)
GOOD = {
    "releases": [
        {"version": "2.4.10", "released": "2026-11-16", "kind": "feature", "title": "Ramp-up report"},
        {
            "version": "2.4.9",
            "released": "2026-11-03T08:00:00Z",
            "kind": "security",
            "severity": "high",
            "fixes": ["CVE-1"],
        },
    ]
}


def test_releases_are_read_in_the_order_of_their_versions(feed):
    feed.answers["/releases.json"] = GOOD
    found = release_feeds.releases(feed.target, "/releases.json", "clo")
    assert [one.version for one in found.content] == ["2.4.9", "2.4.10"]
    assert (found.content[0].security, found.content[0].fixes) == (True, ("CVE-1",))
    assert found.answer.value("feed.read") == 2


@pytest.mark.parametrize(
    "answer",
    [503, b"<html>not now</html>", {"releases": [{"version": "2.4"}]}, [], {"releases": 5},
     {"releases": [{"version": "2.4-rc1", "released": "2026-11-03"}]}],
)  # fmt: skip
def test_a_feed_that_is_not_one_is_no_answer_and_no_number(feed, answer):
    feed.answers["/releases.json"] = answer
    found = release_feeds.releases(feed.target, "/releases.json", "clo")
    assert found.content is None
    assert found.answer.measurements == ()
    assert found.answer.unanswered[0].question == "releases of clo"


def test_a_feed_where_nothing_listens():
    found = release_feeds.releases(WebTarget("http://127.0.0.1:1"), "/", "clo")
    assert found.content is None
    assert "refused" in found.answer.unanswered[0].reason


def test_postgresqls_own_feed_as_it_is_written(feed):
    feed.answers["/versions.json"] = [
        {"major": "15", "latestMinor": "20", "supported": True, "eolDate": "2027-11-11", "relDate": "2026-11-12"},
        {"major": "9.6", "latestMinor": "24", "supported": False, "eolDate": "2021-11-11"},
    ]
    found = release_feeds.versions(feed.target, "/versions.json", TODAY)
    assert list(found.content) == ["15"]
    assert (found.content["15"].newest, found.content["15"].as_of) == ("15.20", TODAY)


def test_what_an_application_says_it_runs(feed):
    feed.answers["/version"] = {"app": {"version": "2.4.9"}}
    assert release_feeds.running(feed.target, "/version", "app.version", "clo").content == "2.4.9"
    assert release_feeds.running(feed.target, "/version", "version", "clo").content is None


# ---------------------------------------------------------------- libraries


def test_the_index_is_asked_for_each_package_and_one_it_does_not_know_is_left_out(feed):
    index = Index(connection="x", path="/pypi/{package}/json", field="info.version")
    feed.answers["/pypi/alpha/json"] = {"info": {"version": "2.0"}}
    found, answer = package_index.newest(feed.target, index, {"alpha": "1.0", "our-own": "1.0"})
    assert found == {"alpha": "2.0"}
    assert answer.unanswered == ()
    nobody, silent = package_index.newest(WebTarget("http://127.0.0.1:1"), index, {"alpha": "1.0"})
    assert nobody == {}
    assert silent.unanswered


# ---------------------------------------------------------------- a deployer


@pytest.fixture
def application(feed, tmp_path):
    """Its version is a file; its deployer writes it, unless the release is one that it cannot."""
    said = tmp_path / "version"
    said.write_text('{"version": "2.4.0"}')
    feed.answers["/version"] = said
    command = tmp_path / "deploy"
    command.write_text(
        "#!/bin/sh\n"
        'echo "$@" >>"$0.log"\n'
        '[ "$2" = 2.4.2 ] && { echo "no such release" >&2; exit 3; }\n'
        f'[ "$2" = 2.4.3 ] && exit 0\n'
        f'printf \'{{"version": "%s"}}\' "$2" >{said}\n'
    )
    command.chmod(0o755)
    terms = Terms(
        HostTarget("app1", "local"),
        f"{command} --into='/srv/clo app'",
        timedelta(seconds=20),
        Patience(timedelta(seconds=0.4), timedelta(milliseconds=100)),
    )

    def running():
        return release_feeds.running(feed.target, "/version", "version", "clo").content or ""

    return terms, running, command


def test_deployed_and_said_by_the_application_itself(application):
    terms, running, command = application
    effect = deploy("2.4.0", "2.4.1", running, lambda: [], terms)
    assert effect.outcome is Outcome.APPLIED
    assert (running(), effect.after["health after"]) == ("2.4.1", "healthy")
    assert Path(f"{command}.log").read_text() == "--into=/srv/clo app 2.4.1\n", "words are words, whatever is in them"


@pytest.mark.parametrize(("release", "why"), [("2.4.2", "ended with 3: no such release"), ("2.4.3", "not 2.4.3")])
def test_one_that_fails_or_lies_is_taken_back(application, release, why):
    terms, running, _ = application
    effect = deploy("2.4.0", release, running, lambda: [], terms)
    assert effect.outcome is Outcome.FAILED
    assert why in effect.reason
    assert "Rolled back to 2.4.0" in effect.reason
    assert running() == "2.4.0"


def test_a_system_that_is_not_well_after_it_gets_the_old_version_back(application):
    terms, running, _ = application
    effect = deploy("2.4.0", "2.4.1", running, lambda: ["api down"] if running() == "2.4.1" else [], terms)
    assert "api down" in effect.reason
    assert (effect.after["rolled back"], running()) == ("yes", "2.4.0")


def test_a_deployment_that_was_cut_off_and_left_the_system_sick_is_taken_back(application):
    terms, running, _ = application
    deploy("2.4.0", "2.4.1", running, lambda: [], terms)

    def sick():
        return ["api down"] if running() == "2.4.1" else []

    assert "not begun" in deploy("2.4.0", "2.4.1", running, sick, terms).reason, "somebody else's is left alone"
    effect = deploy("2.4.0", "2.4.1", running, sick, terms, begun=True)
    assert (effect.outcome, effect.after["rolled back"], running()) == (Outcome.FAILED, "yes", "2.4.0")


def test_what_runs_another_version_by_now_is_not_touched(application):
    terms, running, command = application
    effect = deploy("2.3.0", "2.4.1", running, lambda: [], terms)
    assert "not begun: it runs 2.4.0" in effect.reason
    assert not Path(f"{command}.log").exists()


# ---------------------------------------------------------------- a host with dnf

TOOLS = ("sh", "awk", "sed", "sort", "tail", "head", "stat", "date", "tr", "grep", "ls", "uname", "cat")
CHECK = """
openssl-libs.x86_64                1:3.2.2-6.el9_5.1                 baseos
tzdata.noarch                      2026b-1.el9                       baseos
Obsoleting Packages
grub2-tools.x86_64                 1:2.06-94.el9                     baseos
"""


def test_dnf_by_what_its_programs_print(tmp_path, monkeypatch):
    """Not a real one: Debian's machines have none. What it prints is as its manual and Red Hat's pages show it."""
    for tool in TOOLS:
        (tmp_path / tool).symlink_to(shutil.which(tool))
    (tmp_path / "dnf").write_text(
        "#!/bin/sh\n"
        'case "$*" in\n'
        f"*check-update*) cat <<'EOF'\n{CHECK}EOF\n exit 100;;\n"
        '*updateinfo*) echo "RHSA-2026:1 Important/Sec. openssl-libs-3.2.2-6.el9_5.1.x86_64";;\n'
        "esac\n"
    )
    (tmp_path / "rpm").write_text("#!/bin/sh\necho 3.2.2-6.el9_5\n")
    (tmp_path / "needs-restarting").write_text("#!/bin/sh\nexit 1\n")
    for name in ("dnf", "rpm", "needs-restarting"):
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    state = host_updates.look(HostTarget("red1", "local")).state
    assert state is not None
    assert (state.manager, bool(state.reboot)) == ("dnf", True)
    assert [(one.package, one.security) for one in state.changes] == [("openssl-libs", True), ("tzdata", False)]


def test_a_host_with_neither_is_unknown(tmp_path, monkeypatch):
    for tool in TOOLS:
        (tmp_path / tool).symlink_to(shutil.which(tool))
    monkeypatch.setenv("PATH", str(tmp_path))
    looked = host_updates.look(HostTarget("other", "local"))
    assert looked.state is None
    assert "neither apt nor dnf" in looked.answer.unanswered[0].reason
