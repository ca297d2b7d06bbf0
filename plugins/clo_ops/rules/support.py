"""SP-01 and SP-02: whether those who are to be called can be, and what the vendors' contracts promise (L458-L476)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from html import unescape
from typing import TYPE_CHECKING, Protocol

from clo_ops.findings import Finding, Severity, Status
from clo_ops.policy.checks import PLACEHOLDERS
from clo_ops.policy.units import as_text
from clo_ops.rules.figures import moment
from clo_ops.rules.verdicts import Case

if TYPE_CHECKING:
    from clo_ops.policy import Policy
    from clo_ops.policy.severities import Vendor

CONTACTS, VENDORS = "SP-01", "SP-02"
NAMED = 5
# What each of the four must at least look like to lead anywhere.
FORMS = {
    "operations_centre": (r"[^@\s]+@[^@\s]+\.[^@\s]+", "a mail address"),
    "emergency_hotline": (r"\+?[0-9][0-9 ()./-]{4,}", "a telephone number in digits"),
    "status_page": (r"(https?://)?[\w-]+(\.[\w-]+)+(:\d+)?(/\S*)?", "an address on the web"),
    "documentation": (r"(https?://)?[\w-]+(\.[\w-]+)+(:\d+)?(/\S*)?", "an address on the web"),
}


class Told(Protocol):
    """A message that was put into the outbox. A severity says that somebody is to act on it."""

    @property
    def subject(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def html(self) -> str: ...
    @property
    def severity(self) -> Severity | None: ...


@dataclass(frozen=True, slots=True)
class Sent:
    """A message, and when it was put into the outbox."""

    at: datetime
    message: Told


def judge_contacts(sent: Sequence[Sent], policy: Policy) -> list[Finding]:
    """SP-01: each contact leads somewhere, and every message on which somebody is to act carries all four."""
    given = {name: getattr(policy.contacts.support, name) for name in FORMS}
    return [*(_contact(name, text, policy) for name, text in given.items()), _carried(sent, given, policy)]


def judge_vendors(policy: Policy, *, at: datetime) -> list[Finding]:
    """SP-02: whom to call for what, whether they answer in time for a P1, and until when the contract runs.

    A contract still holds on the day it ends; ``at`` decides which day it is (UTC).
    """
    found = [finding for name, one in policy.vendors.items() for finding in _vendor(name, one, policy, at.date())]
    return [*found, *_components(policy)]


def _contact(name: str, text: str, policy: Policy) -> Finding:
    form, called = FORMS[name]
    case = _case(
        CONTACTS,
        "contact",
        f"{called} that reaches somebody",
        policy,
        subject=name.replace("_", " "),
        severity=Severity.P2,
    )
    if placeholder := _placeholder(case, text, policy):
        return placeholder
    if not re.fullmatch(form, text):
        return case.failed(text, f"The {case.subject} of contacts.yaml, {text}, is not {called}")
    return case.passed(text, f"The {case.subject} is {text}")


def _placeholder(case: Case, text: str, policy: Policy) -> Finding | None:
    """In production nobody is reached by it; a demonstration tells nobody, and says so."""
    if not PLACEHOLDERS.search(text):
        return None
    said = f"The {case.subject} is the manual's placeholder {text}"
    if policy.mode == "production":
        return case.failed(text, said)
    reason = f"{said}. This is a demonstration, whose mail stays in its own sink; production refuses it (D52)."
    return Finding(case.procedure, case.name, Status.NOT_APPLICABLE, case.expected, text, reason, case.subject)


def _carried(sent: Sequence[Sent], given: dict[str, str], policy: Policy) -> Finding:
    """Fails while the newest lacks one; older ones than that are a warning: it has been put right since."""
    case = _case(CONTACTS, "messages carry them", "all four in every message on which somebody is to act", policy)
    needing = sorted((one for one in sent if one.message.severity is not None), key=lambda one: one.at)
    if not needing:
        reason = "No message of the last day asked anybody to act."
        return Finding(case.procedure, case.name, Status.NOT_APPLICABLE, case.expected, "none", reason)
    lacking = [(one, missing) for one in needing if (missing := _missing(one.message, given))]
    actual = f"{len(needing) - len(lacking)} of {len(needing)}"
    if not lacking:
        return case.passed(actual, f"All {len(needing)} messages of the last day carry them")
    said = "; ".join(f"{moment(one.at)} {one.message.subject!r} lacks {missing}" for one, missing in lacking[-NAMED:])
    if lacking[-1][0] is needing[-1]:
        return case.failed(actual, f"{len(lacking)} of {len(needing)} messages lack one, the newest among them: {said}")
    return case.warned(actual, f"{len(lacking)} of {len(needing)} messages lacked one, the newest has all: {said}")


def _missing(message: Told, given: dict[str, str]) -> str:
    """The contacts that the reader of its text, or of its HTML where it has some, does not find."""
    parts = [message.text] + ([unescape(message.html)] if message.html else [])
    return ", ".join(name.replace("_", " ") for name, text in given.items() if not all(text in part for part in parts))


def _vendor(name: str, vendor: Vendor, policy: Policy, today: date) -> Iterator[Finding]:
    yield _whom(name, vendor, policy)
    yield _in_time(name, vendor, policy)
    yield _contract(name, vendor, policy, today)


def _whom(name: str, vendor: Vendor, policy: Policy) -> Finding:
    case = _case(
        VENDORS,
        "whom to call",
        "a contact that reaches somebody",
        policy,
        subject=name,
        severity=Severity.P2,
        vendor=vendor,
    )
    of = ", ".join(vendor.components)
    return _placeholder(case, vendor.contact, policy) or case.passed(
        vendor.contact, f"For {of} it is {vendor.product}, {vendor.contact}"
    )


def _in_time(name: str, vendor: Vendor, policy: Policy) -> Finding:
    """``meets_p1`` false is a risk that is shown (D50). True must be what the contract says."""
    target = policy.severities["P1"].resolution_target
    expected = f"round the clock, and an answer sooner than a P1 is to be resolved ({target})"
    case = _case(VENDORS, "in time for a P1", expected, policy, subject=name, severity=Severity.P2, vendor=vendor)
    actual = f"{as_text(vendor.response)}, {vendor.coverage}" if vendor.response else vendor.coverage
    if not vendor.meets_p1:
        return case.warned(actual, f"{vendor.product} ({actual}) is too late for a P1: escalation does not rely on it")
    if not _soon_enough(vendor, target.elapsed):
        return case.failed(actual, f"vendors.yaml counts on {vendor.product} in a P1, and the contract is {actual}")
    return case.passed(actual, f"{vendor.product} answers within {actual}")


def _soon_enough(vendor: Vendor, target: timedelta | None) -> bool:
    """An answer only when it should be over is none: strictly sooner."""
    return vendor.coverage == "24/7" and vendor.response is not None and (target is None or vendor.response < target)


def _contract(name: str, vendor: Vendor, policy: Policy, today: date) -> Finding:
    notice = policy.contacts.vendor_contracts.notice
    expected = f"a contract that runs for longer than {as_text(notice)}"
    case = _case(VENDORS, "contract", expected, policy, subject=name, severity=Severity.P2, vendor=vendor)
    ends = vendor.contract_ends
    if vendor.coverage == "not contracted":
        return Finding(VENDORS, case.name, Status.NOT_APPLICABLE, expected, "none", f"{name} has no contract.", name)
    if ends is None:
        return case.warned("not known", f"vendors.yaml does not say when the contract with {vendor.product} ends")
    left, said = (ends - today).days, f"the contract with {vendor.product} ends on {ends}"
    if left < 0:
        return case.failed(f"over since {ends}", f"The contract with {vendor.product} ended on {ends}")
    if timedelta(days=left) <= notice:
        return case.warned(f"{left} days left", f"In {left} days {said}")
    return case.passed(f"{left} days left", f"In {left} days {said}")


def _components(policy: Policy) -> Iterator[Finding]:
    """What runs (services.yaml) and has nobody to be called for it."""
    covered = {one for vendor in policy.vendors.values() for one in vendor.components}
    for component in dict.fromkeys(service.component for service in policy.services):
        case = _case(VENDORS, "somebody to call", "a vendor in vendors.yaml", policy, subject=component)
        if component in covered:
            yield case.passed("named", f"There is a vendor for {component}")
        else:
            yield case.warned("nobody", f"No vendor of vendors.yaml is for {component}: it is ours alone to mend")


def _case(
    procedure: str,
    name: str,
    expected: str,
    policy: Policy,
    *,
    subject: str = "",
    severity: Severity = Severity.P3,
    vendor: Vendor | None = None,
) -> Case:
    entry = policy.procedures[procedure]
    manual = vendor.manual if vendor and vendor.manual else entry.lines
    return Case(procedure, name, expected, severity, entry.first_action, manual, subject)
