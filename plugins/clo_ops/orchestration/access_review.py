"""Access reviews: the lists of M1-01 put before the owners of the roles, and what they answered (L162-L163).

A review is an item of the register for each reviewer, with the list's SHA-256 and a date. It is closed by an answer to
that list in Required Actions and by nothing else; past its date it is late like any other item. A run of the cadence
``access_review`` puts the lists, asks, and waits without a worker. Nobody's access is changed by an answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from clo_ops.findings import CouldNotCheck, Finding
from clo_ops.findings.audit_items import REVIEW, Found, Item
from clo_ops.ledger import LedgerConflict
from clo_ops.orchestration.questions import AnswerRefused
from clo_ops.rules import access_review as rules

if TYPE_CHECKING:
    from clo_ops.ledger import Message
    from clo_ops.orchestration.run import Run
    from clo_ops.probes.performing import Outcome

CADENCE = "access_review"
BY = "clo_ops"
KEEP, REVOKE = "Keep all", "Revoke those named"
# What a revoked access is in the register; M1-02 reads it back.
REVOKED = "recommendation"
ACCOUNT = "account"


def is_review(run: Run) -> bool:
    """Whether this run stands for an access review."""
    return CADENCE in run.cadences


def file_of(reviewer: str) -> str:
    return f"access-review-{reviewer.lower().replace(' ', '-')}.csv"


# ---------------------------------------------------------------- putting the lists


def put(run: Run, answers: Mapping[str, Outcome], factors: Mapping[str, str]) -> None:
    """Each reviewer's list as evidence, and an item with its hash and date.

    One that an earlier run opened and that is in time keeps its list: somebody may be reading it. One that is late gets
    the new list, and keeps its age and date. Without an answer there is no list: M1-01 is unknown, and tried again.
    """
    controls, (accounts, grants) = run.policy.controls, (answers.get("IAM-01"), answers.get("IAM-03"))
    if accounts is None or grants is None or isinstance(accounts, str) or isinstance(grants, str):
        return
    places = controls["IAM-04"]
    of_roles = rules.of_accounts(accounts.rows, factors, places.parameters["owners"], places.owner)
    lines = [*of_roles, *rules.of_database(grants.rows, controls["IAM-03"].owner)]
    for asked in rules.lists(lines, run.policy.audit.review.reviewers):
        _put_one(run, asked)
    run.ledger.enqueue(_told(run, open_items(run)))


def _put_one(run: Run, asked: rules.AccessList) -> None:
    from clo_ops.reports.sheet import Table, as_csv

    before = open_items(run).get(asked.reviewer)
    of_this_run = before is not None and before.last_seen_at == run.at
    if before is not None and not of_this_run and not before.overdue(max(run.at, datetime.now(UTC))):
        return
    kept = run.attach(file_of(asked.reviewer), as_csv(Table(rules.HEADING, asked.rows)), "text/csv")
    title = f"Access review of {run.at:%B %Y}, {asked.reviewer}: {len(asked.names)} with access"
    due = run.at + run.policy.audit.review.answer_within
    item = run.ledger.see_item(Found(REVIEW, asked.reviewer, title, detail=kept.sha256), asked.reviewer, due, run.at)
    if not asked.lines:
        run.ledger.close_item(item.id, BY, run.at, f"list {kept.sha256}: nobody has access, there is nothing to answer")


def open_items(run: Run) -> dict[str, Item]:
    """The open review of each reviewer."""
    return {one.key: one for one in run.ledger.audit_items([REVIEW], open_only=True)}


def _told(run: Run, items: Mapping[str, Item]) -> Message:
    from clo_ops.escalation.tidings import mailboxes
    from clo_ops.ledger import Message
    from clo_ops.orchestration.escalate import run_link
    from clo_ops.rules.rota import people

    groups = run.policy.contacts.groups
    names = [one for group in run.policy.audit.to for one in people(groups[group], run.at, run.policy)]
    lines = [f"{one.title}, to be answered by {one.due_at:%Y-%m-%d %H:%M} UTC" for one in items.values()]
    said = (
        "Each is answered in Airflow, Browse / Required Actions, by who may answer for the owner (audit.yaml, review)."
    )
    return Message(
        dedup_key=f"access-review:{run.run_id}",
        recipients=mailboxes(list(dict.fromkeys(names)), run.policy),
        subject=f"[CLO Ops] Access review of {run.at:%B %Y}: {len(lines)} lists to be answered",
        text="\n\n".join(["\n".join(lines) or "Nothing is to be answered.", said, run_link(run.dag_id, run.run_id)]),
        run=run.ledger_run,
    )


# ---------------------------------------------------------------- the list that was asked about


def rows_of(run: Run, item: Item) -> list[dict[str, str]]:
    """The list the item was opened for, out of its evidence. Raises CouldNotCheck where it is not there any more."""
    import csv
    import io

    kept = run.ledger.evidence_with(item.detail)
    if kept is None:
        raise CouldNotCheck(f"the list {item.detail[:12]} of item {item.id} is not on record", "evidence of M1-01")
    data = run.connections.evidence().read(kept)
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))


def names_in(rows: Sequence[Mapping[str, str]]) -> list[str]:
    """Whose access is on the list; a name that would have been a formula is read as it is."""
    return list(dict.fromkeys(row["name"].removeprefix("'") for row in rows))


def may_answer(run: Run, item: Item, rows: Sequence[Mapping[str, str]]) -> list[str]:
    return rules.may_answer(names_in(rows), item.key, run.policy.audit.review)


# ---------------------------------------------------------------- the answer


def answer(  # noqa: PLR0917 - whom, and what Airflow hands over
    run: Run, reviewer: str, option: str, by: str, said: Mapping[str, object], known_as: Sequence[str] = ()
) -> str:
    """Puts the answer on record, once; what is revoked becomes an action with an owner and a date.

    Raises AnswerRefused, so that it is asked again: by somebody who may not answer, about another list than the open
    one, or with names that are not on it.
    """
    item = open_items(run).get(reviewer)
    if item is None:
        return f"the review of {reviewer} is answered already"
    rows = rows_of(run, item)
    user = _entitled(run, item, rows, [by, *known_as])
    _same_list(item, str(said.get("list") or ""))
    gone = _revoked(rows, option, str(said.get("revoke") or ""))
    note = " ".join(str(said.get("note") or "").split())
    words = f"{len(gone)} to be revoked: {', '.join(gone)}" if gone else f"all {len(names_in(rows))} keep their access"
    now = datetime.now(UTC)
    try:
        with run.ledger.transaction():
            reason = f"list {item.detail}: {words}{f'; {note}' if note else ''}"
            run.ledger.close_item(item.id, user, now, reason)
            for name in gone:
                _to_do(run, item, name, rows, by=user, now=now)
    except LedgerConflict as error:
        raise CouldNotCheck(str(error)) from error
    return f"{user}: {words}"


def _entitled(run: Run, item: Item, rows: Sequence[Mapping[str, str]], names: Sequence[str]) -> str:
    allowed = may_answer(run, item, rows)
    user = next((one for one in names if one in allowed), "")
    own = [one for one in names if one.casefold() in {name.casefold() for name in names_in(rows)}]
    if own or not user:
        raise AnswerRefused(
            f"{(names[0] if names else '') or 'nobody known'} answered for {item.key}, and may not",
            allowed=f"one of {', '.join(allowed) or 'nobody'}: named in audit.yaml (review), and not on the list",
            next_step="it is asked again; somebody else answers",
        )
    return user


def _same_list(item: Item, asked: str) -> None:
    if asked != item.detail:
        raise AnswerRefused(
            f"the answer is about list {asked[:12] or '(none)'}, and item {item.id} about {item.detail[:12]}",
            allowed="an answer that bears the SHA-256 of the list it is about",
            next_step="it is asked again, with the list of today",
        )


def _revoked(rows: Sequence[Mapping[str, str]], option: str, said: str) -> list[str]:
    gone, strangers = rules.to_be_revoked(said, names_in(rows))
    if strangers or bool(gone) != (option == REVOKE):
        raise AnswerRefused(
            f"{option!r} with {said.strip()!r} to be revoked",
            allowed=f"{KEEP!r} with no name; {REVOKE!r} with names of the list, separated by commas",
            next_step="it is asked again",
        )
    return gone


def _to_do(run: Run, item: Item, name: str, rows: Sequence[Mapping[str, str]], *, by: str, now: datetime) -> None:
    terms = run.policy.audit.review
    mine = [row for row in rows if row["name"].removeprefix("'") == name]
    what = "; ".join(row["access"] for row in mine)
    kind = "role" if mine[0]["account"] == rules.OF_DATABASE else ACCOUNT
    found = Found(REVOKED, key_of(kind, item.key, name), f"Revoke the access of {kind} {name}", detail=what[:500])
    run.ledger.see_item(found, terms.revoked_by, now + terms.revoke_within, now, by=by)


def key_of(kind: str, reviewer: str, name: str) -> str:
    return f"revoke {kind} {name} ({reviewer})"


def key_before(name: str) -> str:
    """How the key of every revocation of this account begins, whoever revoked it."""
    return f"revoke {ACCOUNT} {name} ("


# ---------------------------------------------------------------- what became of it


def outcome(run: Run) -> list[Finding]:
    """M1-09 in a run that asked: each list answered, or late by now. People answer by the clock, not by the run."""
    entry = run.policy.procedures["M1-09"]
    # One that was over before this run is the answer to an earlier list, and says nothing of this one.
    items = run.ledger.audit_items([REVIEW])
    known = [one for one in items if one.closed_at is None or max(one.closed_at, one.last_seen_at) >= run.at]
    newest = {one.key: one for one in sorted(known, key=lambda one: one.id)}
    now = max(run.at, datetime.now(UTC))
    reviewers = run.policy.audit.review.reviewers
    return rules.answered(newest, reviewers, now, action=entry.first_action, lines=entry.lines)
