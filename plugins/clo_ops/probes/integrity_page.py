"""docs/integrity.md, made from include/checks and the headers of include/sql/invariants.

PYTHONPATH=plugins python -m clo_ops.probes.integrity_page > docs/integrity.md
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from clo_ops.probes.checks import Check, Suite, suites
from clo_ops.probes.statements import statement

HEAD = """# What a restored copy must hold, and what it must mean

Generated from `include/checks` and `include/sql/invariants`; run
`PYTHONPATH=plugins python -m clo_ops.probes.integrity_page > docs/integrity.md` after a change there.

## What it must hold

The backup describes the database inside the snapshot it dumps; the drill describes the restored copy by the same code
and names what differs, with both values.

| Compared | How |
|---|---|
| tables | none missing, none extra; partitioned tables by their leaves |
| rows | count, and sum of the hashes of all rows: the same in any order and with any format of dates and numbers |
| schema | definitions: tables, columns, constraints, indexes, views, functions, triggers, policies, types, sequences |
| owners and grants | apart from the schema, so that a copy without privileges is told as that (P2) |
| extensions | there, in the version recorded |
| sequences | each gives a value next that its column does not have yet |
| canary | the row this very backup planted |
| newest rows | `proof.newest` in `recovery.yaml`: no more lost than the recovery point, none older than `quiet` |
| indexes, heaps | amcheck: B-tree indexes in order, every row in them, pages readable (where the server has amcheck) |

Counted by nobody: foreign and temporary tables, materialized views (a restore refreshes them), what belongs to an
extension. A manifest of format 1 has row counts only, a backup by others may have no manifest; then the rest is
`not_applicable`, which is never green.

## What it must mean

Every drill asks these invariants of the restored copy (M3-03), and every backup asks them of the source inside the
snapshot it dumps and keeps the numbers in its manifest. So two things are told apart: an invariant that is broken in
production too, and one that only the backup or the restore broke.

| Severity | What a violation does |
|---|---|
| critical | the drill fails, P1 |
| error | the drill fails, P2 |
| warning | the drill warns, P3 |

Whatever its severity, the drill fails (P1) when the set of broken invariants is not the one in the manifest.

## Reading a violation

Findings, the ledger and Great Expectations' Data Docs (kept as evidence) show the number of violating rows and the
first 20 keys. They never show a row's values. The query itself answers with `key, reason`, and the reason has the
amounts; run it where you may see them:

```
psql -v ON_ERROR_STOP=1 ... -c "$(sed 's/%%/%/g; s/%(limit)s/50/; s/%(at)s/now()/' include/sql/invariants/I11.sql)"
```

## An exception

An invariant that is known to be broken can be accepted for a while in `include/policy/recovery.yaml`, below
`proof.accepted`: invariant, at most how many rows, reason, who approved it, until which day. It then warns. One row
more, or one day later, it fails again.

## Another schema

The names of the application's tables and columns are in `include/sql/invariants` and nowhere else.

1. Change the query of each invariant to your names. It takes `%(limit)s` and, where time matters, `%(at)s`, and answers
   with `key text, reason text`. A `%` of its own is written `%%`. A key names a row and says nothing of its values.
2. Where your schema has nothing to ask, remove the file and move its entry in `include/checks` to `left_out`, with the
   reason. Where it can only be asked in part, say so in `partial`.
3. Tables whose newest row tells how much work a backup would lose are in `recovery.yaml`, below `proof.newest`.

A table or column that is missing makes its invariants unknown, never green.
"""


def page() -> str:
    """The whole page as Markdown."""
    return "\n".join([HEAD, *(line for suite in suites() for line in _suite(suite))])


def _suite(suite: Suite) -> Iterator[str]:
    yield f"## {suite.subject}. {suite.title}\n"
    yield f"Suite `{suite.suite}`, `include/checks/{suite.suite}.yaml`.\n"
    yield "| | Invariant | Severity | Reads |"
    yield "|---|---|---|---|"
    yield from (_row(check) for check in suite.checks)
    yield ""
    if suite.left_out:
        yield "Left out: " + "; ".join(f"{one.invariant}, {one.reason}" for one in suite.left_out) + ".\n"


def _row(check: Check) -> str:
    tables = statement(check.sql).privilege.removeprefix("SELECT on ")
    partly = f" Only in part: {check.partial}." if check.partial else ""
    where = f"[{check.invariant}](../include/sql/{check.sql}.sql)"
    return f"| {where} | {check.title}.{partly} | {check.severity} | {tables} |"


if __name__ == "__main__":
    sys.stdout.write(page())
