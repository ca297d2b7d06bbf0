"""The form of a DR test: what an operator may choose, and the same as a DrillSpec, refused before anything starts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from clo_ops.findings import ConfigurationError
from clo_ops.policy import DrillSpec

if TYPE_CHECKING:
    from airflow.sdk import Param

    from clo_ops.policy import Policy

PARTS = {
    "restore": "Restore, contents and meaning (always)",
    "failover": "Failover: a standby takes over",
    "application": "The application on the recovered database",
}
BACKUPS = {"newest": "The newest", "random": "A random older one", "named": "The one named below"}
PLACES = {
    "policy": "As the policy says",
    "docker": "In Docker, isolated",
    "local": "In a local cluster: weaker isolation, no Docker needed",
}
MINUTE = timedelta(minutes=1)
LONGEST_TARGET = timedelta(days=366)


def form(policy: Policy) -> dict[str, Param]:
    """The fields of a run by hand; a run on schedule takes them as they stand here."""
    from airflow.sdk import Param

    targets = policy.recovery.targets
    return {
        "backup": Param("newest", type="string", title="Which backup", enum=list(BACKUPS), values_display=BACKUPS),
        "name": Param(
            "",
            type=["null", "string"],
            title="Name of the backup",
            description="Only where the one named is chosen: the file's name in the repository.",
        ),
        "parts": Param(
            list(PARTS),
            type="array",
            title="Parts",
            examples=list(PARTS),
            values_display=PARTS,
            items={"enum": list(PARTS)},
        ),
        "keep": Param(
            False,
            type="boolean",
            title="Keep the environment",
            description=f"It stays for a look round until it expires after {policy.recovery.drill.expires}.",
        ),
        "rto_minutes": _minutes(targets.rto, "Target for the recovery time, minutes"),
        "rpo_minutes": _minutes(targets.rpo, "Target for the recovery point, minutes"),
        "self_test": Param(
            True,
            type="boolean",
            title="Self-test as well",
            description="Faults are put into small drills of their own, and each has to be caught.",
        ),
        "place": Param("policy", type="string", title="Where", enum=list(PLACES), values_display=PLACES),
    }


def _minutes(target: timedelta, title: str) -> Param:
    from airflow.sdk import Param

    most = LONGEST_TARGET / MINUTE
    return Param(target / MINUTE, type="number", title=title, exclusiveMinimum=0, maximum=most)


def spec_of(policy: Policy, params: Mapping[str, Any]) -> DrillSpec:
    """What the form asks for; what it leaves out is the policy's. Raises ConfigurationError, naming each field."""
    from pydantic import ValidationError

    try:
        return DrillSpec.of(policy.recovery, **_chosen(params))
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, one['loc'])) or 'form'}: {one['msg']}" for one in error.errors())
        raise ConfigurationError(
            f"the form cannot be carried out: {wrong}",
            allowed="the choices the form shows",
            next_step="correct the fields named and start the drill again; nothing was started",
        ) from None


def _chosen(params: Mapping[str, Any]) -> dict[str, Any]:
    known = {"backup", "name", "parts", "keep", "rto_minutes", "rpo_minutes", "place", "self_test", "cadence"}
    if strange := sorted(set(params) - known):
        raise ConfigurationError(f"the form has no field {', '.join(strange)}", allowed=", ".join(sorted(known)))
    chosen = {"keep": params.get("keep"), "backup": _backup(params), "place": params.get("place")}
    chosen["parts"] = _parts(params.get("parts"))
    for name in ("rto", "rpo"):
        chosen[name] = _target(params.get(f"{name}_minutes"), name)
    if chosen["place"] == "policy":
        chosen["place"] = None
    return chosen


def _parts(given: Any) -> frozenset[str] | None:
    if given is not None and not (isinstance(given, list | tuple) and all(isinstance(one, str) for one in given)):
        raise ConfigurationError(f"the parts are {given!r}", allowed=f"a list of {', '.join(PARTS)}")
    return None if given is None else frozenset(given)


def _backup(params: Mapping[str, Any]) -> str | None:
    """The file's name where the one named is meant; a name left in the field of another choice is no choice."""
    how, name = params.get("backup"), params.get("name") or ""
    name = name.strip() if isinstance(name, str) else ""
    if how != "named":
        return how
    if not name or "/" in name or name.startswith("."):
        raise ConfigurationError(
            f"the backup named is {params.get('name')!r}",
            allowed="the name of a file of the repository, without a folder",
            next_step="fill in the name of the backup, or choose the newest",
        )
    return name


def _target(minutes: Any, name: str) -> timedelta | None:
    if minutes is None:
        return None
    if isinstance(minutes, bool) or not isinstance(minutes, int | float) or not 0 < minutes <= LONGEST_TARGET / MINUTE:
        allowed = f"a number of minutes above 0, at most {LONGEST_TARGET / MINUTE:.0f}"
        raise ConfigurationError(f"the target {name}_minutes is {minutes!r}", allowed=allowed)
    return minutes * MINUTE
