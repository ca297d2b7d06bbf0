"""Sections of what was measured: a host of policy without figures is not left out (ED-01)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from clo_ops.findings import Status
from clo_ops.findings.roll_ups import RollUp
from clo_ops.policy import load_policy
from clo_ops.reports.facts import Facts
from clo_ops.reports.series_sections import RESOURCES, resources
from clo_ops.rules.periods import DAY, Period
from clo_ops.rules.series_days import SeriesDays

UNTIL = datetime(2026, 11, 20, 18, tzinfo=UTC)
POLICY = load_policy(mode="demo")
(APP1,) = POLICY.hosts
TWO = POLICY.model_copy(update={"hosts": (APP1, APP1.model_copy(update={"name": "app2"}))})
HOUR = timedelta(hours=1)


def of(metric: str, host: str, above: timedelta = timedelta()) -> SeriesDays:
    hour = RollUp(
        metric=metric, labels={"host": host}, unit="percent", starts_at=UNTIL - HOUR, count=12, mean=50, p50=50, p95=50,
        p99=50, lowest=50, highest=50, last=50, covered=HOUR, warning_level=70, above_warning=above, critical_level=85,
        above_critical=above, source="measured",
    )  # fmt: skip
    return SeriesDays(metric, hour.labels, "percent", [hour], [])


@pytest.mark.parametrize(
    ("policy", "status", "said"),
    [
        (POLICY, Status.WARN, "Over the critical level: CPU app1"),
        (TWO, Status.UNKNOWN, "No figures of CPU app2, Memory app2, Disk app2 are on record"),
    ],
)
def test_a_host_nobody_measured_is_not_left_out(policy, status, said):
    series = {metric: [of(metric, "app1", HOUR if "cpu" in metric else timedelta())] for metric in RESOURCES}
    section = resources(Facts("ED-01", policy, Period(UNTIL - DAY, UNTIL), UNTIL, series=series), "ED-01, L69")
    (found,) = section.findings
    assert found.status is status
    assert said in found.message
    assert "Over the critical level: CPU app1" in found.message, "what is over its level is told all the same"
