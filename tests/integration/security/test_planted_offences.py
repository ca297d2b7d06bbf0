"""Each offence the demo can plant is found by its controls, named, and nothing else is."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

from demo.switches import FAULTS, status, switch_off, switch_on

MONDAY = ("WM-06", "WM-07", "WM-08", "WM-09")
FRIDAY = ("WF-01", "WF-02", "WF-03", "WF-04", "WF-05", "WF-06", "WF-07", "WF-08")
# But M1-05: packages are none of these offences' business.
MONTH = ("M1-01", "M1-02", "M1-03", "M1-04", "M1-06")
ALL = (*MONDAY, *FRIDAY, *MONTH)
# What compares with its last look, and what has to be asked once before.
STATES = ("WM-08", "WM-09", "WF-06", "M1-06")
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
    "chain-cut-head": {"AUD-01": "deleted head (1: rows 1 to 3 are gone from the beginning"},
    "chain-cut-middle": {"AUD-01": "are not there, and no receipt says why"},
    "chain-cut-tail": {"AUD-01": "cut tail ("},
    "dormant-administrator": {
        "ACC-03": "old.admin (admin, logged in at",
        "PER-03": "application account old.admin (is new: enabled, roles: admin",
        "IAM-02": "account old.admin (no second factor)",
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


@pytest.fixture
def tail(site):
    """The last rows of the audit trail are of no other control's business, whatever the hour the world ends with."""
    with site.database() as connection:
        for number in range(3):
            connection.execute("SELECT audit_write('manager', 'help_opened', 'page', %s)", (str(number),))


@pytest.mark.parametrize("name", FOUND)
def test_each_offence_is_found_and_named_and_nothing_else_is(seen, tail, name):
    site = seen(*STATES, "WF-05")
    with planted(site, name):
        red = site.red(*ALL)
    broken = {one.subject: one.message for one in red}
    assert set(broken) == set(FOUND[name]), broken
    for control, words in FOUND[name].items():
        assert words in broken[control]
    assert {one.procedure for one in red} == set(FAULTS[name].turns_red)
    for procedure in set(STATES) & set(FAULTS[name].turns_red):
        site.judged(procedure)  # the state is as it was: seen once, and then forgotten
    assert site.broken(*FAULTS[name].turns_red) == {}, "switched off it leaves nothing behind"
