"""The evidence of the month that is over: bundled, its head anchored in a second repository and mailed (LM-05)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from clo_ops.findings import ConfigurationError, CouldNotCheck, Finding, Severity
from clo_ops.findings.monthly import Month
from clo_ops.probes.reaching import Unreachable
from clo_ops.rules.verdicts import Case

if TYPE_CHECKING:
    from clo_ops.ledger import Message
    from clo_ops.orchestration.run import Run
    from clo_ops.reports.anchors import Anchors, AnchorStore
    from clo_ops.reports.monthly_evidence import Bundled

PROCEDURE, MANUAL = "LM-05", "L138-L149, L368"
KIND = "evidence anchors"
ALTERED = "Find out who wrote to the evidence store; the bundle's head names what it lacks. Keep everything as it is."
STRAYS = (
    "Find out who put or took away the files named: somebody, or an earlier try of that run. Keep them as they are."
)
NAMED = 20
ANCHOR = "Compare the anchor's repository with the mails of the months before; ask who may write to it."
NAME_IT = (
    "Make the connection named in evidence.yaml, to a repository that the database administrators cannot write to."
)


def of_last_month(run: Run) -> list[Finding]:
    """The bundle kept beside the run's evidence; a finding for what it holds and one for its anchor."""
    from clo_ops.reports.monthly_evidence import bundled

    month = Month.before(run.at)
    store = _anchor(run)
    anchors, found = _read(run, store) if store else (None, [])
    previous = anchors.before(month) if anchors else ""
    with bundled(run.ledger, run.connections.evidence(), month, previous=previous, live=_live(run)) as made:
        kept = run.connections.evidence().put_file(run.dag_id, run.day, run.run_id, made.path.name, made.path)
        run.evidence = [*(one for one in run.evidence if one.name != kept.name), kept]
        found += [_whole(made), _on_the_index(run, month), _anchored(run, store, made)]
    run.ledger.enqueue(as_message(run, made, kept.uri, kept.sha256))
    return found


def _case(name: str, expected: str, action: str, severity: Severity = Severity.P2) -> Case:
    return Case(PROCEDURE, name, expected, severity, action, MANUAL)


def _anchor(run: Run) -> AnchorStore | None:
    from clo_ops.reports.anchors import AnchorStore

    try:
        place = run.connections.repository(run.policy.evidence.anchor.connection)
    except ConfigurationError:
        return None
    return AnchorStore(place.url, place.storage_options)


def _read(run: Run, store: AnchorStore) -> tuple[Anchors | None, list[Finding]]:
    """The heads that are there, held against each other and against those on record."""
    from clo_ops.orchestration.asked_pages import unknown

    case = _case("earlier anchors", "every head that was anchored, as it was", ANCHOR, Severity.P1)
    try:
        anchors = store.read()
    except CouldNotCheck as error:
        return None, [unknown(case, str(error).rstrip("."))]
    gone = [f"head {one[:16]}… is on record and not there" for one in anchors.missing(_on_record(run, store))]
    if wrong := [*anchors.wrong, *gone]:
        return anchors, [case.failed(f"{len(wrong)} wrong", "; ".join(wrong[:5]))]
    return anchors, [case.passed(f"{len(anchors.months)} heads", f"{len(anchors.months)} heads are in {store}")]


def _on_record(run: Run, store: AnchorStore) -> dict[str, str]:
    earlier = run.ledger.earlier_state(KIND, str(store), run.at, run.ledger_run)
    return dict(earlier.content) if earlier else {}


def _live(run: Run) -> list[dict[str, Any]]:
    """The newest row of the audit trail as its database says now; nothing where it does not answer."""
    from clo_ops.probes.audit_stream import ends, trail

    try:
        with trail(run.connections.postgres) as connection:
            now = ends(connection)
    except (Unreachable, ConfigurationError):
        return []
    return [{"system": now.system, "head_id": now.last_id, "row_hash": now.last_hash}]


def _whole(made: Bundled) -> Finding:
    case = _case("evidence bundle", "every file of evidence as it was recorded", ALTERED, Severity.P1)
    said = f"{made.files} files of {made.head.month} are in {made.path.name}, head {made.head.sha256}"
    if made.lost:
        return case.failed(f"{len(made.lost)} lack", f"{said}; {len(made.lost)} are gone or altered: {made.lost[0]}")
    return case.passed(f"{made.files} files", said)


def _on_the_index(run: Run, month: Month) -> Finding:
    """Files of the store that nobody recorded, and records without their file, of every month that is over."""
    from clo_ops.orchestration.asked_pages import unknown
    from clo_ops.reports.evidence_strays import compare

    case = _case("evidence index", "every file of the store on record, every record with its file", STRAYS)
    try:
        found = compare(run.ledger, run.connections.evidence(), month, max(run.day, datetime.now(UTC).date()))
    except CouldNotCheck as error:
        return unknown(case, str(error).rstrip("."))
    if found.wrong:
        more = f"; and {len(found.wrong) - NAMED} more" if len(found.wrong) > NAMED else ""
        actual = f"{len(found.strays)} not on record, {len(found.gone)} gone"
        return case.failed(actual, f"{actual}: {'; '.join(found.wrong[:NAMED])}{more}")
    return case.passed(f"{found.files} files", f"{found.files} files up to {month} are those on record")


def _anchored(run: Run, store: AnchorStore | None, made: Bundled) -> Finding:
    case = _case("anchor", "the head out of the database administrators' reach", NAME_IT)
    name = run.policy.evidence.anchor.connection
    if store is None:
        return case.warned("only mailed", f"There is no connection {name}: the head is only mailed")
    try:
        place = store.keep(made.head)
    except CouldNotCheck as error:
        return case.failed("not anchored", str(error).rstrip("."))
    known = _on_record(run, store) | {made.head.sha256: str(made.head.month)}
    run.ledger.record_state(run.ledger_run, KIND, str(store), run.at, known)
    return case.passed(made.head.sha256[:16], f"The head of {made.head.month} is anchored as {place}")


def as_message(run: Run, made: Bundled, uri: str, sha256: str) -> Message:
    """The head hash, to those who are asked for it later; delivered by the page's own mail."""
    from clo_ops.escalation.tidings import mailboxes
    from clo_ops.ledger import Message
    from clo_ops.orchestration.escalate import run_link
    from clo_ops.rules.rota import people

    head, groups = made.head, run.policy.contacts.groups
    names = [one for group in run.policy.evidence.anchor.to for one in people(groups[group], run.at, run.policy)]
    trails = [f"audit trail {one['system']}: row {one['head_id']}, {one['row_hash']}" for one in head.facts["trails"]]
    text = [
        f"Keep this mail: it is what the evidence of {head.month} is held against later.",
        f"head {head.sha256}\n{made.files} files, index {head.facts['index_sha256']}",
        f"head before: {head.facts['previous'] or 'none'}",
        "\n".join(trails) or "no audit trail was verified yet",
        f"{uri}\nSHA-256 {sha256}",
        f"Verify it offline: python3 docs/verify_evidence.py {made.path.name} --head {head.sha256}",
        run_link(run.dag_id, run.run_id),
    ]
    return Message(
        dedup_key=f"evidence:{head.month}:{head.sha256}",
        recipients=mailboxes(list(dict.fromkeys(names)), run.policy),
        subject=f"[CLO Ops] Evidence of {head.month}: head {head.sha256[:16]}",
        text="\n\n".join(text),
        run=run.ledger_run,
    )
