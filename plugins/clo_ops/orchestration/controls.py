"""Controls asked, read, judged and proven: each leaves one finding, and evidence that can be performed again.

Monday's security review (WM-06 .. WM-09), Friday's compliance (WF-01 .. WF-08) and much of the month's security audit
(M1-01 .. M1-06) are the controls of controls.yaml that name the procedure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from clo_ops.findings import Answer, CheckFailed, ConfigurationError, Finding
from clo_ops.findings.performed import Judged, Performed
from clo_ops.probes.reaching import Unreachable, nobody_answered
from clo_ops.rules import controls as rules
from clo_ops.rules.control_answers import IN_PART, NOTED, WITH_A_PAST, Earlier, read
from clo_ops.rules.states import as_state

if TYPE_CHECKING:
    from clo_ops.orchestration.run import Run
    from clo_ops.policy.controls import Control
    from clo_ops.probes.performing import Outcome

WEEK = timedelta(days=7)
FORMAT = 1


def assess(run: Run, procedure: str) -> list[Finding]:
    """One finding for each control of the procedure; what could not be asked is unknown and hides no other."""
    controls = run.policy.controls.of(procedure)
    return judged(run, controls, asked(run, controls))


def lent(run: Run, procedure: str, *controls: str) -> tuple[Control, ...]:
    """Controls of other procedures, by id, asked for this one as well: same question, same exceptions, own past."""
    return tuple(run.policy.controls[name].model_copy(update={"procedure": procedure}) for name in controls)


def asked(run: Run, controls: tuple[Control, ...]) -> dict[str, Outcome]:
    """The answer of each control, or the reason why there is none, by id; questions of SQL to one snapshot."""
    return _asked(run, controls, {one.id: values_of(run, one) for one in controls})


def judged(run: Run, controls: tuple[Control, ...], answers: Mapping[str, Outcome]) -> list[Finding]:
    """One finding for each control, with its evidence."""
    return [_finding(run, one, answers.get(one.id)) for one in controls]


def values_of(run: Run, control: Control) -> dict[str, Any]:
    """What is bound to the control's question: its window, and what policy says elsewhere."""
    until = run.at
    since = _last_look(run, control) or until - (control.looks_back or _since_the_last(run, control))
    common: dict[str, Any] = {
        "synthetic_user": lambda: run.connections.account.username,
        "country": lambda: run.policy.business_calendar.country,
        **{f"{name}_from": partial(_kept_from, run, name) for name in run.policy.retention.classes},
    }
    text = _text(control)
    wanted = {name: get() for name, get in common.items() if f"%({name})s" in text}
    names = {"names": sorted(control.parameters["settings"])} if control.judge == "settings" else {}
    return {"since": since.isoformat(), "until": until.isoformat(), **wanted, **control.parameters, **names}


def _text(control: Control) -> str:
    from clo_ops.probes.statements import statement

    return statement(control.query).text if control.query else ""


def _kept_from(run: Run, name: str) -> str:
    return run.policy.retention[name].keep.before(run.at).isoformat()


def _last_look(run: Run, control: Control) -> datetime | None:
    """A state that is held against a trail: entries count from the moment it was seen, not from the run's own time."""
    if control.judge != NOTED:
        return None
    before = run.ledger.earlier_state(
        _kind(run, control), None, run.at, run.ledger_run, (control.procedure, control.id)
    )
    return before.taken_at if before else None


def _since_the_last(run: Run, control: Control) -> timedelta:
    """Back to the last run of this page that answered it, a week at least, five weeks at most: nothing falls between
    two reviews, and a run in which nobody answered reviewed nothing."""
    last = run.ledger.last_answered(run.dag_id, control.procedure, control.id, run.at)
    return min(max(run.at - last, WEEK), 5 * WEEK) if last else WEEK


def _asked(run: Run, controls: tuple[Control, ...], values: Mapping[str, Mapping[str, Any]]) -> dict[str, Outcome]:
    from clo_ops.probes.performing import key_of, perform_all

    queries = {one.id: (one.query, values[one.id]) for one in controls if one.query}
    in_part = {one.query for one in controls if one.query and one.judge in IN_PART}
    found = perform_all(run.connections.postgres, queries.values(), in_part=in_part) if queries else {}
    answers: dict[str, Outcome] = {name: found[key_of(*question)] for name, question in queries.items()}
    answers |= {one.id: _probed(run, one.probe, values[one.id]) for one in controls if one.probe}
    return answers


def _probed(run: Run, probe: str, values: Mapping[str, Any]) -> Outcome:
    try:
        return PROBES[probe](run, values)
    except Unreachable as error:
        return error.reason
    except ConfigurationError as error:
        return f"not configured: {error}"


def _redis(run: Run, values: Mapping[str, Any]) -> Performed:
    from clo_ops.probes.security_access import redis_access

    return redis_access(run.connections.redis, values)


def _passwords(run: Run, values: Mapping[str, Any]) -> Performed:
    from clo_ops.probes.security_access import known_passwords

    return known_passwords(run.connections.postgres, values)


def _files(run: Run, values: Mapping[str, Any]) -> Performed:
    from clo_ops.probes.security_files import file_modes

    hosts = {one.name: run.connections.host(one.name, one.connection) for one in run.policy.hosts}
    return file_modes(hosts, values)


