"""The generated rules and route, held by Prometheus' own promtool and Alertmanager's own amtool."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from clo_ops.findings import ConfigurationError
from clo_ops.policy import load_policy
from clo_ops.reports import prometheus_rules as rules
from clo_ops.reports.alerting_files import main
from clo_ops.reports.alertmanager_route import Where, alertmanager_route

POLICY = load_policy()
WHERE = Where("http://127.0.0.1:8080/clo-ops/alertmanager", "/etc/prometheus/clo-ops-token", "127.0.0.1:25", "a@b.test")
AT = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        reason = f"there is no {name}: python3 -m demo.stack.debian installs it"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
    return str(found)


def said(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where: Path = tmp_path_factory.mktemp("generated")
    assert main([str(where), "--smarthost", "127.0.0.1:25", "--sender", "a@b.test"]) == 0
    return where


def test_promtool_and_amtool_take_both_files(directory: Path) -> None:
    assert "SUCCESS" in said(program("promtool"), "check", "rules", str(directory / "prometheus-rules.yml"))
    assert "SUCCESS" in said(program("amtool"), "check-config", str(directory / "alertmanager.yml"))


def test_every_rule_of_policy_is_there_at_both_levels_with_its_priority(directory: Path) -> None:
    (group,) = yaml.safe_load((directory / "prometheus-rules.yml").read_text())["groups"]
    found = {
        (one["labels"][rules.RULE], one["labels"][rules.LEVEL]): one["labels"]["severity"]
        for one in group["rules"]
        if rules.RULE in one.get("labels", {})
    }
    for name, threshold in POLICY.thresholds.items():
        for level in ("warning", "critical"):
            assert found[name, level] == rules.severity_of(threshold, level, POLICY).value
    assert found["response_time", rules.NO_DATA] == "P1"


@pytest.mark.parametrize("severity", ["P1", "P2", "P3", "P4"])
def test_each_priority_has_its_receiver(directory: Path, severity: str) -> None:
    amtool = program("amtool")
    told = said(
        amtool, "config", "routes", "test", f"--config.file={directory}/alertmanager.yml", f"severity={severity}"
    )
    assert told.splitlines()[0] == f"clo-ops-{severity}"


def test_mail_goes_to_whom_policy_tells_at_once_and_only_where_it_is_wanted() -> None:
    with_mail = {one["name"]: one for one in yaml.safe_load(alertmanager_route(POLICY, WHERE, AT))["receivers"]}
    p1 = [one["to"] for one in with_mail["clo-ops-P1"]["email_configs"]]
    assert "it-director@your-domain.com" in p1
    assert "business-stakeholders@your-domain.com" in p1
    assert "status-page@your-domain.com" not in p1, "a person releases what users read"
    assert "email_configs" not in with_mail["clo-ops-P4"], "nobody is told of a P4 at once"
    without = yaml.safe_load(alertmanager_route(POLICY, Where(WHERE.webhook, WHERE.token_file), AT))["receivers"]
    assert not [one for one in without if "email_configs" in one]
    assert all(one["webhook_configs"][0]["url"] == WHERE.webhook for one in without)


def check(tmp_path: Path, series: dict[str, str], expected: dict[str, Sequence[dict[str, str]]], alert: str) -> None:
    """promtool's own test: at each time exactly these alerts (their labels but for the rule's own) fire."""
    (tmp_path / "rules.yml").write_text(rules.prometheus_rules(POLICY))
    tests: dict[str, Any] = {
        "interval": "15s",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "alert_rule_test": [
            {"eval_time": at, "alertname": alert, "exp_alerts": [{"exp_labels": labels} for labels in fires]}
            for at, fires in expected.items()
        ],
    }
    # Texts are held elsewhere: here only which alerts fire, and when.
    bare = yaml.safe_load((tmp_path / "rules.yml").read_text())
    for one in bare["groups"][0]["rules"]:
        one.pop("annotations", None)
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(bare))
    test_file = tmp_path / "test.yml"
    test_file.write_text(yaml.safe_dump({"rule_files": ["rules.yml"], "evaluation_interval": "15s", "tests": [tests]}))
    said(program("promtool"), "test", "rules", str(test_file))


def memory(level: str) -> dict[str, str]:
    severity = {"warning": "P3", "critical": "P2", "no data": "P2"}[level]
    return {"host": "app1", rules.RULE: "memory", rules.LEVEL: level, "severity": severity}


def used(*parts: tuple[float, int]) -> dict[str, str]:
    """Memory use in percent, each for so many samples of 15 s."""
    available = " ".join(f"{1000 - 10 * percent:g}x{samples - 1}" for percent, samples in parts)
    total = f"1000x{sum(samples for _, samples in parts)}"
    return {
        'node_memory_MemAvailable_bytes{host="app1"}': available,
        'node_memory_MemTotal_bytes{host="app1"}': total,
    }


MINUTE = 4
WARNS, FAILS = memory("warning"), memory("critical")


@pytest.mark.parametrize(
    ("percent", "fires"),
    [(79.9, []), (80, []), (80.1, [WARNS]), (95, [WARNS]), (95.1, [WARNS, FAILS])],
)
def test_strictly_above_and_held(tmp_path: Path, percent: float, fires: list[dict[str, str]]) -> None:
    series = used((percent, 30 * MINUTE))
    check(tmp_path, series, {"4m45s": [], "20m": fires}, "CloOpsMemory")


@pytest.mark.parametrize(("percent", "fires"), [(75.1, [WARNS]), (75, [])])
def test_cleared_at_its_clearing_level_only(tmp_path: Path, percent: float, fires: list[dict[str, str]]) -> None:
    series = used((85, 20 * MINUTE), (percent, 30 * MINUTE))
    check(tmp_path, series, {"19m": [WARNS], "45m": fires}, "CloOpsMemory")


def test_what_was_never_raised_is_not_raised_by_its_clearing_level(tmp_path: Path) -> None:
    check(tmp_path, used((78, 40 * MINUTE)), {"35m": []}, "CloOpsMemory")


def test_silence_is_an_alert_of_its_own(tmp_path: Path) -> None:
    series = {name: values + " stale" for name, values in used((50, 10 * MINUTE)).items()}
    check(tmp_path, series, {"9m": [], "13m": [memory("no data")]}, "CloOpsMemory")


@pytest.mark.parametrize(("failed", "levels"), [(10, []), (11, ["warning"]), (21, ["warning", "critical"])])
def test_counts_are_the_increase_over_the_window(tmp_path: Path, failed: int, levels: list[str]) -> None:
    labels = {rules.RULE: "failed_logins", "severity": "P2"}
    series = {'clo_login_attempts_total{outcome="failure"}': f"0x8 {failed}x40"}
    fires = [labels | {rules.LEVEL: level} for level in levels]
    check(tmp_path, series, {"1m": [], "4m": fires}, "CloOpsFailedLogins")


def test_a_metric_nobody_told_prometheus_about_is_refused_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "_series", dict)
    with pytest.raises(ConfigurationError, match=r"system\.cpu\.utilization"):
        rules.prometheus_rules(POLICY)
