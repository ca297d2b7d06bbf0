"""What mail cannot bring goes by the second way too: real ledger, real HTTP, a mail server that is away or refuses."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from clo_ops.escalation.desk import Desk
from clo_ops.escalation.outbox import SmtpTarget, deliver
from clo_ops.escalation.second_path import CAUSE, Notify, apprise_notify, overdue
from clo_ops.escalation.sighting import NoLinks, Sighting
from clo_ops.findings import ConfigurationError, Severity
from clo_ops.ledger import Ledger, Message
from clo_ops.policy import load_policy

POLICY = load_policy()
AFTER = POLICY.alerting.second_path.after
SECOND = timedelta(seconds=1)
# Apprise 2.2.0 imports imghdr, which Python 3.13 no longer has and which it then does without.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


class Channel:
    """A chat or pager service on the loopback: keeps what it is sent, or answers with an error."""

    def __init__(self) -> None:
        self.told: list[dict[str, str]] = []
        self.status = 200
        channel = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if channel.status == 200:
                    channel.told.append(body)
                self.send_response(channel.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"json://127.0.0.1:{self.server.server_port}/pager"

    @property
    def titles(self) -> list[str]:
        return [one["title"] for one in self.told]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def channel() -> Iterator[Channel]:
    one = Channel()
    yield one
    one.close()


@pytest.fixture
def notify(channel: Channel) -> Notify:
    return apprise_notify(channel.url)


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)


def enqueue(ledger: Ledger, subject: str = "[CLO Ops] P1 disk full", to: str = "ops@clo.test") -> int:
    text = f"Disk is full\nTake it (one click, once): https://airflow.test/clo-ops/take/secret-{to}\nLook there"
    return ledger.enqueue(Message(f"{subject}:{to}", [to], subject, text, "", severity=Severity.P1))


def smtp(port: int) -> SmtpTarget:
    return SmtpTarget("127.0.0.1", port, tls="none", sender="clo-ops@clo.test", timeout=5)


def test_a_message_is_told_by_the_second_way_strictly_after_policys_time(
    ledger: Ledger, channel: Channel, notify: Notify
) -> None:
    put_in = ledger.outbox_message(enqueue(ledger)).enqueued_at
    assert overdue(ledger, POLICY, put_in + AFTER, notify).undelivered == 0
    assert channel.told == []
    done = overdue(ledger, POLICY, put_in + AFTER + SECOND, notify)
    assert done.undelivered == 1
    assert "[CLO Ops] P1 disk full" in channel.titles


def test_each_message_goes_once_and_the_mail_stays_where_it_is(
    ledger: Ledger, channel: Channel, notify: Notify, now: datetime
) -> None:
    message = enqueue(ledger)
    for minute in (6, 7, 60):
        overdue(ledger, POLICY, now + timedelta(minutes=minute), notify)
    assert channel.titles.count("[CLO Ops] P1 disk full") == 1
    assert ledger.outbox_message(message).state == "waiting"


def test_undelivered_mail_is_an_incident_that_goes_by_the_second_way_at_once(
    ledger: Ledger, channel: Channel, notify: Notify, now: datetime
) -> None:
    enqueue(ledger)
    overdue(ledger, POLICY, now + AFTER + SECOND, notify)
    incident = ledger.open_incident_of(CAUSE)
    assert incident is not None
    assert incident.severity is Severity.P2
    assert [one for one in channel.titles if "Mail cannot be delivered" in one and "opened" in one]
    told = [one.detail for one in ledger.timeline(incident.id) if "second path" in one.detail]
    assert "told by the second path: [CLO Ops] P1 disk full (ops@clo.test)" in told


def test_one_piece_of_news_for_five_people_is_one_notification_without_their_personal_links(
    ledger: Ledger, channel: Channel, notify: Notify, now: datetime
) -> None:
    for number in range(5):
        enqueue(ledger, to=f"ops{number}@clo.test")
    overdue(ledger, POLICY, now + AFTER + SECOND, notify)
    (one,) = [told for told in channel.told if told["title"] == "[CLO Ops] P1 disk full"]
    assert "ops0@clo.test" in one["message"]
    assert "ops4@clo.test" in one["message"]
    assert "secret" not in one["message"]
    assert "Look there" in one["message"]


def test_a_refused_address_does_not_wait(
    ledger: Ledger, channel: Channel, notify: Notify, server: Any, now: datetime
) -> None:
    server.answers["ops@clo.test"] = "550 5.1.1 no such user"
    enqueue(ledger)
    deliver(ledger, smtp(server.port), now)
    overdue(ledger, POLICY, now + SECOND, notify)
    assert "[CLO Ops] P1 disk full" in channel.titles
    incident = ledger.open_incident_of(CAUSE)
    assert incident is not None
    assert "no such user" in ledger.timeline(incident.id)[1].detail


def test_when_the_mail_server_is_back_everything_arrives_and_the_incident_is_over(
    ledger: Ledger, channel: Channel, notify: Notify, mailbox: Any, now: datetime
) -> None:
    mailbox.start()
    mailbox.stop()
    enqueue(ledger)
    assert deliver(ledger, smtp(mailbox.port), now).failed == 1
    later = now + AFTER + SECOND
    overdue(ledger, POLICY, later, notify)
    mailbox.start()
    deliver(ledger, smtp(mailbox.port), later + timedelta(minutes=20))
    overdue(ledger, POLICY, later + timedelta(minutes=20), notify)
    deliver(ledger, smtp(mailbox.port), later + timedelta(minutes=21))
    subjects = [mail["Subject"] for _, mail in mailbox.mails]
    assert subjects.count("[CLO Ops] P1 disk full") == 1
    assert ledger.open_incident_of(CAUSE) is None
    assert [one for one in subjects if "all clear" in one and "Mail cannot be delivered" in one]


def test_a_second_way_that_refuses_is_tried_again_a_minute_later_and_nothing_is_put_down_as_told(
    ledger: Ledger, channel: Channel, notify: Notify, now: datetime
) -> None:
    enqueue(ledger)
    channel.status, at = 500, now + AFTER + SECOND
    assert "did not take" in overdue(ledger, POLICY, at, notify).error
    assert not [step for step in ledger.told_of(CAUSE) if step.startswith("second path")]
    channel.status = 200
    assert overdue(ledger, POLICY, at + 59 * SECOND, notify).told == 0
    assert overdue(ledger, POLICY, at + 60 * SECOND, notify).told > 0
    assert channel.titles.count("[CLO Ops] P1 disk full") == 1


def test_several_at_once_tell_once(ledger: Ledger, url: str, channel: Channel, notify: Notify, now: datetime) -> None:
    enqueue(ledger)

    def call(_: int) -> None:
        with Ledger(url) as own:
            overdue(own, POLICY, now + AFTER + SECOND, notify)

    with ThreadPoolExecutor(6) as several:
        list(several.map(call, range(12)))
    assert channel.titles.count("[CLO Ops] P1 disk full") == 1


def test_without_a_second_way_the_incident_is_there_all_the_same_and_says_so(ledger: Ledger, now: datetime) -> None:
    enqueue(ledger)
    overdue(ledger, POLICY, now + AFTER + SECOND, None)
    incident = ledger.open_incident_of(CAUSE)
    assert incident is not None
    assert [one for one in ledger.timeline(incident.id) if "no second path is set" in one.detail]
    seen = incident.seen_count
    overdue(ledger, POLICY, now + AFTER + 2 * SECOND, None)
    assert ledger.open_incident_of(CAUSE).seen_count == seen  # type: ignore[union-attr]


def test_what_a_person_closed_stays_closed_though_the_address_is_refused_for_ever(
    ledger: Ledger, channel: Channel, notify: Notify, server: Any, now: datetime
) -> None:
    server.answers["ops@clo.test"] = "550 5.1.1 no such user"
    enqueue(ledger)
    deliver(ledger, smtp(server.port), now)
    overdue(ledger, POLICY, now + SECOND, notify)
    incident = ledger.open_incident_of(CAUSE)
    assert incident is not None
    Desk(ledger, POLICY, NoLinks()).resolve(incident.id, "anna", "told by telephone", now + 2 * SECOND)
    deliver(ledger, smtp(server.port), now + 3 * SECOND)
    overdue(ledger, POLICY, now + 4 * SECOND, notify)
    assert ledger.open_incident_of(CAUSE) is None
    assert channel.titles.count("[CLO Ops] P1 disk full") == 1


def test_an_address_refused_for_ever_does_not_keep_a_later_incident_open(
    ledger: Ledger, channel: Channel, notify: Notify, server: Any, now: datetime
) -> None:
    server.answers["ops@clo.test"] = "550 5.1.1 no such user"
    enqueue(ledger)
    deliver(ledger, smtp(server.port), now)
    overdue(ledger, POLICY, now + SECOND, notify)
    (first,) = ledger.recent_incidents()
    Desk(ledger, POLICY, NoLinks()).resolve(first.id, "anna", "told by telephone", now + 2 * SECOND)
    deliver(ledger, smtp(server.port), now + 3 * SECOND)
    enqueue(ledger, "another", "anna@clo.test")
    overdue(ledger, POLICY, now + AFTER + 5 * SECOND, notify)
    assert ledger.open_incident_of(CAUSE) is not None
    deliver(ledger, smtp(server.port), now + AFTER + 6 * SECOND)
    overdue(ledger, POLICY, now + AFTER + 7 * SECOND, notify)
    assert ledger.open_incident_of(CAUSE) is None


def test_an_incidents_own_mails_are_told_too(ledger: Ledger, channel: Channel, notify: Notify, now: datetime) -> None:
    seen = Sighting("disk", Severity.P3, "Disk <full>", "AL-03", now, "92 %", "at most 90 %")
    Desk(ledger, POLICY).detect(seen)
    overdue(ledger, POLICY, now + AFTER + timedelta(minutes=1), notify)
    assert [one for one in channel.told if "Disk <full>" in one["title"] and "92 %" in one["message"]]


def test_a_url_apprise_does_not_know_is_refused_without_showing_it() -> None:
    with pytest.raises(ConfigurationError) as refused:
        apprise_notify("nothing://token-1234")
    assert "token-1234" not in str(refused.value)
