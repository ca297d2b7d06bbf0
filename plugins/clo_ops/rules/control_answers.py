"""From the rows a control's question gave to what they mean: one function for each ``judge`` of controls.yaml."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from clo_ops.findings.performed import Judged, Performed, Row, Violation
from clo_ops.rules import accounts, data_use, login_attacks, logins, states, vulnerabilities


@dataclass(frozen=True, slots=True)
class Earlier:
    """The state at the last look, and when that was (ISO)."""

    state: Mapping[str, str] | None = None
    at: str = ""


NOTED = "changed and noted"
Reader = Callable[[Performed, Earlier], Judged]


def _of_rows(judge: Callable[[Sequence[Row], Mapping[str, object]], Judged]) -> Reader:
    return lambda one, _: judge(one.rows, one.parameters)


JUDGES: dict[str, Reader] = {
    "plain": lambda one, _: Judged.plainly(one.rows),
    "new sources": _of_rows(logins.new_sources),
    "out of hours": _of_rows(logins.out_of_hours),
    "dormant accounts": _of_rows(logins.dormant),
    "brute force": _of_rows(login_attacks.brute_force),
    "spray": _of_rows(login_attacks.spray),
    "stuffing": _of_rows(login_attacks.stuffing),
    "settings": lambda one, _: states.settings(one.rows, one.parameters["settings"]),
    "own habit": lambda one, _: data_use.habits(one.rows, one.parameters, str(one.parameters["since"])),
    "counted": _of_rows(accounts.counted),
    "second factor": _of_rows(accounts.second_factor),
    "inactive": _of_rows(accounts.inactive),
    "privileged use": _of_rows(accounts.privileged_use),
    "vulnerabilities": _of_rows(vulnerabilities.judge),
    "changed": lambda one, before: states.changed(one.rows, before.state, before.at),
    NOTED: lambda one, before: states.noted(one.rows, before.state, before.at),
}
# These compare with the state of the last look, which the ledger keeps.
WITH_A_PAST = frozenset({"changed", NOTED})


# Of these the first rows are enough to see that something is wrong, though not that nothing is: an attack must not hide
# behind its own size.
IN_PART = frozenset({"brute force", "spray", "stuffing"})


def read(judge: str, answer: Performed, earlier: Earlier) -> Judged:
    """What the answer means. Raises KeyError for a judge nobody has written."""
    judged = JUDGES[judge](answer, earlier)
    return replace(judged, not_asked=(Violation("the rest", answer.cut),)) if answer.cut else judged
