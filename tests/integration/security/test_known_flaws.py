"""Known flaws of installed packages, asked of a real server that speaks OSV; and updates hosts wait for."""

from __future__ import annotations

import csv
import json
import os
import time
from importlib.metadata import version

import pytest

from clo_ops.findings import Status
from clo_ops.probes.reaching import Unreachable
from clo_ops.probes.vulnerabilities import python_packages
from tests.integration.security.conftest import demanding

OF_PACKAGES = {"VUL-01", "VUL-02", "VUL-03"}
HTTPX = version("httpx")
CRITICAL = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
MEDIUM = "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N"
PENDING = (
    "Inst openssl [3.0.15-1] (3.0.17-1 Debian-Security:12/stable-security [amd64])\n"
    "Inst nano [7.2-1] (7.2-2 Debian:12.11/stable [amd64])\n"
)


def entry(name, *, package="httpx", aliases=(), fixed=(), vector="", word="", **more):
    events = [{"introduced": "0"}, *({"fixed": one} for one in fixed)]
    affected = {"package": {"name": package, "ecosystem": "PyPI"}, "ranges": [{"type": "ECOSYSTEM", "events": events}]}
    found = {"id": name, "aliases": list(aliases), "summary": f"about {name}", "affected": [affected]}
    found |= {"severity": [{"type": "CVSS_V3", "score": vector}]} if vector else {}
    return found | ({"database_specific": {"severity": word}} if word else {}) | more


def test_nothing_known_of_any_package_is_a_pass_over_all_of_them(site, osv):
    found = {one.subject: one for one in site.judged("M1-05")}
    assert {one.status for one in found.values()} == {Status.PASS}
    assert f"PyPI httpx {HTTPX}" in osv.asked
    assert len(osv.asked) == len(set(osv.asked)) > 100, "each package is asked about once"
    assert f"{len(osv.asked)} looked at" in found["VUL-01"].message


def test_a_critical_flaw_fails_with_its_fix_and_its_other_names_are_one(site, osv, tmp_path):
    osv.add(
        "httpx",
        entry("GHSA-aaaa-bbbb-cccc", aliases=["CVE-2026-1"], fixed=["0.0.1", "99.1.0"], word="CRITICAL"),
        entry("PYSEC-2026-7", aliases=["CVE-2026-1"], fixed=["100.0"]),
        entry("GHSA-gone", word="CRITICAL", withdrawn="2026-01-01T00:00:00Z"),
    )
    broken = site.broken("M1-05")
    assert set(broken) == {"VUL-01"}
    named = f"httpx {HTTPX} CVE-2026-1 GHSA-aaaa-bbbb-cccc PYSEC-2026-7 (critical; fixed in 99.1.0)"
    assert named in broken["VUL-01"]
    assert "GHSA-gone" not in broken["VUL-01"]
    (path,) = (tmp_path / "evidence").rglob("VUL-01.csv")
    rows = {row["package"]: row for row in csv.DictReader(path.read_text().splitlines())}
    assert (rows["httpx"]["rating"], rows["httpx"]["fixed_in"]) == ("critical", "99.1.0")
    assert rows["psycopg"]["id"] == ""


@pytest.mark.parametrize(
    ("flaw", "rating", "control"),
    [
        (entry("A-1", vector=CRITICAL), "critical; no fixed version yet", "VUL-01"),
        (entry("A-1", vector=MEDIUM), "medium", "VUL-02"),
        (entry("A-1", vector=CRITICAL, word="LOW"), "low", "VUL-02"),
        (entry("A-1", vector="CVSS:4.0/AV:N"), "unrated", "VUL-01"),
        (entry("A-1"), "unrated", "VUL-01"),
    ],
)
def test_each_rating_has_its_colour_and_an_unrated_flaw_is_grave(site, osv, flaw, rating, control):
    status = Status.WARN if control == "VUL-02" else Status.FAIL
    osv.add("httpx", flaw)
    found = {one.subject: one for one in site.judged("M1-05")}
    assert found[control].status is status
    assert f"httpx {HTTPX} A-1 ({rating}" in found[control].message
    assert {one.status for name, one in found.items() if name != control} == {Status.PASS}


