"""The operators' list of invariants is that of include/checks, and every number has its place."""

from __future__ import annotations

from pathlib import Path

from clo_ops.probes.checks import checks, suites
from clo_ops.probes.integrity_page import page
from clo_ops.probes.statements import statement

ROOT = Path(__file__).resolve().parents[3]
DEMANDED = {f"I{number:02d}" for number in range(1, 57)}


def test_the_page_is_fresh() -> None:
    written = (ROOT / "docs" / "integrity.md").read_text(encoding="utf-8")
    assert written == page(), "run 'python -m clo_ops.probes.integrity_page > docs/integrity.md' and commit it"


def test_every_demanded_invariant_is_asked_or_left_out_with_a_reason() -> None:
    asked = [one.invariant for one in checks()]
    left_out = {one.invariant: one.reason for suite in suites() for one in suite.left_out}
    assert len(asked) == len(set(asked))
    assert not set(asked) & set(left_out)
    assert set(asked) | set(left_out) >= DEMANDED
    assert all(left_out.values())


def test_severity_and_title_are_the_same_in_the_suite_and_in_the_query() -> None:
    for check in checks():
        text = (ROOT / "include" / "sql" / f"{check.sql}.sql").read_text(encoding="utf-8")
        assert f"-- severity: {check.severity}\n" in text, check.invariant
        assert f"-- kind: {check.kind}\n" in text, check.invariant
        assert statement(check.sql).purpose.replace('"', "'") == check.title
