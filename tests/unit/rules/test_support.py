"""SP-01 and SP-02 at their edges: placeholders by mode, messages that lack a contact, contracts by the day."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from html import escape
from types import SimpleNamespace

import pytest

from clo_ops.findings import Severity, Status, worst
from clo_ops.policy import load_policy
from clo_ops.policy.severities import Support, Vendor
from clo_ops.rules import support
from clo_ops.rules.support import Sent

DEMO = load_policy(mode="demo")
AT = datetime(2026, 11, 23, 19, tzinfo=UTC)
REAL = {
    "operations_centre": "ops@acme-funds.com",
    "emergency_hotline": "+49 (89) 1234-567",
    "status_page": "https://status.acme-funds.com/clo?x=1&y='2'",
    "documentation": "docs.acme-funds.com",
}
GOOD = {
    "product": "Support",
    "components": ["postgresql"],
    "coverage": "24/7",
    "response": "2 h",
    "contact": "help@acme-db.com",
    "contract_ends": date(2027, 12, 31),
    "meets_p1": True,
    "manual": "L467",
}


def policy(mode="production", contacts=None, **vendors):
    given = Support.model_validate(REAL | (contacts or {}) | {"manual": "L458-L462"})
    changed = {
        "mode": mode,
        "contacts": DEMO.contacts.model_copy(update={"support": given}),
        "vendors": {name: Vendor.model_validate(GOOD | one) for name, one in vendors.items()},
    }
    return DEMO.model_copy(update=changed)


def message(text=None, html="", severity=Severity.P2, minutes=0, contacts=REAL):
    said = "\n".join(contacts.values()) if text is None else text
    return Sent(AT + timedelta(minutes=minutes), SimpleNamespace(subject="S", text=said, html=html, severity=severity))


def contacts(*sent, **changes):
    found = support.judge_contacts(sent, policy(**changes))
    assert len({(one.name, one.subject) for one in found}) == len(found) == 5
    return found


def carried(*sent):
    return contacts(*sent)[-1]


def vendor(name="contract", at=AT, **changes):
    found = support.judge_vendors(policy(database=changes), at=at)
    (finding,) = [one for one in found if one.name == name]
    return finding


def test_contacts_that_lead_somewhere_and_are_in_every_message_pass():
    found = contacts(message())
    assert {one.status for one in found} == {Status.PASS}
    assert "L458-L462" in found[0].message


@pytest.mark.parametrize(("mode", "expected"), [("production", Status.FAIL), ("demo", Status.NOT_APPLICABLE)])
@pytest.mark.parametrize("name", sorted(REAL))
def test_the_manuals_placeholders_reach_nobody(mode, expected, name):
    placeholder = {name: getattr(DEMO.contacts.support, name)}
    (finding,) = [one for one in contacts(mode=mode, contacts=placeholder) if one.subject == name.replace("_", " ")]
    assert finding.status is expected
    assert placeholder[name] in finding.message


@pytest.mark.parametrize(
    "wrong",
    [
        {"operations_centre": "ops at acme-funds.com"},
        {"operations_centre": "ops@acme"},
        {"emergency_hotline": "call us"},
        {"emergency_hotline": "112"},
        {"status_page": "ask the desk"},
        {"documentation": "intranet"},
    ],
    ids=str,
)
@pytest.mark.parametrize("mode", ["production", "demo"])
def test_what_cannot_be_a_contact_fails_everywhere(wrong, mode):
    found = contacts(mode=mode, contacts=wrong)
    assert [one.status for one in found[:4]].count(Status.FAIL) == 1


def test_a_day_without_such_a_message_is_not_applicable():
    assert carried().status is Status.NOT_APPLICABLE
    assert carried(message("nobody is to act", severity=None)).status is Status.NOT_APPLICABLE


@pytest.mark.parametrize("missing", sorted(REAL))
def test_a_message_that_lacks_one_fails_and_says_which(missing):
    less = {name: text for name, text in REAL.items() if name != missing}
    finding = carried(message(), message(contacts=less, minutes=1))
    assert (finding.status, finding.actual) == (Status.FAIL, "1 of 2")
    assert missing.replace("_", " ") in finding.message


def test_once_the_newest_has_them_the_older_are_a_warning():
    assert carried(message(minutes=1), message("none", minutes=0)).status is Status.WARN
    assert carried(message(minutes=1), message("none", minutes=2)).status is Status.FAIL


def test_both_parts_must_have_them_and_html_is_read_as_a_reader_sees_it():
    shown = escape(" ".join(REAL.values()))
    assert carried(message(html=f"<p>{shown}</p>")).status is Status.PASS
    assert carried(message(html="<p>none</p>")).status is Status.FAIL


def test_a_storm_of_messages_names_only_the_last_few():
    finding = carried(*(message("none", minutes=minute) for minute in range(500)))
    assert finding.actual == "0 of 500"
    assert len(finding.message) < 1000


@pytest.mark.parametrize(
    ("days", "expected"),
    [(91, Status.PASS), (90, Status.WARN), (1, Status.WARN), (0, Status.WARN), (-1, Status.FAIL)],
)
def test_a_contract_is_watched_to_its_last_day(days, expected):
    finding = vendor(contract_ends=AT.date() + timedelta(days=days))
    assert finding.status is expected
    assert "2026" in finding.message or "2027" in finding.message


def test_the_last_day_is_over_at_midnight_utc():
    ends = date(2026, 11, 23)
    assert vendor(contract_ends=ends, at=datetime(2026, 11, 23, 23, 59, tzinfo=UTC)).status is Status.WARN
    assert vendor(contract_ends=ends, at=datetime(2026, 11, 24, 0, 0, tzinfo=UTC)).status is Status.FAIL


def test_an_end_nobody_wrote_down_is_a_gap():
    assert vendor(contract_ends=None).status is Status.WARN


def test_without_a_contract_there_is_none_to_end_and_the_risk_is_shown():
    none = {"coverage": "not contracted", "response": None, "meets_p1": False, "contract_ends": None}
    assert vendor(**none).status is Status.NOT_APPLICABLE
    assert vendor("in time for a P1", **none).status is Status.WARN


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, Status.PASS),
        ({"response": "239 min"}, Status.PASS),
        ({"response": "4 h"}, Status.FAIL),
        ({"coverage": "business hours"}, Status.FAIL),
        ({"meets_p1": False}, Status.WARN),
        ({"meets_p1": False, "coverage": "business hours", "response": "4 h"}, Status.WARN),
    ],
    ids=str,
)
def test_counting_on_a_vendor_in_a_p1_needs_a_contract_that_says_so(changes, expected):
    assert vendor("in time for a P1", **changes).status is expected


@pytest.mark.parametrize(("mode", "expected"), [("production", Status.FAIL), ("demo", Status.NOT_APPLICABLE)])
def test_a_vendors_placeholder_reaches_nobody(mode, expected):
    found = support.judge_vendors(policy(mode, database={"contact": "help@your-domain.com"}), at=AT)
    assert next(one for one in found if one.name == "whom to call").status is expected


def test_what_runs_and_has_nobody_to_be_called_for_it_is_shown():
    found = support.judge_vendors(policy(database={}), at=AT)
    status = {one.subject: one.status for one in found if one.name == "somebody to call"}
    assert status["postgresql"] is Status.PASS
    assert status["api"] is Status.WARN


def test_the_policy_as_it_is_shipped_shows_its_risks_and_is_not_red():
    found = support.judge_vendors(DEMO, at=AT)
    assert worst(found) is Status.WARN
    risks = {one.subject for one in found if one.name == "in time for a P1" and one.status is Status.WARN}
    assert risks == {"application", "monitoring"}
    assert len({(one.name, one.subject) for one in found}) == len(found)
