"""What a DAG file is given while it is parsed: the same figures, and the same refusal, without the rest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from clo_ops.policy import Policy, PolicyRefused, load_policy, policy_at_parse
from clo_ops.policy.at_parse import TYPES

PLUGINS = Path(__file__).resolve().parents[3] / "plugins"


@pytest.fixture
def mine(site, monkeypatch):
    """A policy of our own, to be broken."""
    monkeypatch.setenv("CLO_OPS_POLICY", str(site.directory))
    return site


@pytest.mark.parametrize("part", sorted(set(Policy.model_fields) - {"mode"}))
def test_every_part_is_as_in_the_whole(part):
    assert getattr(policy_at_parse(), part) == getattr(load_policy(), part)


def test_what_is_read_by_itself_is_so_without_the_other_models():
    code = f"""
import sys
from clo_ops.policy import policy_at_parse
for part in {sorted(TYPES)}:
    getattr(policy_at_parse(), part)
assert not {{"clo_ops.policy.model", "clo_ops.policy.morning"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": str(PLUGINS)}, check=True, timeout=60)


def test_a_changed_file_is_read_again(mine):
    before = policy_at_parse().procedures["DM-01"].title
    mine.edit("procedures.yaml", f"title: {before}\n", "title: Something else\n")
    assert policy_at_parse().procedures["DM-01"].title == "Something else"


@pytest.mark.parametrize(
    ("file", "before", "after", "said"),
    [
        ("procedures.yaml", "DM-01:", "DM-01:\n  nonsense: 1", "nonsense"),
        ("procedures.yaml", "DM-01:", "DM-02:", "a second time"),
        ("cadences.yaml", "superseded_by: ", "superseded_by: no_", "superseded_by"),
    ],
)
def test_a_part_that_is_wrong_is_refused_with_everything_that_is(mine, file, before, after, said):
    mine.edit("contacts.yaml", "people:", "peple:")
    mine.edit(file, before, after)
    with pytest.raises(PolicyRefused) as refused:
        getattr(policy_at_parse(), file.removesuffix(".yaml"))
    assert said in str(refused.value)
    assert "peple" in str(refused.value)


def test_a_part_that_is_missing_is_refused(mine):
    (mine.directory / "cadences.yaml").unlink()
    with pytest.raises(PolicyRefused, match=r"cadences\.yaml: given no such file"):
        _ = policy_at_parse().cadences


def test_what_is_wrong_elsewhere_is_refused_to_a_task_and_not_yet_to_the_dag_file(mine):
    mine.edit("contacts.yaml", "people:", "peple:")
    assert policy_at_parse().procedures["DM-01"]
    with pytest.raises(PolicyRefused, match="peple"):
        load_policy()
