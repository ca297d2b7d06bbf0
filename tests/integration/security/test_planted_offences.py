"""Each offence the demo can plant is found by its controls, named, and nothing else is."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

from demo.switches import FAULTS, status, switch_off, switch_on

MONDAY = ("WM-06", "WM-07", "WM-08", "WM-09")
FRIDAY = ("WF-01", "WF-02", "WF-03", "WF-04", "WF-05", "WF-06", "WF-07", "WF-08")
ALL = (*MONDAY, *FRIDAY)
# Offence: the controls that find it, and what each has to name.
FOUND = {
    "self-approved-calculation": {"SOX-01": "asked for and decided by"},
    "born-superuser": {
        "PER-04": "role night_shift (is new: SUPERUSER LOGIN",
        "CFG-02": "role night_shift (is a superuser)",
        "CIS-03": "role night_shift (is a superuser)",
    },
    "password-spray": {"AUT-02": "source 203.0.113.66 (40 accounts refused"},
    "unaudited-change": {"AUD-02": "no audit row"},
    "dormant-administrator": {
        "ACC-03": "old.admin (admin, logged in at",
        "PER-03": "application account old.admin (is new: enabled, roles: admin",
    },
    "large-export": {"DAT-01": "8,000 rows on"},
    "trust-line": {
        "PER-05": "pg_hba line host all clo_app from 198.51.100.0",
        "CFG-03": "pg_hba host all clo_app 198.51.100.0",
        "CIS-06": "trust lets in whoever says the name",
    },
}


@contextmanager
def planted(site, name):
    switch_on(site.state, name)
    switch_on(site.state, name)
    yield
    switch_off(site.state, name)
    switch_off(site.state, name)
    assert status(site.state) == {}


@pytest.mark.parametrize("name", FOUND)
def test_each_offence_is_found_and_named_and_nothing_else_is(seen, name):
    site = seen("WM-08", "WM-09", "WF-06")
    with planted(site, name):
        broken = site.broken(*ALL)
    assert set(broken) == set(FOUND[name]), broken
    for control, words in FOUND[name].items():
        assert words in broken[control]
    judged_by = {site.policy.controls[control].procedure for control in broken}
    assert judged_by == set(FAULTS[name].turns_red)
    site.judged("WM-08")  # the state is as it was: seen once, and then forgotten
    assert site.broken(*judged_by) == {}, "switched off it leaves nothing behind"
