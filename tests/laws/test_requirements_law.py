"""Every package the code imports is pinned in requirements.txt by its own name, not there because another needs it."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

FOLDERS = ("plugins", "dags", "demo", "benchmarks", "tests", ".ci")
OURS = {"clo_ops", "demo", "tests", "benchmarks"}
# Not to be had by a pin of their own: extras and halves of a package that is pinned.
PART_OF = {"psycopg-pool": "psycopg", "psycopg-binary": "psycopg", "pydantic-core": "pydantic"}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def test_every_imported_package_is_pinned(root: Path) -> None:
    lines = (root / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pinned = {normal(found[1]) for line in lines if (found := re.match(r"([\w.-]+)(\[[\w,]+\])?==", line))}
    belongs = packages_distributions()
    missing = set()
    for path in (path for folder in FOLDERS for path in (root / folder).rglob("*.py")):
        for module in set(imports(path)) - OURS - set(sys.stdlib_module_names):
            homes = {PART_OF.get(normal(home), normal(home)) for home in belongs.get(module, [module])}
            local = (path.parent / module).is_dir() or (path.parent / f"{module}.py").is_file()
            if not homes & pinned and not local:
                missing.add(f"{module}, imported by {path.relative_to(root)}")
    assert not missing, "pin these in requirements.txt and run 'make lock': " + "; ".join(sorted(missing))
