"""The dependency direction of the house, and what may be imported where."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "plugins" / "clo_ops"

# What a room may import of the house, besides itself.
MAY_IMPORT = {
    "findings": set(),
    "policy": {"findings"},
    "rules": {"findings", "policy"},
    "probes": {"findings", "policy", "rules"},
    "actions": {"findings", "policy", "rules", "probes"},
    "ledger": {"findings", "policy", "rules"},
    "escalation": {"findings", "policy", "rules", "ledger", "reports"},
    "reports": {"findings", "policy", "rules", "ledger"},
    "orchestration": {"findings", "policy", "rules", "probes", "actions", "ledger", "escalation", "reports"},
    "web": {"findings", "policy", "rules", "ledger", "escalation", "reports", "orchestration"},
}
WITHOUT_AIRFLOW = ("findings", "policy", "rules", "ledger", "reports")
WITHOUT_IO = ("findings", "rules")
IO = {
    "socket",
    "ssl",
    "subprocess",
    "urllib",
    "http",
    "httpx",
    "psycopg",
    "redis",
    "paramiko",
    "sqlalchemy",
    "fsspec",
    "smtplib",
    "open",
}
HEAVY = {"great_expectations", "docker", "pandas", "pyarrow", "matplotlib", "weasyprint"}
FORBIDDEN_NAMES = {"utils.py", "helpers.py", "common.py", "misc.py"}


def modules(room: str) -> list[Path]:
    return sorted((PACKAGE / room).rglob("*.py"))


def imported(path: Path, *, top_level_only: bool = False) -> Iterator[str]:
    """Dotted names a module imports; those below TYPE_CHECKING are no imports at all."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in _statements(tree, top_level_only):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _statements(node: ast.AST, top_level_only: bool) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        if not (top_level_only and isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)):
            yield from _statements(child, top_level_only)


def test_the_house_is_there():
    rooms = {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert (
        {"findings", "policy", "rules", "probes", "ledger", "escalation", "reports", "orchestration"}
        <= rooms
        <= set(MAY_IMPORT)
    )


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_rooms_import_only_downwards(room):
    for path in modules(room):
        for name in imported(path):
            parts = name.split(".")
            if parts[0] == "clo_ops" and len(parts) > 1 and parts[1] in MAY_IMPORT and parts[1] != room:
                assert parts[1] in MAY_IMPORT[room], f"{path.relative_to(PACKAGE)} imports {name}"


@pytest.mark.parametrize("room", WITHOUT_AIRFLOW)
def test_these_rooms_never_import_airflow(room):
    for path in modules(room):
        assert not [name for name in imported(path) if name.split(".")[0] == "airflow"], path


@pytest.mark.parametrize("room", WITHOUT_IO)
def test_judging_does_no_io_and_has_no_clock(room):
    for path in modules(room):
        assert not [name for name in imported(path) if name.split(".")[0] in IO], path
        text = path.read_text(encoding="utf-8")
        for clock in ("datetime.now(", "utcnow(", "time.time(", "date.today("):
            assert clock not in text, f"{path} has a clock of its own: {clock}"


def test_heavy_libraries_are_imported_inside_functions():
    for path in sorted(PACKAGE.rglob("*.py")):
        names = {name.split(".")[0] for name in imported(path, top_level_only=True)}
        assert not names & HEAVY, f"{path}: {names & HEAVY}"


def test_no_room_for_what_belongs_nowhere():
    assert not [path for path in PACKAGE.rglob("*.py") if path.name in FORBIDDEN_NAMES]


def test_one_plugin_entry_and_the_package_is_kept_from_the_plugin_loader():
    plugins = PACKAGE.parent
    assert [path.name for path in plugins.glob("*.py")] == ["clo_ops_plugin.py"]
    assert "clo_ops/" in (plugins / ".airflowignore").read_text(encoding="utf-8").splitlines()


def test_include_holds_data_only():
    include = PACKAGE.parents[1] / "include"
    assert not list(include.rglob("*.py"))
    assert {path.name for path in include.iterdir() if path.is_dir()} >= {"policy", "sql", "checks", "templates"}
