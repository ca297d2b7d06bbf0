"""Law 6: SQL lives in files with a header, each used; law 7: only actions may write."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from clo_ops.probes.statements import catalogue

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "plugins" / "clo_ops"
SQL_IN_PYTHON = re.compile(
    r"^\s*(SELECT\s.+\sFROM|INSERT\s+INTO|UPDATE\s+\S+\s+SET|DELETE\s+FROM|ALTER\s|DROP\s|TRUNCATE\s)", re.I | re.S
)
WRITING = re.compile(
    r"\b(INSERT\s+INTO|UPDATE\s+\S+\s+SET|DELETE\s+FROM|TRUNCATE|ALTER|DROP|CREATE|GRANT|REVOKE)\b", re.I
)


def test_there_is_sql():
    assert len(catalogue()) >= 10


@pytest.mark.parametrize("statement", catalogue(), ids=lambda one: one.name)
def test_every_statement_is_one_and_says_what_it_is(statement):
    body = statement.text.rstrip().rstrip(";")
    assert body, f"{statement.name} is empty"
    assert ";" not in re.sub(r"'[^']*'|--[^\n]*", "", body), f"{statement.name} holds more than one statement"
    assert all(re.fullmatch(r"[A-Z][A-Z0-9]-\d\d", one) for one in statement.procedures), statement.procedures
    if statement.read_only:
        assert not WRITING.search(re.sub(r"'[^']*'|--[^\n]*", "", body)), f"{statement.name} writes"


def test_every_statement_is_used():
    text = "\n".join(
        path.read_text(encoding="utf-8") for path in [*PACKAGE.rglob("*.py"), *(ROOT / "include").rglob("*.yaml")]
    )
    unused = [one.name for one in catalogue() if one.name not in text]
    assert not unused, unused


def test_no_sql_in_python():
    """The ledger has SQLAlchemy and its migrations for its own tables; everything else goes through the catalogue."""
    for path in sorted(PACKAGE.rglob("*.py")):
        if "ledger" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert not SQL_IN_PYTHON.match(node.value), f"{path}:{node.lineno}: {node.value[:60]!r}"


def test_only_the_source_folder_knows_the_applications_tables():
    tables = re.findall(r"CREATE TABLE (?:IF NOT EXISTS )?(\w+)", _schema(), re.I)
    assert len(tables) > 30
    pattern = re.compile(rf"\b(FROM|JOIN|INTO|UPDATE)\s+({'|'.join(tables)})\b", re.I)
    for statement in catalogue():
        if not statement.name.startswith(("source/", "invariants/")):
            assert not pattern.search(statement.text), statement.name


def _schema() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "demo" / "sql").rglob("*.sql")))
