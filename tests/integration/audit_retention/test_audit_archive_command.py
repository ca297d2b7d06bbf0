"""Archived rows come back, are asked together with the live ones, and leave for good only on two approvals."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from clo_ops.actions.retention.archiving import RetentionFailed
from clo_ops.actions.retention.expiry import Approval, expire, planned
from clo_ops.archive import main
from clo_ops.findings import CheckFailed
from clo_ops.policy.archive import AuditHold
from clo_ops.policy.period import Period
from clo_ops.probes.audit_archive import MANIFEST, AuditArchive

SEVEN_YEARS = Period(months=84)


@pytest.fixture
def command(moved: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("CLO_OPS_ARCHIVE_URL", moved.archive.as_uri())
    monkeypatch.setenv("CLO_OPS_CLO_URL", moved.cluster.url(moved.database, "clo_ops_reader"))
    monkeypatch.setenv("CLO_OPS_RESTORE_URL", moved.cluster.url(moved.database, "postgres"))
    url = moved.ledger.engine.url.set(drivername="postgresql")
    monkeypatch.setenv("CLO_OPS_LEDGER_URL", url.render_as_string(hide_password=False))
    return moved


def periods(system: Any) -> list[str]:
    return [row.period for row in system.ledger.archive_rows(system.identity)]


def test_a_restored_period_is_what_it_was(command, capsys):
    period = periods(command)[1]
    assert main(["restore", "--period", period, "--into", "public.looked_at"]) == 0
    assert "each hashed anew" in capsys.readouterr().out
    same = "SELECT count(*) FROM (TABLE looked_at EXCEPT SELECT * FROM audit_saved) AS other"
    assert command.rows(same) == [(0,)], "every column of every row, odd characters and all"
    assert command.rows("SELECT count(*) FROM looked_at") == [(168,)]
    assert main(["restore", "--period", period, "--into", "public.looked_at"]) == 1
    assert "already" in capsys.readouterr().err
    command.tamper("DROP TABLE looked_at")


def test_nothing_is_restored_from_a_file_that_was_changed(command, capsys):
    path = command.files()[1]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert main(["restore", "--period", periods(command)[1], "--into", "public.looked_at"]) == 1
    assert "nothing was restored" in capsys.readouterr().err
    assert command.rows("SELECT to_regclass('looked_at')") == [(None,)]


def test_archive_and_live_table_are_asked_as_one_each_row_once(command, capsys):
    statement = (
        "SELECT count(*) AS n, count(DISTINCT id) AS d, sum(CAST(detail->>'n' AS BIGINT)) AS s"
        " FROM audit WHERE id <= 3120"
    )
    assert main(["query", statement]) == 0
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert row == {"n": "3120", "d": "3120", "s": str(sum(range(3120)))}


def test_a_row_in_both_places_is_shown_once(system, monkeypatch, capsys):
    system.clean_up(holds=(AuditHold(name="a", reason="b", actors=("ann",)),))
    monkeypatch.setenv("CLO_OPS_ARCHIVE_URL", system.archive.as_uri())
    monkeypatch.setenv("CLO_OPS_CLO_URL", system.cluster.url(system.database, "clo_ops_reader"))
    assert main(["query", "SELECT count(*), count(DISTINCT id) FROM audit WHERE id <= 3120"]) == 0
    assert capsys.readouterr().out.splitlines()[1] == "3120,3120"


def test_status_says_where_each_file_stands_and_what_to_do(command, capsys):
    assert main(["status"]) == 0
    told = capsys.readouterr().out
    assert told.count("done") == len(command.files())
    row = command.ledger.archive_rows(command.identity)[0]
    command.ledger.record_archive(replace(row, state="leaving", deleted=3, failure="the database went away"))
    assert main(["status"]) == 3
    told = capsys.readouterr().out
    assert "3 of" in told and "the database went away" in told and "goes on from there" in told
    command.files()[0].with_name(command.files()[0].name + MANIFEST).unlink()
    main(["status"])
    assert "NOT IN THE ARCHIVE" in capsys.readouterr().out


def test_verify_ends_with_what_it_found(command, capsys, monkeypatch):
    assert main(["verify"]) == 0
    assert "audit.chain.rows archive" in capsys.readouterr().out
    first = command.rows("SELECT min(id) FROM audit_logs")[0][0]
    command.tamper(f"DELETE FROM audit_logs WHERE id = {first}")  # noqa: S608
    assert main(["verify", "--live"]) == 1
    assert "deleted head" in capsys.readouterr().out
    monkeypatch.setenv("CLO_OPS_ARCHIVE_URL", "")
    assert main(["verify"]) == 1


# --- leaving for good


def later(system: Any, years: int = 8) -> datetime:
    return system.at + timedelta(days=366 * years)


def due(system: Any, *, at: datetime, holds: tuple[AuditHold, ...] = (), keep: Period = SEVEN_YEARS) -> Any:
    policy = system.policy.model_copy(update={"holds": holds})
    return planned(AuditArchive(system.repository), system.identity, policy, keep, at)


def gone(system: Any, approvals: list[Approval], *, at: datetime) -> list[str]:
    return expire(
        AuditArchive(system.repository),
        system.identity,
        policy=system.policy,
        keep=SEVEN_YEARS,
        record=system.ledger,
        approvals=approvals,
        at=at,
    )


def test_nothing_is_due_before_seven_years_and_never_less(moved):
    plan, files, why = due(moved, at=datetime.now(UTC))
    assert (plan.steps, files) == ((), []) and "kept for 7 years" in why
    with pytest.raises(RetentionFailed, match="7 years or longer"):
        due(moved, at=later(moved), keep=Period(months=83))


def test_two_different_people_have_to_agree_to_the_very_plan(moved):
    at = later(moved)
    plan, files, _ = due(moved, at=at)
    assert len(files) == len(moved.files())
    one, other = Approval(plan.hash, "ann", "eve"), Approval(plan.hash, "bob", "eve")
    for too_few in (
        [],
        [one],
        [one, one],
        [one, Approval(plan.hash, "eve", "eve")],
        [one, Approval("x", "bob", "eve")],
    ):
        with pytest.raises(RetentionFailed, match="people agreed"):
            gone(moved, too_few, at=at)
    assert len(moved.files()) == len(files)
    assert gone(moved, [one, other], at=at) == [file.name for file in files]
    assert moved.files() == []
    found = moved.verified()
    assert (found.faults, found.answer.unanswered) == ([], ()), "what expired is on record, the rest still proven"
    assert {row.approved_by for row in moved.ledger.archive_rows(moved.identity)} == {("ann", "bob")}


def test_a_hold_keeps_its_file_and_all_behind_it(moved):
    files = due(moved, at=later(moved))[1]
    day = files[1].last_at.date()
    kept = due(moved, at=later(moved), holds=(AuditHold(name="SEC 17", reason="r", since=day, until=day),))
    assert [one.name for one in kept[1]] == [files[0].name] and "SEC 17" in kept[2]


def test_broken_off_the_removal_is_ended_and_nothing_more(moved):
    row = moved.ledger.archive_rows(moved.identity)[0]
    moved.ledger.record_archive(replace(row, state="expiring", approved_by=("ann", "bob")))
    assert gone(moved, [], at=moved.at) == [row.name]
    assert len(moved.files()) == len(moved.ledger.archive_rows(moved.identity)) - 1
    assert moved.verified().faults == []


def test_a_row_that_is_not_the_archived_one_is_never_restored_as_if_it_were(moved):
    """The bytes fit the manifest, the rows do not make a chain: somebody wrote file and manifest anew."""
    import hashlib
    import json

    from pyarrow import parquet

    from clo_ops.actions.retention.restoring import restore

    path = moved.files()[0]
    table = parquet.read_table(path)
    actors = ["mallory", *table["actor"].to_pylist()[1:]]
    column = table.schema.field("actor")
    import pyarrow as pa

    parquet.write_table(table.set_column(2, column, pa.array(actors, pa.string())), path)
    manifest = path.with_name(path.name + MANIFEST)
    facts = json.loads(manifest.read_text())
    facts |= {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "size_bytes": path.stat().st_size}
    manifest.write_text(json.dumps(facts))
    store = AuditArchive(moved.repository)
    with pytest.raises(CheckFailed, match="row 1 has hash"):
        restore(store, [store.manifest(path.name)], moved.target("postgres"), "public.forged")
    assert {one.kind.value for one in moved.verified().faults} == {"archive file damaged"}
