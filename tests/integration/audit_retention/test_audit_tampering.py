"""Each way of tampering with the audit trail is found and told apart, also from retention (I60, WF-05)."""
# ruff: noqa: S608 - ids the test itself found

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from clo_ops.findings.audit import Fault, Receipt
from clo_ops.ledger import archive_tables
from clo_ops.probes import audit_stream
from clo_ops.probes.audit_archive import MANIFEST

COLUMNS = "id, created_at, actor, action, object_type, object_id, detail, prev_hash"


def kinds(system: Any, *, whole: bool = True) -> set[Fault]:
    found = system.verified(whole=whole)
    assert found.answer.unanswered == ()
    for one in Fault:
        assert found.answer.value("audit.chain.fault", kind=one.value) is not None, (
            "each kind is measured, found or not"
        )
    return {one.kind for one in found.faults}


def ends(system: Any) -> tuple[int, int]:
    first, last = system.rows("SELECT min(id), max(id) FROM audit_logs")[0]
    return first, last


def remember(system: Any) -> None:
    found = system.verified(whole=False)
    assert found.whole
    system.ledger.remember_head(system.identity, found.head)


def test_retention_is_never_a_fault_before_during_or_after_it(system):
    assert kinds(system) == set()
    retention = system.retention()
    for step in retention.plan().steps:
        retention.act(step)
        assert kinds(system) == set(), step.key
    assert kinds(system, whole=False) == set()


def test_an_edited_row(moved):
    first, _ = ends(moved)
    moved.tamper(f"UPDATE audit_logs SET detail = '{{}}' WHERE id = {first + 10}")
    found = moved.verified().faults
    assert [(one.kind, one.first_id) for one in found] == [(Fault.EDITED, first + 10)]


def test_an_edited_row_whose_own_hash_was_worked_out_anew(moved):
    first, _ = ends(moved)
    moved.tamper(
        f"UPDATE audit_logs SET actor = 'mallory' WHERE id = {first + 10}",
        f"UPDATE audit_logs SET row_hash = audit_row_hash({COLUMNS}) WHERE id = {first + 10}",
    )
    found = moved.verified().faults
    assert [(one.kind, one.first_id) for one in found] == [(Fault.EDITED, first + 10)]


def rewrite(system: Any, start: int) -> None:
    """As a superuser with patience: every hash from there on made anew."""
    system.tamper(
        f"UPDATE audit_logs SET actor = 'mallory' WHERE id = {start}",
        f"""DO $$ DECLARE r record; p text; BEGIN
        SELECT prev_hash INTO p FROM audit_logs WHERE id = {start};
        FOR r IN SELECT * FROM audit_logs WHERE id >= {start} ORDER BY id LOOP
            UPDATE audit_logs SET prev_hash = p, row_hash = audit_row_hash(r.id, r.created_at, r.actor, r.action,
                r.object_type, r.object_id, r.detail, p) WHERE id = r.id RETURNING row_hash INTO p;
        END LOOP; END $$""",
    )


def test_a_chain_written_anew_is_found_by_what_was_seen_of_it_before(moved):
    remember(moved)
    first, _ = ends(moved)
    rewrite(moved, first + 10)
    assert moved.rows("SELECT * FROM audit_verify()") == [], "in itself it is whole"
    assert Fault.REWRITTEN in kinds(moved)


def test_a_chain_written_anew_is_found_by_its_anchors(system):
    system.rows("SELECT audit_anchor_days(current_date)")
    rewrite(system, 2000)
    assert kinds(system) == {Fault.ANCHOR}


def test_a_deleted_head_with_and_without_a_retention_before_it(system):
    system.tamper("DELETE FROM audit_logs WHERE id <= 7")
    assert kinds(system) == {Fault.HEAD}


def test_a_deleted_head_behind_what_retention_took(moved):
    first, _ = ends(moved)
    moved.tamper(f"DELETE FROM audit_logs WHERE id < {first + 7}")
    found = moved.verified().faults
    assert [(one.kind, one.first_id, one.last_id) for one in found] == [(Fault.HEAD, first, first + 6)]


