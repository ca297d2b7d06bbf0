"""``python -m clo_ops.controls``: put the question of evidence again; print the catalogue or its baseline."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clo_ops.findings import CheckFailed, CloOpsError, ConfigurationError, CouldNotCheck
from clo_ops.findings.performed import Judged, Performed
from clo_ops.policy import load_policy
from clo_ops.probes.reaching import Unreachable
from clo_ops.probes.targets import PostgresTarget

CODES = """\
exit codes of perform-again:
  0  the same answer as then
  1  another answer; the keys that came and went are named
  2  the evidence or the configuration is wrong, or the file is not the one on record
  3  it could not be asked again: another database, nobody answers, or a question no SQL asks

environment, as Airflow's own:
  AIRFLOW_CONN_CLO_POSTGRES   whom to ask (or --url); the session is read-only
  CLO_OPS_LEDGER_URL          where the file's SHA-256 is on record; without it the file is not held against a record
"""


@dataclass(frozen=True, slots=True)
class Kept:
    """A piece of evidence as it was written."""

    control: Mapping[str, Any]
    run: Mapping[str, Any]
    question: Mapping[str, Any]
    database: Mapping[str, Any]
    result: Mapping[str, Any]

    @classmethod
    def of(cls, data: bytes) -> Kept:
        """Raises ConfigurationError for what is no evidence of a control, or not in one piece."""
        try:
            given = json.loads(data)
            kept = cls(**{name: given[name] for name in ("control", "run", "question", "database", "result")})
            performed = kept.performed([])
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(f"this is no evidence of a control: {type(error).__name__}: {error}") from error
        if performed.asked_sha256 != kept.question["sha256"]:
            raise ConfigurationError(
                f"the question has SHA-256 {performed.asked_sha256}",
                allowed=f"{kept.question['sha256']}, as the evidence itself says",
                next_step="treat the file as altered",
            )
        return kept

    def performed(self, rows: Sequence[Mapping[str, Any]]) -> Performed:
        question = self.question
        words = (question["kind"], question["name"], question["asked"], question["parameters"])
        return Performed(*words, self.database, rows)


def main(arguments: Sequence[str] | None = None, environment: Mapping[str, str] = os.environ) -> int:
    """The command. Returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        if options.verb == "baseline":
            _say(load_policy().controls.baseline_digest)
            return 0
        return _list() if options.verb == "list" else _again(options, environment)
    except Unreachable as error:
        sys.stderr.write(f"could not be asked again: {error}\n")
        return 3
    except CouldNotCheck as error:
        sys.stderr.write(f"{error}\n")
        return 3
    except CloOpsError as error:
        sys.stderr.write(f"{error}\n")
        return 2


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m clo_ops.controls",
        description="The control catalogue, and its evidence put to the test (docs/controls.md).",
        epilog=CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    again = verbs.add_parser(
        "perform-again", help="put the question of a piece of evidence again, to the same database"
    )
    again.add_argument("evidence", help="its file or URI, as the summary and the ledger name it")
    again.add_argument("--url", help="postgresql:// of the database, without its password (PGPASSWORD, ~/.pgpass)")
    verbs.add_parser("list", help="every control with its standard, procedure and question")
    verbs.add_parser("baseline", help="the digest of the security baseline, to be signed off in controls.yaml")
    return parser


def _list() -> int:
    for one in load_policy().controls.catalogue.values():
        asked = one.query or one.probe or f"not assessed: {one.not_assessed}"
        _say(f"{one.id}  {one.procedure}  {one.standard}, {one.clause}: {one.title}  [{asked}]")
    return 0


def _again(options: argparse.Namespace, environment: Mapping[str, str]) -> int:
    uri, data = _file(options.evidence)
    _say(_on_record(uri, data, environment.get("CLO_OPS_LEDGER_URL", "")))
    kept = Kept.of(data)
    if kept.question["kind"] != "query":
        raise CouldNotCheck(
            f"{kept.control['id']} was asked by the probe {kept.question['name']!r}, not by SQL",
            next_step=f"run {kept.run['procedure']} by hand and compare the results",
        )
    now = _ask(kept, _target(options.url))
    return _compare(kept, now)