def test_an_accepted_flaw_warns_until_its_day(site, osv):
    osv.add("httpx", entry("GHSA-x", word="HIGH"))
    accepted = {"keys": ["httpx * GHSA-x"], "reason": "not reachable", "approved_by": "Security Officer"}
    control = site.policy.controls["VUL-01"]
    for until, status in ((site.at.date(), Status.WARN), (site.at.date().replace(year=2020), Status.FAIL)):
        given = type(control).model_validate({**control.model_dump(), "exceptions": [accepted | {"until": until}]})
        catalogue = {**site.policy.controls.catalogue, "VUL-01": given}
        controls = site.policy.controls.model_copy(update={"catalogue": catalogue})
        site.policy = site.policy.model_copy(update={"controls": controls})
        assert {one.subject: one.status for one in site.judged("M1-05")}["VUL-01"] is status


def test_an_answer_in_pages_is_read_to_its_end(site, osv):
    osv.page_size = 2
    osv.add("httpx", *(entry(f"A-{number}", word="HIGH") for number in range(5)))
    told = site.broken("M1-05")["VUL-01"]
    assert [f"A-{number} (high" in told for number in range(5)] == [True] * 5


@pytest.mark.parametrize(
    "broken", [(500, b"no"), (200, b"<html>log in first</html>"), (200, b'{"results": []}'), (200, b"[]"), (429, b"{}")]
)
def test_a_source_that_does_not_answer_is_unknown_and_never_a_pass(site, osv, broken):
    osv.broken = broken
    found = {one.subject: one.status for one in site.judged("M1-05")}
    assert found == {"VUL-01": Status.UNKNOWN, "VUL-02": Status.UNKNOWN, "VUL-03": Status.PASS}


@pytest.mark.parametrize("source", ["http://127.0.0.1:1", None])
def test_nobody_there_and_no_source_at_all_are_said(site, source):
    site.policy = demanding(site.policy, "VUL-01", source=source)
    found = {one.subject: one for one in site.judged("M1-05")}
    assert found["VUL-01"].status is found["VUL-02"].status is Status.UNKNOWN
    assert ("no source" if source is None else "http://127.0.0.1:1") in found["VUL-01"].message


def test_nothing_but_names_and_versions_leaves_the_house(osv):
    python_packages({"source": f"http://127.0.0.1:{osv.server_port}", "seconds": 5}, {"secret-lib": "1.0"})
    assert osv.asked == ["PyPI secret-lib 1.0"]


def test_an_entry_of_another_name_is_no_answer(osv):
    osv.add("httpx", entry("A-1"))
    osv.entries["A-1"] = entry("A-2")
    with pytest.raises(Unreachable, match="not of the OSV protocol"):
        python_packages({"source": f"http://127.0.0.1:{osv.server_port}", "seconds": 5}, {"httpx": "1.0"})


# ---------------------------------------------------------------- hosts


def test_a_security_update_a_host_waits_for_is_named_with_its_version(site, apt):
    (apt / "pending").write_text(PENDING)
    broken = site.broken("M1-05")
    assert set(broken) == {"VUL-03"}
    assert "app1: openssl 3.0.15-1 security update (unrated; fixed in 3.0.17-1)" in broken["VUL-03"]
    assert "nano" not in broken["VUL-03"]


def test_a_host_that_did_not_look_lately_does_not_know(site, apt):
    long_ago = time.time() - 2.5 * 86_400
    for one in (apt, *apt.iterdir()):
        os.utime(one, (long_ago, long_ago))
    found = {one.subject: one for one in site.judged("M1-05")}
    assert found["VUL-03"].status is Status.UNKNOWN
    assert "2.5 days old, at most 2 days" in found["VUL-03"].message


def test_a_host_that_is_not_reached_is_unknown_and_hides_no_package(site, osv):
    osv.add("httpx", entry("A-1", word="HIGH"))
    extra = json.dumps({"transport": "ssh"})
    site.elsewhere["clo_host_app1"] = {"host": "127.0.0.1", "port": 1, "login": "ops", "password": "x", "extra": extra}
    found = {one.subject: one.status for one in site.judged("M1-05")}
    assert found == {"VUL-01": Status.FAIL, "VUL-02": Status.PASS, "VUL-03": Status.UNKNOWN}
