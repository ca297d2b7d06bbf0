"""Where the policy comes from, when it is read, and that nobody can change it afterwards."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from clo_ops.policy import Policy, digest, load_policy, loading
from clo_ops.policy.paths import INCLUDE

PLUGINS = Path(loading.__file__).resolve().parents[2]


def test_the_default_is_include_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLO_OPS_POLICY", raising=False)
    assert load_policy(mode="demo") is load_policy(INCLUDE / "policy", "demo")


def test_the_environment_names_directory_and_mode(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    site.edit("hosts.yaml", "mounts: [/]", "mounts: [/srv]")
    monkeypatch.setenv("CLO_OPS_POLICY", str(site.directory))
    monkeypatch.setenv("CLO_OPS_MODE", "demo")
    assert load_policy().hosts[0].mounts == ("/srv",)
    assert load_policy(INCLUDE / "policy").hosts[0].mounts == ("/",)


def test_without_a_mode_it_is_production(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLO_OPS_MODE", raising=False)
    with pytest.raises(loading.PolicyRefused, match="placeholder"):
        load_policy(INCLUDE / "policy")


def test_a_directory_replaces_include_policy_whole(site: Any) -> None:
    (site.directory / "kpis.yaml").unlink()
    assert site.problem().given == "no such file"


def test_it_is_read_once_and_again_when_a_file_changes(site: Any) -> None:
    first = site.load()
    assert site.load() is first
    second = site.edit("morning.yaml", "pool_size: 20", "pool_size: 4000").load()
    assert (first.connections.pool_size, second.connections.pool_size) == (20, 4000)


def test_a_refusal_is_not_remembered(site: Any) -> None:
    site.edit("morning.yaml", "pool_size: 20", "pool_size: none").problem()
    assert site.edit("morning.yaml", "pool_size: none", "pool_size: 25").load().connections.pool_size == 25


def test_frozen_all_the_way_down(policy: Policy) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        policy.connections.pool_size = 1  # type: ignore[misc]
    for mapping in (policy.thresholds, policy.retention.classes, policy.anomalies.minimum_band, policy.websocket.send):
        with pytest.raises(TypeError):
            mapping["x"] = None  # type: ignore[index]
    assert isinstance(policy.endpoints, tuple)
    assert hash(policy.business_calendar) is not None


def test_the_digest_follows_the_figures_and_nothing_else(site: Any) -> None:
    before = digest(site.load())
    assert before == digest(load_policy(INCLUDE / "policy", "demo"))
    assert len(before) == 64
    assert digest(site.edit("hosts.yaml", "# Machines", "# All machines").load()) == before
    assert digest(site.edit("thresholds.yaml", "above: 70,", "above: 71,").load()) != before


def test_importing_reads_no_file_of_ours_and_opens_no_socket() -> None:
    """Neither does loading need the libraries for crons and holidays, nor Airflow."""
    script = f"""
import sys
touched = []
def watch(event, args):
    if event in ("open", "socket.connect"):
        touched.append((event, str(args[0])))
sys.addaudithook(watch)
import clo_ops.policy
ours = [args for event, args in touched if "{INCLUDE}" in args or event == "socket.connect"]
assert ours == [], ours
policy = clo_ops.policy.load_policy("{INCLUDE}/policy", "demo")
assert len([args for event, args in touched if "{INCLUDE}" in args]) == len(type(policy).model_fields) - 1, touched
heavy = {{"airflow", "holidays", "croniter", "rich"}} & set(sys.modules)
assert not heavy, heavy
assert not [event for event, _ in touched if event == "socket.connect"]
"""
    subprocess.run([sys.executable, "-c", script], env={"PYTHONPATH": str(PLUGINS)}, check=True, timeout=60)
