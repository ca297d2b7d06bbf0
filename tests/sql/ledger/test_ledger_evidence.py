"""Evidence files: findable, whole, and known by their SHA-256."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clo_ops.findings import Answer, CheckFailed, CouldNotCheck, Measurement
from clo_ops.ledger.evidence import EvidenceStore, canonical_json, file_name

DAY = date(2026, 7, 6)


def test_a_file_lies_where_one_would_look_and_is_proven(tmp_path: Path) -> None:
    store = EvidenceStore(f"file://{tmp_path}")
    kept = store.put("morning_startup", DAY, "manual__1", "DM-01.json", b"{}\n", "application/json")
    path = tmp_path / "morning_startup" / "2026-07-06" / "manual__1" / "DM-01.json"
    assert (path.read_bytes(), kept.uri, kept.size) == (b"{}\n", f"file://{path}", 3)
    assert kept.sha256 == hashlib.sha256(b"{}\n").hexdigest()
    assert store.read(kept) == b"{}\n"


def test_a_repeat_takes_the_same_place_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    store = EvidenceStore(str(tmp_path))
    first = store.put("d", DAY, "r", "a.json", b"1", "application/json")
    again = store.put("d", DAY, "r", "a.json", b"22", "application/json")
    assert (again.uri, again.size) == (first.uri, 2)
    assert [one.name for one in tmp_path.rglob("*") if one.is_file()] == ["a.json"]


def test_an_altered_or_missing_file_is_noticed(tmp_path: Path) -> None:
    store = EvidenceStore(str(tmp_path))
    kept = store.put("d", DAY, "r", "a.txt", b"as seen", "text/plain")
    path = Path(kept.uri.removeprefix("file://"))
    assert path.stat().st_mode & 0o222 == 0, "nobody changes it by accident"
    path.chmod(0o644)
    path.write_bytes(b"As seen")
    with pytest.raises(CheckFailed, match="altered"):
        store.read(kept)
    path.unlink()
    with pytest.raises(CouldNotCheck, match="cannot be read"):
        store.read(kept)


def test_a_store_that_does_not_take_it_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CouldNotCheck, match="CLO_OPS_EVIDENCE"):
        EvidenceStore(str(tmp_path / "file")).put("d", DAY, "r", "a.txt", b"x", "text/plain")


def test_a_write_that_breaks_off_leaves_the_former_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = EvidenceStore(str(tmp_path))
    kept = store.put("d", DAY, "r", "a.txt", b"former", "text/plain")
    monkeypatch.setattr("clo_ops.ledger.evidence.os.fsync", lambda number: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(CouldNotCheck, match="disk full"):
        store.put("d", DAY, "r", "a.txt", b"latter", "text/plain")
    assert store.read(kept) == b"former"
    assert [one.name for one in tmp_path.rglob("*") if one.is_file()] == ["a.txt"]


def test_any_file_system_of_fsspec_will_do() -> None:
    store = EvidenceStore("memory://evidence")
    kept = store.put("d", DAY, "r", "a.txt", b"x", "text/plain")
    assert (kept.uri, store.read(kept)) == ("memory:///evidence/d/2026-07-06/r/a.txt", b"x")


@given(st.text(max_size=200))
def test_no_name_climbs_hides_or_is_too_long(text: str) -> None:
    name = file_name(text)
    assert 0 < len(name) <= 131
    assert not name.startswith((".", "-"))
    assert not set(name) & set("/\\:\x00\n ")


def test_names_that_had_to_change_stay_apart() -> None:
    names = ["scheduled__2026-07-06T08:00:00+00:00", "scheduled__2026-07-06T08_00:00+00:00", "../../etc/passwd", ".."]
    assert len({file_name(name) for name in names}) == 4
    assert file_name("DM-01.json") == "DM-01.json"
    assert file_name("rapport é.json").endswith(".json")


def test_one_value_has_one_writing() -> None:
    at = datetime(2026, 7, 6, 8, tzinfo=UTC)
    answer = Answer((Measurement("m", 1, "count", at, {"b": "é", "a": "1"}),))
    written = canonical_json({"z": 1, "answer": answer.as_json(), "at": at})
    assert written == canonical_json({"at": at.isoformat(), "answer": answer.as_json(), "z": 1})
    assert '"labels":{"a":"1","b":"é"}'.encode() in written
    assert canonical_json("\ud800") == b'"\\ud800"\n'
    with pytest.raises(ValueError, match="JSON"):
        canonical_json(float("nan"))
    with pytest.raises(TypeError, match="set cannot be evidence"):
        canonical_json({1, 2})
