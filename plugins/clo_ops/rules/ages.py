"""WM-01: how old the oldest transaction numbers are, and how far sequences and the columns they feed have counted.

PostgreSQL takes no more writes 2,147 million transactions after the oldest it still has to tell apart; autovacuum sees
to it from autovacuum_freeze_max_age on. Well over that, something keeps it from it, and there is time to find out what.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from clo_ops.findings import Answer, Finding, Measurement, Severity, Status, unanswered_findings
from clo_ops.rules.figures import number
from clo_ops.rules.verdicts import Case

if TYPE_CHECKING:
    from clo_ops.policy.upkeep import Ages, Sequences

PROCEDURE = "WM-01"
MANUAL = "L90-L91"
WRITES_END = 2_147_483_647
FREEZE = "End what holds old rows back (named here), then VACUUM (FREEZE) the table as its owner."
WIDEN = "Plan the change of the column to bigint (with its sequence) in a monthly window, before it is full."
ASK = "Check that the database is up and that the probe's role may log in; then clear this task."
ALLOW = "GRANT SELECT on the sequence to the reader's role (docs/connect.md)."
NAMED = 10


def judge_ages(answer: Answer, terms: Ages) -> list[Finding]:
    """One finding per database or table and kind of number that is over a limit, or one that passes."""
    findings = unanswered_findings(PROCEDURE, answer, Severity.P2, ASK)
    databases = list(answer.select("postgresql.database.age"))
    if not databases:
        return findings or [_age_case(terms, "all databases").not_measured()]
    held = ", ".join(one.detail for one in answer.select("postgresql.horizon.age"))
    red = [one for of in databases if (one := _aged(of, "database", terms, held))]
    red += [one for of in answer.select("postgresql.table.age") if (one := _aged(of, "table", terms, held))]
    return [*findings, *(red or [_young(databases, terms)])]


def _aged(one: Measurement, kind: str, terms: Ages, held: str) -> Finding | None:
    """Over ``warning`` times the setting warns; over ``critical`` of what there is fails. Both strictly."""
    begins = float(one.labels["freeze_max_age"])
    subject = f"{one.labels[kind]}, {one.labels['of']}"
    case = _age_case(terms, subject, begins)
    who = f"; held back by {held}" if held else "; no session, slot or prepared transaction holds it back"
    said = f"The oldest {one.labels['of']} of {kind} {one.labels[kind]} is {one.value:,.0f} old{who}"
    if one.value * 100 > WRITES_END * terms.critical:
        return case.failed(
            f"{one.value:,.0f}", f"{said}; over {number(WRITES_END * terms.critical / 100)}", Severity.P1
        )
    if one.value > begins * terms.warning:
        return case.warned(f"{one.value:,.0f}", f"{said}; over {number(begins * terms.warning)}", Severity.P2)
    return None


def _age_case(terms: Ages, subject: str, begins: float | None = None) -> Case:
    warning = f"{terms.warning:g} times autovacuum_freeze_max_age"
    warning += "" if begins is None else f" ({number(begins * terms.warning)})"
    critical = f"never over {terms.critical:g} % of {WRITES_END:,}"
    return Case(PROCEDURE, "transaction age", f"at most {warning}, {critical}", Severity.P1, FREEZE, MANUAL, subject)


def _young(databases: list[Measurement], terms: Ages) -> Finding:
    oldest = max(databases, key=lambda one: one.value)
    said = f"The oldest {oldest.labels['of']} of all databases is {oldest.value:,.0f} old ({oldest.labels['database']})"
    return _age_case(terms, "", float(oldest.labels["freeze_max_age"])).passed(f"{oldest.value:,.0f}", said)


def judge_sequences(answer: Answer, terms: Sequences) -> list[Finding]:
    """One finding per sequence, or column it feeds, that is over a limit; one for what may not be read; or one pass."""
    findings = unanswered_findings(PROCEDURE, answer, Severity.P2, ASK)
    used = list(answer.select("postgresql.sequence.used"))
    findings += _unreadable(list(answer.select("postgresql.sequence.readable")), terms)
    red = sorted((one for one in used if one.value > terms.warning), key=lambda one: -one.value)
    findings += [_full(one, terms) for one in red[:NAMED]]
    if len(red) > NAMED:
        rest = f"{len(red) - NAMED} more sequences"
        findings.append(_sequence_case(terms, "further").warned(rest, f"{rest} are over {terms.warning:g} %"))
    if used and not red:
        findings.append(_room(used, terms))
    none = _sequence_case(terms, "").passed("none", "There is no sequence in this database")
    return findings or [none]


def _unreadable(readable: list[Measurement], terms: Sequences) -> Iterator[Finding]:
    closed = [one.labels["sequence"] for one in readable if one.value != 1]
    if closed:
        case = replace(_sequence_case(terms, "not readable"), first_action=ALLOW)
        named = ", ".join(closed[:NAMED]) + (" ..." if len(closed) > NAMED else "")
        said = f"{len(closed)} sequences may not be read by the reader's role: {named}"
        yield Finding(
            PROCEDURE, case.name, Status.UNKNOWN, case.expected, f"{len(closed)} not readable", f"{said}.",
            case.subject, Severity.P3, ALLOW,
        )  # fmt: skip


def _sequence_case(terms: Sequences, subject: str) -> Case:
    expected = f"at most {terms.warning:g} % used, never over {terms.critical:g} %"
    return Case(PROCEDURE, "sequences", expected, Severity.P1, WIDEN, MANUAL, subject)


def _full(one: Measurement, terms: Sequences) -> Finding:
    case = _sequence_case(terms, one.labels["sequence"])
    actual, said = f"{one.value:.1f} %", f"{one.labels['sequence']}: {one.detail}"
    if one.value > terms.critical:
        return case.failed(actual, said, Severity.P2)
    return case.warned(actual, said)


def _room(used: list[Measurement], terms: Sequences) -> Finding:
    fullest = max(used, key=lambda one: one.value)
    said = f"The fullest of {len(used)} sequences is {fullest.labels['sequence']}: {fullest.detail}"
    return _sequence_case(terms, "").passed(f"{fullest.value:.1f} %", said)
