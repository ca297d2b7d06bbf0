"""The control catalogue: what it may not say, and that everything it names is there."""

from __future__ import annotations

import pytest

from clo_ops.orchestration.controls import PROBES
from clo_ops.policy.controls import ControlException
from clo_ops.probes.statements import statement


def test_every_control_names_a_question_and_a_procedure_there_is(policy):
    for one in policy.controls.catalogue.values():
        assert one.procedure in policy.procedures, one.id
        assert one.probe is None or one.probe in PROBES, one.id
        if one.query:
            assert statement(one.query).read_only, one.id
            assert one.procedure in statement(one.query).procedures, f"{one.query} does not name {one.procedure}"


def test_every_parameter_of_a_question_is_bound(policy):
    """A value that is neither the catalogue's nor the run's would only be missed when it is asked."""
    given = {"since", "until", "synthetic_user", "country", "names"}
    given |= {f"{name}_from" for name in policy.retention.classes}
    for one in policy.controls.catalogue.values():
        text = statement(one.query).text if one.query else ""
        wanted = {part.split(")s")[0] for part in text.split("%(")[1:]}
        assert wanted <= given | set(one.parameters), one.id
        assert not set(one.parameters) & given, f"{one.id}: a parameter bears a name of the run's own"


def test_every_procedure_built_for_controls_has_some(policy):
    for number in range(1, 9):
        assert policy.controls.of(f"WF-0{number}")
    assert {one.procedure for one in policy.controls.catalogue.values()} >= {"WM-06", "WM-07", "WM-08", "WM-09"}


def test_the_baseline_is_the_one_signed_off(policy):
    assert policy.controls.baseline.sha256 == policy.controls.baseline_digest


@pytest.mark.parametrize(
    ("old", "new", "key", "allowed"),
    [
        (
            "    shows: who asked for a calculation",
            "    shows: we are compliant, who asked",
            ".shows",
            "without the word",
        ),
        ("    query: source/self_approved\n", "", "SOX-01", "one of query, probe and not_assessed"),
        ("    query: source/self_approved\n", "    query: a\n    probe: b\n", "SOX-01", "one of query, probe"),
        ("  SOX-01:", "  SOX1:", "SOX1.id", "three letters and a number"),
        ("title: Nobody decides on their own calculation", "title: Brute force on an account", "", "differ"),
        ("        until: 2099-12-31\n", "", "until", ""),
        ("        approved_by: Director of Technology\n", "", "approved_by", ""),
        ("    severity: P1\n    first_action: Have", "    severity: P9\n    first_action: Have", "severity", "P1"),
    ],
)
def test_what_the_catalogue_may_not_say(site, old, new, key, allowed):
    problem = site.edit("controls.yaml", old, new).problem()
    assert problem.file == "controls.yaml"
    assert key in problem.key
    assert allowed in problem.allowed


def test_keys_of_an_exception_are_patterns():
    one = ControlException(keys=["role app_*"], reason="r", approved_by="a", until="2026-12-31")
    day = one.until
    assert one.covers("role app_new", day, "demo")
    assert not one.covers("role Xapp_new", day, "demo")
    assert not one.covers("role other", day, "demo")