def test_a_deleted_middle(moved):
    first, _ = ends(moved)
    moved.tamper(f"DELETE FROM audit_logs WHERE id BETWEEN {first + 50} AND {first + 60}")
    found = moved.verified().faults
    assert [(one.kind, one.first_id, one.last_id) for one in found] == [(Fault.MIDDLE, first + 50, first + 60)]


def test_a_cut_tail_is_found_by_the_head_that_was_seen(moved):
    remember(moved)
    _, last = ends(moved)
    moved.tamper(f"DELETE FROM audit_logs WHERE id > {last - 3} AND action <> 'audit.rows_moved'")
    moved.tamper("DELETE FROM audit_logs WHERE id = (SELECT max(id) FROM audit_logs) AND action <> 'audit.rows_moved'")
    moved.tamper(f"DELETE FROM audit_logs WHERE id = {last}")
    assert Fault.TAIL in kinds(moved)


def test_a_cut_tail_is_found_by_the_last_anchor(system):
    system.rows("SELECT audit_anchor_days(current_date)")
    anchored = system.rows("SELECT max(last_id) FROM audit_anchor")[0][0]
    system.tamper(f"DELETE FROM audit_logs WHERE id >= {anchored - 2}")
    assert kinds(system) == {Fault.TAIL}


def test_a_doubled_row(altered):
    altered.clean_up()
    first, _ = ends(altered)
    altered.tamper(
        "ALTER TABLE audit_logs DROP CONSTRAINT audit_logs_pkey",
        f"INSERT INTO audit_logs SELECT * FROM audit_logs WHERE id = {first + 20}",
    )
    found = altered.verified().faults
    assert [(one.kind, one.first_id) for one in found] == [(Fault.DOUBLED, first + 20)]


@pytest.mark.parametrize("place", [99, 100, 101, 199])
def test_a_doubled_row_where_one_statement_ends_and_the_next_begins(altered, monkeypatch, place):
    monkeypatch.setattr(audit_stream, "ROWS_AT_ONCE", 100)
    first, _ = ends(altered)
    altered.tamper(
        "ALTER TABLE audit_logs DROP CONSTRAINT audit_logs_pkey",
        f"INSERT INTO audit_logs SELECT * FROM audit_logs WHERE id = {first + place}",
    )
    found = altered.verified().faults
    assert [(one.kind, one.first_id) for one in found] == [(Fault.DOUBLED, first + place)]


def test_a_row_below_the_first(system):
    system.tamper(
        f"INSERT INTO audit_logs SELECT -5, {COLUMNS.removeprefix('id, ')}, row_hash FROM audit_logs WHERE id = 7"
    )
    found = system.verified().faults
    assert [(one.kind, one.first_id) for one in found] == [(Fault.EDITED, -5)]


# --- receipts


def test_a_head_deleted_with_a_receipt_that_the_database_itself_wrote(moved):
    """Somebody with every right in the CLO database: the ledger knows of no retention that did it."""
    first, _ = ends(moved)
    prev = moved.rows("SELECT prev_hash FROM audit_logs WHERE id = %s", first)[0][0]
    last = moved.rows("SELECT row_hash FROM audit_logs WHERE id = %s", first + 9)[0][0]
    moved.rows("SELECT audit_receipt(%s, %s, 10, %s, %s, 'forged.parquet', %s)", first, first + 9, prev, last, "f" * 64)
    moved.tamper(f"DELETE FROM audit_logs WHERE id < {first + 10}")
    assert kinds(moved) == {Fault.FORGED, Fault.HEAD}


def test_a_receipt_written_by_hand(moved):
    detail = json.dumps({"number": 99, "last_id": 10**6})
    moved.rows("SELECT audit_write('x', 'audit.rows_moved', 'audit_logs', 'moved', %s)", detail)
    assert kinds(moved) == {Fault.FORGED}


