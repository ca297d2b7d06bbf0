"""``python -m clo_ops.evidence``: a month's evidence in one file, and its head in the anchor's repository."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from clo_ops.findings import CloOpsError, ConfigurationError
from clo_ops.findings.monthly import Month

CODES = """\
exit codes of bundle:
  0  every file of evidence is in it, and its head is anchored where CLO_OPS_ANCHOR_URL says
  1  a file of evidence is gone, altered or not on record, or an earlier anchor is gone; each is named
  2  it could not be made

environment:
  CLO_OPS_LEDGER_URL          the ledger
  CLO_OPS_EVIDENCE            the evidence store, any fsspec URL
  CLO_OPS_ANCHOR_URL          the second repository; without it nothing is anchored
  CLO_OPS_ANCHOR_OPTIONS      its driver's options, as JSON

A bundle is verified by docs/verify_evidence.py, anywhere, without this package.
"""


def main(arguments: Sequence[str] | None = None, environment: Mapping[str, str] = os.environ) -> int:
    """The command. Returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m clo_ops.evidence",
        description="The evidence of a month (docs/evidence.md).",
        epilog=CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    bundle = verbs.add_parser("bundle", help="write the month's bundle and anchor its head")
    bundle.add_argument("--month", required=True, help="such as 2026-11")
    bundle.add_argument("--into", default=".", help="the directory it is written to")
    options = parser.parse_args(arguments)
    try:
        return _bundle(Month.of(options.month), Path(options.into), environment)
    except (CloOpsError, ValueError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2


def _bundle(month: Month, into: Path, environment: Mapping[str, str]) -> int:
    from clo_ops.ledger import Ledger
    from clo_ops.ledger.evidence import EvidenceStore
    from clo_ops.reports.anchors import AnchorStore
    from clo_ops.reports.evidence_strays import compare
    from clo_ops.reports.monthly_evidence import bundled

    url = environment.get("CLO_OPS_ANCHOR_URL", "")
    anchor = AnchorStore(url, json.loads(environment.get("CLO_OPS_ANCHOR_OPTIONS") or "{}")) if url else None
    anchors = anchor.read() if anchor else None
    wrong = list(anchors.wrong) if anchors else []
    with Ledger(_setting(environment, "CLO_OPS_LEDGER_URL"), client_name="clo_ops/evidence") as ledger:
        store = EvidenceStore(_setting(environment, "CLO_OPS_EVIDENCE"))
        with bundled(ledger, store, month, previous=anchors.before(month) if anchors else "") as made:
            place = Path(shutil.copyfile(made.path, into / made.path.name))
        wrong += compare(ledger, store, month, max(datetime.now(UTC), month.ends).date()).wrong
    said = [f"{place}: {made.files} files of {month}", f"head {made.head.sha256}"]
    said.append(f"anchored as {anchor.keep(made.head)}" if anchor else "not anchored: CLO_OPS_ANCHOR_URL is not set")
    sys.stdout.write("\n".join([*said, *(f"WRONG  {one}" for one in [*made.lost, *wrong])]) + "\n")
    return 1 if made.lost or wrong else 0


def _setting(environment: Mapping[str, str], name: str) -> str:
    if not (value := environment.get(name, "")):
        raise ConfigurationError(f"{name} is not set", next_step=f"export {name}=... (docs/evidence.md)")
    return value


if __name__ == "__main__":
    raise SystemExit(main())
