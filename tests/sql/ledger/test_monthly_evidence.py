"""The month's bundle: a changed, missing or added file, a changed index, a replaced whole, each found offline."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from clo_ops.evidence import main
from clo_ops.findings import Answer, Finding, Status
from clo_ops.findings.audit import Head, Receipt, Stretch
from clo_ops.findings.monthly import Month
from clo_ops.ledger.evidence import EvidenceStore
from clo_ops.orchestration import monthly_evidence
from clo_ops.orchestration.connections import Connections
from clo_ops.orchestration.run import Run
from clo_ops.policy import load_policy
from clo_ops.reports.anchors import AnchorStore
from clo_ops.reports.monthly_evidence import bundled
from demo.mornings import Plain

SCRIPT = Path(__file__).resolve().parents[3] / "docs" / "verify_evidence.py"
NOVEMBER = Month(2026, 11)
POLICY = load_policy(mode="demo")
SYSTEM = "7311/clo"


@pytest.fixture
def store(tmp_path):
    return EvidenceStore(str(tmp_path / "evidence"))


def recorded(ledger, store, day, name, data, *, procedure="DM-05"):
    """A run of that day with one file of evidence."""
    at = datetime(2026, day // 100, day % 100, 8, tzinfo=UTC)
    run = ledger.open_run("daily_morning_startup", f"scheduled__{day}", at, "")
    kept = store.put("daily_morning_startup", at.date(), f"scheduled__{day}", name, data, "application/json")
    found = Finding(procedure, "x", Status.PASS, "y", "y", "z")
    ledger.record(run, procedure, [found], Answer(), [kept], 1)
    return kept


@pytest.fixture
def month(ledger, store):
    """Three files of November, one of October, one of December; a trail that was verified, a receipt."""
    kept = [recorded(ledger, store, 1100 + day, f"DM-{day:02d}.json", b'{"day": %d}' % day) for day in (1, 15, 30)]
    recorded(ledger, store, 1031, "old.json", b"october")
    recorded(ledger, store, 1201, "new.json", b"december")
    ledger.remember_head(SYSTEM, Head(4711, "ab" * 32, datetime(2026, 11, 30, tzinfo=UTC)))
    receipt = Receipt(1, Stretch(1, 9, "0" * 64, "1" * 64), "a", "c" * 64, "0" * 64, "d" * 64, 10)
    ledger.record_receipt(SYSTEM, receipt)
    return kept


@pytest.fixture
def made(ledger, store, month, tmp_path):
    """The bundle of November, out of the store's reach, and its head."""
    with bundled(ledger, store, NOVEMBER) as bundle:
        place = tmp_path / "evidence-2026-11.zip"
        place.write_bytes(bundle.path.read_bytes())
        assert bundle.lost == []
        return place, bundle.head


def verify(place, *options):
    """The script by itself: no package of ours is in its reach."""
    command = [sys.executable, "-I", str(SCRIPT), str(place), *map(str, options)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={"PATH": os.environ["PATH"]})
    assert not done.stderr, done.stderr
    return done.returncode, done.stdout


