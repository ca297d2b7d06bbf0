"""Reading on in real logs, here and over a real sshd: whole lines, across every kind of rotation, counted once."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest

from clo_ops.findings.logs import LogPosition
from clo_ops.policy import load_policy
from clo_ops.policy.logs import LogFile, Logs
from clo_ops.probes import log_lines
from clo_ops.probes.targets import HostTarget
from clo_ops.rules.log_tally import LogDay

AT = datetime(2026, 11, 23, 18, 30, tzinfo=UTC)
ENDS = time(18, tzinfo=UTC)
SOURCE = LogFile(
    name="api",
    host="app1",
    path="api.jsonl",
    rotated="api.jsonl.*",
    classes=("application_logs",),
    form="json",
    manual="L358",
)


def terms(**reading: Any) -> Logs:
    logs = load_policy().logs
    return logs.model_copy(update={"reading": logs.reading.model_copy(update=reading)})


def line(number: int, at: datetime = AT - timedelta(hours=1)) -> str:
    return json.dumps({"at": at.isoformat(), "level": "INFO", "event": f"line {number}"}) + "\n"


class Log:
    """Writes numbered lines and reads on."""

    def __init__(self, host: HostTarget, path: Path) -> None:
        self.host, self.path = host, path
        self.position: LogPosition | None = None
        self.written = 0
        self.counted = 0

    def write(self, count: int) -> None:
        with self.path.open("a") as file:
            for _ in range(count):
                self.written += 1
                file.write(line(self.written))

    def look(self, policy: Logs | None = None) -> log_lines.Look:
        look = log_lines.read_on(self.host, SOURCE, self.position, policy or terms(), at=AT, ends=ENDS)
        assert not look.answer.unanswered, look.answer.unanswered
        assert look.position is not None
        assert look.reader is not None
        self.position = look.position
        self.counted += sum(day.lines for day in look.reader.days.values())
        return look


@pytest.fixture(params=["local", "ssh"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Log:
    if request.param == "local":
        host = HostTarget("app1", "local", logs=str(tmp_path))
    else:
        make: Callable[..., HostTarget] = request.getfixturevalue("ssh_host")
        host = make(logs=str(tmp_path))
    return Log(host, tmp_path / "api.jsonl")


@pytest.fixture
def here(tmp_path: Path) -> Log:
    return Log(HostTarget("app1", "local", logs=str(tmp_path)), tmp_path / "api.jsonl")


def test_everything_once_and_then_what_is_new(log: Log) -> None:
    log.write(100)
    first = log.look()
    assert log.counted == 100
    assert first.left == 0
    assert not first.lost
    log.look()
    assert log.counted == 100
    log.write(7)
    log.look()
    assert log.counted == log.written == 107


def test_a_line_half_written_is_for_the_next_look(here: Log) -> None:
    here.write(3)
    with here.path.open("a") as file:
        file.write('{"at": "2026-11-23T17:00:00+00:00", ')
    here.look()
    assert here.counted == 3
    with here.path.open("a") as file:
        file.write('"level": "INFO", "event": "whole"}\n')
    here.look()
    assert here.counted == 4


def test_moved_aside_and_begun_anew(log: Log) -> None:
    log.write(10)
    log.look()
    log.write(5)
    log.path.rename(log.path.with_name("api.jsonl.1"))
    log.write(4)
    look = log.look()
    assert log.counted == 19
    assert not look.lost


def test_rotated_several_times_between_two_looks(here: Log) -> None:
    here.write(10)
    here.look()
    for number, name in enumerate(("c", "b", "a")):
        here.write(5)
        moved = here.path.with_name(f"api.jsonl.{name}")
        here.path.rename(moved)

        os.utime(moved, (1_700_000_000 + number, 1_700_000_000 + number))
    here.write(2)
    look = here.look()
    assert here.counted == here.written == 27
    assert not look.lost


def test_copied_and_cut_short(here: Log) -> None:
    here.write(30)
    here.look()
    here.write(5)
    shutil.copyfile(here.path, here.path.with_name("api.jsonl.1"))
    with here.path.open("w"):
        pass
    here.write(3)
    look = here.look()
    assert here.counted == here.written == 38
    assert not look.lost


def test_compressed_after_it_was_moved_aside(log: Log) -> None:
    log.write(30)
    log.look()
    log.write(5)
    with gzip.open(log.path.with_name("api.jsonl.1.gz"), "wb") as packed:
        packed.write(log.path.read_bytes())
    log.path.unlink()
    log.write(3)
    look = log.look()
    assert log.counted == log.written == 38
    assert not look.lost


def test_what_cannot_be_found_again_is_lost_and_said_to_be(here: Log) -> None:
    here.write(10)
    here.look()
    here.write(5)
    here.path.unlink()
    here.path.with_name("api.jsonl.9").write_text(line(999))
    here.write(3)
    look = here.look()
    assert look.lost
    assert here.counted == 13, "nothing of a stranger's file"


def test_bounded_and_the_rest_in_the_next_looks(here: Log) -> None:
    here.write(100)
    here.look()
    here.write(1_000)
    few = terms(most_bytes=20_000)
    look = here.look(few)
    assert look.read <= 20_000
    assert look.left > 0
    while here.look(few).left:
        pass
    assert here.counted == here.written


def test_the_first_look_at_a_large_log_reads_its_end(here: Log) -> None:
    here.write(1_000)
    look = here.look(terms(most_bytes=10_000))
    assert 80 < here.counted < 200
    assert look.left == 0


def test_bounded_across_a_rotation(here: Log) -> None:
    here.write(10)
    here.look()
    here.write(500)
    here.path.rename(here.path.with_name("api.jsonl.1"))
    here.write(500)
    few = terms(most_bytes=10_000)
    for _ in range(30):
        look = here.look(few)
        assert not look.lost
        if not look.left:
            break
    assert here.counted == here.written == 1_010


def test_a_log_that_is_not_there_is_unknown(tmp_path: Path) -> None:
    host = HostTarget("app1", "local", logs=str(tmp_path))
    look = log_lines.read_on(host, SOURCE, None, terms(), at=AT, ends=ENDS)
    (question,) = look.answer.unanswered
    assert "there is no file" in question.reason
    assert look.position is None


def test_a_script_cut_off_moves_nothing(tmp_path: Path) -> None:
    (tmp_path / "api.jsonl").write_text(line(1) * 100)
    host = HostTarget("app1", "local", logs=str(tmp_path))
    look = log_lines.read_on(host, SOURCE, None, terms(within=timedelta(seconds=0)), at=AT, ends=ENDS)
    assert look.answer.unanswered
    assert look.position is None


def test_a_day_ends_when_the_end_of_day_begins(here: Log) -> None:
    before, after = AT.replace(hour=17, minute=59), AT.replace(hour=18, minute=0)
    here.path.write_text(line(1, before) + line(2, before - timedelta(days=1)) + line(3, after) + "no time\n")
    look = here.look()
    assert look.reader is not None
    found = {day: tally.lines for day, tally in look.reader.days.items()}
    assert found == {date(2026, 11, 23): 1, date(2026, 11, 22): 1, date(2026, 11, 24): 2}


def test_requests_and_levels_of_an_access_log(here: Log) -> None:
    with here.path.open("a") as file:
        for number in range(100):
            entry = {
                "at": AT.isoformat(),
                "level": "INFO",
                "event": "request",
                "method": "GET",
                "endpoint": "/deals/{id}",
            }
            file.write(json.dumps(entry | {"status": 500 if number < 5 else 200, "ms": number + 1}) + "\n")
    look = here.look()
    assert look.reader is not None
    (day,) = look.reader.days.values()
    one = day.requests["GET /deals/{id}"]
    assert (one.count, one.failed) == (100, 5)
    again = LogDay.from_json(day.lines, day.bytes, json.loads(json.dumps(day.as_json())))
    assert again.requests["GET /deals/{id}"].ms == one.ms
