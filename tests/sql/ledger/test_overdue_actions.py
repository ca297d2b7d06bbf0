"""What a review decided: promised, ticked off, and an incident of its own when its date has passed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from clo_ops.escalation import overdue_actions
from clo_ops.escalation.desk import Desk
from clo_ops.escalation.sighting import Sighting
from clo_ops.findings import Severity
from clo_ops.ledger import Ledger
from clo_ops.ledger.errors import LedgerConflict
from clo_ops.policy import load_policy

POLICY = load_policy()
NOW = datetime(2026, 7, 6, 8, 0, tzinfo=UTC)
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)


@pytest.fixture
def desk(ledger: Ledger) -> Desk:
    return Desk(ledger, POLICY)


@pytest.fixture
def action(desk: Desk) -> int:
    """Of an incident that is over, due in a day."""
    one = desk.detect(Sighting("disk", Severity.P2, "Disk", "AL-03", NOW, "99", "90"))
    desk.resolve(one.id, "ada", "made room", NOW)
    return overdue_actions.promise(desk, one.id, "Alert earlier", "IT Manager", NOW + DAY, by="ada", now=NOW)


def late(desk: Desk, action: int) -> list[str]:
    rows = [one for one in desk.ledger.recent_incidents() if one.cause == overdue_actions.cause(action)]
    return ["open" if one.open else one.close_reason for one in rows]


def test_an_action_is_overdue_strictly_after_its_date_and_told_once(desk: Desk, action: int) -> None:
    desk.cycle(NOW + DAY)
    assert late(desk, action) == []
    for seconds in range(1, 5):
        desk.cycle(NOW + DAY + seconds * SECOND)
    assert late(desk, action) == ["open"]
    (incident,) = desk.ledger.open_incidents(NOW + 2 * DAY)
    assert (incident.severity, incident.procedure, incident.seen_count) == (Severity.P3, "IR-08", 1)
    assert "Alert earlier" in incident.title
    assert [one for one in desk.ledger.incident_messages(incident.id) if "opened" in one.message.subject]


def test_what_a_person_closed_is_not_opened_again_for_the_same_date(desk: Desk, action: int) -> None:
    desk.cycle(NOW + DAY + SECOND)
    (incident,) = desk.ledger.open_incidents(NOW + 2 * DAY)
    desk.resolve(incident.id, "ada", "we will not do it", NOW + DAY + 2 * SECOND)
    desk.cycle(NOW + 2 * DAY)
    assert late(desk, action) == ["we will not do it"]


def test_ticked_off_it_is_over_and_on_record_once(desk: Desk, action: int) -> None:
    desk.cycle(NOW + DAY + SECOND)
    done = overdue_actions.finish(desk, action, "ada", NOW + 2 * DAY)
    assert (done.done_by, done.done_at) == ("ada", NOW + 2 * DAY)
    assert late(desk, action) == ["ada says that it is done"]
    assert overdue_actions.finish(desk, action, "bob", NOW + 3 * DAY) == done, "the first time stays"
    notes = [one.detail for one in desk.ledger.timeline(done.incident_id) if one.kind == "noted"]
    assert notes == ["Action done: Alert earlier (IT Manager)"]
    desk.cycle(NOW + 4 * DAY)
    assert late(desk, action) == ["ada says that it is done"]


def test_another_date_ends_what_is_overdue_until_that_has_passed_too(desk: Desk, action: int) -> None:
    desk.cycle(NOW + DAY + SECOND)
    (known,) = desk.ledger.actions()
    again = overdue_actions.promise(
        desk, known.incident_id, known.title, "IT Director", NOW + 5 * DAY, by="ada", now=NOW + DAY + 2 * SECOND
    )
    assert again == action
    assert late(desk, action)[0].startswith("ada says it is done by 2026-07-11")
    desk.cycle(NOW + 5 * DAY)
    assert len(late(desk, action)) == 1
    desk.cycle(NOW + 5 * DAY + SECOND)
    assert sorted(late(desk, action))[1] == "open"


def test_an_action_there_is_not_is_refused(desk: Desk) -> None:
    with pytest.raises(LedgerConflict, match="no action 99"):
        overdue_actions.finish(desk, 99, "ada", NOW)
