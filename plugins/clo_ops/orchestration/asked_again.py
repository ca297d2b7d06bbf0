"""IR-07: is it over? The checks that failed are asked again, and must have stayed quiet (L273-L277)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from clo_ops.escalation import overdue_actions, second_path
from clo_ops.findings import Finding
from clo_ops.orchestration import asked_pages
from clo_ops.orchestration.attendance import FIRST_LOOK
from clo_ops.orchestration.diagnosis import rule_of
from clo_ops.orchestration.response import none_left, of_run
from clo_ops.orchestration.run import Run
from clo_ops.rules import expected
from clo_ops.rules.figures import age, moment
from clo_ops.rules.phases import judge_restored
from clo_ops.rules.verdicts import Case
from clo_ops.rules.watching import cause_of, silence_of

if TYPE_CHECKING:
    from clo_ops.ledger import AlertRow, IncidentRow
    from clo_ops.policy import Policy


def resolution(run: Run) -> list[Finding]:
    """The fix is noted, what failed is green again, and the cause stayed away for the policy's time."""
    one = of_run(run)
    if one is None:
        return [none_left("IR-07")]
    if one.open:
        return [_case(run, one, "resolved", "closed with a reason").failed("open", _still_open(one))]
    found = [_fix_noted(run, one), judge_restored(one, run.policy)]
    return [*found, *_checked_again(run, one), _stayed_away(run, one)]


def _still_open(incident: IncidentRow) -> str:
    return f"Incident {incident.id} is still open and the run could wait no longer"


def _case(run: Run, incident: IncidentRow, name: str, expected: str) -> Case:
    entry = run.policy.procedures["IR-07"]
    whose = f"incident {incident.id}"
    return Case("IR-07", name, expected, incident.severity, entry.first_action, entry.lines, whose)


def _fix_noted(run: Run, incident: IncidentRow) -> Finding:
    reason = f"closed by {incident.closed_by}: {incident.close_reason}"
    sentence = f"Incident {incident.id} was {reason}".rstrip(".")
    return _case(run, incident, "fix noted", "who closed it, and why").passed(reason, sentence)


def _stayed_away(run: Run, incident: IncidentRow) -> Finding:
    quiet = run.policy.alerting.response.stable_for
    case = _case(run, incident, "stable", f"the same cause stays away for {age(quiet)}")
    closed = incident.closed_at or datetime.now(UTC)
    again = run.ledger.incident_opened_again(incident.cause, closed)
    if again is not None and again.opened_at - closed <= quiet:
        return case.failed(
            f"back as incident {again.id}", f"The cause of incident {incident.id} was back at {moment(again.opened_at)}"
        )
    return case.passed("stayed away", f"The cause of incident {incident.id} stayed away for {age(quiet)}")


def _checked_again(run: Run, incident: IncidentRow) -> list[Finding]:
    """What the cause stands for is looked at once more, whatever kind of cause it is."""
    case = _case(run, incident, "checked again", "the check that failed is green")
    kind, _, about = incident.cause.partition(":")
    if kind in PAGES:
        return PAGES[kind](run, incident, case)
    if kind in KINDS:
        return [KINDS[kind](run, incident, case, about)]
    words = f"Incident {incident.id} came of no check that could be asked again; who closed it answers for it"
    return [case.not_applicable("-", words)]


def _alert(run: Run, incident: IncidentRow, case: Case, about: str) -> Finding:
    """As the watch last saw it; a watch that does not look any more knows nothing."""
    if not _looks(run):
        return asked_pages.unknown(case, f"The watch does not look: nobody knows how {incident.cause} stands")
    rule, labels = rule_of(incident.cause)
    level = next((one.level for one in run.ledger.alerts() if _is_about(one, incident.cause, run.policy)), "ok")
    sentence = f"{rule} {', '.join(labels.values())}".strip() + f" of incident {incident.id} is {level}"
    return case.passed(level, sentence) if level == "ok" else case.failed(level, sentence)


