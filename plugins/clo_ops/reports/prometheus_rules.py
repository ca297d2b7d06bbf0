"""The alert rules of policy as a Prometheus rules file, for a site that has Prometheus (AL-01 to AL-07, D46, D49).

What Prometheus can say it says: statistic, window, strictly above, for how long, the clearing level, critical over
warning, no data. What it cannot is said in a comment beside the rule.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import yaml

from clo_ops.findings import ConfigurationError, Severity
from clo_ops.policy import Policy
from clo_ops.policy.paths import INCLUDE
from clo_ops.policy.thresholds import Level, Threshold
from clo_ops.rules.figures import figure

RULE, LEVEL, ALIVE = "clo_ops_rule", "clo_ops_level", "CloOpsWatchdog"
NO_DATA = "no data"
EVERY = timedelta(seconds=15)
# A scrape that fails must not end an alert; the alert on missing data comes before this is over.
KEEP, MISSING_FOR = timedelta(minutes=1), timedelta(seconds=45)
OVER_TIME = {
    "last": "last_over_time(({value})[{window}:{every}])",
    "mean": "avg_over_time(({value})[{window}:{every}])",
    "median": "quantile_over_time(0.5, ({value})[{window}:{every}])",
    "p95": "quantile_over_time(0.95, ({value})[{window}:{every}])",
    "maximum": "max_over_time(({value})[{window}:{every}])",
}
HEAD = """\
# Made from include/policy and include/prometheus/series.yaml by `make prometheus-rules`: edit those, not this file.
# Prometheus 2.42 or newer (keep_firing_for). Checked with: promtool check rules prometheus-rules.yml
#
# What Prometheus cannot say, and CLO Ops' own watch does:
# - {changes} turns of level within {within} are flapping: one message when it starts, one after {quiet} of quiet.
#   Here each change is an alert of its own; Alertmanager groups them, CLO Ops keeps one incident for each cause.
# - Silence never ends an alert: here it does after {keep}, and the alert on missing data takes its place.
# - A look every {look}: here every {every}, and never more often than the targets are scraped.
"""


def prometheus_rules(policy: Policy) -> str:
    """The rules file. Raises ConfigurationError for a metric that include/prometheus/series.yaml does not have."""
    series = _series()
    parts = [_head(policy), "groups:\n  - name: clo_ops\n", f"    interval: {promql_time(EVERY)}\n    rules:\n"]
    for name, threshold in policy.thresholds.items():
        parts.append(_of_rule(name, threshold, _known(series, name, threshold), policy))
    alive = {
        "alert": ALIVE,
        "expr": "vector(1)",
        "labels": {"severity": "none"},
        "annotations": {"summary": "Always fires: CLO Ops notices when it no longer arrives."},
    }
    return "".join([*parts, "\n", _item(alive)])


def _head(policy: Policy) -> str:
    damping = policy.alerting.flapping
    return HEAD.format(
        changes=damping.changes,
        within=promql_time(damping.within),
        quiet=promql_time(damping.quiet),
        keep=promql_time(KEEP),
        look=promql_time(policy.alerting.watch.every),
        every=promql_time(EVERY),
    )


def _series() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = yaml.safe_load((INCLUDE / "prometheus" / "series.yaml").read_text("utf-8"))
    return found


def _known(series: dict[str, dict[str, str]], name: str, threshold: Threshold) -> dict[str, str]:
    known = series.get(threshold.metric, {})
    wanted = "count" if threshold.statistic == "sum" else "value"
    if wanted not in known:
        raise ConfigurationError(
            f"include/prometheus/series.yaml has no {wanted} for {threshold.metric} (rule {name})",
            allowed="a PromQL expression for the metric of each rule of thresholds.yaml",
            next_step="add it, or write what the site's exporter calls it",
        )
    return known


def _of_rule(name: str, threshold: Threshold, known: dict[str, str], policy: Policy) -> str:
    record = f"clo_ops:{name}:{threshold.statistic}_{promql_time(threshold.window)}"
    comment = [f"{name}: {threshold.title}. {_source(threshold)}", f"Needs: {known['of']}"]
    if threshold.statistic == "sum":
        comment.append("increase() extrapolates from the scrapes, so a count here may be off by one or two.")
    rules: list[dict[str, Any]] = [{"record": record, "expr": _statistic(threshold, known)}]
    rules += [_alert(name, threshold, level, record, policy) for level in ("critical", "warning")]
    expected = list(expected_series(threshold, policy))
    rules += [_missing(name, threshold, known, labels, policy) for labels in expected]
    if not expected:
        comment.append("Nobody can say which series there must be: there is no alert on missing data.")
    lines = [f"      # {line}\n" for line in comment]
    return "".join(["\n", *lines, *(_item(one) for one in rules)])


def _source(threshold: Threshold) -> str:
    return " ".join(part for part in (threshold.manual or "", ", ".join(threshold.resolution)) if part)


def _statistic(threshold: Threshold, known: dict[str, str]) -> str:
    window, per = promql_time(threshold.window), ", ".join(threshold.per)
    if threshold.statistic == "sum":
        return f"sum by ({per}) (increase({known['count']}[{window}]))"
    return OVER_TIME[threshold.statistic].format(value=known["value"], window=window, every=promql_time(EVERY))


def _alert(name: str, threshold: Threshold, level: str, record: str, policy: Policy) -> dict[str, Any]:
    limit: Level = getattr(threshold, level)
    firing = f'ALERTS{{alertname="{alert_name(name)}", {LEVEL}="{level}", alertstate="firing"}}'
    on = ", ".join(threshold.per)
    # Raised strictly above one level, cleared at or below the other: the alert looks at itself.
    above = f"{record} > {limit.above:g} or ({record} > {limit.clear_at:g} and on ({on}) {firing})"
    verdict = "is critical" if level == "critical" else "is over its warning level"
    return {
        "alert": alert_name(name),
        "expr": above,
        "for": promql_time(threshold.hold_for),
        "keep_firing_for": promql_time(KEEP),
        "labels": {RULE: name, LEVEL: level, "severity": severity_of(threshold, level, policy).value},
        "annotations": {
            "summary": f"{threshold.title}{_subject(threshold)} {verdict}",
            "description": f'{{{{ $value | printf "%.4g" }}}} {threshold.unit} ({threshold.statistic} over '
            f"{promql_time(threshold.window)}); allowed: {allowed(threshold)}",
        },
    }


def _missing(
    name: str, threshold: Threshold, known: dict[str, str], labels: dict[str, str], policy: Policy
) -> dict[str, Any]:
    """A series there must be, and is not."""
    value = known.get("value") or f"sum({known['count']})"
    wanted = "vector(1)"
    for label, text in labels.items():
        wanted = f'label_replace({wanted}, "{label}", "{text}", "", "")'
    only = f"({value}) and on ({', '.join(labels)}) {wanted}" if labels else value
    subject = "".join(f" {text}" for text in labels.values())
    return {
        "alert": alert_name(name),
        "expr": f"absent({only})",
        "for": promql_time(MISSING_FOR),
        "labels": {
            RULE: name,
            LEVEL: NO_DATA,
            "severity": severity_of(threshold, NO_DATA, policy).value,
            **labels,
        },
        "annotations": {
            "summary": f"{threshold.title}{subject} cannot be measured",
            "description": f"no data of {threshold.metric}",
        },
    }


def expected_series(threshold: Threshold, policy: Policy) -> Iterator[dict[str, str]]:
    """The series there must be: those of the hosts, mounts, endpoints and logs of policy, as the watch expects them."""
    if threshold.per == ("host",):
        yield from ({"host": host.name} for host in policy.hosts)
    elif threshold.per == ("host", "mount"):
        yield from ({"host": host.name, "mount": mount} for host in policy.hosts for mount in host.mounts)
    elif threshold.per == ("endpoint",):
        yield from ({"endpoint": one.name} for one in policy.endpoints if not one.authenticated)
    elif threshold.per == ("pool",):
        yield {"pool": "server"}
    elif threshold.per == ("source",):
        yield from ({"source": one.name} for one in policy.alerting.error_logs)
    elif not threshold.per:
        yield {}


def severity_of(threshold: Threshold, level: str, policy: Policy) -> Severity:
    """The priority of a rule's alert at ``warning``, ``critical`` or ``no data`` (D35)."""
    of_level = {"warning": threshold.warning.alert, "critical": threshold.critical.alert, NO_DATA: threshold.no_data}
    return policy.severities.alert_classes[of_level[level]].severity


def allowed(threshold: Threshold) -> str:
    """Both levels and where it clears, in words."""
    low, high = threshold.warning, threshold.critical
    warns, fails, clears = (figure(one, threshold.unit) for one in (low.above, high.above, low.clear_at))
    return f"at most {warns}, never over {fails}; clear at {clears}"


def alert_name(rule: str) -> str:
    """``failed_logins_of_one`` becomes ``CloOpsFailedLoginsOfOne``; all levels of a rule share it."""
    return "CloOps" + "".join(word.capitalize() for word in re.split(r"[^a-zA-Z0-9]+", rule))


def promql_time(length: timedelta) -> str:
    """``5m``, ``90s``, ``1h``: as Prometheus and Alertmanager write a duration."""
    seconds = round(length.total_seconds())
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _subject(threshold: Threshold) -> str:
    return "".join(f" {{{{ $labels.{label} }}}}" for label in threshold.per)


def _item(rule: dict[str, Any]) -> str:
    text = yaml.safe_dump([rule], sort_keys=False, width=10_000, allow_unicode=True)
    return "".join(f"      {line}\n" for line in text.splitlines())