def test_a_receipt_widened_afterwards(moved):
    """The row is edited, and so says the chain; the receipt is not the one on record, and so says the ledger."""
    first, _ = ends(moved)
    moved.tamper(
        "UPDATE audit_logs SET detail = detail || jsonb_build_object('last_id', (detail->>'last_id')::bigint + 5)"
        " WHERE id = (SELECT max(id) FROM audit_logs WHERE action = 'audit.rows_moved')",
        f"DELETE FROM audit_logs WHERE id < {first + 5}",
    )
    assert kinds(moved) == {Fault.FORGED, Fault.EDITED, Fault.HEAD}


def test_a_receipt_taken_out_of_the_trail(moved):
    gone = moved.rows("SELECT max(id) FROM audit_logs WHERE action = 'audit.rows_moved'")[0][0]
    moved.rows("SELECT audit_write('ann', 'login')")
    moved.tamper(f"DELETE FROM audit_logs WHERE id = {gone}")
    assert kinds(moved) == {Fault.RECEIPT_LOST, Fault.MIDDLE}


def test_a_receipt_changed_in_the_ledger(moved):
    kept = archive_tables.archive_receipts
    with moved.ledger.transaction() as connection:
        connection.execute(kept.update().where(kept.c.number == 1, kept.c.system == moved.identity).values(archive="x"))
    assert Fault.FORGED in kinds(moved)


def test_a_receipt_hashes_what_it_says():
    detail = {
        "number": 1,
        "first_id": 1,
        "last_id": 2,
        "first_prev_hash": "0" * 64,
        "last_row_hash": "1" * 64,
        "archive": "a",
        "manifest_sha256": "2" * 64,
        "previous": "0" * 64,
        "receipt_hash": "",
    }
    receipt = Receipt.of_event(3, detail)
    assert replace(receipt, archive="b").computed() != receipt.computed()
    assert replace(receipt, previous="1" * 64).computed() != receipt.computed()


# --- the archive


def test_a_file_that_is_missing(moved):
    moved.files()[0].unlink()
    assert kinds(moved, whole=False) == {Fault.MISSING}


def test_a_manifest_that_is_missing(moved):
    moved.files()[0].with_name(moved.files()[0].name + MANIFEST).unlink()
    assert kinds(moved, whole=False) == {Fault.MISSING}


def test_a_file_cut_short(moved):
    path = moved.files()[0]
    path.write_bytes(path.read_bytes()[:-100])
    assert kinds(moved, whole=False) == {Fault.DAMAGED}


def test_a_byte_turned_over_in_a_file_is_found_when_it_is_read(moved):
    path = moved.files()[0]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert kinds(moved, whole=False) == set(), "only the whole is read"
    assert kinds(moved) == {Fault.DAMAGED}


def test_a_file_swapped_with_its_manifest_for_another(moved):
    one, other = moved.files()[:2]
    one.write_bytes(other.read_bytes())
    manifest = other.with_name(other.name + MANIFEST).read_bytes()
    one.with_name(one.name + MANIFEST).write_bytes(manifest)
    assert kinds(moved, whole=False) == {Fault.DAMAGED}


def test_a_held_row_that_differs_from_its_copy(system):
    from clo_ops.policy.archive import AuditHold

    system.clean_up(holds=(AuditHold(name="a", reason="b", actors=("ann",)),))
    held = system.rows("SELECT min(id) FROM audit_logs")[0][0]
    system.tamper(
        f"UPDATE audit_logs SET detail = '{{\"n\": 0}}' WHERE id = {held}",
        f"UPDATE audit_logs SET row_hash = audit_row_hash({COLUMNS}) WHERE id = {held}",
    )
    assert kinds(system) == {Fault.EDITED}


@pytest.mark.parametrize("user", ["clo_ops_reader", "clo_ops_retention"])
def test_who_reads_may_verify(moved_once, user):
    found = moved_once.verified(user=user)
    assert (found.faults, found.answer.unanswered) == ([], ())
