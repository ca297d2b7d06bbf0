"""The first step of a drill and what the ledger remembers: only these very bytes, decoded whole and not failed since,
are hashed and not decoded again; everything else is read to its end."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from clo_ops.findings import Finding, Status
from clo_ops.ledger import BackupRow, Ledger
from clo_ops.orchestration.connections import Connections
from clo_ops.orchestration.drill import Drill
from clo_ops.orchestration.drill_environment import environment
from clo_ops.orchestration.run import Run
from clo_ops.policy import load_policy
from clo_ops.probes.backup_reading import BackupReader
from demo.mornings import connected
from demo.stack.ports import free_port

AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
READ = AT - timedelta(hours=7)
SQL = b"--\n-- PostgreSQL database dump\n--\n\nselect 1;\n\n--\n-- PostgreSQL database dump complete\n--\n"
SHA256 = hashlib.sha256(SQL).hexdigest()
NAME = "clo-20261123T020000Z.dump"
DECODED = "backup can be read to its end"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "backups"
    made.mkdir()
    (made / NAME).write_bytes(SQL)
    taken = (AT - timedelta(hours=8)).isoformat()
    manifest = {
        "format_version": 2, "database": "clo", "path": NAME, "format": "plain", "status": "success",
        "started_at": taken, "ended_at": taken, "snapshot_at": taken, "server_major": 15, "server_version": "15.8",
        "size_bytes": len(SQL), "sha256": SHA256, "tables": {},
    }  # fmt: skip
    (made / f"{NAME}.manifest.json").write_text(json.dumps(manifest))
    return made


@pytest.fixture
def connections(folder: Path) -> Connections:
    """An engine and a production nobody answers at: nothing can be started, whatever was read."""
    nowhere = {"host": "127.0.0.1", "port": free_port()}
    known: dict[str, dict[str, Any]] = {
        "clo_backups": {"conn_type": "generic", "extra": {"url": folder.as_uri()}},
        "clo_postgres": {"conn_type": "postgres", **nowhere, "login": "clo", "schema": "clo"},
        "clo_docker": {"conn_type": "docker", "host": f"tcp://127.0.0.1:{free_port()}"},
    }
    return connected(known, "clo_ops/test")


@pytest.fixture
def first_step(ledger: Ledger, run: int, connections: Connections, tmp_path: Path) -> Callable[[], list[Finding]]:
    policy = load_policy(mode="demo")
    local = policy.recovery.local.model_copy(update={"directory": str(tmp_path / "local")})
    policy = policy.model_copy(update={"recovery": policy.recovery.model_copy(update={"local": local})})
    params = {"parts": ["restore"]}
    this = Run("drill", "manual__1", "environment", AT, policy, connections, ledger, run, params=params)
    return lambda: environment(Drill.of(this))


@pytest.fixture
def decodings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of what was decoded, each time."""
    seen: list[str] = []
    whole = BackupReader.read

    def watched(reader: BackupReader, stored: Any) -> Any:
        seen.append(stored.name)
        return whole(reader, stored)

    monkeypatch.setattr(BackupReader, "read", watched)
    return seen


def remembered(connections: Connections) -> BackupRow:
    """As the end of day leaves it: these bytes, decoded whole this morning."""
    proven = {"L0": READ, "L1": READ, "L2": READ}
    return BackupRow(str(connections.backups), NAME, sha256=SHA256, proven=proven, read_at=READ)  # type: ignore[arg-type]


def decoded(findings: list[Finding]) -> Finding:
    return next(one for one in findings if one.name == DECODED)


def test_bytes_the_end_of_day_decoded_are_not_decoded_again(ledger, connections, first_step, decodings):
    ledger.record_backup(remembered(connections))
    found = decoded(first_step())
    assert decodings == []
    assert (found.status, found.actual) == (Status.PASS, "the same bytes were decoded on 2026-11-23 03:00 UTC")


@pytest.mark.parametrize(
    "otherwise",
    [
        {"sha256": "0" * 64},
        {"proven": {"L0": READ, "L1": READ}},
        {"read_at": None},
        {"failed_at": READ + timedelta(hours=1), "failure": "L4: a row is missing"},
        {"path": "clo-20261122T020000Z.dump"},
        {"repository": "file:///elsewhere"},
        {"present": False},
    ],
    ids=["other bytes", "hashed only", "never read", "failed since", "another file", "another repository", "was gone"],
)
def test_whatever_else_is_remembered_is_decoded(otherwise, ledger, connections, first_step, decodings):
    ledger.record_backup(replace(remembered(connections), **otherwise))
    assert decoded(first_step()).status is Status.PASS
    assert decodings == [NAME]


def test_a_backup_nobody_has_seen_is_decoded(first_step, decodings):
    assert decoded(first_step()).status is Status.PASS
    assert decodings == [NAME]


def test_a_memory_of_good_bytes_does_not_cover_those_that_are_there(ledger, connections, first_step, decodings, folder):
    ledger.record_backup(remembered(connections))
    (folder / NAME).write_bytes(SQL[:-30])
    assert decoded(first_step()).status is Status.FAIL
    assert decodings == [NAME]
