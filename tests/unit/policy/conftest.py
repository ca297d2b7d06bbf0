"""A copy of the policy that a test may break."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from clo_ops.policy import Policy, PolicyRefused, Problem, load_policy
from clo_ops.policy.paths import INCLUDE


@dataclass(frozen=True)
class Site:
    """A policy directory of its own."""

    directory: Path

    def edit(self, file: str, old: str, new: str) -> Site:
        """Replace the first ``old``; it must be there, or the test would break nothing."""
        path = self.directory / file
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{file} does not hold {old!r}"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
        return self

    def load(self, mode: str = "demo") -> Policy:
        return load_policy(self.directory, mode)

    def problems(self, mode: str = "demo") -> tuple[Problem, ...]:
        """What the policy is refused for; fails where it is not refused."""
        with pytest.raises(PolicyRefused) as refused:
            self.load(mode)
        for problem in refused.value.problems:
            assert str(problem) in str(refused.value)
        return refused.value.problems

    def problem(self, mode: str = "demo") -> Problem:
        """The only problem there is."""
        found = self.problems(mode)
        assert len(found) == 1, "\n".join(map(str, found))
        return found[0]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    directory = tmp_path / "policy"
    shutil.copytree(INCLUDE / "policy", directory)
    return Site(directory)


@pytest.fixture
def policy() -> Policy:
    return load_policy(INCLUDE / "policy", "demo")
