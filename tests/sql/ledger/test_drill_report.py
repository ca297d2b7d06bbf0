"""The DR test's report through a real ledger: what was found is on it, the same run is the same report, all escaped."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import pytest

from clo_ops.findings import Answer, Finding, Measurement, Severity, Status, Unanswered
from clo_ops.ledger import Ledger
from clo_ops.ledger.evidence import EvidenceStore, canonical_json
from clo_ops.reports import pdf
from clo_ops.reports.bundle import bundle
from clo_ops.reports.drill import DrillReport, assemble
from clo_ops.rules import drill as drill_rules

DAG = "monthly_week3_dr_test"
AT = datetime(2026, 11, 16, 10, 0, tzinfo=UTC)
STAMP = datetime(2026, 11, 16, 11, 0, tzinfo=UTC)
EVIL = "<script>alert('x')</script> & \"quoted\""
PHASES = {"environment": 2.4, "roles": 0.3, "restore": 13.8, "analyze": 1.2, "contents": 3.1, "integrity": 4.7}
TABLES = {"public.clo_deals": 4, "public.collateral_positions": 1612, "public.audit_logs": 54_000}


class Told:
    """One drill as the tasks would record it; changed by the tests before it is."""

    def __init__(self, at: datetime = AT, run_id: str = "scheduled__2026-11-16") -> None:
        self.at, self.run_id = at, run_id
        self.measured: dict[str, list[Measurement]] = {}
        self.found: dict[str, list[Finding]] = {}
        self._healthy()

    def measure(self, procedure: str, name: str, value: float, unit: str, detail: str = "", /, **labels: str) -> None:
        self.measured.setdefault(procedure, []).append(Measurement(name, value, unit, self.at, labels, detail))

    def fact(self, name: str, said: str) -> None:
        self.measure("M3-01", "drill.fact", 1, "bool", said, fact=name)

    def find(self, procedure: str, status: Status, name: str = "judged", message: str = "As expected.") -> None:
        severity = None if status is Status.PASS else Severity.P1
        said = Finding(procedure, name, status, "good", "as seen", message, "it", severity, "Look at it.")
        self.found.setdefault(procedure, []).append(said)

    def replace(self, name: str, value: float, **labels: str) -> None:
        for procedure, some in self.measured.items():
            self.measured[procedure] = [
                Measurement(one.name, value, one.unit, one.at, one.labels, one.detail)
                if one.name == name and labels.items() <= dict(one.labels).items()
                else one
                for one in some
            ]

    def record(self, ledger: Ledger, store: EvidenceStore | None = None) -> int:
        run = ledger.open_run(DAG, self.run_id, self.at, "policy-1", "scheduled")
        for procedure in {**self.measured, **self.found}:
            answer = Answer.of(self.measured.get(procedure, ()))
            content = canonical_json({"procedure": procedure, **answer.as_json()})
            day = self.at.date()
            kept = [store.put(DAG, day, self.run_id, f"{procedure}.json", content, "application/json")] if store else []
            ledger.record(run, procedure, self.found.get(procedure, []), answer, kept)
        return run

    def _healthy(self) -> None:
        for name, said in {
            "backup.path": "clo_20261116T093000Z.dump",
            "backup.sha256": "ab" * 32,
            "backup.database": "clo",
            "backup.server_major": "15",
            "backup.roles": "clo_app, clo_ops_reader",
            "backup.canary": "nonce-of-this-backup",
            "server.version": "15.8",
            "place": "docker",
        }.items():
            self.fact(name, said)
        self.measure("M3-01", "drill.backup.size", 41_000_000, "bytes", path="clo_20261116T093000Z.dump")
        self.measure("M3-01", "guard.proof", 1, "bool", "container carries our label", proof="our own container")
        for name, seconds in PHASES.items():
            self.measure("M3-02", "drill.phase.duration", seconds, "s", phase=name)
        self.measure("M3-02", "restore.message", 1, "count", "schema public already exists", kind="tolerated")
        self.measure("M3-02", "restore.exit_code", 0, "count")
        self.measure("M3-02", "drill.database.size", 120_000_000, "bytes")
        for table, rows in TABLES.items():
            self.measure("M3-03", "contents.table.rows", rows, "count", table=table)
            for aspect in ("rows", "fingerprint"):
                self.measure("M3-03", "contents.table.matches", 1, "bool", "as recorded", table=table, aspect=aspect)
        self.measure("M3-03", "contents.schema.matches", 1, "bool")
        for invariant in ("I01", "I02", "I03"):
            self.measure(
                "M3-03", "integrity.violations", 0, "count", invariant=invariant, suite="deals", severity="critical"
            )
            self.measure("M3-03", "integrity.expected", 0, "count", invariant=invariant)
        self.measure("M3-03", "backup.depth", 4, "count", path="clo_20261116T093000Z.dump")
        self.measure("M3-04", "failover.marker.committed", 120, "count")
        self.measure("M3-04", "failover.marker.found", 120, "count")
        self.measure("M3-06", "application.check", 1, "bool", "HTTP 200 in 41 ms", check="health")
        for name, seconds in (("rto", 26.1), ("rpo", 1800.0)):
            self.measure("M3-07", f"drill.{name}", seconds, "s", dag=DAG)
            self.measure("M3-07", f"drill.{name}.target", 4 * 3600 if name == "rto" else 3600, "s")
        self.measure("M3-08", "drill.removed", 2, "count", "container, network")
        for procedure in ("M3-01", "M3-02", "M3-03", "M3-04", "M3-06", "M3-08"):
            self.find(procedure, Status.PASS)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def store(tmp_path: Path) -> EvidenceStore:
    return EvidenceStore(f"file://{tmp_path}/evidence")


def report_of(ledger: Ledger, told: Told, store: EvidenceStore | None = None) -> DrillReport:
    return assemble(ledger, told.record(ledger, store), link="http://airflow/run")


def text_of(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html.partition("</style>")[2]).split())


def test_a_drill_that_passed_says_first_what_was_proven_and_how_deep(ledger, told, store):
    report = report_of(ledger, told, store)
    html = report.as_html(STAMP)
    assert report.colour == "GREEN"
    assert report.verdict.startswith("Proven: clo_20261116T093000Z.dump brings the CLO system back. L4")
    for said in ("a standby of it took over", "the application works on it"):
        assert said in report.verdict
    text = text_of(html)
    assert text.index("GREEN.") < text.index("The parts") < text.index("All findings")
    for said in (
        "26.1 s",
        "target 4 h 00 min",
        "30 min 00 s",
        "L4 of 4",
        "M3-03.json",
        "54,000",
        "ab" * 32,
        "HTTP 200 in 41 ms",
    ):
        assert said in text, said


def test_what_is_red_stands_before_everything_else_with_the_first_thing_to_do(ledger, told):
    told.find("M3-03", Status.FAIL, "table contents", "public.clo_deals: 4 rows recorded, 3 restored.")
    told.replace("backup.depth", 3)
    report = report_of(ledger, told)
    text = text_of(report.as_html(STAMP))
    assert report.colour == "RED"
    assert report.verdict.startswith("Not proven: Contents and meaning.")
    assert "L3, it was restored" in report.verdict
    assert text.index("4 rows recorded, 3 restored") < text.index("The parts")
    assert "First thing to do: Look at it." in text


@pytest.mark.parametrize("status", [Status.FAIL, Status.UNKNOWN])
def test_failed_and_unknown_are_both_red_and_a_drill_that_found_nothing_too(ledger, told, status):
    told.find("M3-06", status, "login", "nobody answered")
    assert report_of(ledger, told).colour == "RED"
    nobody = Told(run_id="manual__nothing")
    nobody.found, nobody.measured = {}, {}
    silent = report_of(ledger, nobody)
    assert silent.colour == "RED"
    assert "nothing was judged" in silent.verdict
    assert "nobody looked" in text_of(silent.as_html(STAMP))


def test_a_target_missed_is_red_and_what_else_the_report_task_says_is_not_part_of_it(ledger, told):
    told.find("M3-07", Status.FAIL, "recovery point", "The newest good backup is 8 h old.")
    told.find("M3-07", Status.WARN, "pdf", "There is no PDF.")
    report = report_of(ledger, told)
    assert report.verdict.startswith("Not proven: Recovery times.")
    assert "There is no PDF" not in report.as_html(STAMP)


def test_the_same_run_is_the_same_report_but_for_its_stamp(ledger, told, store):
    run = told.record(ledger, store)
    first, again = assemble(ledger, run), assemble(ledger, run)
    assert first.as_html(STAMP) == again.as_html(STAMP)
    assert first.as_json(STAMP) == again.as_json(STAMP)
    assert first.as_pdf(STAMP) == again.as_pdf(STAMP)
    later = first.as_html(STAMP + timedelta(days=1))
    assert later.replace("2026-11-17 11:00:00", "2026-11-16 11:00:00") == first.as_html(STAMP)


def test_a_later_drill_does_not_change_an_earlier_report(ledger, told):
    run = told.record(ledger)
    before = assemble(ledger, run).as_html(STAMP)
    Told(AT + timedelta(days=28), "scheduled__2026-12-14").record(ledger)
    assert assemble(ledger, run).as_html(STAMP) == before


def test_text_from_outside_is_harmless_on_the_page(ledger, told):
    told.find("M3-02", Status.FAIL, "restore messages", EVIL)
    told.measure("M3-02", "restore.message", 1, "count", EVIL, kind="unknown")
    told.fact("backup.tool", EVIL)
    told.run_id = EVIL
    html = report_of(ledger, told).as_html(STAMP)
    assert "<script" not in html
    assert html.count("&lt;script&gt;") >= 4


def test_nothing_is_fetched_from_anywhere(ledger, told):
    html = report_of(ledger, told).as_html(STAMP)
    links = re.findall(r"""(?:src|href)\s*=\s*["']([^"'#][^"']*)""", html)
    assert [one for one in links if one != "http://airflow/run"] == []
    assert "@import" not in html
    assert not re.search(r"url\((?!#)", html)


def test_against_the_drill_before_it(ledger, told):
    earlier = Told(AT - timedelta(days=28), "scheduled__2026-10-19")
    earlier.replace("integrity.violations", 5, invariant="I02")
    earlier.replace("integrity.violations", 2, invariant="I03")
    earlier.replace("drill.rto", 300.0)
    earlier.record(ledger)
    told.replace("integrity.violations", 7, invariant="I01")
    told.replace("integrity.violations", 1, invariant="I03")
    told.replace("drill.phase.duration", 60.0, phase="restore")
    report = report_of(ledger, told)
    assert {one.id: one.change for one in report.invariants} == {
        "I01": "newly broken",
        "I02": "fixed",
        "I03": "still broken",
    }
    said = " ".join(report.differences)
    assert "I01 is newly broken: 7 violations, last time 0." in said
    assert "restore took 1 min 00 s, longer than the 13.8 s of last time." in said
    assert "contents took" not in said
    assert [seconds for _, seconds in report.times["rto"]] == [300.0, 26.1]
    html = report.as_html(STAMP)
    assert "Recovery time over the drills" in html
    assert "3 differ from what was recorded" not in html


def test_an_invariant_other_than_recorded_with_the_backup_is_told_though_it_is_not_red(ledger, told):
    told.replace("integrity.expected", 4, invariant="I02")
    assert "1 differ from what was recorded with the backup" in text_of(report_of(ledger, told).as_html(STAMP))


def test_the_commands_for_the_real_thing_bear_the_real_names_and_no_secret(ledger, told):
    steps = "\n".join(one.command for one in report_of(ledger, told).runbook)
    for said in (
        "sha256sum clo_20261116T093000Z.dump",
        "createuser --no-superuser clo_app",
        "pg_restore",
        "nonce-of-this-backup",
    ):
        assert said in steps
    assert "password" not in steps.lower()


def test_an_archive_in_gzip_is_unpacked_before_it_is_restored(ledger, told):
    told.fact("backup.wrapped", "gzip")
    commands = [one.command for one in report_of(ledger, told).runbook]
    assert commands.index("gunzip --keep clo_20261116T093000Z.dump") < commands.index(
        next(one for one in commands if one.startswith("pg_restore"))
    )


def test_the_self_test_is_printed_fault_by_fault(ledger, told):
    for fault, caught, said in (("bit flipped", 1, "decode failed"), ("wrong canary", 0, "the drill passed")):
        labels = {"fault": fault, "expected": "M3-01 read", "caught_by": "", "possible": "yes"}
        told.measure("self-test", "selftest.caught", caught, "bool", said, **labels)
    told.find("self-test", Status.FAIL, "self-test", "wrong canary was not caught")
    report = report_of(ledger, told)
    text = text_of(report.as_html(STAMP))
    assert "1 of 2 small drills" in text
    assert "wrong canary NO M3-01 read the drill passed" in text
    assert report.verdict.startswith("Not proven: Self-test.")


def test_weaker_isolation_is_said_at_the_top(ledger, told):
    told.fact("isolation", "The restored server shares the worker's network.")
    text = text_of(report_of(ledger, told).as_html(STAMP))
    assert text.index("Isolation was weaker") < text.index("Recovery took")


def test_the_json_is_canonical_and_holds_what_the_page_holds(ledger, told, store):
    content = report_of(ledger, told, store).as_json(STAMP)
    said = json.loads(content)
    assert content == canonical_json(said)
    assert said["verdict"] == {"colour": "GREEN", "depth": 4, "sentence": said["verdict"]["sentence"]}
    assert said["recovery"]["rto"] == {"seconds": 26.1, "target_seconds": 14400.0}
    assert {one["name"] for one in said["phases"]} == set(PHASES)
    assert len(said["measurements"]) == sum(map(len, told.measured.values()))


def test_the_pdf_is_a_pdf_and_where_none_can_be_drawn_the_reason_is_said(ledger, told, monkeypatch):
    report = report_of(ledger, told)
    assert report.as_pdf(STAMP).startswith(b"%PDF-")
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    with pytest.raises(pdf.PdfMissing, match=r"apt-get install libpango-1\.0-0"):
        report.as_pdf(STAMP)


def test_the_mail_says_verdict_times_and_what_is_red(ledger, told):
    told.find("M3-04", Status.FAIL, "promotion", "The standby took no writes.")
    text = report_of(ledger, told).as_text()
    assert text.startswith("RED Disaster-recovery test of 2026-11-16")
    for said in (
        "Recovery took 26.1 s (target 4 h 00 min)",
        "The standby took no writes.",
        "Look at it.",
        "http://airflow/run",
    ):
        assert said in text, said


# ---------------------------------------------------------------- the bundle


@pytest.fixture
def packed(ledger: Ledger, told: Told, store: EvidenceStore, tmp_path: Path) -> Path:
    report = report_of(ledger, told, store)
    data, lost = bundle(
        store, report.facts.evidence, {"report.html": report.as_html(STAMP).encode()}, about={"run": "r"}
    )
    assert lost == []
    path = tmp_path / "bundle.zip"
    path.write_bytes(data)
    return path


def verified(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """By the bundle's own program, with nothing of ours on its path."""
    command = [sys.executable, "-I", "-S", str(path), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def folder(packed: Path, tmp_path: Path) -> Path:
    with zipfile.ZipFile(packed) as archive:
        archive.extractall(tmp_path / "unpacked")
    return tmp_path / "unpacked"


def test_a_bundle_proves_itself_without_our_system(folder, packed):
    for done in (verified(folder / "verify.py"), verified(folder / "verify.py", str(packed))):
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.startswith("as recorded: 8 files; manifest.json SHA-256 ")


def test_the_same_evidence_is_the_same_bundle(ledger, told, store):
    evidence = report_of(ledger, told, store).facts.evidence
    assert bundle(store, evidence, {}, about={}) == bundle(store, evidence, {}, about={})


@pytest.mark.parametrize(
    ("tamper", "said"),
    [
        (lambda at: (at / "evidence/M3-03.json").write_bytes(b"{}"), "WRONG  evidence/M3-03.json: SHA-256 is"),
        (lambda at: (at / "evidence/M3-03.json").unlink(), "WRONG  evidence/M3-03.json: missing"),
        (lambda at: (at / "evidence/more.json").write_bytes(b"{}"), "WRONG  evidence/more.json: not recorded"),
        (lambda at: (at / "report.html").write_bytes(b"<p>all is well</p>"), "WRONG  report.html: SHA-256 is"),
    ],
    ids=["altered", "removed", "added", "report altered"],
)
def test_tampering_is_found_and_named(folder, tamper, said):
    tamper(folder)
    done = verified(folder / "verify.py")
    assert done.returncode == 1
    assert said in done.stdout
    assert "NOT as recorded" in done.stdout


@pytest.mark.parametrize("content", [None, b"not json", b'{"files": 3}'])
def test_without_a_readable_manifest_nothing_is_called_good(folder, content):
    (folder / "manifest.json").unlink()
    if content is not None:
        (folder / "manifest.json").write_bytes(content)
    done = verified(folder / "verify.py")
    assert done.returncode == 2
    assert "cannot be checked" in done.stdout


def test_evidence_altered_before_it_was_packed_is_left_out_and_said_so(ledger, told, store, tmp_path):
    evidence = report_of(ledger, told, store).facts.evidence
    place = Path(evidence[0].uri.removeprefix("file://"))
    place.chmod(0o644)
    place.write_bytes(b"{}")
    data, lost = bundle(store, evidence, {}, about={})
    assert len(lost) == 1
    assert evidence[0].name in lost[0]
    with zipfile.ZipFile(BytesIO(data)) as archive:
        assert f"evidence/{evidence[0].name}" not in archive.namelist()
        assert json.loads(archive.read("manifest.json"))["lost"] == lost
        archive.extractall(tmp_path / "lacking")
    assert f"LACKED when it was made: {lost[0]}" in verified(tmp_path / "lacking" / "verify.py").stdout


# ---------------------------------------------------------------- the times


def measured(**phases: tuple[float, float]) -> Answer:
    """Phases by their end (seconds after the start) and how long they took."""
    return Answer.of(
        Measurement("drill.phase.duration", took, "s", AT + timedelta(seconds=end), {"phase": name})
        for name, (end, took) in phases.items()
    )


GOOD = {"environment": (3.0, 3.0), "restore": (20.0, 15.0), "contents": (24.0, 3.0), "integrity": (26.0, 5.0)}


def test_recovery_is_from_the_start_to_a_database_judged_good_and_the_application_on_top():
    assert drill_rules.recovery_time(measured(**GOOD)) == pytest.approx(26.0)
    with_more = {**GOOD, "standby": (60.0, 20.0), "application": (80.0, 7.0), "clean_up": (90.0, 2.0)}
    assert drill_rules.recovery_time(measured(**with_more)) == pytest.approx(33.0)


@pytest.mark.parametrize("missing", ["environment", "restore", "contents"])
def test_a_drill_that_did_not_get_there_has_no_recovery_time(missing):
    some = {name: times for name, times in GOOD.items() if name != missing}
    assert drill_rules.recovery_time(measured(**some)) is None


@pytest.mark.parametrize(
    ("seconds", "status"),
    [(14400.0, Status.PASS), (14400.1, Status.FAIL), (14399.9, Status.PASS), (None, Status.UNKNOWN)],
)
def test_at_the_target_is_still_within_it(seconds, status):
    taken = (
        [] if seconds is None else [Measurement("drill.rto", seconds, "s", AT), Measurement("drill.rpo", 3600, "s", AT)]
    )
    found = drill_rules.judge(Answer.of(taken), rto=timedelta(hours=4), rpo=timedelta(hours=1))
    assert [one.name for one in found] == ["recovery time", "recovery point"]
    assert found[0].status is status
    if status is Status.FAIL:
        assert "4 h 0 min 0.1 s, over the target 4 h 0 min 0.0 s" in found[0].message


def test_what_nobody_answered_stays_on_the_json(ledger, told):
    run = told.record(ledger)
    nobody = Unanswered("the containers", "docker", "twice", "connection refused", AT)
    ledger.record(run, "M3-08", [], Answer.of((), [nobody]))
    assert "connection refused" in assemble(ledger, run).as_json(STAMP).decode()