def _administrators(run: Run, values: Mapping[str, Any]) -> Performed:
    from clo_ops.probes.host_administrators import host_administrators

    hosts = {one.name: run.connections.host(one.name, one.connection) for one in run.policy.hosts}
    return host_administrators(hosts, values)


def _python_packages(run: Run, values: Mapping[str, Any]) -> Performed:
    from clo_ops.probes.vulnerabilities import python_packages

    return python_packages(values)


def _host_packages(run: Run, values: Mapping[str, Any]) -> Performed:
    from clo_ops.probes.host_packages import host_packages

    return host_packages({one.name: run.connections.host(one.name, one.connection) for one in run.policy.hosts}, values)


def _reviews(run: Run, values: Mapping[str, Any]) -> Performed:
    from clo_ops.orchestration.reviews import reviews_done

    return reviews_done(run, values)


def _chain(run: Run, values: Mapping[str, Any]) -> Performed:
    from clo_ops.orchestration.reviews import audit_chain

    return audit_chain(run, values)


PROBES: dict[str, Callable[[Run, Mapping[str, Any]], Performed]] = {
    "redis access": _redis,
    "known passwords": _passwords,
    "file modes": _files,
    "host administrators": _administrators,
    "python vulnerabilities": _python_packages,
    "host vulnerabilities": _host_packages,
    "reviews on record": _reviews,
    "audit chain": _chain,
}


def _finding(run: Run, control: Control, answer: Outcome | None) -> Finding:
    if answer is None:
        judged = Judged(0, not_assessed=control.not_assessed or "nobody asks")
        return rules.judge(control, judged, day=run.day, mode=run.policy.mode)
    if isinstance(answer, str):
        run.keep(nobody_answered([control.title], "the CLO system", control.query or control.probe or "", answer))
        return rules.nobody_answered(control, answer)
    try:
        judged = read(control.judge, answer, _earlier(run, control, answer))
    except (KeyError, TypeError, ValueError) as error:
        raise CheckFailed(
            f"{control.id}: its answer cannot be read: {type(error).__name__}: {error}",
            f"rows as {control.judge!r} reads them",
            f"compare include/sql/{control.query}.sql with rules/control_answers.py",
        ) from error
    run.keep(Answer.of(rules.measured(control, judged, datetime.now(UTC))))
    finding = rules.judge(control, judged, day=run.day, mode=run.policy.mode)
    _keep(run, control, answer, judged, finding)
    return finding


def _earlier(run: Run, control: Control, answer: Performed) -> Earlier:
    """The state of the last look; this one's is put on record for the next."""
    if control.judge not in WITH_A_PAST:
        return Earlier()
    system = f"{answer.identity['system_identifier']}/{answer.identity['database']}"
    kind = _kind(run, control)
    told = (control.procedure, control.id)
    before = run.ledger.earlier_state(kind, system, run.at, run.ledger_run, told)
    run.ledger.record_state(run.ledger_run, kind, system, datetime.now(UTC), as_state(answer.rows))
    return Earlier(before.content, f"{before.taken_at:%Y-%m-%d %H:%M} UTC") if before else Earlier()


def _kind(run: Run, control: Control) -> str:
    own = run.policy.controls[control.id].procedure == control.procedure
    return control.id if own else f"{control.id} {control.procedure}"


def _keep(run: Run, control: Control, answer: Performed, judged: Judged, finding: Finding) -> None:
    from clo_ops.ledger.evidence import canonical_json

    content = canonical_json(evidence(run, control, answer, judged, finding))
    run.attach(f"{control.id}.json", content, "application/json")
    if control.listed:
        run.attach(f"{control.id}.csv", _listing(control, answer), "text/csv")


def _listing(control: Control, answer: Performed) -> bytes:
    """The rows themselves, for a person to go through; what would begin a formula does not."""
    from clo_ops.reports.sheet import Table, as_csv

    rows = tuple(tuple(str(row[name]) for name in control.listed) for row in answer.rows)
    return as_csv(Table(tuple(control.listed), rows))


def evidence(run: Run, control: Control, answer: Performed, judged: Judged, finding: Finding) -> dict[str, Any]:
    """Everything needed to put the question again and hold the answers together. Rows are here as keys and counts."""
    return {
        "format": FORMAT,
        "control": {
            "id": control.id,
            "title": control.title,
            "standard": control.standard,
            "clause": control.clause,
            "shows": control.shows,
            "owner": control.owner,
            "judge": control.judge,
        },
        "run": {"dag": run.dag_id, "run": run.run_id, "at": run.at.isoformat(), "procedure": control.procedure},
        "question": {
            "kind": answer.kind,
            "name": answer.name,
            "asked": answer.asked,
            "sha256": answer.asked_sha256,
            "parameters": dict(answer.parameters),
        },
        "database": dict(answer.identity),
        "result": {
            "sha256": answer.result_sha256,
            "rows": len(answer.rows),
            "looked_at": judged.looked_at,
            "violations": len(judged.violations),
            "keys": [one.key for one in judged.violations],
            "outcome": finding.status.value,
        },
    }
