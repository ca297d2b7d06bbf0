"""Error lines of real log files, here and over a real sshd: read on, rotated, cut short, gone, unreadable."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from clo_ops.findings import Answer
from clo_ops.policy import load_policy
from clo_ops.policy.alerting import ErrorLog
from clo_ops.probes import log_errors
from clo_ops.probes.targets import HostTarget
from demo.app.logs import open_log, say

AT = datetime(2026, 11, 23, 8, tzinfo=UTC)
EVERY, MINUTE = timedelta(seconds=5), timedelta(minutes=1)
PATTERN = load_policy().alerting.error_logs[0].errors
BAD = '{"level": "ERROR", "event": "internal error"}\n'
GOOD = '{"level": "INFO", "event": "fine, no ERROR here"}\n'


def source(path: str = "api.jsonl", name: str = "api", errors: str = PATTERN) -> ErrorLog:
    return ErrorLog(name=name, host="app1", path=path, errors=errors, manual="L365")


class Reader:
    """Looks at the log every few seconds of a clock of its own."""

    def __init__(self, host: HostTarget, *sources: ErrorLog) -> None:
        self.host, self.sources = host, sources or (source(),)
        self.positions: log_errors.Positions = {}
        self.at = AT

    def answer(self, after: timedelta = EVERY) -> Answer:
        self.at += after
        return log_errors.errors(self.host, self.sources, self.positions, self.at, MINUTE)

    def look(self, after: timedelta = EVERY) -> float | None:
        return self.answer(after).value(log_errors.METRIC, source="api")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "api.jsonl"
    path.write_text(BAD * 3 + GOOD)
    return path


@pytest.fixture
def reader(log: Path) -> Reader:
    one = Reader(HostTarget("app1", "local", logs=str(log.parent)))
    assert one.look() is None, "what was there before anybody looked is not of this minute"
    return one


def add(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def test_a_burst_is_counted_in_the_next_look_and_forgotten_after_a_minute(reader: Reader, log: Path) -> None:
    assert reader.look() == 0
    add(log, (GOOD + BAD) * 60)
    assert reader.look() == 60
    assert reader.look() == 60, "nothing is counted twice"
    add(log, BAD)
    assert reader.look() == 61
    assert reader.look(MINUTE - EVERY) == 1
    assert reader.look() == 0


def test_over_ssh_it_is_the_same(ssh_host: Callable[..., HostTarget], log: Path) -> None:
    reader = Reader(ssh_host(logs=str(log.parent)))
    assert reader.look() is None
    add(log, BAD * 7 + GOOD)
    assert reader.look() == 7


def test_half_a_line_is_counted_once_it_is_whole(reader: Reader, log: Path) -> None:
    add(log, BAD[:20])
    assert reader.look() == 0
    add(log, BAD[20:])
    assert reader.look() == 1


def test_what_was_written_before_the_rotation_is_counted_and_the_new_file_from_its_beginning(
    reader: Reader, log: Path
) -> None:
    add(log, BAD * 4)
    log.rename(log.with_suffix(".jsonl.1"))
    log.write_text(BAD * 2)
    answer = reader.answer()
    assert answer.value(log_errors.METRIC) == 6
    assert "rotated" in answer.measurements[0].detail
    assert reader.look() == 6


def test_the_rotation_of_the_demo_application_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("demo.app.logs._LIMIT", 4000)
    logger = open_log(tmp_path, f"rotating-{tmp_path.name}")
    try:
        say(logger, "started")
        reader = Reader(
            HostTarget("app1", "local", logs=str(tmp_path / "logs")), source(f"rotating-{tmp_path.name}.jsonl")
        )
        assert reader.look() is None
        for number in range(120):
            say(logger, "broken", logging.ERROR, number=number)
            if number % 10 == 9:
                reader.look(timedelta(0))
        assert reader.look(timedelta(0)) == 120
        assert len(list((tmp_path / "logs").iterdir())) == 3, "it did rotate"
    finally:
        for handler in list(logger.handlers):
            handler.close()
            logger.removeHandler(handler)


def test_a_file_cut_short_is_read_from_its_beginning(reader: Reader, log: Path) -> None:
    os.truncate(log, 0)
    add(log, BAD * 2)
    answer = reader.answer()
    assert answer.value(log_errors.METRIC) == 2
    assert "truncated" in answer.measurements[0].detail


def test_cut_short_with_its_first_bytes_kept_is_read_from_its_beginning(reader: Reader, log: Path) -> None:
    add(log, BAD * 20)
    assert reader.look() == 20
    os.truncate(log, 400)
    assert "truncated" in reader.answer(MINUTE).measurements[0].detail


def test_cut_short_and_grown_past_where_we_were_is_noticed_by_its_first_bytes(reader: Reader, log: Path) -> None:
    os.truncate(log, 0)
    add(log, GOOD * 3 + BAD * 9)
    assert reader.look() == 9


def test_replaced_by_another_file_is_read_from_its_beginning(reader: Reader, log: Path) -> None:
    other = log.with_suffix(".new")
    other.write_text(GOOD + BAD * 5)
    other.replace(log)
    answer = reader.answer()
    assert answer.value(log_errors.METRIC) == 5
    assert "replaced" in answer.measurements[0].detail


def test_a_missing_file_is_unanswered_and_never_no_errors(reader: Reader, log: Path) -> None:
    log.unlink()
    answer = reader.answer()
    assert answer.measurements == ()
    assert "there is no file" in answer.unanswered[0].reason
    log.write_text(BAD * 3)
    assert reader.look() == 3, "what came there since is new, all of it"


def test_looked_at_between_the_move_and_the_new_file_nothing_is_lost(reader: Reader, log: Path) -> None:
    add(log, BAD * 4)
    log.rename(log.with_suffix(".jsonl.1"))
    assert reader.look() is None
    log.write_text(BAD * 2)
    assert reader.look() == 6


def test_a_file_that_comes_after_the_first_look_is_read_from_its_beginning(tmp_path: Path) -> None:
    reader = Reader(HostTarget("app1", "local", logs=str(tmp_path)))
    assert "there is no file" in reader.answer().unanswered[0].reason
    (tmp_path / "api.jsonl").write_text(BAD * 3)
    assert reader.look() == 3


def test_a_directory_is_no_log(tmp_path: Path) -> None:
    reader = Reader(HostTarget("app1", "local", logs=str(tmp_path)), source("."))
    assert "no file that may be read" in reader.answer().unanswered[0].reason


def test_a_pattern_grep_does_not_take_is_said_so(log: Path) -> None:
    reader = Reader(HostTarget("app1", "local", logs=str(log.parent)), source(errors=r"a{1,99999}"))
    reader.answer()
    add(log, BAD)
    answer = reader.answer()
    assert answer.measurements == ()
    assert "pattern" in answer.unanswered[0].reason


def test_a_relative_path_without_a_directory_is_unanswered(log: Path) -> None:
    answer = Reader(HostTarget("app1", "local")).answer()
    assert "`logs`" in answer.unanswered[0].reason
    absolute = Reader(HostTarget("app1", "local"), source(str(log)))
    assert absolute.answer().unanswered == ()


def test_one_missing_log_hides_no_other(reader: Reader, log: Path) -> None:
    reader.sources = (source("nowhere.jsonl", "worker"), source())
    add(log, BAD * 2)
    answer = reader.answer()
    assert answer.value(log_errors.METRIC, source="api") == 2
    assert [one.question for one in answer.unanswered] == ["error lines of worker"]


def test_only_so_much_is_read_at_once_and_the_rest_next_time(
    reader: Reader, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_errors, "MOST_BYTES", len(BAD) * 10 + 7)
    add(log, BAD * 25)
    first = reader.answer()
    assert first.value(log_errors.METRIC) == 10
    assert f"{len(BAD) * 15} bytes left" in first.measurements[0].detail
    assert [reader.look(), reader.look(), reader.look()] == [20, 25, 25]


def test_a_line_longer_than_all_that_is_read_does_not_stop_it(
    reader: Reader, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_errors, "MOST_BYTES", 200)
    add(log, "x" * 950 + "\n" + BAD)
    looks = [reader.look() for _ in range(8)]
    assert looks[-1] == 1


@pytest.mark.parametrize("odd", ["a b.jsonl", "it's.jsonl", "$(touch owned).jsonl", "-n.jsonl"])
def test_an_odd_name_is_only_a_name(tmp_path: Path, odd: str) -> None:
    path = tmp_path / odd
    path.write_text(GOOD)
    reader = Reader(HostTarget("app1", "local", logs=str(tmp_path)), source(odd))
    reader.answer()
    add(path, BAD)
    assert reader.look() == 1
    assert sorted(one.name for one in tmp_path.iterdir()) == [odd]


def test_bytes_that_are_no_text_are_passed_over(reader: Reader, log: Path) -> None:
    with log.open("ab") as file:
        file.write(b"\x00\xff\xfe\n" + BAD.encode() + b"\x00\n" + BAD.encode())
    assert reader.look() == 2


def test_a_host_that_does_not_answer_leaves_each_log_unanswered(log: Path) -> None:
    reader = Reader(HostTarget("app1", "prometheus", logs=str(log.parent)), source(), source("w", "worker"))
    assert len(reader.answer().unanswered) == 2


@pytest.fixture
def unreadable(log: Path) -> Iterator[Any]:
    log.chmod(0)
    yield log
    log.chmod(0o600)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_log_that_may_not_be_read_is_unanswered(unreadable: Path) -> None:
    reader = Reader(HostTarget("app1", "local", logs=str(unreadable.parent)))
    assert "may be read" in reader.answer().unanswered[0].reason
