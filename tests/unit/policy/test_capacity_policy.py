"""capacity.yaml: levels filled in from the thresholds, and what it may not say."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from clo_ops.policy import load_policy
from clo_ops.policy.capacity import Capacity

GOOD = load_policy(mode="demo").capacity.model_dump(mode="json", exclude={"resources"}) | {"resources": []}
CPU = {"procedure": "WW-01", "metric": "system.cpu.utilization", "unit": "percent", "manual": "L119"}


def refused(**changed: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        Capacity.model_validate({**GOOD, **changed})
    return str(caught.value)


def forecasts(**changed: Any) -> dict[str, Any]:
    return {"forecasts": {**GOOD["forecasts"], **changed, "confidence": "90 %"}}


def test_levels_of_a_named_threshold_are_the_alerts() -> None:
    (cpu,) = load_policy(mode="demo").capacity.of("WW-01")
    assert (cpu.metric, cpu.warning, cpu.critical) == ("system.cpu.utilization", 70, 85)
    assert [one.full for one in load_policy(mode="demo").capacity.of("WW-03")] == [100, None]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (forecasts(windows=[28, 91]), "windows from the longest to the shortest"),
        (forecasts(minimum_days=7), "from 14 to the shortest window"),
        (forecasts(significance=0.2), "at most 0.05"),
        (forecasts(horizon="120 days"), "no further ahead than the longest window looks back"),
        ({"roll_ups": {**GOOD["roll_ups"], "sample_holds": "2 h"}}, "at most 1 h"),
        ({"resources": [{**CPU, "threshold": "cpu", "warning": 1, "critical": 2}]}, "one of them"),
        ({"resources": [{**CPU, "warning": 1}]}, "both warning and critical"),
        ({"resources": [{**CPU, "warning": 90, "critical": 80}]}, "reached before critical"),
        ({"resources": [{**CPU, "worse": "lower", "warning": 80, "critical": 90}]}, "reached before critical"),
        ({"resources": [CPU, CPU]}, "resources that differ"),
    ],
)
def test_refused(changed: dict[str, Any], said: str) -> None:
    assert said in refused(**changed)
