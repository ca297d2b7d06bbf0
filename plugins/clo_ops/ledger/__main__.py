"""``python -m clo_ops.ledger``: bring the ledger's schema up to date, say where it stands, take it back."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from clo_ops.findings import CloOpsError
from clo_ops.ledger import Ledger
from clo_ops.ledger.schema_version import newest

VARIABLE = "CLO_OPS_LEDGER_URL"


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m clo_ops.ledger", description=__doc__)
    parser.add_argument(
        "--url",
        default=os.environ.get(VARIABLE, ""),
        help=f"postgresql://user:password@host:port/database; by default the environment's {VARIABLE}, "
        "which keeps the password out of the process list",
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="migrate | status | downgrade")
    actions.add_parser("migrate", help="bring the schema to the newest revision; nothing happens when it is there")
    actions.add_parser("status", help="print the schema's revision; exit code 3 when it is not the newest")
    back = actions.add_parser("downgrade", help="take the schema back; what only the newer one held is DELETED")
    back.add_argument("to", help="the revision to go back to, or base for an empty schema")
    back.add_argument("--yes", action="store_true", help="do it; without this only what would happen is said")
    return parser


def _status(ledger: Ledger) -> int:
    found, wanted = ledger.revision(), newest()
    sys.stdout.write(f"{ledger}: revision {found or 'none'}, newest {wanted}\n")
    return 0 if found == wanted else 3


def _downgrade(ledger: Ledger, to: str, yes: bool) -> int:
    if not yes:
        sys.stderr.write(f"{ledger}: from revision {ledger.revision()} to {to} deletes data; add --yes to do it\n")
        return 2
    sys.stdout.write(f"{ledger}: revision {ledger.downgrade(to) or 'none'}\n")
    return 0


def main(given: Sequence[str] | None = None) -> int:
    parser = _arguments()
    chosen = parser.parse_args(given)
    if not chosen.url:
        parser.error(f"which ledger? give --url or set {VARIABLE}")
    try:
        with Ledger(chosen.url, client_name=f"clo_ops/ledger/{chosen.action}") as ledger:
            if chosen.action == "status":
                return _status(ledger)
            if chosen.action == "downgrade":
                return _downgrade(ledger, chosen.to, chosen.yes)
            sys.stdout.write(f"{ledger}: revision {ledger.migrate()}\n")
            return 0
    except CloOpsError as error:
        sys.stderr.write(f"{error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
