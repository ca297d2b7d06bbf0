"""What logs said, on record: added up once, by day and signature; two readers, a killed one, and what is forgotten."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime

import pytest

from clo_ops.findings.logs import LogPosition
from clo_ops.ledger import Ledger, LedgerConflict
from clo_ops.rules.log_lines import LogRequest
from clo_ops.rules.log_tally import LogDay, Marked

AT = datetime(2026, 11, 23, 18, 30, tzinfo=UTC)
MONDAY, TUESDAY = date(2026, 11, 23), date(2026, 11, 24)
FIRST, SECOND = LogPosition("17", 100, 100, "4711"), LogPosition("17", 250, 250, "4712")


def tally(lines: int, **signatures: int) -> LogDay:
    day = LogDay(lines=lines, bytes=lines * 10, levels=Counter({"ERROR": 1}))
    day.signatures = Counter({("ERROR", text): count for text, count in signatures.items()})
    day.marks["slow"] = Marked(1, 10.0, 10.0, 0.0)
    day.request(LogRequest("GET /", 500, 20.0))
    return day


@pytest.fixture
def source(request: pytest.FixtureRequest) -> str:
    return request.node.name


def test_a_day_read_in_two_parts_is_the_whole_day(ledger: Ledger, source: str) -> None:
    assert ledger.log_position(source) is None
    ledger.record_log_reading(source, None, FIRST, {MONDAY: tally(5, a=1)}, AT)
    ledger.record_log_reading(source, FIRST, SECOND, {MONDAY: tally(7, a=2, b=3), TUESDAY: tally(1)}, AT)
    assert ledger.log_position(source) == SECOND
    days = ledger.log_days(MONDAY, date(2026, 11, 30))[source]
    assert (days[MONDAY].lines, days[TUESDAY].lines) == (12, 1)
    assert days[MONDAY].levels["ERROR"] == 2
    assert days[MONDAY].requests["GET /"].failed == 2
    assert days[MONDAY].marks["slow"].ms == 20
    met = {(one.text, one.day): one.count for one in ledger.log_signature_days(MONDAY, TUESDAY) if one.source == source}
    assert met == {("a", MONDAY): 3, ("b", MONDAY): 3}
    assert ledger.first_log_days()[source] == MONDAY


def test_what_another_run_read_meanwhile_is_not_counted_again(ledger: Ledger, source: str) -> None:
    ledger.record_log_reading(source, None, FIRST, {MONDAY: tally(5, a=1)}, AT)
    with pytest.raises(LedgerConflict):
        ledger.record_log_reading(source, None, FIRST, {MONDAY: tally(5, a=1)}, AT)
    assert ledger.log_days(MONDAY, TUESDAY)[source][MONDAY].lines == 5


def test_of_two_at_once_one_counts(ledger: Ledger, source: str) -> None:
    def read(_: int) -> bool:
        try:
            with Ledger(str(ledger.engine.url.render_as_string(hide_password=False))) as own:
                own.record_log_reading(source, None, FIRST, {MONDAY: tally(5, a=1)}, AT)
        except LedgerConflict:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(read, range(4))) == 1
    assert ledger.log_days(MONDAY, TUESDAY)[source][MONDAY].lines == 5


def test_a_reading_that_broke_off_leaves_neither_count_nor_position(ledger: Ledger, source: str) -> None:
    def broken() -> None:
        with ledger.transaction():
            ledger.record_log_reading(source, None, FIRST, {MONDAY: tally(5, a=1)}, AT)
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        broken()
    assert ledger.log_position(source) is None
    assert source not in ledger.log_days(MONDAY, TUESDAY)


def test_what_is_older_than_its_class_is_forgotten(ledger: Ledger, source: str) -> None:
    old = date(2020, 1, 1)
    ledger.record_log_reading(source, None, FIRST, {old: tally(5, a=1, gone=1), MONDAY: tally(1, a=1)}, AT)
    assert ledger.forget_log_days(date(2021, 1, 1)) >= 4
    assert list(ledger.log_days(old, TUESDAY)[source]) == [MONDAY]
    texts = {one.text for one in ledger.log_signature_days(old, TUESDAY) if one.source == source}
    assert texts == {"a"}


def test_thousands_of_signatures_and_what_no_text_holds(ledger: Ledger, source: str) -> None:
    day = LogDay(lines=3000)
    day.signatures = Counter({("INFO", f"line \x00 \ud800 {number}"): 1 for number in range(3_000)})
    ledger.record_log_reading(source, None, FIRST, {MONDAY: day}, AT)
    assert sum(one.source == source for one in ledger.log_signature_days(MONDAY, TUESDAY)) == 3_000