def _file(given: str) -> tuple[str, bytes]:
    from fsspec.core import url_to_fs  # type: ignore[import-untyped]

    files, path = url_to_fs(given if "://" in given else str(Path(given).absolute()))
    try:
        return str(files.unstrip_protocol(path)), bytes(files.cat_file(path))
    except OSError as error:
        raise ConfigurationError(f"evidence {given} cannot be read: {error}") from error


def _on_record(uri: str, data: bytes, ledger_url: str) -> str:
    """What the ledger says of the file. Raises CheckFailed where it is not the one on record."""
    import hashlib

    found = hashlib.sha256(data).hexdigest()
    if not ledger_url:
        return f"SHA-256 {found}; not held against the ledger (CLO_OPS_LEDGER_URL is not set)"
    from clo_ops.ledger import Ledger

    with Ledger(ledger_url, client_name="clo_ops/controls") as ledger:
        known = ledger.evidence_at(uri)
    if not known:
        return f"SHA-256 {found}; the ledger has no record of {uri}"
    if known[0].sha256 != found:
        raise CheckFailed(f"{uri} has SHA-256 {found}", f"{known[0].sha256}, as recorded", "treat the file as altered")
    return f"SHA-256 {found}, as the ledger has it"


def _target(url: str | None) -> PostgresTarget:
    if not url:
        from clo_ops.orchestration.connections import Connections

        return Connections("clo_ops/controls").postgres
    from psycopg.conninfo import conninfo_to_dict

    said = conninfo_to_dict(url)
    return PostgresTarget(
        host=str(said.get("host") or "localhost"),
        port=int(said.get("port") or 5432),
        database=str(said.get("dbname") or ""),
        user=str(said.get("user") or ""),
        password=str(said.get("password") or os.environ.get("PGPASSWORD", "")),
        sslmode=str(said.get("sslmode") or "prefer"),
        client_name="clo_ops/controls",
    )


def _ask(kept: Kept, target: PostgresTarget) -> Performed:
    """The question as it was asked then. Raises CouldNotCheck where it is another database or cannot be answered."""
    import psycopg

    from clo_ops.probes.performing import perform

    try:
        now = perform(target, kept.question["name"], kept.question["parameters"], kept.question["asked"])
    except psycopg.Error as error:
        raise CouldNotCheck(f"the database refuses the question: {' '.join(str(error).split())}") from error
    for name in ("system_identifier", "database"):
        if now.identity[name] != kept.database[name]:
            raise CouldNotCheck(
                f"{target} is {name.replace('_', ' ')} {now.identity[name]}",
                allowed=f"{kept.database[name]}, which answered then",
                next_step="name that database, or a restored copy of its cluster, with --url",
            )
    return now


def _compare(kept: Kept, now: Performed) -> int:
    control, then = kept.control, kept.result
    _say(f"{control['id']} {control['title']}: asked {kept.database['at']}, again {now.identity['at']}")
    if _changed_since(kept):
        _say(f"include/sql/{kept.question['name']}.sql was changed since; the question of then was asked")
    if now.result_sha256 == then["sha256"]:
        _say(f"the same answer: {then['rows']} rows, {then['violations']} violations, SHA-256 {then['sha256']}")
        return 0
    _say(
        f"another answer: {len(now.rows)} rows, then {then['rows']}; SHA-256 {now.result_sha256}, then {then['sha256']}"
    )
    keys = _keys(kept, now)
    if keys is None:
        _say("its keys are not compared: they come of two looks, and there is one")
        return 1
    for words, names in (("came", keys - set(then["keys"])), ("went", set(then["keys"]) - keys)):
        _say(f"{words}: {', '.join(sorted(names)) or 'none'}")
    return 1


def _changed_since(kept: Kept) -> bool:
    from clo_ops.probes.statements import statement

    try:
        return bool(statement(kept.question["name"]).text != kept.question["asked"])
    except ConfigurationError:
        return True


def _keys(kept: Kept, now: Performed) -> set[str] | None:
    from clo_ops.rules.control_answers import WITH_A_PAST, Earlier, read

    judge = kept.control["judge"]
    if judge in WITH_A_PAST:
        return None
    judged: Judged = read(judge, now, Earlier())
    return {one.key for one in judged.violations}


if __name__ == "__main__":
    raise SystemExit(main())
