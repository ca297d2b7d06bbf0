"""``python -m clo_ops.archive``: the archive of audit rows, for operators and auditors (docs/retention.md).

Where things are, from the environment, so that no password stands in a process list: CLO_OPS_ARCHIVE_URL (any fsspec
URL; its options as JSON in CLO_OPS_ARCHIVE_OPTIONS), CLO_OPS_CLO_URL (the CLO database), CLO_OPS_LEDGER_URL, and
CLO_OPS_RESTORE_URL for the database rows are restored into.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from clo_ops.findings import CloOpsError, ConfigurationError
from clo_ops.findings.audit import ArchiveFile, Remembered
from clo_ops.ledger.ledger import Ledger
from clo_ops.policy import load_policy
from clo_ops.probes.audit_archive import AuditArchive
from clo_ops.probes.audit_stream import ends, trail
from clo_ops.probes.targets import BackupRepository, PostgresTarget

ARCHIVE, DATABASE, LEDGER = "CLO_OPS_ARCHIVE_URL", "CLO_OPS_CLO_URL", "CLO_OPS_LEDGER_URL"
INTO = "CLO_OPS_RESTORE_URL"
WHAT_NOW = {
    "planned": "not written, or not proven; the next run writes it again from the live rows",
    "written": "the next run proves it before anything is deleted",
    "verified": "its rows stand in both places; the next run deletes them from the live table",
    "leaving": "broken off while rows were deleted; the next run goes on from there",
    "done": "",
    "expiring": "broken off while the file was removed; run expire again",
    "expired": "",
}


def _setting(name: str) -> str:
    if not (value := os.environ.get(name, "")):
        raise ConfigurationError(f"{name} is not set", next_step=f"export {name}=... (docs/retention.md)")
    return value


def _target(name: str) -> PostgresTarget:
    from psycopg.conninfo import conninfo_to_dict

    said = {key: str(value) for key, value in conninfo_to_dict(_setting(name)).items()}
    return PostgresTarget(
        host=said.get("host", "127.0.0.1"),
        port=int(said.get("port", 5432)),
        database=said.get("dbname", "clo"),
        user=said.get("user", ""),
        password=said.get("password", ""),
        sslmode=said.get("sslmode", "prefer"),
        client_name="clo_ops/archive",
        statement_timeout=300.0,
    )


def _store() -> AuditArchive:
    options = json.loads(os.environ.get("CLO_OPS_ARCHIVE_OPTIONS") or "{}")
    return AuditArchive(BackupRepository(_setting(ARCHIVE), options))


def _system(chosen: argparse.Namespace) -> str:
    if chosen.system:
        return str(chosen.system)
    with trail(_target(DATABASE)) as connection:
        return ends(connection).system


def _files(chosen: argparse.Namespace, store: AuditArchive) -> list[ArchiveFile]:
    found, wrong = store.manifests(_system(chosen))
    for name, why in wrong.items():
        sys.stderr.write(f"{name}: {why}\n")
    period = getattr(chosen, "period", None)
    if not period:
        return found
    return [one for one in found if one.period == period or one.period.startswith(f"{period}-")]


def status(chosen: argparse.Namespace) -> int:
    """Where each file stands by the ledger, and by the archive itself where the ledger says nothing."""
    store = _store()
    system, files = _system(chosen), {one.name: one for one in _files(chosen, store)}
    with Ledger(_setting(LEDGER), client_name="clo_ops/archive/status") as ledger:
        rows = ledger.archive_rows(system)
    sys.stdout.write(f"{store}, rows of {system}\n")
    for row in rows:
        there = "" if row.name in files or row.state in ("planned", "expired") else "  NOT IN THE ARCHIVE"
        counts = f"{row.deleted:,} of {row.rows:,} left" + (f", {row.held:,} held" if row.held else "")
        sys.stdout.write(f"{row.period:10} {row.state:9} {counts:32} {row.name}{there}\n")
        for said in (row.failure, WHAT_NOW[row.state]):
            if said:
                sys.stdout.write(f"{'':20} {said}\n")
    for name in sorted(files.keys() - {row.name for row in rows}):
        sys.stdout.write(f"{files[name].period:10} in the archive, and not on record in this ledger: {name}\n")
    for name in [one for one in store.files.hidden() if "-audit_logs-" in one] if files else []:
        sys.stdout.write(f"{'':10} being written, or broken off while it was: {name}\n")
    return 0 if all(row.state in ("done", "expired") for row in rows) else 3


def verify(chosen: argparse.Namespace) -> int:
    """Exit code 0 where the trail is whole, 1 where it is not, 3 where it could not be asked."""
    from clo_ops.probes.audit_chain import verify as verified

    target, at = _target(DATABASE), datetime.now(UTC)
    with Ledger(_setting(LEDGER), client_name="clo_ops/archive/verify") as ledger:

        def remembered() -> Remembered:
            with trail(target) as connection:
                return ledger.remembered(ends(connection).system)

        store = _store()
        found = verified(target, store.files.repository, remembered, at=at, whole=not chosen.live)
    for silent in found.answer.unanswered:
        sys.stderr.write(f"could not ask {silent.target}: {silent.reason}\n")
    for fault in found.faults:
        sys.stdout.write(f"{fault.kind.value}: {fault.said}\n")
    for one in found.answer.measurements:
        if one.name != "audit.chain.fault":
            labels = "".join(f" {value}" for value in one.labels.values())
            sys.stdout.write(f"{one.name}{labels}: {one.value:,.6g} {one.unit} {one.detail}".rstrip() + "\n")
    return 3 if found.answer.unanswered else int(bool(found.faults))


def restore(chosen: argparse.Namespace) -> int:
    from clo_ops.actions.retention.restoring import restore as restored

    store = _store()
    rows = restored(store, _files(chosen, store), _target(INTO), chosen.into)
    sys.stdout.write(f"{rows:,} rows, each hashed anew, in table {chosen.into}\n")
    return 0


def query(chosen: argparse.Namespace) -> int:
    """Prints CSV."""
    import csv

    from clo_ops.probes.audit_query import together

    store = _store()
    with together(store, _files(chosen, store), None if chosen.archive_only else _target(DATABASE)) as connection:
        asked = connection.execute(chosen.sql)
        written = csv.writer(sys.stdout)
        written.writerow([one[0] for one in asked.description])
        while rows := asked.fetchmany(1000):
            written.writerows(rows)
    return 0


def expire(chosen: argparse.Namespace) -> int:
    """Shows the plan; carries it out once the ledger has the approvals of that very plan."""
    from clo_ops.actions.retention.expiry import Approval, planned
    from clo_ops.actions.retention.expiry import expire as expired

    store, policy, at = _store(), load_policy().retention, datetime.now(UTC)
    system, keep = _system(chosen), policy["audit_logs"].keep
    plan, due, why = planned(store, system, policy.archive, keep, at)
    for step in plan.steps:
        sys.stdout.write(f"{step.statement}: {step.why}\n")
    sys.stdout.write(f"plan {plan.hash}: {len(due)} files; {why}\n")
    if not chosen.apply:
        return 0
    with Ledger(_setting(LEDGER), client_name="clo_ops/archive/expire") as ledger:
        agreed = [Approval(plan.hash, by, requester) for by, requester in ledger.approved_plan(plan.hash)]
        gone = expired(store, system, policy=policy.archive, keep=keep, record=ledger, approvals=agreed, at=at)
    sys.stdout.write("".join(f"removed {name}\n" for name in gone))
    return 0


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m clo_ops.archive", description=__doc__)
    parser.add_argument("--system", help="whose rows, as in the manifests; by default those of CLO_OPS_CLO_URL")
    actions = parser.add_subparsers(required=True, metavar="status | verify | restore | query | expire")
    one = actions.add_parser("status", help="where each file stands; exit code 3 while something is under way")
    one.set_defaults(act=status)
    one = actions.add_parser("verify", help="the whole chain, over archive and live table")
    one.add_argument("--live", action="store_true", help="do not read the archived rows, only their manifests")
    one.set_defaults(act=verify)
    one = actions.add_parser("restore", help="a period back into a new table of CLO_OPS_RESTORE_URL")
    one.add_argument("--period", required=True, help="as status prints it (2026-W34); 2026 for the whole year")
    one.add_argument("--into", required=True, help="schema.table, which must not be there yet")
    one.set_defaults(act=restore)
    one = actions.add_parser("query", help="SQL over the views audit, archive and live; prints CSV")
    one.add_argument("sql")
    one.add_argument("--period", help="only this period of the archive")
    one.add_argument("--archive-only", action="store_true", help="leave the live table out")
    one.set_defaults(act=query)
    one = actions.add_parser("expire", help="files older than seven years: the plan, or with --apply the removal")
    one.add_argument("--apply", action="store_true", help="remove them; the ledger must hold two approvals of the plan")
    one.set_defaults(act=expire)
    return parser


def main(given: Sequence[str] | None = None) -> int:
    chosen = _arguments().parse_args(given)
    try:
        return int(chosen.act(chosen))
    except CloOpsError as error:
        sys.stderr.write(f"{error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
