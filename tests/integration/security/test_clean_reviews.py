"""A world in which nobody did anything wrong: every control passes, or says why it was not assessed."""

from __future__ import annotations

import pytest

from clo_ops.findings import Status

MONDAY = ("WM-06", "WM-07", "WM-08", "WM-09")
FRIDAY = ("WF-01", "WF-02", "WF-03", "WF-04", "WF-05", "WF-06", "WF-07", "WF-08")


def test_a_clean_world_gives_no_finding(seen):
    site = seen(*MONDAY, "WF-06")
    assert site.broken(*MONDAY, *FRIDAY) == {}


@pytest.mark.parametrize("procedure", [*MONDAY, *FRIDAY])
def test_every_control_that_can_be_assessed_looked_at_something(seen, procedure):
    site = seen(procedure)
    findings = site.judged(procedure)
    assert {one.subject for one in findings} == {one.id for one in site.policy.controls.of(procedure)}
    for one in findings:
        unasked = site.policy.controls[one.subject].not_assessed
        assert (one.status is Status.NOT_APPLICABLE) == bool(unasked), one.message
