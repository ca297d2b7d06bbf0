"""``python -m clo_ops.reports``: make a report again from what is on record, and see that it is the one kept."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

from clo_ops.findings import CloOpsError, CouldNotCheck
from clo_ops.ledger import Ledger
from clo_ops.ledger.evidence import EvidenceStore
from clo_ops.reports.again import NAMES, Kept, kept, made_by
from clo_ops.reports.pdf import PdfMissing

LEDGER, EVIDENCE = "CLO_OPS_LEDGER_URL", "CLO_OPS_EVIDENCE"
CODES = """\
exit codes:
  0  made again, and the same as was kept but for its stamp
  1  made again, but not the page that was kept: what makes pages has changed since; both hashes are named
  2  no such report, or none of that day; the days there are are named
  3  the ledger or the evidence could not be read

environment:
  CLO_OPS_LEDGER_URL   the ledger, postgresql://user:password@host:port/database
  CLO_OPS_EVIDENCE     where evidence is kept, any fsspec URL; needed where that is not a disk of this machine
"""


def main(given: Sequence[str] | None = None, environment: Mapping[str, str] = os.environ) -> int:
    """The command. Returns the exit code."""
    parser = _parser()
    options = parser.parse_args(given)
    if not environment.get(LEDGER):
        parser.error(f"which ledger? set {LEDGER}")
    try:
        with Ledger(environment[LEDGER], client_name="clo_ops/reports") as ledger:
            if options.name is None:
                return _list(ledger)
            return _again(ledger, options, EvidenceStore(environment.get(EVIDENCE) or "."))
    except CouldNotCheck as error:
        sys.stderr.write(f"{error}\n")
        return 3
    except CloOpsError as error:
        sys.stderr.write(f"{error}\n")
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m clo_ops.reports",
        description=__doc__,
        epilog=CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", nargs="?", help="the report; without it: the list, with the newest day of each")
    parser.add_argument("--date", type=_day, metavar="YYYY-MM-DD", help="the day of the run (UTC); default: the newest")
    parser.add_argument(
        "--into", type=Path, default=Path(), metavar="DIRECTORY", help="where the files go; default: here"
    )
    return parser


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day; write it like 2026-11-20") from None


def _list(ledger: Ledger) -> int:
    width = max(map(len, NAMES))
    for name, one in NAMES.items():
        made = made_by(ledger, name)
        newest = f"newest {made[0].at:%Y-%m-%d}, {len(made)} on record" if made else "none made yet"
        sys.stdout.write(f"{name:{width}}  {one.procedure}  {one.title} ({one.dag_id}): {newest}\n")
    return 0


def _again(ledger: Ledger, options: argparse.Namespace, store: EvidenceStore) -> int:
    known = kept(ledger, options.name, options.date, store.read)
    stamp = datetime.now(UTC).replace(microsecond=0)
    for path in _written(known, stamp, options.into):
        sys.stdout.write(f"{path}\n")
    page = known.files["html"]
    if known.same():
        sys.stdout.write(
            f"The same as was kept at {known.made_at:%Y-%m-%d %H:%M} UTC but for its stamp: {page.sha256}\n"
        )
        return 0
    sys.stderr.write(f"Not the page that was kept ({page.sha256}, {page.uri}): what makes pages has changed since.\n")
    return 1


def _written(known: Kept, stamp: datetime, into: Path) -> list[Path]:
    """The files, beside each other. Without what draws a PDF there is none, and it is said."""
    into.mkdir(parents=True, exist_ok=True)
    stem = into / f"{known.name}-{known.run.at:%Y-%m-%d}"
    pages = {".html": known.sheet.as_html(stamp).encode(), ".json": known.sheet.as_json(stamp)}
    try:
        pages[".pdf"] = known.sheet.as_pdf(stamp)
    except PdfMissing as error:
        sys.stderr.write(f"{error}\n")
    for ending, data in pages.items():
        stem.with_name(stem.name + ending).write_bytes(data)
    return [stem.with_name(stem.name + ending) for ending in pages]


if __name__ == "__main__":
    sys.exit(main())
