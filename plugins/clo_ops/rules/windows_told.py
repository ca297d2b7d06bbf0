"""What users were told of a window and when they had it: ahead of it (MW-04, L396), when it is over (MW-06, L410)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from clo_ops.findings import Finding, Severity
from clo_ops.rules.verdicts import Case

if TYPE_CHECKING:
    from clo_ops.ledger import NoticeRow

TELL = "Run the page by hand with the cadence 'Reviews due and notices'; see whether the mail server takes mail."


def noticed(notice: NoticeRow | None, delivered: datetime | None, starts: datetime, ahead: timedelta) -> Finding:
    """The notice was ``delivered`` (None: not yet) at least ``ahead`` before it starts; at exactly that long it was.

    When it was written does not count: a mail server may have been away for days.
    """
    case = Case("MW-04", "notice", f"users told {_hours(ahead)} ahead", Severity.P2, TELL, "L396")
    if notice is None:
        return case.failed("not told", f"Users were not told of the window at {starts:%Y-%m-%d %H:%M} UTC")
    if delivered is None:
        written = f"{_ahead(starts - notice.told_at)} ahead"
        return case.failed("not delivered", f"The notice was written {written} and has not been delivered")
    actual = f"{_ahead(starts - delivered)} ahead"
    if starts - delivered < ahead:
        return case.failed(actual, f"Users were told only {actual}")
    return case.passed(actual, f"Users were told {actual}")


def announced(notice: NoticeRow, delivered: datetime | None, ahead: timedelta) -> Finding:
    """The daily look: told in time; written and still to be delivered; or too late, and the window will not start."""
    subject = f"{notice.occasion} {notice.starts_at:%Y-%m-%d %H:%M} UTC"
    case = Case("MW-04", "notice", f"users told {_hours(ahead)} ahead", Severity.P2, TELL, "L396", subject)
    left = notice.starts_at - (delivered or notice.told_at)
    actual = f"{_ahead(left)} ahead"
    if left < ahead:
        return case.failed(actual, f"Users are told only {actual}: the window will not be begun")
    if delivered is None:
        return case.warned("not delivered", f"The notice was written {actual} and waits for the mail server")
    return case.passed(actual, f"Users were told {actual}")


def _hours(span: timedelta) -> str:
    return f"{span / timedelta(hours=1):g} h"


def _ahead(span: timedelta) -> str:
    """Rounded down: 47 h 59 min is not 48.0 h."""
    return f"{int(span / timedelta(hours=0.1)) / 10:,.1f} h"


def told(notice: NoticeRow, delivered: datetime | None, what: str) -> Finding:
    """That it is over; written and not ``delivered`` yet, nobody knows."""
    action = "Tell the users; see whether mail goes out."
    case = Case("MW-06", "notice", "users told that it is over", Severity.P2, action, "L410")
    if delivered is None:
        said = f"The notice that {what} is over was written at {notice.told_at:%H:%M} UTC and waits for the mail server"
        return case.warned("not delivered", said)
    return case.passed("told", f"Users were told at {delivered:%H:%M} UTC that {what} is over")
