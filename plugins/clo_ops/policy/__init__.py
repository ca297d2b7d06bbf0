"""Ground floor: the manual's figures and names as typed, validated models.

Nothing is read when this is imported: ``load_policy`` reads on first use. Nor are the models built: one comes when it
is asked for, since a DAG file is parsed with few of them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from clo_ops.policy.at_parse import policy_at_parse
from clo_ops.policy.loading import digest, load_policy

if TYPE_CHECKING:
    from clo_ops.policy.cadences import BusinessCalendar, Cadence
    from clo_ops.policy.catalogue import Procedure
    from clo_ops.policy.model import Policy
    from clo_ops.policy.morning import Baseline
    from clo_ops.policy.period import Period
    from clo_ops.policy.problems import PolicyRefused, Problem
    from clo_ops.policy.recovery import DrillSpec, Recovery
    from clo_ops.policy.terms import Step, Term

__all__ = [
    "Baseline",
    "BusinessCalendar",
    "Cadence",
    "DrillSpec",
    "Period",
    "Policy",
    "PolicyRefused",
    "Problem",
    "Procedure",
    "Recovery",
    "Step",
    "Term",
    "digest",
    "load_policy",
    "policy_at_parse",
]

_HOMES = {
    "Baseline": "morning",
    "BusinessCalendar": "cadences",
    "Cadence": "cadences",
    "DrillSpec": "recovery",
    "Period": "period",
    "Policy": "model",
    "PolicyRefused": "problems",
    "Problem": "problems",
    "Procedure": "catalogue",
    "Recovery": "recovery",
    "Step": "terms",
    "Term": "terms",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