def changed(place, into, *, drop=(), put=()):
    """The same archive with other contents."""
    with zipfile.ZipFile(place) as archive:
        files = {name: archive.read(name) for name in archive.namelist() if name not in drop}
    files.update(put)
    with zipfile.ZipFile(into, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return into


def first_file(place):
    with zipfile.ZipFile(place) as archive:
        return next(name for name in sorted(archive.namelist()) if name.startswith("files/"))


def test_the_month_and_nothing_else_is_in_it_and_it_verifies_against_the_mailed_hash(made):
    place, head = made
    with zipfile.ZipFile(place) as archive:
        names = [name for name in archive.namelist() if name.startswith("files/")]
    assert len(names) == 3
    code, said = verify(place, "--head", head.sha256)
    assert (code, said.splitlines()[-1]) == (0, "as recorded and anchored")
    assert "row 4711" in said
    assert head.facts["receipts"] == [{"system": SYSTEM, "number": 1, "hash": "d" * 64}]


def test_without_an_anchor_it_says_so_and_is_not_green(made):
    code, said = verify(made[0])
    assert code == 3
    assert "not held against an anchor" in said


def test_the_same_evidence_gives_the_same_bytes(ledger, store, made):
    with bundled(ledger, store, NOVEMBER) as again:
        assert again.path.read_bytes() == made[0].read_bytes()


@pytest.mark.parametrize("how", ["changed", "missing", "added"])
def test_a_file_that_is_another_one_or_not_there_or_too_many_is_named(made, tmp_path, how):
    place, head = made
    name = first_file(place)
    other = {
        "changed": {"put": {name: b'{"day": 99}'}.items()},
        "missing": {"drop": (name,)},
        "added": {"put": {"files/planted.json": b"{}"}.items()},
    }[how]
    code, said = verify(changed(place, tmp_path / "x.zip", **other), "--head", head.sha256)
    assert code == 1
    wrong = [line for line in said.splitlines() if line.startswith("WRONG")]
    assert len(wrong) == 1
    assert how in wrong[0]
    assert ("planted" if how == "added" else name) in wrong[0]


def test_a_changed_index_is_found_by_the_head(made, tmp_path):
    place, head = made
    with zipfile.ZipFile(place) as archive:
        lines = archive.read("index.jsonl").splitlines(keepends=True)
    shorter = changed(
        place, tmp_path / "x.zip", drop=(first_file(place),), put={"index.jsonl": b"".join(lines[1:])}.items()
    )
    code, said = verify(shorter, "--head", head.sha256)
    assert code == 1
    assert "index.jsonl: changed" in said


def replaced(place, into):
    """Everything forged so that it agrees with itself: file, index and head."""
    name = first_file(place)
    with zipfile.ZipFile(place) as archive:
        lines = [json.loads(line) for line in archive.read("index.jsonl").splitlines()]
        head = json.loads(archive.read("head.json"))
    data = b'{"day": 99}'
    for line in lines:
        if line["path"] == name:
            line["sha256"] = hashlib.sha256(data).hexdigest()
    index = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    head["index_sha256"] = hashlib.sha256(index).hexdigest()
    put = {name: data, "index.jsonl": index, "head.json": json.dumps(head).encode()}
    return changed(place, into, put=put.items())


def test_a_whole_that_was_forged_agrees_with_itself_and_with_no_anchor(made, tmp_path):
    place, head = made
    forged = replaced(place, tmp_path / "x.zip")
    assert verify(forged)[0] == 3, "by itself nobody can tell"
    code, said = verify(forged, "--head", head.sha256)
    assert code == 1
    assert "expected was" in said
    anchor = AnchorStore(str(tmp_path / "anchor"))
    anchor.keep(head)
    assert verify(place, "--anchors", tmp_path / "anchor")[0] == 0
    code, said = verify(forged, "--anchors", tmp_path / "anchor")
    assert code == 1
    assert "is not anchored" in said


def test_what_is_no_bundle_cannot_be_checked(tmp_path):
    nothing = tmp_path / "x.zip"
    nothing.write_bytes(b"no archive")
    assert verify(nothing)[0] == 2
    with zipfile.ZipFile(nothing, "w") as archive:
        archive.writestr("head.json", "{}")
    assert verify(nothing)[0] == 2


def alter(store, evidence):
    """As somebody does who may: the store's files are without the right to write."""
    place = Path(store.files._strip_protocol(evidence.uri))
    place.chmod(0o644)
    place.write_bytes(b"altered")


def test_a_file_altered_in_the_store_is_left_out_and_told(ledger, store, month, tmp_path):
    alter(store, month[0])
    Path(store.files._strip_protocol(month[1].uri)).unlink()
    with bundled(ledger, store, NOVEMBER) as bundle:
        assert bundle.files == 1
        assert len(bundle.lost) == 2
        code, said = verify(bundle.path, "--head", bundle.head.sha256)
    assert code == 0, "it is what was bundled"
    assert said.count("LACKED when it was made") == 2


# ---------------------------------------------------------------- the anchor


def test_heads_name_each_other_and_a_changed_or_missing_one_is_found(ledger, store, month, tmp_path):
    anchor = AnchorStore(str(tmp_path / "anchor"))
    for one in (Month(2026, 10), NOVEMBER, Month(2026, 12)):
        with bundled(ledger, store, one, previous=anchor.read().before(one)) as bundle:
            anchor.keep(bundle.head)
            anchor.keep(bundle.head)
    known = anchor.read()
    assert (len(known.months), known.wrong) == (3, ())
    october, november, _ = sorted((tmp_path / "anchor").iterdir())
    original = november.read_bytes()
    november.write_bytes(original.replace(b'"lost":[]', b'"lost":[""]'))
    assert "it was changed" in " ".join(anchor.read().wrong)
    november.write_bytes(original)
    october.unlink()
    assert "which is not there" in " ".join(anchor.read().wrong)


def connections(tmp_path, ledger_url, anchored=True):
    known = {"clo_postgres": {"host": "127.0.0.1", "port": 1, "login": "x", "schema": "x"}}
    if anchored:
        known["clo_anchor"] = {"extra": {"url": (tmp_path / "anchor").as_uri()}}

    def get(conn_id):
        from clo_ops.findings import ConfigurationError

        if conn_id not in known:
            raise ConfigurationError(f"there is no Airflow connection {conn_id!r}")
        return Plain(conn_id, **known[conn_id])

    return Connections("clo_ops/t", get)


@pytest.fixture
def first_monday(ledger, store, month, url, tmp_path, monkeypatch):  # noqa: PLR0917 - fixtures
    """LM-05's run on the first Monday of December; ``again`` is a month later."""
    monkeypatch.setenv("CLO_OPS_EVIDENCE", store.root)

    def make(at=datetime(2026, 12, 7, 12, tzinfo=UTC), anchored=True):
        key = ledger.open_run("log_management", f"scheduled__{at}", at, "")
        to = connections(tmp_path, url, anchored)
        return Run("log_management", f"scheduled__{at}", "monthly_review", at, POLICY, to, ledger, key)

    return make


def statuses(findings):
    return {one.name: one.status for one in findings}


def test_the_first_monday_bundles_anchors_and_mails(first_monday, ledger, tmp_path):
    run = first_monday()
    found = monthly_evidence.of_last_month(run)
    assert set(statuses(found).values()) == {Status.PASS}, found
    (kept,) = run.evidence
    assert kept.name == "evidence-2026-11.zip"
    (anchor,) = (tmp_path / "anchor").iterdir()
    head = hashlib.sha256(anchor.read_bytes()).hexdigest()
    place = Path(kept.uri.removeprefix("file://"))
    assert hashlib.sha256(place.read_bytes()).hexdigest() == kept.sha256
    assert verify(place, "--head", head)[0] == 0
    now = datetime.now(UTC)
    (mail,) = ledger.messages_put_in(now - timedelta(hours=1), now + timedelta(hours=1))
    assert head in mail.message.text
    assert kept.sha256 in mail.message.text


def test_an_anchor_that_is_gone_or_changed_later_is_found_the_next_month(first_monday, tmp_path):
    first = first_monday()
    monthly_evidence.of_last_month(first)
    (anchor,) = (tmp_path / "anchor").iterdir()
    anchor.unlink()
    found = monthly_evidence.of_last_month(first_monday(datetime(2027, 1, 4, 12, tzinfo=UTC)))
    assert statuses(found)["earlier anchors"] is Status.FAIL
    assert "is on record and not there" in next(one for one in found if one.name == "earlier anchors").message


def test_without_a_second_repository_it_warns_and_altered_evidence_fails(first_monday, store, month):
    alter(store, month[0])
    found = monthly_evidence.of_last_month(first_monday(anchored=False))
    expected = {"evidence bundle": Status.FAIL, "evidence index": Status.PASS, "anchor": Status.WARN}
    assert statuses(found) == expected


# ---------------------------------------------------------------- the store against the index

DAY = "daily_morning_startup/2026-11-15/scheduled__1115"
PLANTED = {
    "beside a recorded file": f"{DAY}/DM-99.json",
    "half written by a killed worker": f"{DAY}/.DM-15.json.0123.part",
    "of a run nobody knows": "daily_morning_startup/2026-11-16/manual__x/DM-01.json",
    "of a month long over": "daily_morning_startup/2026-02-01/scheduled__201/DM-01.json",
    "of a page nobody knows": "made_up/2026-11-15/r/a.json",
    "in no folder": "notes.txt",
    "in a folder that is no day": "daily_morning_startup/tmp/deep/a.json",
    "of a day to come": "daily_morning_startup/2999-01-01/r/a.json",
}


def the_index(findings):
    (found,) = [one for one in findings if one.name == "evidence index"]
    return found


@pytest.mark.parametrize("where", PLANTED)
def test_a_file_that_is_not_on_record_is_named_and_nothing_else_is(first_monday, store, where):
    place = Path(store.root) / PLANTED[where]
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(b"planted")
    found = monthly_evidence.of_last_month(first_monday())
    assert (the_index(found).status, the_index(found).actual) == (Status.FAIL, "1 not on record, 0 gone")
    assert f"0 gone: {PLANTED[where]} is not on record" in the_index(found).message
    assert {one.status for one in found if one.name != "evidence index"} == {Status.PASS}


def test_a_record_whose_file_is_gone_is_named_in_later_months_too(first_monday, store):
    gone = "daily_morning_startup/2026-10-31/scheduled__1031/old.json"
    (Path(store.root) / gone).unlink()
    found = the_index(monthly_evidence.of_last_month(first_monday()))
    assert (found.status, found.actual) == (Status.FAIL, "0 not on record, 1 gone")
    assert f"{gone} is gone" in found.message


def test_what_is_being_written_this_month_is_no_finding(first_monday, store):
    store.put("daily_morning_startup", date(2026, 12, 2), "r", "a.json", b"not recorded yet", "text/plain")
    found = the_index(monthly_evidence.of_last_month(first_monday()))
    assert (found.status, found.actual) == (Status.PASS, "4 files"), "October's and November's"


def test_a_store_that_cannot_be_listed_is_unknown(first_monday, store, monkeypatch):
    def refused(*_, **__):
        raise PermissionError("denied")

    run = first_monday()
    monkeypatch.setattr(type(store.files), "ls", refused)
    found = the_index(monthly_evidence.of_last_month(run))
    assert found.status is Status.UNKNOWN
    assert "cannot be listed: denied" in found.message


def test_a_repository_that_takes_nothing_fails(first_monday, tmp_path):
    (tmp_path / "anchor").write_text("a file where a folder should be")
    found = statuses(monthly_evidence.of_last_month(first_monday()))
    assert (found["anchor"], found["earlier anchors"]) == (Status.FAIL, Status.UNKNOWN)


def test_the_command_makes_the_same_bundle(store, month, url, tmp_path, capsys):
    environment = {
        "CLO_OPS_LEDGER_URL": url,
        "CLO_OPS_EVIDENCE": store.root,
        "CLO_OPS_ANCHOR_URL": str(tmp_path / "anchor"),
    }
    assert main(["bundle", "--month", "2026-11", "--into", str(tmp_path)], environment) == 0
    said = capsys.readouterr().out
    assert "3 files of 2026-11" in said
    assert verify(tmp_path / "evidence-2026-11.zip", "--anchors", tmp_path / "anchor")[0] == 0
    (Path(store.root) / "planted.txt").write_bytes(b"x")
    capsys.readouterr()
    assert main(["bundle", "--month", "2026-11", "--into", str(tmp_path)], environment) == 1
    assert "WRONG  planted.txt is not on record" in capsys.readouterr().out
    assert main(["bundle", "--month", "2026-13", "--into", str(tmp_path)], environment) == 2
    assert main(["bundle", "--month", "2026-11"], {}) == 2