def _is_about(alert: AlertRow, cause: str, policy: Policy) -> bool:
    """Its own cause, whatever its level; of one that stands for several only what is wrong."""
    if cause_of(alert.rule, alert.labels) == cause:
        return True
    if cause_of(alert.rule, {}) == cause:
        return alert.level != "ok"
    return alert.level == "unknown" and silence_of(alert.rule, alert.labels, policy) == cause


def _looks(run: Run) -> bool:
    from clo_ops.orchestration.watch import HEARTBEAT

    beat = run.ledger.heartbeats().get(HEARTBEAT)
    return beat is not None and datetime.now(UTC) - beat.at <= run.policy.alerting.watch.silent_for


def _late(run: Run, incident: IncidentRow, case: Case, about: str) -> Finding:
    """A run killed before its summary has no end on record: its page's next run tells, and so did its own incident."""
    dag_id, _, run_id = about.partition(":")
    known = next((one for one in run.ledger.recent_runs(dag_id, 100) if one.run_id == run_id), None)
    if known is None or known.closed_at is None:
        return case.not_applicable("-", f"No end of run {run_id} of {dag_id} is on record; its next run tells")
    return case.passed("ended", f"Run {run_id} of {dag_id} came to its end at {moment(known.closed_at)}")


def _expected(run: Run, incident: IncidentRow, case: Case, about: str) -> Finding:
    """Whether the page's last planned runs, one of each cadence, are on record now with all that was due of them."""
    now, first = datetime.now(UTC), run.ledger.heartbeats().get(FIRST_LOOK)
    due = [one for one in expected.last_due(run.policy, first.at if first else now, now) if one.dag == about]
    recorded = run.ledger.attendance({(one.dag, one.at) for one in due})
    found = list(expected.judge(due, recorded, run.policy))
    if not found:
        return case.not_applicable("-", f"No run of {about} is due to be done yet")
    one = min(found, key=lambda each: each.sound)
    lacks = f"without {', '.join(one.missing)}" if one.started else "not there"
    sentence = f"The run of {one.name} due at {moment(one.at)} is {'whole' if one.sound else lacks}"
    return case.passed("whole", sentence) if one.sound else case.failed(lacks, sentence)


def _silent(run: Run, incident: IncidentRow, case: Case, about: str) -> Finding:
    """Airflow lives, or nobody would ask; the watch may not."""
    if _looks(run):
        return case.passed("alive", "The watch gives signs of life again")
    return case.failed("silent", "The watch gives no sign of life")


def _undelivered(run: Run, incident: IncidentRow, case: Case, about: str) -> Finding:
    now, after = datetime.now(UTC), run.policy.alerting.second_path.after
    late = [one for one in run.ledger.undelivered(now - after, incident.opened_at - after) if one.state == "waiting"]
    sentence = f"{len(late)} message(s) wait for longer than {age(after)}"
    return case.failed(f"{len(late)} wait", sentence) if late else case.passed("0 wait", sentence)


def _action(run: Run, incident: IncidentRow, case: Case, about: str) -> Finding:
    number = int(about.partition(":")[0])
    known = next((one for one in run.ledger.actions() if one.id == number), None)
    if known is not None and known.done_at is None:
        return case.failed("not done", f"Action {number} ({known.title}) of {known.owner} is not done")
    return case.passed("done", f"Action {number} is done")


# By the first word of a cause.
KINDS: Mapping[str, Callable[[Run, IncidentRow, Case, str], Finding]] = {
    "alert": _alert,
    "late": _late,
    "expected": _expected,
    "silent": _silent,
    second_path.CAUSE.partition(":")[0]: _undelivered,
    overdue_actions.KIND: _action,
}
PAGES: Mapping[str, Callable[[Run, IncidentRow, Case], list[Finding]]] = {
    "finding": asked_pages.finding,
    "failed": asked_pages.failed,
}
